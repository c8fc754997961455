"""What a history runs in: a Kafka of its own behind a proxy, a lake on it, a shop that never stops sending.

The shop's client resends what was not acknowledged, as it promises; what it was told is kept for the auditor.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import boto3
from confluent_kafka.admin import AdminClient

from adapters.ledger import Ledger, reports
from faults.auditor import Acknowledged
from faults.evidence import Place
from faults.workload import Event, Workload
from grpc_ingest.client import Batching, EventResult, IngestClient
from lakehouse.catalog import load_entities
from local import runtime
from local.kafka.cluster import Cluster
from local.kafka.proxy import Proxy
from local.lake_lock import read_holder
from local.run_state import Options, Running

T = TypeVar("T")

PREFIX = "olist-data-lake"
# Events a second: enough that every fault hits something on its way, few enough for two cores.
RATE = 150
# Time for everything to arrive after the last fault: deaths in a row make a child rest up to 30 s.
SETTLE_S = 300.0
HEAL_S = 60.0
_ENVIRONMENT = {
    "NEXUS_FLUSH_SECONDS": "0.5",  # small objects, many landings: more moments at which a kill hurts
    "NEXUS_FLUSH_ROWS": "200",
    "NEXUS_SWEEP_EVERY_S": "2",
    "NEXUS_SWEEP_MINIMUM_AGE_S": "2",
}


class NotSettled(AssertionError):
    """After the last fault, something did not arrive in time."""


class Shop:
    """Sends the workload's events at RATE until told to stop. `acknowledged` is filled by the client's thread."""

    def __init__(self, address: str, workload: Workload) -> None:
        self.sent: list[Event] = []
        self.acknowledged: list[Acknowledged] = []
        self.refused: list[EventResult] = []
        self._workload = workload
        batching = Batching(size=20, buffer=5000, give_up_after_s=600)
        self._client = IngestClient.connect(address, "faults", batching=batching, on_results=self._note)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shop", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops sending, waits until every event is settled."""
        self._stop.set()
        self._thread.join()
        counts = self._client.close(timeout=SETTLE_S)
        if counts.pending:
            raise NotSettled(f"{counts.pending} events were neither acknowledged nor refused")

    def send(self, event: Event) -> None:
        """One event, at once."""
        self.sent.append(event)
        self._client.send(
            event.entity, event.columns, event.occurred_at, op=event.op, event_id=event.event_id
        )

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self.send(self._workload.next())
            due += 1 / RATE
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _note(self, results: Sequence[EventResult]) -> None:
        for result in results:
            if result.position is None:
                self.refused.append(result)
            else:
                position = result.position
                place = Place(position.log, position.topic, position.partition, position.offset)
                self.acknowledged.append(Acknowledged(result.event_id, place))


class World:
    """A context manager; nothing of it stays behind. Must be used from the main thread, which spawns."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.lake = folder / "lake"
        self.cluster = Cluster(folder / "kafka")
        ports = self.cluster.layout.ports[0]
        self.proxy = Proxy(ports.proxy, ports.behind_proxy)
        self.workload = Workload(seed)
        self.log = self.cluster.layout.log
        self._shop: Shop | None = None

    def __enter__(self) -> Self:
        self.cluster.start()
        self.proxy.__enter__()
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):
            runtime.stop(self.lake, lambda _event: None, at_once=True)
        self.proxy.__exit__(kind, error, trace)
        self.cluster.stop()

    def up(self, grpc_port: int = 0) -> None:
        """Starts the lake."""
        options = Options(
            broker=self.cluster.bootstrap_by_proxy,
            log=self.log,
            environment=_ENVIRONMENT,
            grpc_port=grpc_port,
            refresh=False,  # histories build, and kill, Gold themselves
        )
        runtime.start(self.lake, options, lambda _event: None)

    def up_again(self, grpc_port: int) -> None:
        """Starts the lake where its clients know it, once what was killed is gone."""
        wait_for("the killed processes to be gone", lambda: read_holder(self.lake) is None or None, HEAL_S)

        def started() -> bool:
            self.up(grpc_port)
            return True

        wait_for("the lake to start", started, HEAL_S)

    def open_shop(self) -> Shop:
        """Begins to send."""
        self._shop = Shop(self.running.grpc_address, self.workload)
        return self._shop

    @property
    def shop(self) -> Shop:
        """The shop that sends."""
        assert self._shop is not None
        return self._shop

    @property
    def running(self) -> Running:
        """The lake as it runs now."""
        return runtime.require(self.lake)

    def pid(self, child: str) -> int:
        """Pid of a child, waited for while it is down."""
        return wait_for(f"{child} to run", lambda: self.running.children.get(child), HEAL_S)

    def wait_healed(self) -> None:
        """Every child runs."""
        wait_for("every process to run", lambda: all(self.running.children.values()) or None, HEAL_S)

    def sqs(self) -> tuple[Any, str]:
        """A client of the local SQS, and the check queue's URL."""
        running = self.running
        return self.client("sqs"), running.check_queue_url

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        running = self.running
        return boto3.client(
            service,
            endpoint_url=running.aws_url,
            region_name=running.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - local servers take any key
        )

    def settle(self) -> None:
        """Waits until all that is in the broker is landed and checked. NotSettled, with what waits, when it is not."""
        self.shop.close()
        self.wait_healed()
        ends = self._broker_ends()

        def settled() -> bool | None:
            ledger = Ledger.connect(self.running.ledger_url)
            try:
                landed = {
                    (p.topic, p.partition): p.landed for p in reports.positions(ledger) if p.log == self.log
                }
                unchecked = sum(balance.unchecked.rows for balance in reports.balance(ledger).values())
            finally:
                ledger.close()
            arrived = all(landed.get(place, 0) >= end for place, end in ends.items())
            return True if arrived and not unchecked else None

        wait_for("everything to be landed and checked", settled, SETTLE_S)

    def _broker_ends(self) -> Mapping[tuple[str, int], int]:
        from confluent_kafka import Consumer, TopicPartition

        topics = [entity.topic for entity in load_entities().values()]
        consumer = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": "ends"})
        try:
            known = AdminClient({"bootstrap.servers": self.cluster.bootstrap}).list_topics(timeout=30).topics
            places = [(topic, p) for topic in topics if topic in known for p in known[topic].partitions]
            return {
                (topic, partition): consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=30
                )[1]
                for topic, partition in places
            }
        finally:
            consumer.close()


def wait_for(what: str, ask: Callable[[], T | None], within_s: float) -> T:
    """Asks until it gives something. NotSettled when it does not in time."""
    deadline = time.monotonic() + within_s
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            answer = ask()
        except Exception as error:  # noqa: BLE001 - what is asked may be down just now: that is what we wait out
            last, answer = error, None
        if answer:
            return answer
        time.sleep(0.05)
    raise NotSettled(f"waited {within_s:g} s in vain for {what}" + (f": {last!r}" if last else ""))
