"""What the supervisor does itself while it starts and ends a lake. Idempotent; heavy imports wait until needed."""

from datetime import UTC, datetime

from lakehouse.catalog import load_entities
from lakehouse.errors import BrokerError, RuntimeFault
from lakehouse.paths import Buckets
from local.children import Steps
from local.run_state import Site

# A real Kafka that does not answer in this time is taken for away; a first metadata answer takes well under 1 s.
KAFKA_ANSWER_S = 10.0


def prepare_aws(site: Site) -> str:
    """Buckets, queue, rule and schemas; the check queue's URL."""
    from adapters.objects import STORE_ERRORS
    from adapters.registry import SchemaRegistry
    from local import aws_setup

    options = site.options
    try:
        url = aws_setup.prepare_aws(site.aws_url, options.bucket_prefix, region=options.region)
        registry = SchemaRegistry.connect(site.aws_url, options.region, options.registry)
        for entity in load_entities().values():
            for version in entity.versions:
                registry.register(version)
    except STORE_ERRORS as error:
        raise RuntimeFault(
            f"The object store at {site.aws_url} does not answer as it should: {error}"
        ) from error
    return url


def migrate_ledger(site: Site) -> None:
    """All migrations the ledger does not have yet."""
    from adapters.ledger.connection import Connection

    with Connection(site.ledger_url) as connection:
        connection.migrate()


def prepare_broker(site: Site) -> None:
    """Makes the topics a real Kafka does not have; those it has stay as they are. BrokerError when it is away."""
    import logging

    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": site.broker}, logger=logging.getLogger("librdkafka"))
    try:
        there = admin.list_topics(timeout=KAFKA_ANSWER_S).topics
        missing = [entity.topic for entity in load_entities().values() if entity.topic not in there]
        wanted = [
            # -1: the cluster's own default. The lake's days are those of the broker's clock.
            NewTopic(topic, site.options.partitions, -1, config={"message.timestamp.type": "LogAppendTime"})
            for topic in missing
        ]
        for future in (admin.create_topics(wanted) if wanted else {}).values():
            future.result(KAFKA_ANSWER_S)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        raise BrokerError(
            f"The Kafka at {site.broker} cannot be used: {reason.str()}. "
            "Is it running, is the address right, and may topics be made?"
        ) from error


def close_log(site: Site, log: str, reason: str) -> str:
    """Ends a log in the ledger: its last known ends, and the ranges that never landed. What was lost, in words."""
    from adapters.ledger import Ledger
    from adapters.objects import STORE_ERRORS, ObjectStore
    from grpc_ingest.marks import read_marks
    from local.closing import close_lost_log

    bucket = Buckets.of(site.options.bucket_prefix).bronze
    marks = read_marks(site.marks, log)
    ledger = Ledger.connect(site.ledger_url)
    try:
        store = ObjectStore.connect(site.aws_url, site.options.region)
        lost = close_lost_log(ledger, store, bucket, load_entities(), log, marks, datetime.now(UTC))
    except STORE_ERRORS as error:
        raise RuntimeFault(
            f"log {log} ({reason}) cannot be compared with the object store: {error}"
        ) from error
    finally:
        ledger.close()
    if not lost:
        return ""
    events = sum(void.end - void.first for void in lost)
    return (
        f"{events:,} acknowledged events of log {log} were not landed when {reason}: they are lost. "
        "`nexus ledger` names them; sending the same events again mends it."
    )


STEPS = Steps(prepare_aws, migrate_ledger, prepare_broker)
