"""What Kafka is told, of the cluster and of each topic, and what MSK takes of it from each kind of broker.

MSK accepts a configuration with a property it does not let one set, and refuses the cluster half an hour later: so it
is compared here with the documented lists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse.errors import SettingsError
from stacks.settings import StreamingSettings

REPLICAS = 3
_IN_SYNC = 2
_MS_PER_HOUR = 3_600_000
# A writer that is away for a month goes on where it was: as long as a record can stay at all.
_OFFSETS_KEPT_MINUTES = 30 * 24 * 60

# "Custom Amazon MSK configurations", Standard brokers. Only those are listed that somebody might want here.
_STANDARD_SERVER = frozenset({
    "auto.create.topics.enable", "compression.type", "connections.max.idle.ms", "default.replication.factor",
    "delete.topic.enable", "group.initial.rebalance.delay.ms", "group.max.session.timeout.ms",
    "group.min.session.timeout.ms", "log.cleanup.policy", "log.message.timestamp.type", "log.retention.bytes",
    "log.retention.hours", "log.retention.ms", "log.roll.ms", "log.segment.bytes", "message.max.bytes",
    "min.insync.replicas", "num.io.threads", "num.network.threads", "num.partitions", "num.replica.fetchers",
    "offsets.retention.minutes", "offsets.topic.replication.factor", "replica.fetch.max.bytes",
    "replica.lag.time.max.ms", "replica.selector.class", "transaction.max.timeout.ms",
    "transaction.state.log.min.isr", "transaction.state.log.replication.factor", "transactional.id.expiration.ms",
    "unclean.leader.election.enable",
})  # fmt: skip
# "Custom MSK Express broker configurations": replication, in-sync replicas and elections are MSK's own there,
# and always 3, 2 and clean.
_EXPRESS_SERVER = frozenset({
    "auto.create.topics.enable", "compression.type", "connections.max.idle.ms", "delete.topic.enable",
    "group.initial.rebalance.delay.ms", "group.max.session.timeout.ms", "log.cleanup.policy",
    "log.message.timestamp.type", "log.retention.bytes", "log.retention.ms", "message.max.bytes", "num.partitions",
    "offsets.retention.minutes", "replica.selector.class", "transaction.max.timeout.ms",
    "transactional.id.expiration.ms",
})  # fmt: skip
_STANDARD_TOPIC = frozenset({
    "cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type", "min.insync.replicas",
    "retention.bytes", "retention.ms", "segment.bytes", "segment.ms", "unclean.leader.election.enable",
})  # fmt: skip
_EXPRESS_TOPIC = frozenset({
    "cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type", "retention.bytes",
    "retention.ms",
})  # fmt: skip


@dataclass(frozen=True)
class BrokerKind:
    """What MSK lets one set, and how many partitions, with their replicas, it supports on one broker."""

    server: frozenset[str]
    topic: frozenset[str]
    most_partitions: int
    has_disk: bool = True


def kind_of(broker: str) -> BrokerKind:
    """The kind of an instance type."""
    if broker.startswith("express."):
        return BrokerKind(_EXPRESS_SERVER, _EXPRESS_TOPIC, most_partitions=1000, has_disk=False)
    most = 300 if broker.startswith("kafka.t3.") else 1000
    return BrokerKind(_STANDARD_SERVER, _STANDARD_TOPIC, most)


def server_properties(broker: str, topics_may_go: bool) -> Mapping[str, str]:
    """Of the cluster: it loses nothing that it acknowledged, and makes no topic by itself."""
    lasting = {
        "default.replication.factor": str(REPLICAS),
        "min.insync.replicas": str(_IN_SYNC),
        "unclean.leader.election.enable": "false",
    }
    wanted = {
        "auto.create.topics.enable": "false",
        # a topic deleted by mistake takes with it what is not in Bronze yet
        "delete.topic.enable": "true" if topics_may_go else "false",
        # the lake's days and the order of versions are those of one clock
        "log.message.timestamp.type": "LogAppendTime",
        "offsets.retention.minutes": str(_OFFSETS_KEPT_MINUTES),
        **(lasting if kind_of(broker).has_disk else {}),
    }
    return _checked(wanted, kind_of(broker).server, f"a cluster of {broker}")


def topic_properties(broker: str, retention_hours: int) -> Mapping[str, str]:
    """Of each topic: what the cluster would give it, said again, so that the cluster's default changes nothing."""
    lasting = {"min.insync.replicas": str(_IN_SYNC), "unclean.leader.election.enable": "false"}
    wanted = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.bytes": "-1",  # time alone decides: a bound in bytes would drop what nobody has landed
        "retention.ms": str(retention_hours * _MS_PER_HOUR),
        **(lasting if kind_of(broker).has_disk else {}),
    }
    return _checked(wanted, kind_of(broker).topic, f"a topic on {broker}")


def require_room(streaming: StreamingSettings, topics: Sequence[str]) -> None:
    """SettingsError when the brokers do not support so many partitions."""
    brokers = REPLICAS * streaming.brokers_per_zone
    each = -(-len(topics) * streaming.partitions * REPLICAS // brokers)
    most = kind_of(streaming.broker).most_partitions
    if each > most:
        raise SettingsError(
            f"streaming.partitions: {len(topics)} topics of {streaming.partitions} partitions put {each} replicas on "
            f"each broker, and {streaming.broker} takes {most}: give fewer partitions or more brokers"
        )


def as_text(properties: Mapping[str, str]) -> str:
    """As MSK takes them, in order of names."""
    return "\n".join(f"{name}={properties[name]}" for name in sorted(properties))


def _checked(wanted: Mapping[str, str], known: frozenset[str], where: str) -> Mapping[str, str]:
    if strange := sorted(set(wanted) - known):
        raise SettingsError(f"MSK does not let one set {', '.join(strange)} of {where}: leave it to MSK")
    return wanted
