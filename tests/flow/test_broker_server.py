"""The embedded broker as another process: topics, faults on order, and its end."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from lakehouse.errors import RuntimeFault
from local import mock_cluster
from local.broker_server import LimitedLog, tell

CODE = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0
PRODUCE = 0
QUIET = logging.getLogger("librdkafka-of-tests")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


@dataclass
class Broker:
    process: "subprocess.Popen[bytes]"
    port_file: Path
    address: str
    control: str


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    port_file, control_file = tmp_path / "port", tmp_path / "control"
    argv = [sys.executable, "-m", "local.broker_server", "--port-file", str(port_file)]
    argv += ["--topics", "orders.v1,payments.v1", "--partitions", "3", "--control-file", str(control_file)]
    with subprocess.Popen(argv, cwd=CODE) as process:
        until(port_file.exists)
        yield Broker(process, port_file, port_file.read_text().strip(), control_file.read_text().strip())
        process.kill()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.01)


class Sender:
    """A producer that keeps what became of each message: an error, or None."""

    def __init__(self, broker: Broker, **settings: object) -> None:
        self.producer = Producer(
            {"bootstrap.servers": broker.address, "acks": "all", **settings}, logger=QUIET
        )
        self.outcomes: list[KafkaError | None] = []

    def send(self, value: bytes) -> None:
        self.producer.produce("orders.v1", value, on_delivery=lambda error, _: self.outcomes.append(error))

    def wait(self) -> list[KafkaError | None]:
        self.producer.flush(DEADLINE_S)
        return self.outcomes


def read(broker: Broker, count: int) -> list[bytes]:
    settings = {"bootstrap.servers": broker.address, "group.id": "g", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings, logger=QUIET)
    consumer.subscribe(["orders.v1"])
    values: list[bytes] = []

    def poll() -> bool:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            values.append(message.value())
        return len(values) >= count

    until(poll)
    consumer.close()
    return sorted(values)


def test_topics_have_the_partitions_asked_for(broker):
    topics = (
        AdminClient({"bootstrap.servers": broker.address}, logger=QUIET)
        .list_topics(timeout=DEADLINE_S)
        .topics
    )
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {
        "orders.v1": 3,
        "payments.v1": 3,
    }


def test_events_cross_processes(broker):
    sender = Sender(broker)
    for number in range(100):
        sender.send(b"%03d" % number)
    assert sender.wait() == [None] * 100
    assert read(broker, 100) == [b"%03d" % number for number in range(100)]


def test_termination_ends_it_and_its_port_file(broker):
    broker.process.terminate()
    assert broker.process.wait(DEADLINE_S) == 0
    assert not broker.port_file.exists()


def test_broker_away_keeps_what_it_acknowledged_and_takes_the_rest_later(broker):
    sender = Sender(broker)
    sender.send(b"before")
    sender.wait()
    tell(broker.control, {"do": "down"})
    sender.send(b"meanwhile")
    sender.producer.poll(0.5)
    assert sender.outcomes == [None], "nobody acknowledges while the broker is away"
    tell(broker.control, {"do": "up"})
    assert sender.wait() == [None, None]
    assert read(broker, 2) == [b"before", b"meanwhile"]


def test_injected_error_reaches_the_producer_once(broker):
    tell(broker.control, {"do": "fail", "api": PRODUCE, "errors": [KafkaError.INVALID_RECORD]})
    sender = Sender(broker)
    sender.send(b"refused")
    assert [error.code() for error in sender.wait()] == [KafkaError.INVALID_RECORD]
    sender.send(b"taken")
    assert sender.wait()[1:] == [None]


def test_healed_broker_forgets_errors_not_yet_given(broker):
    tell(broker.control, {"do": "fail", "api": PRODUCE, "errors": [KafkaError.INVALID_RECORD] * 9})
    tell(broker.control, {"do": "heal", "api": PRODUCE})
    sender = Sender(broker)
    sender.send(b"taken")
    assert sender.wait() == [None]


def test_delayed_answers_come_too_late_for_an_impatient_producer(broker):
    sender = Sender(broker, **{"message.timeout.ms": 1000})
    sender.send(b"quick")
    sender.wait()
    tell(broker.control, {"do": "delay", "ms": 60_000})
    sender.send(b"late")
    assert [error and error.code() for error in sender.wait()] == [None, KafkaError._MSG_TIMED_OUT]


def test_unknown_order_is_refused_by_name(broker):
    with pytest.raises(ValueError, match=r"unknown order .*dance"):
        tell(broker.control, {"do": "dance"})


def test_missing_library_is_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(mock_cluster.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RuntimeFault, match=r"No librdkafka .* it is not installed.*--broker HOST:PORT"):
        mock_cluster.load_library()


def test_library_that_is_something_else_is_named(monkeypatch, tmp_path):
    wrong = tmp_path / "librdkafka.so"
    wrong.write_bytes(b"not a library")
    monkeypatch.setattr(mock_cluster, "find_library", lambda: wrong)
    with pytest.raises(RuntimeFault, match=r"librdkafka\.so cannot host the embedded broker"):
        mock_cluster.load_library()


def test_chatter_is_limited(capsys):
    log = LimitedLog(limit=2)
    for number in range(1000):
        log(4, f"FAIL: connection refused {number}")
    assert capsys.readouterr().err.count("connection refused") == 2
