"""The brokers themselves: they keep what they acknowledged, whatever is killed, cut or late."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from lakehouse.errors import RuntimeFault
from local.kafka.cluster import Cluster, new_cluster_id
from local.kafka.proxy import Proxy
from tests.deadline import wait_until
from tests.kafka.conftest import make_topic


class Sender:
    """Sends numbers one after the other, and keeps which were acknowledged, which refused and why."""

    def __init__(self, bootstrap: str, topic: str, **settings: object) -> None:
        self.topic = topic
        self.acknowledged: list[int] = []
        self.refused: list[tuple[int, int]] = []
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, **settings}
        )
        self._stop = threading.Event()
        self._next = 0
        self._thread = threading.Thread(target=self._run)

    def send(self, how_many: int) -> None:
        for _ in range(how_many):
            number, self._next = self._next, self._next + 1
            self._producer.produce(self.topic, str(number).encode(), on_delivery=self._note(number))
            self._producer.poll(0)

    def flush(self) -> int:
        return int(self._producer.flush(60))

    def keep_sending(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.flush() == 0

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            self.send(10)

    def _note(self, number: int) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.acknowledged.append(number)
            else:
                self.refused.append((number, error.code()))

        return note


def stored(bootstrap: str, topic: str) -> list[int]:
    """The numbers of partition 0, in offset order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "t", "enable.auto.commit": False})
    place = TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(place, timeout=60)
    consumer.assign([place])
    found: list[int] = []
    deadline = time.monotonic() + 60
    while len(found) < end:
        assert time.monotonic() < deadline, f"{len(found)} of {end} read"
        for message in consumer.consume(1000, 0.5):
            assert message.error() is None, message.error()
            found.append(int(message.value() or b""))
    consumer.close()
    return found


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    with Cluster(tmp_path / "kafka") as first:
        first.start()
        topic = make_topic(first)
        sender = Sender(first.bootstrap, topic)
        sender.send(1000)
        assert sender.flush() == 0
        first.kill(1)
        layout = first.layout
    with Cluster(tmp_path / "kafka") as again:
        assert again.layout == layout
        again.start()
        assert stored(again.bootstrap, topic) == list(range(1000))


def test_brokers_are_told_to_lose_nothing(three: Cluster) -> None:
    topic = make_topic(three)
    asked = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": three.bootstrap})
    told = admin.describe_configs([asked])[asked].result(30)
    assert {name: told[name].value for name in ("min.insync.replicas", "unclean.leader.election.enable")} == {
        "min.insync.replicas": "2",
        "unclean.leader.election.enable": "false",
    }
    [partition] = admin.list_topics(topic, timeout=30).topics[topic].partitions.values()
    assert sorted(partition.replicas) == [1, 2, 3]


def test_one_of_three_brokers_killed_under_load_loses_and_doubles_nothing(three: Cluster) -> None:
    topic = make_topic(three)
    sender = Sender(three.bootstrap, topic)
    sender.keep_sending()
    wait_until(lambda: len(sender.acknowledged) > 500)
    leader = AdminClient({"bootstrap.servers": three.bootstrap}).list_topics(topic, timeout=30)
    victim = leader.topics[topic].partitions[0].leader
    three.kill(victim)
    before = len(sender.acknowledged)
    wait_until(lambda: len(sender.acknowledged) > before + 500)
    sender.stop()
    three.start_node(victim)
    assert sender.refused == []
    assert sorted(sender.acknowledged) == stored(three.bootstrap, topic) == list(range(sender._next))


def test_two_of_three_brokers_down_means_no_acknowledgement(three: Cluster) -> None:
    topic = make_topic(three)
    sender = Sender(three.bootstrap, topic, **{"message.timeout.ms": 8000})
    sender.send(10)
    assert sender.flush() == 0
    metadata = AdminClient({"bootstrap.servers": three.bootstrap}).list_topics(topic, timeout=30)
    leader = metadata.topics[topic].partitions[0].leader
    others = [node for node in three.nodes if node != leader]
    for node in others:
        three.kill(node)
    sender.send(10)
    assert sender.flush() == 0
    for node in others:
        three.start_node(node)
    assert len(sender.acknowledged) == 10
    assert {number for number, _ in sender.refused} == set(range(10, 20))
    # what was refused may be there all the same; nothing is there twice
    found = stored(three.bootstrap, topic)
    assert found[:10] == list(range(10))
    assert len(found) == len(set(found))


@pytest.fixture
def proxied(kafka: Cluster) -> object:
    ports = kafka.layout.ports[0]
    with Proxy(ports.proxy, ports.behind_proxy) as proxy:
        yield proxy


def test_idempotence_survives_answers_that_are_later_than_the_request_waits(
    kafka: Cluster, proxied: Proxy
) -> None:
    topic = make_topic(kafka)
    settings: dict[str, object] = {
        "socket.timeout.ms": 1000,
        "request.timeout.ms": 900,
        "retry.backoff.ms": 50,
    }
    sender = Sender(kafka.bootstrap_by_proxy, topic, **settings)
    sender.send(1)
    assert sender.flush() == 0
    proxied.delay_answers(1.5)
    sender.send(100)
    wait_until(lambda: len(stored(kafka.bootstrap, topic)) >= 100)
    proxied.delay_answers(0)
    assert sender.flush() == 0
    assert sorted(sender.acknowledged) == stored(kafka.bootstrap, topic) == list(range(101))


def test_partition_holds_and_cut_resets_and_neither_loses(kafka: Cluster, proxied: Proxy) -> None:
    topic = make_topic(kafka)
    sender = Sender(kafka.bootstrap_by_proxy, topic)
    sender.send(1)
    assert sender.flush() == 0
    proxied.partition()
    sender.send(50)
    assert sender._producer.flush(1.0) > 0  # nothing passes
    assert stored(kafka.bootstrap, topic) == [0]
    proxied.heal()
    assert sender.flush() == 0
    sender.send(50)
    proxied.cut()
    assert sender.flush() == 0
    assert sorted(sender.acknowledged) == stored(kafka.bootstrap, topic) == list(range(101))


def test_cluster_id_is_no_option_of_kafkas_tools() -> None:
    drawn = iter(("-GkZ0tiFQ1aJ5yqkOZlXyw", "--kZ0tiFQ1aJ5yqkOZlXyw", "GkZ0tiFQ1aJ5yqkOZlXyw-"))
    assert new_cluster_id(lambda _bytes: next(drawn)) == "GkZ0tiFQ1aJ5yqkOZlXyw-"


def test_port_that_somebody_took_is_named(tmp_path: Path) -> None:
    import socket

    with Cluster(tmp_path / "kafka") as cluster:
        port = cluster.layout.ports[0].client
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(RuntimeFault, match=f"Port {port}.*Stop the program"),
        ):
            cluster.start()
