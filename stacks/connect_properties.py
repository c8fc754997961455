"""What the workers and the sink connector of MSK Connect are told, and what MSK Connect takes of a worker's properties.

It refuses a worker configuration with any other property when the connector is made, after a quarter of an hour.
"""

from collections.abc import Mapping

from lakehouse.errors import SettingsError
from stacks.naming import Names
from stacks.settings import Settings

# "Supported worker configuration properties" of MSK Connect.
_CLIENT = {
    "producer.": {
        "acks", "batch.size", "buffer.memory", "compression.type", "enable.idempotence", "key.serializer", "linger.ms",
        "max.request.size", "metadata.max.age.ms", "metadata.max.idle.ms", "partitioner.class",
        "reconnect.backoff.max.ms", "reconnect.backoff.ms", "request.timeout.ms", "retry.backoff.ms",
        "value.serializer",
    },
    "consumer.": {
        "allow.auto.create.topics", "auto.offset.reset", "check.crcs", "fetch.max.bytes", "fetch.max.wait.ms",
        "fetch.min.bytes", "heartbeat.interval.ms", "key.deserializer", "max.partition.fetch.bytes",
        "max.poll.interval.ms", "max.poll.records", "metadata.max.age.ms", "partition.assignment.strategy",
        "reconnect.backoff.max.ms", "reconnect.backoff.ms", "request.timeout.ms", "retry.backoff.ms",
        "session.timeout.ms", "value.deserializer",
    },
}  # fmt: skip
_REFUSED = (
    "access.control.", "admin.", "client.", "connect.", "inter.worker.", "internal.", "listeners.https.", "metrics.",
    "rest.", "sasl.", "security.", "socket.", "ssl.", "topic.tracking.", "worker.",
)  # fmt: skip
_REFUSED_NAMES = frozenset({
    "bootstrap.servers", "config.storage.topic", "connections.max.idle.ms", "connector.client.config.override.policy",
    "group.id", "listeners", "metric.reporters", "plugin.path", "receive.buffer.bytes",
    "response.http.headers.config", "scheduled.rebalance.max.delay.ms", "send.buffer.bytes", "status.storage.topic",
})  # fmt: skip
_NEEDED = ("key.converter", "value.converter")
_BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
CONNECTOR_CLASS = "nexus.connect.BronzeSinkConnector"


def worker_properties() -> Mapping[str, str]:
    """Records reach the connector as bytes: it decodes them itself, and nothing goes to a dead-letter topic."""
    return checked_worker_properties(
        {
            "key.converter": _BYTES,
            "value.converter": _BYTES,
            # A new connector is a new group without offsets. It reads all that Kafka has, and lands what S3 has not.
            "consumer.auto.offset.reset": "earliest",
            # An assignment lists S3, which may take minutes for many days.
            "consumer.max.poll.interval.ms": "1800000",
            "consumer.max.partition.fetch.bytes": "2097152",
            "offset.flush.interval.ms": "10000",
        }
    )


def connector_properties(settings: Settings, names: Names, topics: list[str]) -> Mapping[str, str]:
    """What the connector itself is told; it never drops a record, so it tolerates no error."""
    land = settings.land
    return {
        "connector.class": CONNECTOR_CLASS,
        "tasks.max": str(most_tasks(settings, topics)),
        "topics": ",".join(topics),
        "errors.tolerance": "none",
        "nexus.bucket": names.buckets.bronze,
        "nexus.log": settings.streaming.log,
        "nexus.registry": names.registry,
        "nexus.region": settings.region,
        "nexus.flush.bytes": str(land.flush_mib * 1024**2),
        "nexus.flush.ms": str(land.flush_seconds * 1000),
    }


def most_tasks(settings: Settings, topics: list[str]) -> int:
    """A task without a partition is idle."""
    return len(topics) * settings.streaming.partitions


def checked_worker_properties(wanted: Mapping[str, str]) -> Mapping[str, str]:
    """The same, or SettingsError naming what MSK Connect refuses or misses."""
    strange = sorted(name for name in wanted if not _is_taken(name))
    if strange:
        raise SettingsError(
            f"MSK Connect takes no {', '.join(strange)} in a worker configuration: leave it out"
        )
    missing = [name for name in _NEEDED if name not in wanted]
    if missing:
        raise SettingsError(f"MSK Connect needs {', '.join(missing)} in a worker configuration: add it")
    return wanted


def _is_taken(name: str) -> bool:
    for prefix, names in _CLIENT.items():
        if name.startswith(prefix):
            return name.removeprefix(prefix) in names
    return not name.startswith(_REFUSED) and name not in _REFUSED_NAMES
