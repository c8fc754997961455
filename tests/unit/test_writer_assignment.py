"""Where a partition goes on: what is in S3 decides, commits only say how far back to look."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from bronze_writer.assignment import CommitNote, Resumption
from bronze_writer.consumer import RepeatsFilter
from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore
from bronze_writer.landing import AnotherHistory
from bronze_writer.lanes import Lane
from bronze_writer.settings import LOCAL_LIMITS
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from tests.builders.bronze import a_bronze_object
from tests.fakes.object_store import FakeObjectStore

ORDERS = load_entities()["orders"]
PLACE = (ORDERS.topic, 0)
DAY_MS = 86_400_000
OLD = a_bronze_object(0, 10)
MIDDLE = replace(OLD, first_offset=10, end_offset=20, first_broker_time=OLD.first_broker_time + 3 * DAY_MS)
NEW = replace(OLD, first_offset=20, end_offset=30, first_broker_time=OLD.first_broker_time + 5 * DAY_MS)


class FakeConsumer:
    """A broker that holds `[low, high)` of every partition, and the group's commits."""

    def __init__(self, metadata: str = "", low: int = 0, high: int = 100) -> None:
        self._metadata, self._low, self._high = metadata, low, high

    def committed(self, asked: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, 5, metadata=self._metadata) for p in asked]

    def offsets_for_times(self, asked: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        edge = {OFFSET_BEGINNING: self._low}
        return [TopicPartition(p.topic, p.partition, edge.get(p.offset, self._high)) for p in asked]


class ListedStore(FakeObjectStore):
    """Remembers from where it was listed."""

    def __init__(self, *objects: BronzeMetadata) -> None:
        super().__init__()
        self.listed: list[str] = []
        for metadata in objects:
            self.put("b", str(metadata.key), b"", metadata.to_s3())

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Any:
        self.listed.append(start_after)
        return super().keys(bucket, prefix, start_after)


class NoTables:
    def table(self, schema_version_id: str, entity: Any) -> Any:
        raise AssertionError


def resumed(store: FakeObjectStore, consumer: FakeConsumer, log: str = OLD.log) -> Lane:
    decoders = {ORDERS.topic: Decoder(ORDERS, NoTables())}
    resumption = Resumption(
        PatientStore(store, "b", 0), log, LOCAL_LIMITS, decoders, {ORDERS.topic: ORDERS}, {}
    )
    return resumption.resume(consumer, [PLACE])[PLACE]


def note(metadata: BronzeMetadata, by_broker: bool = True) -> str:
    return str(CommitNote(metadata.key, by_broker))


def test_without_a_commit_all_days_are_listed() -> None:
    store = ListedStore(OLD, MIDDLE, NEW)
    lane = resumed(store, FakeConsumer())
    assert store.listed == [""]
    assert (lane.writer.start, lane.writer.next_offset) == (20, 30)
    assert lane.landed is not None
    assert (lane.landed.end, lane.landed.newest_key, lane.broker_clock) == (30, str(NEW.key), False)


def test_commit_of_a_broker_with_its_own_clock_bounds_the_list() -> None:
    store = ListedStore(OLD, MIDDLE, NEW)
    lane = resumed(store, FakeConsumer(note(MIDDLE)))
    assert store.listed == [
        "orders/year=2018/month=03/day=06/"
    ]  # the day before that of the committed object
    assert lane.writer.next_offset == 30
    assert resumed(ListedStore(OLD, MIDDLE, NEW), FakeConsumer(note(NEW))).broker_clock


def test_clock_of_producers_bounds_nothing() -> None:
    store = ListedStore(OLD, MIDDLE, replace(NEW, first_broker_time=OLD.first_broker_time - 9 * DAY_MS))
    assert resumed(store, FakeConsumer(note(MIDDLE, by_broker=False))).writer.next_offset == 30


def test_commit_whose_object_is_gone_is_not_believed() -> None:
    store = ListedStore(OLD)
    assert resumed(store, FakeConsumer(note(NEW))).writer.next_offset == 10
    assert store.listed == ["orders/year=2018/month=03/day=08/", ""]


@pytest.mark.parametrize("text", ["", "what another tool wrote", note(replace(NEW, log="other-log"))])
def test_foreign_commit_says_nothing(text: str) -> None:
    store = ListedStore(OLD)
    assert resumed(store, FakeConsumer(text)).writer.next_offset == 10
    assert store.listed == [""]


def test_new_log_over_an_old_group_starts_at_what_the_broker_holds() -> None:
    lane = resumed(ListedStore(OLD, NEW), FakeConsumer(note(NEW)), log="log-2")
    assert (lane.writer.start, lane.landed) == (0, None)


def test_expired_records_are_told_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    lane = resumed(ListedStore(OLD), FakeConsumer(low=40))
    assert lane.writer.start == 40
    [told] = caplog.records
    assert "retention passed the landing" in told.getMessage()
    assert (vars(told)["first_offset"], vars(told)["end_offset"]) == (10, 40)


def test_broker_that_ends_before_what_is_landed_is_another_history() -> None:
    with pytest.raises(AnotherHistory):
        resumed(ListedStore(OLD), FakeConsumer(high=9))


def test_clock_is_the_brokers_only_if_all_records_say_so() -> None:
    lane = resumed(ListedStore(OLD), FakeConsumer())
    lane.note_clock(by_broker=True)
    assert lane.broker_clock
    lane.note_clock(by_broker=False)
    lane.note_clock(by_broker=True)
    assert not lane.broker_clock


def test_repeated_lines_of_the_library_are_held_back() -> None:
    import logging

    now = [0.0]
    held = RepeatsFilter(lambda: now[0])
    line = logging.makeLogRecord({"msg": "FAIL [rdkafka#consumer-1] connection refused"})
    other = logging.makeLogRecord({"msg": "ERROR [rdkafka#consumer-1] all brokers down"})
    assert [held.filter(line), held.filter(line), held.filter(other)] == [True, False, True]
    now[0] = 10.0
    assert held.filter(line)
