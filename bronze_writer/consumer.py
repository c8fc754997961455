"""The Kafka consumer: its configuration, what it says of partitions, and its log kept short."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
    Uuid,
)
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from adapters.msk_auth import PLAIN
from lakehouse.errors import BrokerError

GROUP = "nexus-bronze-writer"

# One question to a broker on loopback or in the same region takes milliseconds.
_ANSWER_S = 5.0
# Landing waits for this answer; a broker that is away must not hold it up, and what it gave before is landed.
_CONFIRM_S = 1.0
# Outlasts a broker's restart; who supervises this process takes over then.
_PATIENCE_S = 60.0
_LOG_EVERY_S = 10.0
_NO_ID = str(Uuid(0, 0))

_T = TypeVar("_T")
Place = tuple[str, int]


def connect_consumer(
    broker: str,
    on_commit: Callable[[KafkaError | None, Sequence[TopicPartition]], None],
    security: Mapping[str, Any] = PLAIN,
) -> Consumer:
    """A consumer of the writer's group that never commits or moves by itself; `on_commit` is called by its polls.

    `security`: see `adapters.msk_auth`. BrokerError when that gives no token.
    """
    log = logging.getLogger("librdkafka")
    log.addFilter(RepeatsFilter(time.monotonic))
    try:
        return Consumer({**_properties(broker), **security, "on_commit": on_commit}, logger=log)
    except KafkaException as error:
        raise BrokerError(f"no consumer for Kafka at {broker}: {error.args[0].str()}") from error


def _properties(broker: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": broker,
        "group.id": GROUP,
        "enable.auto.commit": False,
        # A position out of range is decided here by name: expired, or another history. Never skipped.
        "auto.offset.reset": "error",
        # Open and aborted transactions must not land; every writer of these objects reads the same records.
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        # After kill -9 the partitions are free after this long; 6 s is the least brokers allow by default.
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 2_000,
        # A process that stands still is noticed by its heartbeats. This one only has to outlast an assignment,
        # which waits for S3 and may list all days of a lake.
        "max.poll.interval.ms": 1_800_000,
        # Fetched ahead per partition: a second's worth. What waits for an object is held by the writer.
        "queued.max.messages.kbytes": 2_048,
        "fetch.wait.max.ms": 100,
        # When as much is queued as may be, look again soon: the default is a second without fetching.
        "fetch.queue.backoff.ms": 20,
        "reconnect.backoff.max.ms": 2_000,
        "log.connection.close": False,
    }


class RepeatsFilter(logging.Filter):
    """Lets the first line of each kind pass, then one per 10 s: without a broker librdkafka writes thousands."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line passes."""
        kind = record.getMessage().split(" ", 1)[0]
        now = self._clock()
        if now - self._told.get(kind, float("-inf")) < _LOG_EVERY_S:
            return False
        self._told[kind] = now
        return True


def committed(consumer: Any, places: Sequence[Place]) -> dict[Place, str]:
    """Metadata of the group's committed offsets, empty where there is none."""
    asked = [TopicPartition(*place) for place in places]
    found = _patiently("committed offsets", lambda: consumer.committed(asked, timeout=_ANSWER_S))
    return {(p.topic, p.partition): p.metadata or "" for p in found}


def held_ranges(consumer: Any, places: Sequence[Place]) -> dict[Place, tuple[int, int]]:
    """First offset that the broker holds and the end, up to which everything is committed by its producers."""
    low = _patiently("where its partitions begin", lambda: _offsets(consumer, places, OFFSET_BEGINNING))
    high = _patiently("where its partitions end", lambda: _offsets(consumer, places, OFFSET_END))
    return {place: (low[place], high[place]) for place in places}


def ends_now(consumer: Any, places: Sequence[Place]) -> dict[Place, int] | None:
    """The ends, asked for once and briefly; None when the broker does not answer."""
    try:
        return _offsets(consumer, places, OFFSET_END)
    except KafkaException:
        return None


def _offsets(consumer: Any, places: Sequence[Place], which: int) -> dict[Place, int]:
    """One request per broker, where watermarks take one per partition, each behind a fetch that waits for data."""
    asked = [TopicPartition(*place, which) for place in places]
    found = consumer.offsets_for_times(asked, timeout=_ANSWER_S) if asked else []
    for offset in found:
        if offset.error is not None:
            raise KafkaException(offset.error)
    return {(offset.topic, offset.partition): offset.offset for offset in found}


def known_end(consumer: Any, place: Place) -> int | None:
    """The end as the last fetch told it, without asking; None before the first."""
    _low, high = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
    return high if high >= 0 else None


class TopicIds:
    """Kafka's own ids of topics, where they can be read: brokers before 2.8 and the embedded one have none.

    `first` are those of the start. BrokerError when the cluster does not answer for a minute then.
    """

    def __init__(self, broker: str, topics: Iterable[str], security: Mapping[str, Any] = PLAIN) -> None:
        self._admin = AdminClient(
            {"bootstrap.servers": broker, **security}, logger=logging.getLogger("librdkafka")
        )
        cluster = _patiently("the cluster", lambda: self._admin.list_topics(timeout=_ANSWER_S))
        known = cluster.controller_id in cluster.brokers  # the embedded broker names none
        self.first = self._ask([topic for topic in topics if known and topic in cluster.topics])

    def now(self) -> Mapping[str, str]:
        """Asked for again; without those that cannot be told just now."""
        self._admin.poll(0)  # serves the sign-in that a token's end asks for
        return self._ask(list(self.first), _CONFIRM_S)

    def _ask(self, topics: Sequence[str], within_s: float = _ANSWER_S) -> Mapping[str, str]:
        if not topics:
            return {}
        ids = {}
        asked = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=within_s)
        for topic, future in asked.items():
            try:
                found = str(future.result().topic_id)
            except KafkaException:  # not allowed to describe, or gone: the other proofs of the history remain
                continue
            if found != _NO_ID:
                ids[topic] = found
        return ids


def is_end(error: KafkaError) -> bool:
    """The partition is read up to `message.offset()`."""
    return bool(error.code() == KafkaError._PARTITION_EOF)


def is_out_of_range(error: KafkaError) -> bool:
    """The broker does not hold the offset asked for."""
    return error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)


def _patiently(what: str, ask: Callable[[], _T]) -> _T:
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(KafkaException),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_PATIENCE_S),
            reraise=True,
        ):
            with attempt:
                return ask()
    except KafkaException as error:
        raise BrokerError(
            f"Kafka does not tell {what}: {error}. Is it up, and may group {GROUP} read it? Nothing is lost; "
            "start the writer again when it answers"
        ) from error
    raise AssertionError("tenacity either returns or raises")
