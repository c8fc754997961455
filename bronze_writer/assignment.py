"""Where each assigned partition goes on: behind the newest object in S3, which is the truth; commits are a hint.

A commit carries the key of the object it stands behind and whose clock gave the times. If the brokers did
(LogAppendTime), later objects have no earlier day than the one before that key's, so only those are listed. Without
such a commit, or with the producers' clock, all days of the log are.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from bronze_writer import consumer as kafka
from bronze_writer.consumer import Place as TopicPlace
from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore
from bronze_writer.landing import Landing, Place, newest_objects
from bronze_writer.lanes import Lane
from bronze_writer.partition_writer import Limits, PartitionWriter
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError
from lakehouse.paths import BronzeKey

_log = logging.getLogger(__name__)

_BROKER_CLOCK, _PRODUCER_CLOCK = "broker-clock", "producer-clock"


@dataclass(frozen=True)
class CommitNote:
    """What a commit's metadata says: the object it stands behind, and whether brokers gave its times."""

    key: BronzeKey
    broker_clock: bool

    def __str__(self) -> str:
        return f"{_BROKER_CLOCK if self.broker_clock else _PRODUCER_CLOCK} {self.key}"

    @classmethod
    def parse(cls, metadata: str) -> Self | None:
        """None for what no writer of ours committed."""
        clock, _, key = metadata.partition(" ")
        if clock not in (_BROKER_CLOCK, _PRODUCER_CLOCK):
            return None
        try:
            return cls(BronzeKey.parse(key), clock == _BROKER_CLOCK)
        except LakeError:
            return None


class Resumption:
    """Makes the writers of partitions that were just assigned."""

    def __init__(
        self,
        store: PatientStore,
        log: str,
        limits: Limits,
        decoders: Mapping[str, Decoder],
        entities: Mapping[str, Entity],
        topic_ids: Mapping[str, str],
    ) -> None:
        """`decoders` and `entities` by topic."""
        self._store, self._log, self._limits = store, log, limits
        self._decoders, self._entities, self._topic_ids = decoders, entities, topic_ids

    def resume(self, consumer: Any, places: Sequence[TopicPlace]) -> dict[TopicPlace, Lane]:
        """A lane per partition, its writer's `start` within what the broker holds, its newest object to be committed.

        Raises AnotherHistory, BrokerError when Kafka and LakeError when S3 do not answer for minutes.
        """
        notes = {place: CommitNote.parse(text) for place, text in kafka.committed(consumer, places).items()}
        newest = {topic: self._newest(topic, notes) for topic in {topic for topic, _ in places}}
        ranges = kafka.held_ranges(consumer, places)
        lanes = {}
        for place in places:
            landed = newest[place[0]].get(place[1])
            lane = Lane(place, self._writer(place, landed))
            adopt_range(lane.writer, *ranges[place])
            if landed is not None:
                note = notes[place]
                lane.landed = Landing(landed.end_offset, str(landed.key))
                lane.broker_clock = note is not None and note.broker_clock and note.key == landed.key
            lanes[place] = lane
        return lanes

    def _newest(self, topic: str, notes: Mapping[TopicPlace, CommitNote | None]) -> dict[int, BronzeMetadata]:
        """The last object of each partition of a topic."""
        entity = self._entities[topic].name
        mine = {place[1]: self._valid(place, note) for place, note in notes.items() if place[0] == topic}
        since = _first_day(list(mine.values()))
        found = newest_objects(self._store, entity, self._log, since)
        missing = [
            partition
            for partition, note in mine.items()
            if since is not None and note is not None and not _reaches(found.get(partition), note)
        ]
        if missing:  # an object was committed and is not in the lake: trust only what is there
            _log.warning("committed objects are not in Bronze", extra={"topic": topic, "partitions": missing})
            return newest_objects(self._store, entity, self._log)
        return found

    def _valid(self, place: TopicPlace, note: CommitNote | None) -> CommitNote | None:
        """The note, if it is about this very partition of this log."""
        if note is None:
            return None
        wanted = (self._entities[place[0]].name, self._log, place[1])
        return note if (note.key.entity, note.key.log, note.key.partition) == wanted else None

    def _writer(self, place: TopicPlace, newest: BronzeMetadata | None) -> PartitionWriter:
        topic, partition = place
        named = Place(self._entities[topic].name, self._log, topic, partition, self._topic_ids.get(topic, ""))
        return PartitionWriter(named, self._limits, self._decoders[topic].encode, newest)


def adopt_range(writer: PartitionWriter, low: int, high: int) -> None:
    """Tells a writer what the broker holds; what expired before it was landed is a loss, and says so."""
    first = writer.next_offset
    if writer.check_range(low, high):
        _log.error(
            "retention passed the landing: these offsets are lost and will be noted as expired. Raise the "
            "retention of the topic or the capacity of the writer",
            extra={
                "topic": writer.place.topic,
                "partition": writer.place.partition,
                "first_offset": first,
                "end_offset": low,
            },
        )


def _first_day(notes: Sequence[CommitNote | None]) -> date | None:
    """The day from which on newer objects must lie; None when nothing bounds it.

    One day earlier than the oldest commit's: the clocks of brokers differ around midnight.
    """
    days = [note.key.day for note in notes if note is not None and note.broker_clock]
    return min(days) - timedelta(days=1) if days and len(days) == len(notes) else None


def _reaches(newest: BronzeMetadata | None, note: CommitNote) -> bool:
    return newest is not None and newest.first_offset >= note.key.first_offset
