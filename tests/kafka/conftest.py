"""Real brokers: one cluster of one per session, one of three per module, topics of their own for each test."""

from collections.abc import Iterator
from itertools import count

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from local.kafka.cluster import Cluster
from tests.deadline import wait_until

NUMBERS = count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one broker, running."""
    with Cluster(tmp_path_factory.mktemp("one") / "kafka") as cluster:
        cluster.start()
        yield cluster


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three brokers, running; a test that stops one starts it again."""
    with Cluster(tmp_path_factory.mktemp("three") / "kafka", brokers=3) as cluster:
        cluster.start()
        yield cluster


def make_topic(cluster: Cluster, partitions: int = 1) -> str:
    """A topic nobody else uses, with the cluster's own replication, which every broker has heard of."""
    name = f"test-{next(NUMBERS)}"
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    admin.create_topics([NewTopic(name, partitions, -1)])[name].result(30)
    for ports in cluster.layout.ports:
        broker = AdminClient({"bootstrap.servers": f"127.0.0.1:{ports.client}"})
        wait_until(lambda broker=broker: _is_led(broker, name))  # type: ignore[misc]
    return name


def _is_led(broker: AdminClient, topic: str) -> bool:
    known = broker.list_topics(timeout=10).topics.get(topic)
    return known is not None and known.error is None and all(p.leader > 0 for p in known.partitions.values())
