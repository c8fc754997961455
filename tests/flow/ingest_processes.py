"""A broker and a host as child processes, and what stands in the broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from lakehouse.catalog import load_entities
from lakehouse.identity import Position
from lakehouse.wire import FieldTable, Framed, decode, unframe
from local.broker_server import tell

ROOT = Path(__file__).parents[2]
LOG = "emb-1"
WAIT_S = 60.0  # everything here takes a second or two; a loaded machine many
TOPICS = {entity.topic: entity for entity in load_entities().values()}


def own_environment(**more: str) -> dict[str, str]:
    """This process's environment and some more."""
    return {**os.environ, **more}


class ChildProcess:
    """A process that writes a file when it is ready. A context manager that leaves nothing behind."""

    def __init__(self, folder: Path, name: str, *argv: str, **environment: str) -> None:
        self.ready, self.log_file = folder / f"{name}.ready", folder / f"{name}.log"
        self._argv = [sys.executable, "-m", *(a.replace("{ready}", str(self.ready)) for a in argv)]
        self.environment = own_environment(NEXUS_READY_FILE=str(self.ready), **environment)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        self.ready.unlink(missing_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self._argv, cwd=ROOT, env=self.environment, stderr=log)
        wait_until(lambda: self.ready.exists() or self.exit_code is not None)
        assert self.exit_code is None, self.log
        return self

    @property
    def exit_code(self) -> int | None:
        assert self.process is not None
        return self.process.poll()

    @property
    def address(self) -> str:
        text = self.ready.read_text().strip()
        return text if ":" in text else f"127.0.0.1:{text}"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class BrokerProcess(ChildProcess):
    """The embedded broker, which can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self._control = folder / "broker.control"
        names = ",".join(TOPICS)
        arguments = ("--port-file", "{ready}", "--topics", names, "--control-file", str(self._control))
        super().__init__(folder, "broker", "local.broker_server", *arguments)

    def tell(self, order: str, **more: Any) -> None:
        tell(self._control.read_text().strip(), {"do": order, **more})


def a_host(folder: Path, broker: BrokerProcess, **environment: str) -> ChildProcess:
    """A host process on any free port, with the tests' schema ids."""
    given = {"NEXUS_BROKER": broker.address, "NEXUS_LOG": LOG, "NEXUS_GRPC_PORT": "0", **environment}
    return ChildProcess(folder, "host", "tests.fakes.ingest_server", **given)


def read_broker(address: str, topics: Iterable[str] = TOPICS) -> dict[Position, tuple[bytes | None, bytes]]:
    """Key and value of every record by its position. Fails when the broker has dropped any."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    ends: dict[tuple[str, int], int] = {}
    for topic in topics:
        for partition in range(4):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=WAIT_S)
            assert low == 0, f"{topic}/{partition} begins at {low}: the broker dropped records"
            if high:
                ends[topic, partition] = high
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in ends])
    found: dict[Position, tuple[bytes | None, bytes]] = {}
    deadline = time.monotonic() + WAIT_S
    while len(found) < sum(ends.values()):
        assert time.monotonic() < deadline, f"{len(found)} of {sum(ends.values())} records read"
        for message in consumer.consume(10_000, 0.2):
            assert message.error() is None, message.error()
            at = Position(LOG, message.topic(), message.partition(), message.offset())
            found[at] = (message.key(), message.value())
    consumer.close()
    return found


def event_id_in(topic: str, value: bytes) -> str:
    """The event id that a record's message carries."""
    framed = unframe(value)
    assert isinstance(framed, Framed)
    row = decode(FieldTable.of(TOPICS[topic]), framed.message)
    assert isinstance(row, dict)
    return str(row["event_id"])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "this does not come true"
        time.sleep(0.01)
