"""How this hop talks to Kafka: one set of producer properties for the host and the plain producer."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from adapters.msk_auth import PLAIN
from lakehouse.errors import BrokerError

WRITER_GROUP = "nexus-bronze-writer"
# Without a reachable broker librdkafka repeats itself 2,500 times a minute.
LINES_PER_MINUTE = 20

# Partition and offset of a delivered record, as confluent-kafka's Message gives them.
OnDelivery = Callable[[KafkaError | None, Any], None]


class KafkaProducer(Protocol):
    """What this hop needs of confluent_kafka.Producer."""

    def produce(
        self, topic: str, value: bytes, key: bytes | None, partition: int, on_delivery: OnDelivery
    ) -> None:
        """Queues a record. BufferError: the queue is full. KafkaException: it can never be sent."""

    def poll(self, timeout: float) -> int:
        """Calls what is due, from this thread."""

    def flush(self, timeout: float) -> int:
        """Waits for every record's answer; how many have none."""

    def purge(self) -> None:
        """Drops what is queued or under way; its callbacks, with an error, are due at the next poll."""

    def list_topics(self, *, timeout: float) -> Any:
        """Asks the broker; `topics` of the answer are by name. KafkaException: it does not answer in time."""

    def __len__(self) -> int: ...


def connect_producer(
    bootstrap: str,
    message_timeout_s: float,
    client_id: str,
    on_fatal: Callable[[str], None],
    security: Mapping[str, Any] = PLAIN,
) -> KafkaProducer:
    """A producer; it connects by itself and keeps trying. `on_fatal` is called from poll() when it is beyond repair.

    `security`: see `adapters.msk_auth`. BrokerError when that gives no token.
    """

    def on_error(error: KafkaError) -> None:
        if error.fatal():
            on_fatal(error.str())

    log = logging.getLogger("librdkafka")
    log.addFilter(LimitedLog())
    properties = producer_properties(bootstrap, message_timeout_s, client_id)
    try:
        producer: KafkaProducer = Producer({**properties, **security, "error_cb": on_error}, logger=log)
    except KafkaException as error:
        raise BrokerError(f"no producer for Kafka at {bootstrap}: {error.args[0].str()}") from error
    return producer


def producer_properties(bootstrap: str, message_timeout_s: float, client_id: str) -> Mapping[str, Any]:
    """The librdkafka properties, each with its reason."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        # An acknowledgement is only worth something from all in-sync replicas, and once per record.
        "acks": "all",
        "enable.idempotence": True,
        # Until then librdkafka retries by itself; after it the sender learns that it must send again.
        "message.timeout.ms": round(message_timeout_s * 1000),
        # Where Java clients put a key too, so that all producers keep the versions of a row in one partition.
        "partitioner": "murmur2_random",
        # Records wait so long for company: unary latency against requests of a few records.
        "linger.ms": 2,
        # Beyond it produce() says that the queue is full; at most this much is lost from sight when a host dies.
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 65_536,
        # A broker that comes back is found within a second.
        "reconnect.backoff.max.ms": 1_000,
    }


class LimitedLog(logging.Filter):
    """Lets so many lines pass in a minute, then one that says how many were held back."""

    def __init__(self, limit: int = LINES_PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._limit, self._clock = limit, clock
        self._began = clock()
        self._passed = self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line passes."""
        now = self._clock()
        if now - self._began >= 60:
            if self._held:
                record.msg = f"{record.getMessage()} (and {self._held} lines held back before)"
                record.args = None
            self._began, self._passed, self._held = now, 0, 0
        if self._passed >= self._limit:
            self._held += 1
            return False
        self._passed += 1
        return True
