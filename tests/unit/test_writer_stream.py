"""A topic that is made anew under a running writer: nothing of the new one is landed as of the old one."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, TopicPartition

from bronze_writer.commits import Commits
from bronze_writer.lake import PatientStore
from bronze_writer.landing import AnotherHistory, Encoded, Place
from bronze_writer.lanes import Lane, Lanes
from bronze_writer.partition_writer import Limits, PartitionWriter, Record
from bronze_writer.stream import Stream
from tests.fakes.object_store import FakeObjectStore

TOPIC, BUCKET = "orders.v1", "bronze"
PLACE = Place("orders", "log-1", TOPIC, 0, topic_id="AAAA")


@dataclass
class Message:
    """A record as the client library hands it out."""

    at: int

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def error(self) -> None:
        return None

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_LOG_APPEND_TIME, 1_700_000_000_000

    def value(self) -> bytes:
        return b"x"


class OneRecordAtATime:
    """A consumer of one partition: the next record comes when `next_one` says so."""

    def __init__(self, next_one: Callable[[int], bool]) -> None:
        self.given, self._next_one = 0, next_one

    def subscribe(self, _topics: Sequence[str], on_assign: Any, **_others: Any) -> None:
        on_assign(self, [TopicPartition(TOPIC, 0)])

    def consume(self, _most: int, _seconds: float) -> list[Message]:
        if not self._next_one(self.given):
            return []
        self.given += 1
        return [Message(self.given - 1)]

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: None


class OnePartition:
    """In place of a Resumption."""

    def resume(self, _consumer: Any, _places: Any) -> dict[tuple[str, int], Lane]:
        writer = PartitionWriter(PLACE, Limits(size=10**6, rows=1, seconds=60), encode, None)
        return {(TOPIC, 0): Lane((TOPIC, 0), writer)}


def encode(_place: Place, records: Sequence[Record]) -> Encoded:
    return Encoded(b"%d" % records[0].offset, len(records), 0)


def land_until_it_stops(ids: Sequence[Mapping[str, str]]) -> list[bytes]:
    """What is landed of a topic whose ids are these at one landing after the other, until it is refused."""
    store, lanes = FakeObjectStore(), None
    asked = iter(ids)
    lanes = Lanes(PatientStore(store, BUCKET, patience_s=1))
    consumer = OneRecordAtATime(lambda given: len(list(store.keys(BUCKET, ""))) == given)
    stream = Stream(
        lanes,
        Commits(lanes, lambda: 0.0),
        OnePartition(),  # type: ignore[arg-type]
        threading.Event(),
        topic_ids=lambda: next(asked),
    )
    with pytest.raises(AnotherHistory, match="its id is BBBB, and was AAAA when this writer began"):
        stream.run(consumer, [TOPIC])
    lanes.close()
    return [store.get(BUCKET, stored.key) for stored in store.keys(BUCKET, "")]


def test_topic_made_anew_under_a_running_writer_is_refused_before_anything_of_it_lands() -> None:
    same, anew = {TOPIC: "AAAA"}, {TOPIC: "BBBB"}
    assert land_until_it_stops([same, same, anew]) == [b"0", b"1"]
    assert land_until_it_stops([anew]) == []


def test_topic_whose_id_cannot_be_told_just_now_is_landed() -> None:
    assert land_until_it_stops([{}, {TOPIC: ""}, {TOPIC: "BBBB"}]) == [b"0", b"1"]
