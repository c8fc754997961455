"""A broker, a lake and real writers between them, for tests that stop, kill and starve writers."""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
from confluent_kafka import Consumer, Producer, TopicPartition

from adapters.objects import ObjectStore
from bronze_writer.__main__ import run
from bronze_writer.consumer import GROUP
from bronze_writer.lake import Store
from bronze_writer.settings import Settings
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from lakehouse.identity import Position, hash_sum, row_hash
from lakehouse.wire import FieldTable, encode, frame_header
from local.aws_setup import prepare_aws, register_schemas
from local.mock_cluster import MockCluster

ROOT = Path(__file__).parents[2]
WITHIN_S = 60  # a start takes two seconds, a rejoin after kill -9 six; a loaded machine many
NUMBERS = count()
ENTITIES = load_entities()
PAYMENTS = FieldTable.of(ENTITIES["payments"])
TOPIC = ENTITIES["payments"].topic


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Landed:
    """An object of Bronze with its rows."""

    metadata: BronzeMetadata
    rows: list[dict[str, object]]


class Writer:
    """A writer as a process of its own."""

    def __init__(self, rig: "Rig", arguments: Sequence[str], module: str, more: dict[str, str]) -> None:
        number = next(NUMBERS)
        self.ready, self._log = rig.folder / f"writer-{number}.ready", rig.folder / f"writer-{number}.log"
        environment = {**os.environ, **rig.environment(), "NEXUS_READY_FILE": str(self.ready), **more}
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", module, *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def when_ready(self) -> "Writer":
        wait_for("ready", lambda: self.ready.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(WITHIN_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class WriterThread:
    """A writer within this process, over any store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.drain, self.failure = threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(settings, store), daemon=True)
        self._thread.start()

    def _run(self, settings: Settings, store: Store) -> None:
        try:
            run(settings, self.drain, store)
        except Exception as error:  # noqa: BLE001 - given to the test
            self.failure = error

    def stop(self) -> None:
        self.drain.set()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()


@dataclass
class Rig:
    """One broker with one partitioned topic per entity, one lake. `sent` are all values by (topic, partition)."""

    folder: Path
    endpoint: str
    kafka: MockCluster
    log: str = "log-1"
    partitions: int = 4
    prefix: str = ""
    sent: dict[tuple[str, int], list[bytes | None]] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    threads: list[WriterThread] = field(default_factory=list)
    schema_id: str = ""

    def __post_init__(self) -> None:
        self.prefix = f"writer-{next(NUMBERS)}"
        prepare_aws(self.endpoint, self.prefix)
        ids = register_schemas(
            self.endpoint, "keystone-nexus", {n: e.definition for n, e in ENTITIES.items()}
        )
        self.schema_id = ids["payments"]
        self.make_topics()

    def make_topics(self) -> None:
        for entity in ENTITIES.values():
            self.kafka.create_topic(entity.topic, self.partitions)

    def environment(self) -> dict[str, str]:
        return {
            "NEXUS_BROKER": self.kafka.bootstrap,
            "NEXUS_LOG": self.log,
            "NEXUS_BUCKET_PREFIX": self.prefix,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "NEXUS_FLUSH_SECONDS": "0.2",
            "NEXUS_FLUSH_ROWS": "500",
        }

    def settings(self, **more: str) -> Settings:
        return Settings.from_env(self.environment() | more)

    def start(self, *arguments: str, module: str = "bronze_writer", **more: str) -> Writer:
        self.writers.append(Writer(self, arguments, module, more))
        return self.writers[-1]

    def start_thread(self, store: Store, **more: str) -> WriterThread:
        self.threads.append(WriterThread(self.settings(**more), store))
        return self.threads[-1]

    def a_value(self, number: int) -> bytes:
        row = {
            "event_id": f"e-{number}",
            "occurred_at": number,
            "source": "test",
            "contract_version": "1.0.0",
            "order_id": f"{number:032x}",
            "payment_sequential": 1,
            "payment_value": "1.00",
        }
        return frame_header(self.schema_id) + encode(PAYMENTS, row)

    def send(self, values: Iterable[bytes | None], topic: str = TOPIC, partitions: int = 4) -> None:
        """Spreads values over partitions in turn; returns when all are acknowledged."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 1})
        for number, value in enumerate(values):
            partition = number % partitions
            self.sent.setdefault((topic, partition), []).append(value)
            producer.produce(topic, value, partition=partition)
            if number % 1000 == 0:
                producer.poll(0)
        assert producer.flush(WITHIN_S) == 0

    def committed(self, topic: str = TOPIC) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": GROUP})
        found = consumer.committed([TopicPartition(topic, p) for p in range(self.partitions)], timeout=10)
        consumer.close()
        return {p.partition: p.offset for p in found if p.offset >= 0}

    @property
    def store(self) -> ObjectStore:
        return ObjectStore.connect(self.endpoint, "us-east-1")

    @property
    def bucket(self) -> str:
        return f"{self.prefix}-bronze"

    def landed(self, store: Store | None = None) -> dict[tuple[str, int], list[Landed]]:
        """Objects by (topic, partition) in offset order."""
        lake = store or self.store
        found: dict[tuple[str, int], list[Landed]] = {}
        for stored in list(lake.keys(self.bucket, "")):
            if not stored.key.endswith(".parquet"):
                continue
            head = lake.head(self.bucket, stored.key)
            assert head is not None
            metadata = BronzeMetadata.from_s3(head.metadata)
            assert str(metadata.key) == stored.key
            table = pq.read_table(io.BytesIO(lake.get(self.bucket, stored.key)), use_threads=False)
            found.setdefault((metadata.topic, metadata.partition), []).append(
                Landed(metadata, table.to_pylist())
            )
        return {place: sorted(o, key=lambda o: o.metadata.first_offset) for place, o in found.items()}

    def assert_exact(self, store: Store | None = None) -> dict[tuple[str, int], list[Landed]]:
        """Everything sent is in exactly one object, at its offset, byte for byte; objects tile the offsets."""
        landed = self.landed(store)
        assert landed.keys() == {place for place, values in self.sent.items() if values}
        for place, values in self.sent.items():
            end = 0
            for found in landed[place]:
                metadata = found.metadata
                assert metadata.previous_end == metadata.first_offset == end
                assert metadata.void_reason == ""
                end = metadata.end_offset
                expected = [
                    row_hash(Position(self.log, *place, offset), values[offset])
                    for offset in range(metadata.first_offset, end)
                ]
                assert [row["pos_offset"] for row in found.rows] == list(range(metadata.first_offset, end))
                assert [row["row_hash"] for row in found.rows] == expected
                assert (metadata.rows, metadata.hash_sum) == (len(expected), hash_sum(expected))
            assert end == len(values)
        return landed

    def close(self) -> None:
        for thread in self.threads:
            thread.drain.set()
        for writer in self.writers:
            if writer.process.poll() is None:
                writer.kill()
