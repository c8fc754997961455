"""What a history runs in: a Kafka of its own behind proxies, a lake on it, a shop that never stops sending."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import boto3
from botocore.config import Config
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from adapters.ledger import Ledger, reports
from faults.auditor import Finding
from faults.evidence import Place, Record, read_broker
from faults.shop import Shop
from faults.waiting import wait_for, wait_while_moving
from faults.workload import Workload
from lakehouse.catalog import load_entities
from local import runtime
from local.kafka.cluster import Cluster
from local.kafka.proxy import Proxy
from local.lake_lock import read_holder
from local.run_state import Options, Running

PREFIX = "olist-data-lake"
# What the shop sells; the other topics stay empty.
TOPICS = ("orders.v1", "payments.v1")
PARTITIONS = 4
# Small objects, many landings: more moments at which a kill hurts.
WRITER = {"NEXUS_FLUSH_SECONDS": "0.5", "NEXUS_FLUSH_ROWS": "200"}
_ENVIRONMENT = {**WRITER, "NEXUS_SWEEP_EVERY_S": "2", "NEXUS_SWEEP_MINIMUM_AGE_S": "2"}
# librdkafka's own lines about brokers that are gone would drown the history's: they go to its log file.
QUIET = logging.getLogger("faults.librdkafka")


class Told(NamedTuple):
    """What the ledger says: positions landed or void of the log, rows that wait for their check."""

    accounted: Mapping[tuple[str, int], int]
    unchecked: int


class World:
    """A context manager; nothing of it stays behind. Must be used from the main thread, which spawns.

    `past` holds what brokers held whose topics are gone, `expired` the positions that a fault took from the broker
    before they were landed, `noted` what a fault itself found wrong.
    """

    def __init__(self, folder: Path, seed: int, brokers: int = 1) -> None:
        self.lake = folder / "lake"
        self.workload = Workload(seed)
        self.past: list[Record] = []
        self.expired: set[Place] = set()
        self.noted: list[Finding] = []
        self._folder, self._brokers = folder, brokers
        self._shop: Shop | None = None
        self._clusters = 0
        self._at_end = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open_cluster()
            self.up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shop:
            self._shop.abandon()
        with suppress(Exception):
            runtime.stop(self.lake, lambda _event: None, at_once=True)
        self._at_end.close()

    def up(self, grpc_port: int = 0) -> None:
        """Starts the lake where its clients know it, once what was killed is gone."""
        wait_for("the killed processes to be gone", lambda: read_holder(self.lake) is None or None)

        def started() -> bool:
            self._start(grpc_port)
            return True

        wait_for("the lake to start", started)

    def _start(self, grpc_port: int) -> None:
        options = Options(
            broker=self.cluster.bootstrap_by_proxy,
            log=self.log,
            partitions=PARTITIONS,
            environment=_ENVIRONMENT,
            grpc_port=grpc_port,
            refresh=False,  # histories build, and kill, Gold themselves
        )
        # a history that is killed takes its lake with it
        runtime.start(self.lake, options, lambda _event: None, ends_with_caller=True)

    def down(self) -> int:
        """Stops the lake in order; the port where its clients know it."""
        port = self.grpc_port
        runtime.stop(self.lake, lambda _event: None)
        return port

    @property
    def grpc_port(self) -> int:
        """Of the ingest host."""
        return int(self.running.grpc_address.rpartition(":")[2])

    def replace_cluster(self) -> None:
        """A new Kafka in the place of the old one, which is gone. To be called while the lake is down."""
        self._at_end.close()
        self._open_cluster()

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
        return wait_for(f"{child} to run", lambda: self.running.children.get(child))

    def wait_healed(self) -> None:
        """Every child runs."""
        wait_for("every process to run", lambda: all(self.running.children.values()) or None)

    def sqs(self) -> tuple[Any, str]:
        """A client of the local SQS, and the check queue's URL."""
        return self.client("sqs"), self.running.check_queue_url

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS, with patience enough for one that was killed and is started again."""
        running = self.running
        return boto3.client(
            service,
            endpoint_url=running.aws_url,
            region_name=running.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - local servers take any key
            config=Config(retries={"mode": "standard", "total_max_attempts": 12}),  # waits of up to 20 s
        )

    def end_history(self) -> int:
        """Pauses the shop, waits until all is landed and keeps what the broker holds: its topics may go now.

        How many events were acknowledged until here.
        """
        self.shop.pause()
        self.wait_healed()
        self._wait()
        self.past += read_broker(self.cluster.bootstrap, self.log, TOPICS)
        return len(self.shop.acknowledged)

    def settle(self) -> None:
        """Stops the shop and waits until all that is in the broker is landed and checked. NotSettled if it is not."""
        self.shop.close()
        self.wait_healed()
        self._wait()

    def _wait(self) -> None:
        ends = self.ends()

        def arrived(told: Told) -> int:
            return sum(min(told.accounted.get(place, 0), end) for place, end in ends.items())

        def settled() -> bool | None:
            told = self._ledger_says()
            return True if arrived(told) >= sum(ends.values()) and not told.unchecked else None

        def figures() -> str:
            told = self._ledger_says()
            down = [name for name, pid in self.running.children.items() if not pid]
            return (
                f"{arrived(told):,} of {sum(ends.values()):,} positions landed, {told.unchecked:,} rows not checked"
                + f", {', '.join(down)} down" * bool(down)
            )

        wait_while_moving("everything to be landed and checked", settled, figures)

    def _ledger_says(self) -> "Told":
        ledger = Ledger.connect(self.running.ledger_url)
        try:
            accounted = {
                (p.topic, p.partition): p.landed + p.void
                for p in reports.positions(ledger)
                if p.log == self.log
            }
            return Told(accounted, sum(one.unchecked.rows for one in reports.balance(ledger).values()))
        finally:
            ledger.close()

    def ends(self) -> Mapping[tuple[str, int], int]:
        """Ends of every partition in the broker."""
        topics = [entity.topic for entity in load_entities().values()]
        bootstrap = {"bootstrap.servers": self.cluster.bootstrap}
        consumer = Consumer({**bootstrap, "group.id": "ends"}, logger=QUIET)
        try:
            known = AdminClient(bootstrap, logger=QUIET).list_topics(timeout=30).topics
            places = [(topic, p) for topic in topics if topic in known for p in known[topic].partitions]
            return {
                (topic, partition): consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=30
                )[1]
                for topic, partition in places
            }
        finally:
            consumer.close()

    def _open_cluster(self) -> None:
        self._clusters += 1
        self.cluster = Cluster(self._folder / f"kafka-{self._clusters}", self._brokers)
        self._at_end.callback(self.cluster.stop)
        self.cluster.start()
        self.proxies = [
            self._at_end.enter_context(Proxy(ports.proxy, ports.behind_proxy))
            for ports in self.cluster.layout.ports
        ]
        self.log = self.cluster.layout.log
