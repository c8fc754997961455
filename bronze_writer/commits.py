"""Offset commits: only behind what is safe, repeated until Kafka confirms them, never waited for by the loop."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from bronze_writer.assignment import CommitNote
from bronze_writer.lanes import Lane, Lanes
from lakehouse.paths import BronzeKey

_log = logging.getLogger(__name__)

# After a refusal (a rebalance, a coordinator on its way) the next attempt; ingest hosts wait for commits when the
# backlog is bounded.
_AGAIN_S = 0.5


class Commits:
    """Belongs to the thread that polls the consumer."""

    def __init__(self, lanes: Lanes, clock: Callable[[], float]) -> None:
        self._lanes, self._clock = lanes, clock
        self._under_way = False
        self._not_before = 0.0

    @property
    def settled(self) -> bool:
        """Whether everything safe is confirmed."""
        return not self._lanes.uncommitted()

    def send(self, consumer: Any) -> None:
        """Commits what is safe and not confirmed, one request at a time."""
        if self._under_way or self._clock() < self._not_before:
            return
        offsets = self._offsets()
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
            self._under_way = True
        except KafkaException as error:
            self._refused(str(error))

    def send_and_wait(self, consumer: Any) -> None:
        """The same, at once, while the group is being left; what fails is found in S3 by the next writer."""
        offsets = self._offsets()
        if not offsets:
            return
        try:
            self._confirm(consumer.commit(offsets=offsets, asynchronous=False))
        except KafkaException as error:
            self._refused(str(error))

    def on_commit(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        """The answer to `send`, given while the consumer is polled."""
        self._under_way = False
        if error is not None:
            self._refused(error.str())
        else:
            self._confirm(offsets)

    def _confirm(self, offsets: Sequence[TopicPartition]) -> None:
        for offset in offsets:
            lane = self._lanes.get((offset.topic, offset.partition))
            if offset.error is not None:
                self._refused(offset.error.str())
            elif lane is not None:
                lane.committed = offset.offset

    def _refused(self, problem: str) -> None:
        self._not_before = self._clock() + _AGAIN_S
        _log.warning("commit failed, sent again", extra={"problem": problem})

    def _offsets(self) -> list[TopicPartition]:
        return [_offset_of(lane) for lane in self._lanes.uncommitted()]


def _offset_of(lane: Lane) -> TopicPartition:
    assert lane.landed is not None
    note = CommitNote(BronzeKey.parse(lane.landed.newest_key), lane.broker_clock)
    return TopicPartition(*lane.place, lane.landed.end, metadata=str(note))
