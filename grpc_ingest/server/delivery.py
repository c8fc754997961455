"""Records on their way together: counts down as the broker answers, wakes one future, gives the verdicts."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError

from grpc_ingest.kafka_refusal import refusal_of
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.records import Record
from grpc_ingest.refusal import NO_POSITION, Code, Refusal, refuse_for_now
from lakehouse.identity import Position, event_id_of_position

NO_ANSWER = refuse_for_now(
    Code.UNAVAILABLE, "Kafka did not acknowledge it in time: send it again with the same event_id"
)

# Partition and offset of an acknowledged record, or why it is not.
Outcome = tuple[int, int] | Refusal


class Delivery:
    """Lives on the event loop's thread. Its order is that of the records given."""

    __slots__ = ("_answer", "_on_end", "_open", "event_ids", "outcomes", "topics")

    def __init__(
        self, records: Sequence[Record | Refusal], on_end: Callable[["Delivery"], None] | None = None
    ) -> None:
        """`on_end` is called when the broker has answered for the last record, be it after the deadline."""
        self.event_ids = ["" if isinstance(record, Refusal) else record[0] for record in records]
        self.topics = ["" if isinstance(record, Refusal) else record[1] for record in records]
        self.outcomes: list[Outcome | None] = [r if isinstance(r, Refusal) else None for r in records]
        self._open = self.outcomes.count(None)
        self._on_end = on_end
        self._answer: asyncio.Future[None] | None = None

    def answered(self, index: int, error: KafkaError | None, message: Any) -> None:
        """The broker's answer for one record: the callback of produce()."""
        if error is not None:
            self.settle(index, refusal_of(error, self.topics[index]))
        elif (offset := message.offset()) >= 0:
            self.settle(index, (message.partition(), offset))
        else:
            self.settle(index, NO_POSITION)

    def settle(self, index: int, outcome: Outcome) -> None:
        """What became of one record."""
        self.outcomes[index] = outcome
        self._open -= 1
        if not self._open:
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(None)
            if self._on_end is not None:
                self._on_end(self)

    def refuse(self, refusal: Refusal) -> None:
        """Settles every record that was not sent: none was."""
        for index, outcome in enumerate(self.outcomes):
            if outcome is None:
                self.settle(index, refusal)

    async def wait(self, seconds: float) -> None:
        """Until all are answered, or so long. May be called once."""
        if self._open:
            self._answer = asyncio.get_running_loop().create_future()
            await asyncio.wait((self._answer,), timeout=max(0.0, seconds))

    def take(self) -> list[Outcome]:
        """The outcomes now. Whatever has no answer is refused: an answer that comes later is nobody's any more."""
        return [NO_ANSWER if outcome is None else outcome for outcome in self.outcomes]


def write_verdicts(verdicts: Any, log: str, delivery: Delivery, outcomes: Sequence[Outcome]) -> None:
    """Appends a verdict for each event."""
    add = verdicts.add
    for event_id, topic, outcome in zip(delivery.event_ids, delivery.topics, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            add(event_id=event_id, refusal=refusal_message(outcome))
            continue
        partition, offset = outcome
        if not event_id:
            event_id = event_id_of_position(Position(log, topic, partition, offset))
        position = add(event_id=event_id).position
        position.log, position.topic, position.partition, position.offset = log, topic, partition, offset


def refusal_message(refusal: Refusal) -> ingest_pb2.Refusal:
    """A refusal as the API says it."""
    return ingest_pb2.Refusal(
        code=refusal.code, field=refusal.field, message=refusal.message, retryable=refusal.retryable
    )
