"""Real brokers: one cluster of one per session, one of three per module, topics of their own for each test."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from local.kafka.cluster import Cluster

NUMBERS = count(1)
MakeTopic = Callable[..., str]


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
    """A topic nobody else uses, with the cluster's own replication."""
    name = f"test-{next(NUMBERS)}"
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    admin.create_topics([NewTopic(name, partitions, -1)])[name].result(30)
    return name
