"""Notes in the ledger what the broker holds, so that unlanded offsets are known: `python -m local.broker_watch`."""

import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from adapters.ledger import Ledger
from adapters.logs import configure_logs
from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import BrokerError, LedgerError
from local.ledger_positions import Broker
from local.run_state import Running
from local.settings import WatchSettings

_log = logging.getLogger(__name__)
# Once a second: an operator reads `nexus status` in seconds, and one round over 36 partitions costs 10 ms.
_EVERY_S = 1.0
_TIMEOUT_S = 5.0


class BrokerWatch:
    """Reads the first and last offsets of every entity's topic."""

    def __init__(self, consumer: Any, log: str, entities: Mapping[str, Entity]) -> None:
        self._consumer, self._log, self._entities = consumer, log, entities

    def held(self) -> Iterator[tuple[Entity, int, int, int]]:
        """(entity, partition, first offset, end) of every partition; those that never held a record are left out."""
        metadata = self._consumer.list_topics(timeout=_TIMEOUT_S)
        for entity in self._entities.values():
            topic = metadata.topics.get(entity.topic)
            for partition in sorted(topic.partitions) if topic else ():
                place = TopicPartition(entity.topic, partition)
                start, end = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
                if end > 0:
                    yield entity, partition, start, end

    def observe(self, ledger: Ledger, at: datetime) -> None:
        """One round."""
        for entity, partition, start, end in self.held():
            ledger.observe_partition(self._log, entity.topic, partition, entity.name, start, end, at)


def ask_broker(running: Running, entities: Mapping[str, Entity]) -> Broker:
    """What the broker of a running lake holds now. BrokerError when it does not answer."""
    consumer = _connect(running.broker)
    try:
        watch = BrokerWatch(consumer, running.log, entities)
        held = {(entity.topic, number): (start, end) for entity, number, start, end in watch.held()}
    except KafkaException as error:
        raise BrokerError(
            f"The broker at {running.broker} does not answer: {error}. See `nexus status`"
        ) from error
    finally:
        consumer.close()
    return Broker(running.log, held)


def _connect(broker: str) -> Any:
    return Consumer(
        {"bootstrap.servers": broker, "group.id": "nexus-broker-watch", "enable.auto.commit": False},
        logger=logging.getLogger("librdkafka"),
    )


def main() -> int:
    """Watches until SIGTERM; a broker or ledger that is away is noted and asked again."""
    configure_logs("broker-watch")
    settings = WatchSettings.from_process()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    consumer = _connect(settings.broker)
    ledger = Ledger.connect(settings.ledger_url)
    watch = BrokerWatch(consumer, settings.log, load_entities())
    while True:
        try:
            watch.observe(ledger, datetime.now(UTC))
        except (KafkaException, LedgerError) as error:
            _log.warning("cannot note what the broker holds: %s", error)
        if stopping.wait(_EVERY_S):
            break
    consumer.close()
    ledger.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
