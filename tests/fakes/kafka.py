"""Kafka producers that misbehave, in place of confluent_kafka.Producer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException

OnDelivery = Callable[[KafkaError | None, Any], None]


@dataclass(frozen=True)
class Delivered:
    """What a delivery callback is given in place of a Message."""

    number: int
    at: int

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.at


class PromptBroker:
    """Acknowledges everything at the next poll, in partition 0. The base of the ones that do not."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes | None]] = []
        self.waiting: list[tuple[int, OnDelivery]] = []
        self.polls = 0

    def produce(
        self, topic: str, value: bytes, key: bytes | None, _partition: int, on_delivery: OnDelivery
    ) -> None:
        self.records.append((topic, value, key))
        self.waiting.append((len(self.records) - 1, on_delivery))

    def poll(self, _timeout: float) -> int:
        self.polls += 1
        return self.answer_all()

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self)

    def purge(self) -> None:
        self.waiting = [(n, self._purged(on_delivery)) for n, on_delivery in self.waiting]

    def __len__(self) -> int:
        return len(self.waiting)

    def answer_all(self) -> int:
        answered, self.waiting = self.waiting, []
        for number, on_delivery in answered:
            self.answer(number, on_delivery)
        return len(answered)

    def answer(self, number: int, on_delivery: OnDelivery) -> None:
        on_delivery(None, Delivered(0, number))

    @staticmethod
    def _purged(on_delivery: OnDelivery) -> OnDelivery:
        return lambda _error, message: on_delivery(KafkaError(KafkaError._PURGE_QUEUE), message)


class SilentBroker(PromptBroker):
    """Never answers, until `answer_all` is called or everything is purged."""

    def poll(self, _timeout: float) -> int:
        self.polls += 1
        return 0

    def flush(self, timeout: float) -> int:
        return len(self)

    def purge(self) -> None:
        super().purge()
        self.answer_all()


class FailingBroker(PromptBroker):
    """Fails the first `times` records with this error, then recovers."""

    def __init__(self, code: int, times: int = 10**9) -> None:
        super().__init__()
        self.code, self.times = code, times

    def answer(self, number: int, on_delivery: OnDelivery) -> None:
        if self.times > 0:
            self.times -= 1
            on_delivery(KafkaError(self.code), Delivered(0, -1001))
        else:
            super().answer(number, on_delivery)


class ForgetfulBroker(PromptBroker):
    """Has every record, but does not say where: a retry met its own earlier success."""

    def answer(self, number: int, on_delivery: OnDelivery) -> None:
        on_delivery(None, Delivered(0, -1001))


class FullQueue(PromptBroker):
    """Takes `room` records until it is polled."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def produce(
        self, topic: str, value: bytes, key: bytes | None, partition: int, on_delivery: OnDelivery
    ) -> None:
        if len(self.waiting) >= self.room:
            raise BufferError("Local: Queue full")
        super().produce(topic, value, key, partition, on_delivery)


class RefusingProducer(PromptBroker):
    """produce() itself raises, as for a record that is too large."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def produce(
        self, topic: str, value: bytes, key: bytes | None, partition: int, on_delivery: OnDelivery
    ) -> None:
        raise KafkaException(KafkaError(self.code))


@contextmanager
def held_back(broker: SilentBroker) -> Iterator[SilentBroker]:
    """The broker answers when the block ends."""
    yield broker
    broker.answer_all()
