"""The writers' rule under crashes, rivals and zombies: every offset in exactly one object, no overlap, no gap."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bronze_writer.lake import PatientStore
from bronze_writer.landing import (
    EXPIRED,
    TRANSACTION_MARKER,
    AnotherHistory,
    Encoded,
    Place,
    land,
    newest_objects,
)
from bronze_writer.partition_writer import Limits, PartitionWriter, Record, Run
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LakeError
from tests.fakes.object_store import FakeObjectStore, StoreInterrupted, StoreThatLosesAnswers

BUCKET = "b"
PLACE = Place("orders", "log-1", "orders.v1", 3)
LIMITS = Limits(size=10**6, rows=10**6, seconds=2)
MIDNIGHT = 1_700_006_400_000  # 2023-11-15T00:00Z


def encode(place: Place, records: Sequence[Record]) -> Encoded:
    return Encoded(
        json.dumps([r.offset for r in records]).encode(), len(records), sum(r.offset for r in records)
    )


def patient(store: FakeObjectStore) -> PatientStore:
    return PatientStore(store, BUCKET, patience_s=60)


def records(offsets: Sequence[int]) -> list[Record]:
    """Every tenth record crosses a day."""
    return [Record(o, MIDNIGHT - 5 + o + o // 10 * 86_400_000, b"%d" % o) for o in offsets]


def a_writer(store: FakeObjectStore) -> PartitionWriter:
    newest = newest_objects(patient(store), PLACE.entity, PLACE.log).get(PLACE.partition)
    return PartitionWriter(PLACE, LIMITS, encode, newest)


def landed(store: FakeObjectStore) -> list[tuple[BronzeMetadata, list[int]]]:
    """Objects by first offset, with the offsets they hold."""
    found = []
    for stored in store.keys(BUCKET, ""):
        head = store.head(BUCKET, stored.key)
        assert head is not None
        metadata = BronzeMetadata.from_s3(head.metadata)
        assert str(metadata.key) == stored.key
        found.append((metadata, json.loads(store.get(BUCKET, stored.key))))
    return sorted(found, key=lambda pair: pair[0].first_offset)


def assert_tiled(store: FakeObjectStore, log: Sequence[Record], void: str = TRANSACTION_MARKER) -> None:
    objects = landed(store)
    assert [offset for _, offsets in objects for offset in offsets] == [r.offset for r in log]
    end = 0
    for metadata, offsets in objects:
        assert metadata.previous_end == end
        assert metadata.void_reason == ("" if metadata.first_offset == end else void)
        assert (metadata.first_offset, metadata.end_offset) == (offsets[0], offsets[-1] + 1)
        assert metadata.rows == len(offsets) == offsets[-1] + 1 - offsets[0], "a gap within an object"
        end = metadata.end_offset


@dataclass
class Actor:
    """A writer process: what it holds is lost when it restarts; what it sealed it may land much later."""

    writer: PartitionWriter
    position: int = 0
    sealed: list[tuple[list[Run], int]] = field(default_factory=list)


class RivalWriters(RuleBasedStateMachine):
    """Three writers of one partition take turns at every store call, stop anywhere, and come back."""

    store: StoreInterrupted
    log: list[Record]
    actors: list[Actor]

    @initialize(gaps=st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, 3]), min_size=1, max_size=40))
    def begin(self, gaps: list[int]) -> None:
        offset, offsets = -1, []
        for gap in gaps:
            offset += gap
            offsets.append(offset)
        self.log = records(offsets)
        self.store = StoreInterrupted()
        self.actors = [self.started() for _ in range(3)]

    def started(self) -> Actor:
        writer = a_writer(self.store)
        return Actor(writer, writer.start)

    def read(self, actor: Actor, count: int) -> None:
        for record in [r for r in self.log if r.offset >= actor.position][:count]:
            actor.writer.take(record, now=0)
            actor.position = record.offset + 1

    @rule(who=st.integers(0, 2), count=st.integers(1, 12))
    def reads(self, who: int, count: int) -> None:
        self.read(self.actors[who], count)

    @rule(who=st.integers(0, 2))
    def seals(self, who: int) -> None:
        actor = self.actors[who]
        if not actor.sealed and not actor.writer.idle:
            actor.sealed.append((actor.writer.seal(), actor.writer.landed_end))

    @precondition(lambda self: any(actor.sealed for actor in self.actors))
    @rule(
        who=st.integers(0, 2),
        crashes=st.booleans(),
        meanwhile=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), max_size=4),
    )
    def lands(self, who: int, crashes: bool, meanwhile: list[tuple[int, int]]) -> None:
        """At each store call the next of `meanwhile` reads and lands something of its own."""
        actor = self.actors[who]
        if not actor.sealed:
            return
        runs, seen_end = actor.sealed.pop()
        self.store.between = lambda what, key: self.rival_acts(meanwhile)
        landing = land(patient(self.store), PLACE, runs, seen_end)
        self.store.between = lambda what, key: None
        assert landing.end >= runs[-1].end_offset
        if crashes:  # between the object and whatever would have been committed
            self.actors[who] = self.started()
        else:
            actor.writer.settle(landing)

    def rival_acts(self, meanwhile: list[tuple[int, int]]) -> None:
        if meanwhile:
            _, count = meanwhile.pop()
            between, self.store.between = self.store.between, lambda what, key: None
            rival = self.started()
            self.read(rival, count)
            land(patient(self.store), PLACE, rival.writer.seal(), rival.writer.landed_end)
            self.store.between = between

    @rule(who=st.integers(0, 2))
    def restarts(self, who: int) -> None:
        self.actors[who] = self.started()

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        for actor in self.actors:  # zombies wake up one after the other
            for runs, seen_end in actor.sealed:
                land(patient(self.store), PLACE, runs, seen_end)
        last = self.started()
        self.read(last, len(self.log))
        land(patient(self.store), PLACE, last.writer.seal(), last.writer.landed_end)
        assert_tiled(self.store, self.log)


def test_writers_rule_tiles_the_log_under_rivals_zombies_and_crashes() -> None:
    run_state_machine_as_test(
        RivalWriters, settings=settings(max_examples=150, stateful_step_count=30, deadline=None)
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 3))
def test_writer_takes_its_own_lost_answer_for_success(cuts: list[int], every: int) -> None:
    store = StoreThatLosesAnswers(every)
    log = records(range(sum(cuts)))
    writer, at = a_writer(store), 0
    for cut in cuts:
        for record in log[at : at + cut]:
            writer.take(record, now=0)
        at += cut
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bronze_writer.lake._WAIT", lambda state: 0)
            writer.settle(land(patient(store), PLACE, writer.seal(), writer.landed_end))
    assert_tiled(store, log)


def test_writer_follows_a_rival_that_is_ahead_of_what_it_read() -> None:
    store = FakeObjectStore()
    slow, fast = a_writer(store), a_writer(store)
    log = records(range(30))
    for record in log:
        fast.take(record, 0)
    for record in log[:5]:
        slow.take(record, 0)
    fast.settle(land(patient(store), PLACE, fast.seal(), 0))
    runs = slow.seal()
    for record in log[5:8]:
        slow.take(record, 0)
    slow.settle(land(patient(store), PLACE, runs, 0))
    assert (slow.landed_end, slow.next_offset, slow.idle) == (30, 30, True)
    for record in log[8:]:
        slow.take(record, 0)
    assert slow.idle
    assert len(landed(store)) == 1


def test_writer_keeps_what_a_rival_has_not_landed() -> None:
    store = FakeObjectStore()
    slow, fast = a_writer(store), a_writer(store)
    log = records(range(10))
    for record in log[:7]:
        fast.take(record, 0)
    for record in log[:4]:
        slow.take(record, 0)
    runs = slow.seal()
    for record in log[4:]:
        slow.take(record, 0)
    fast.settle(land(patient(store), PLACE, fast.seal(), 0))
    slow.settle(land(patient(store), PLACE, runs, 0))
    assert [(r.first_offset, r.end_offset) for r in slow.seal()] == [(7, 10)]


def test_writer_names_expired_offsets_in_the_next_object() -> None:
    store = FakeObjectStore()
    writer = a_writer(store)
    for record in records(range(4)):
        writer.take(record, 0)
    assert writer.check_range(low=9, high=20) == 5
    for record in records([9, 10]):
        writer.take(record, 0)
    land(patient(store), PLACE, writer.seal(), 0)
    assert [(m.previous_end, m.first_offset, m.end_offset, m.void_reason) for m, _ in landed(store)] == [
        (0, 0, 4, ""),
        (4, 9, 11, EXPIRED),
    ]


def test_writer_names_what_expired_before_anything_was_landed() -> None:
    store = FakeObjectStore()
    writer = a_writer(store)
    assert writer.check_range(low=100, high=120) == 100
    writer.take(records([100])[0], 0)
    land(patient(store), PLACE, writer.seal(), writer.landed_end)
    [(metadata, _)] = landed(store)
    assert (metadata.previous_end, metadata.first_offset, metadata.void_reason) == (0, 100, EXPIRED)


def restarted_after(store: FakeObjectStore, count: int, place: Place = PLACE) -> PartitionWriter:
    """A writer over a lake in which two objects, up to `count`, are landed."""
    writer = PartitionWriter(PLACE, LIMITS, encode, None)
    for cut in (records(range(count // 2)), records(range(count // 2, count))):
        for record in cut:
            writer.take(record, 0)
        writer.settle(land(patient(store), PLACE, writer.seal(), writer.landed_end))
    newest = newest_objects(patient(store), place.entity, place.log)[place.partition]
    return PartitionWriter(place, LIMITS, encode, newest)


def test_writer_reads_the_record_that_proves_the_history_again() -> None:
    writer = restarted_after(FakeObjectStore(), 8)
    assert (writer.start, writer.next_offset) == (4, 8)
    for record in records(range(4, 9)):
        writer.take(record, 0)
    assert [(r.first_offset, r.end_offset) for r in writer.seal()] == [(8, 9)]


def test_another_history_is_refused_by_the_time_of_a_landed_record() -> None:
    writer = restarted_after(FakeObjectStore(), 8)
    with pytest.raises(AnotherHistory, match=r"broker time 1700006400500 ms.*NEXUS_LOG"):
        writer.take(Record(4, MIDNIGHT + 500, b"4"), 0)


def test_another_history_is_refused_by_an_end_behind_what_is_landed() -> None:
    writer = restarted_after(FakeObjectStore(), 8)
    with pytest.raises(AnotherHistory, match="ends at offset 7, landed was up to 8"):
        writer.check_range(0, 7)


def test_another_history_is_refused_by_the_topic_id() -> None:
    store = FakeObjectStore()
    first = Place("orders", "log-1", "orders.v1", 3, topic_id="AAAA")
    writer = PartitionWriter(first, LIMITS, encode, None)
    writer.take(records([0])[0], 0)
    land(patient(store), first, writer.seal(), 0)
    newest = newest_objects(patient(store), "orders", "log-1")[3]
    again = Place("orders", "log-1", "orders.v1", 3, topic_id="BBBB")
    with pytest.raises(AnotherHistory, match="BBBB"):
        PartitionWriter(again, LIMITS, encode, newest)
    PartitionWriter(PLACE, LIMITS, encode, newest)  # an id that cannot be read says nothing


def test_another_history_is_refused_where_a_rival_landed_it() -> None:
    store = FakeObjectStore()
    restarted_after(store, 8)
    stranger = PartitionWriter(PLACE, LIMITS, encode, None)
    stranger.take(Record(0, MIDNIGHT - 4, b"0"), 0)  # the same day, another millisecond
    with pytest.raises(AnotherHistory):
        land(patient(store), PLACE, stranger.seal(), 0)


def test_proof_is_dropped_when_retention_took_its_record() -> None:
    writer = restarted_after(FakeObjectStore(), 8)
    assert writer.check_range(6, 20) == 0
    assert writer.start == 8
    writer.take(records([8])[0], 0)
    assert not writer.idle


def test_object_of_another_sink_stops_the_writer() -> None:
    store = FakeObjectStore()
    writer = a_writer(store)
    writer.take(records([0])[0], 0)
    [run] = writer.seal()
    store.put(BUCKET, f"orders/year=2023/month=11/day=14/log-1+3+{0:020d}.parquet", b"x")
    with pytest.raises(LakeError, match="another sink"):
        land(patient(store), PLACE, [run], 0)


def test_newest_objects_are_found_from_a_day_on_and_of_one_log_only() -> None:
    store = FakeObjectStore()
    writer = a_writer(store)
    for record in records(range(40)):
        writer.take(record, 0)
        writer.settle(land(patient(store), PLACE, writer.seal(), writer.landed_end))
    store.put(BUCKET, "orders/year=2023/month=11/day=18/notes.txt", b"x")
    newest = newest_objects(patient(store), "orders", "log-1")
    assert {partition: m.first_offset for partition, m in newest.items()} == {3: 39}
    day = newest[3].key.day
    assert newest_objects(patient(store), "orders", "log-1", since=day) == newest
    assert newest_objects(patient(store), "orders", "log-1", since=day.replace(day=day.day + 1)) == {}
    assert newest_objects(patient(store), "orders", "log-2") == {}


def test_writer_is_due_by_age_rows_or_bytes() -> None:
    writer = PartitionWriter(PLACE, Limits(size=10, rows=3, seconds=2), encode, None)
    assert not writer.due(now=10**9)
    writer.take(Record(0, 0, b"1234"), now=100.0)
    assert not writer.due(now=101.9)
    assert writer.due(now=102.0)
    writer.take(Record(1, 0, b"123456"), now=101.0)
    assert writer.due(now=101.0)
    writer.seal()
    for offset in range(2, 5):
        assert not writer.due(now=102.0)
        writer.take(Record(offset, 0, None), now=102.0)
    assert writer.due(now=102.0)
    assert writer.full


def test_record_times_beyond_the_calendar_are_brought_within_it() -> None:
    assert Record.at(0, -1, None).broker_time == 0
    assert Record.at(0, 10**18, None).broker_time == 253_402_300_799_999
