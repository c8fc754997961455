"""The sweeper finds what no event announced, leaves alone what is young or done, and tidies up what was abandoned."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ledger import Ledger, Opened, Outcome, Pins, SeenObject, Verdict, replays, reports
from adapters.objects import Stored
from lakehouse.announcements import NotForUs, ObjectCreated, announcement, parse_announcement
from lakehouse.catalog import load_entities
from lakehouse.errors import LakeError, SettingsError
from lakehouse.paths import BronzeKey, LoadManifestKey, load_log
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from lambdas.sweep_bronze import handler as sweep_bronze
from lambdas.sweep_bronze.queue import CheckQueue
from lambdas.sweep_bronze.settings import Settings
from lambdas.sweep_bronze.sweep import BACKLOG, LONGEST_ATTEMPT, Sweeper, SweepReport, UncoveredLoad
from local.check_runner import LocalContext
from tests.builders.bronze import NOON, a_bronze_object
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import a_row, an_order, bronze_table, metadata_of
from tests.fakes.check_queue import FakeQueue
from tests.fakes.object_store import FakeObjectStore

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]
SHA = "0123456789abcdef" * 4
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ANY_AGE = timedelta(0)
AS_OF = int((NOON - 100 * DAY).timestamp() * 1000)


class DatedStore(FakeObjectStore):
    """Says of each object that it was written at `written`, or just now."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, datetime] = {}
        self.listed: dict[str, list[str]] = {}  # keys that the last listing of a prefix gave

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        listed = self.listed[prefix] = list[str]()
        for stored in super().keys(bucket, prefix, start_after):
            listed.append(stored.key)
            yield replace(stored, modified=self.written.get(stored.key, NOON))


@pytest.fixture
def store() -> DatedStore:
    return DatedStore()


Sweep = Callable[..., tuple[SweepReport, list[str]]]


@pytest.fixture
def sweep(store: DatedStore, ledger: Ledger) -> Sweep:
    """Sweeps at a moment; the report, and the messages it sent."""

    def run(
        age: timedelta = MINUTE, at: datetime = NOON, depth: int = 0, everything: bool = False
    ) -> tuple[SweepReport, list[str]]:
        queue = FakeQueue(depth)
        sweeper = Sweeper(store, ledger, BUCKETS, ENTITIES, queue, lambda: at)
        return sweeper.sweep(age, everything=everything), queue.sent

    return run


def check(store: FakeObjectStore, ledger: Ledger, bodies: Sequence[str]) -> list[str]:
    hop = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)
    return [check_message(hop, body).what for body in bodies]


def test_fault_13_sweep_announces_what_no_event_announced(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    keys = [land(store, bronze_table(ORDERS, [an_order()], first=n)) for n in range(3)]
    store.written = dict.fromkeys(keys, NOON - MINUTE)
    check(store, ledger, [an_announcement(keys[0])])
    report, sent = sweep()
    assert report.announced == (keys[1], keys[2])
    assert check(store, ledger, sent) == ["committed", "committed"]
    assert sweep() == (SweepReport(), [])
    [position] = reports.positions(ledger)
    assert position.landed == 3


def test_sweep_leaves_young_objects_to_their_events(store: DatedStore, sweep: Sweep) -> None:
    old, young = (land(store, bronze_table(ORDERS, [an_order()], first=n)) for n in range(2))
    store.written = {old: NOON - MINUTE, young: NOON - MINUTE + timedelta(seconds=1)}
    assert sweep()[0].announced == (old,)
    assert sweep(timedelta(0))[0].announced == (old, young)


def test_sweep_announces_what_was_opened_and_never_committed(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    key = land(store, bronze_table(ORDERS, [an_order()]))
    open_object(store, ledger, key, ORDERS.rules_hash)
    assert sweep(timedelta(0))[0].announced == (key,)


def test_sweep_starts_with_the_oldest_when_there_is_too_much(
    store: DatedStore, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.sweep_bronze.sweep.MOST_ANNOUNCED", 2)
    keys = [land(store, bronze_table(ORDERS, [an_order()], first=n)) for n in range(3)]
    store.written = {key: NOON - MINUTE * (n + 1) for n, key in enumerate(keys)}
    report, sent = sweep()
    assert (report.announced, report.left_for_later, len(sent)) == ((keys[2], keys[1]), 1, 2)


def test_sweep_ignores_everything_that_is_no_data(store: DatedStore, sweep: Sweep) -> None:
    for key in ("_schemas/x.proto", "_logs/emb-1.json", "orders/readme.txt", "coupons/x.parquet"):
        store.put(BUCKETS.bronze, key, b"x")
    assert sweep(timedelta(0)) == (SweepReport(), [])


def test_sweep_reports_what_is_stuck_and_what_is_missing(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    whole, rival = (
        land(store, bronze_table(ORDERS, [an_order(), an_order()])),
        land(store, bronze_table(ORDERS, [an_order()], first=1)),
    )
    assert check(store, ledger, [an_announcement(whole), an_announcement(rival)]) == ["committed", "overlap"]
    assert sweep(timedelta(0))[0] == SweepReport(stuck=(rival,))
    store.delete(BUCKETS.bronze, whole)
    assert sweep(timedelta(0))[0] == SweepReport(stuck=(rival,), missing=(whole,))


# --- where it begins


def land_on(store: DatedStore, days_ago: int, first: int, log: str = "kafka-1") -> str:
    """An object of one row, its day so many before NOON's."""
    time = int((NOON - days_ago * DAY).timestamp() * 1000)
    table = bronze_table(ORDERS, [an_order()], first=first, log=log)
    return land(store, table, log=log, first_broker_time=time)


def test_sweep_begins_at_the_day_of_the_oldest_hole(store: DatedStore, ledger: Ledger, sweep: Sweep) -> None:
    keys = [land_on(store, days_ago, first) for first, days_ago in enumerate((90, 80, 70, 60, 0))]
    known = [key for key in keys if key != keys[2]]
    check(store, ledger, [an_announcement(key) for key in known])
    assert sweep(ANY_AGE)[0].announced == (keys[2],)
    assert min(store.listed["orders/year="]) > str(
        BronzeKey.parse(keys[0])
    )  # the days before are not looked at
    check(store, ledger, [an_announcement(keys[2])])
    assert sweep(ANY_AGE) == (SweepReport(), [])
    assert store.listed["orders/year="] == [keys[4]]
    store.delete(BUCKETS.bronze, keys[0])
    assert sweep(ANY_AGE)[0].missing == ()
    assert sweep(ANY_AGE, everything=True)[0].missing == (keys[0],)


def test_sweep_looks_for_logs_that_the_ledger_never_heard_of(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    check(store, ledger, [an_announcement(land_on(store, 0, 0))])
    new, old = land_on(store, 2, 0, log="kafka-2"), land_on(store, 9, 0, log="kafka-3")
    assert sweep(ANY_AGE)[0].announced == (new,)
    assert sweep(ANY_AGE, everything=True)[0].announced == (old, new)


def test_sweep_looks_everywhere_while_a_beginning_is_missing(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    first, second = land_on(store, 50, 0), land_on(store, 40, 1)
    assert set(sweep(ANY_AGE)[0].announced) == {first, second}  # an empty ledger knows no beginning
    check(store, ledger, [an_announcement(second)])
    assert sweep(ANY_AGE)[0].announced == (first,)


def test_sweep_finds_the_rows_of_an_old_load(store: DatedStore, ledger: Ledger, sweep: Sweep) -> None:
    recent = bronze_table(ENTITIES["products"], [a_row("products")], log="kafka-1")
    check(store, ledger, [an_announcement(land(store, recent, entity="products", log="kafka-1"))])
    put_manifest(store, 2)
    table = bronze_table(ENTITIES["products"], [a_row("products")] * 2, all_text=True, log=load_log(SHA))
    key = land(store, table, entity="products", log=load_log(SHA), first_broker_time=AS_OF)
    assert sweep(ANY_AGE)[0].announced == (key,)


# --- loads


def put_manifest(store: FakeObjectStore, records: int) -> str:
    key = str(LoadManifestKey("products", SHA))
    store.put(BUCKETS.bronze, key, json.dumps({"records": records, "as_of": AS_OF}).encode())
    return key


def test_sweep_reports_loads_that_are_not_covered(store: DatedStore, ledger: Ledger, sweep: Sweep) -> None:
    manifest = put_manifest(store, 3)
    assert sweep(timedelta(0))[0].uncovered_loads == (UncoveredLoad(manifest, 3, 0),)
    assert sweep(MINUTE)[0].uncovered_loads == ()
    table = bronze_table(ENTITIES["products"], [a_row("products")] * 2, all_text=True, log=load_log(SHA))
    key = land(store, table, entity="products", log=load_log(SHA))
    check(store, ledger, [an_announcement(key)])
    assert sweep(timedelta(0))[0].uncovered_loads == (UncoveredLoad(manifest, 3, 2),)
    put_manifest(store, 2)
    assert sweep(timedelta(0))[0] == SweepReport()


def test_sweep_refuses_a_manifest_it_cannot_read(store: DatedStore, sweep: Sweep) -> None:
    store.put(BUCKETS.bronze, str(LoadManifestKey("products", SHA)), b"{}")
    with pytest.raises(LakeError, match="no manifest of a load"):
        sweep(timedelta(0))


# --- abandoned revisions


def open_object(store: FakeObjectStore, ledger: Ledger, key: str, rules_hash: str) -> Opened:
    head = store.head(BUCKETS.bronze, key)
    assert head is not None
    seen = SeenObject(a_bronze_object().from_s3(head.metadata), head.etag, head.size)
    opened = ledger.open_object(seen, Pins("1.0.0", rules_hash), NOON)
    assert isinstance(opened, Opened)
    return opened


def test_sweep_removes_outputs_of_abandoned_revisions_after_the_longest_attempt(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    table = bronze_table(ORDERS, [an_order(order_id="x")])
    key = land(store, table)
    open_object(store, ledger, key, "0" * 16)
    names = metadata_of(table).key
    store.put(BUCKETS.silver, names.silver(1, 0), b"old")
    store.put(BUCKETS.quarantine, names.quarantine(1, 0), b"old")
    assert check(store, ledger, [an_announcement(key)]) == ["committed"]
    assert sweep(at=NOON + LONGEST_ATTEMPT)[0].removed == ()
    assert store.head(BUCKETS.silver, names.silver(1, 0))
    assert sweep(at=NOON + LONGEST_ATTEMPT + MINUTE)[0].removed == (names.silver(1, 0),)
    left = [s.key for bucket in (BUCKETS.silver, BUCKETS.quarantine) for s in store.keys(bucket, "")]
    assert left == [names.silver(1, 1), names.quarantine(1, 1)]
    assert reports.balance(ledger)["orders"].closed


# --- replays


def replayed(ledger: Ledger, store: FakeObjectStore) -> tuple[str, Opened]:
    """An object with a row in Quarantine, and a replay of it that was opened."""
    key = land(store, bronze_table(ORDERS, [an_order(), an_order(order_id="x")]))
    assert check(store, ledger, [an_announcement(key)]) == ["committed"]
    [held] = replays.held_objects(ledger, "orders")
    opened = replays.open_replay(ledger, held, Pins("1.0.0", "replay"), NOON)
    assert opened is not None
    return key, opened


def test_sweep_leaves_an_object_alone_that_is_replayed(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    """Its announcement, sent again, has nothing to do either."""
    key, _ = replayed(ledger, store)
    assert sweep(age=ANY_AGE)[0] == SweepReport()
    assert check(store, ledger, [an_announcement(key)]) == ["settled"]
    assert reports.balance(ledger)["orders"].closed


def test_sweep_gives_up_a_replay_that_nobody_went_on_with(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    key, opened = replayed(ledger, store)
    silver = BronzeKey.parse(key).silver(1, 1)
    store.put(BUCKETS.silver, silver, b"never committed")
    assert sweep(at=NOON + LONGEST_ATTEMPT)[0].removed == ()
    assert sweep(at=NOON + LONGEST_ATTEMPT + MINUTE)[0].removed == (silver,)
    assert store.head(BUCKETS.silver, silver) is None
    outcome = Outcome(silver, 1, 0)
    assert ledger.commit(opened, outcome, NOON) is Verdict.SUPERSEDED


def test_sweep_removes_quarantine_that_a_replay_has_superseded(
    store: DatedStore, ledger: Ledger, sweep: Sweep
) -> None:
    key, opened = replayed(ledger, store)
    [held] = replays.held_objects(ledger, "orders")
    silver = BronzeKey.parse(key).silver(1, 1)
    assert ledger.commit(opened, Outcome(silver, 1, held.quarantine.hash_sum), NOON) is Verdict.COMMITTED
    assert sweep(at=NOON + LONGEST_ATTEMPT)[0].removed == ()
    assert sweep(at=NOON + LONGEST_ATTEMPT + MINUTE)[0].removed == (held.quarantine_key,)
    assert store.head(BUCKETS.quarantine, held.quarantine_key) is None
    assert sweep(at=NOON + LONGEST_ATTEMPT + MINUTE)[0].removed == ()
    assert reports.balance(ledger)["orders"].closed


# --- messages and handler


@pytest.mark.parametrize("key", ["orders/a+b", "a b", "a%2Bb%25", "é", 'a"b\\c', "a'; --"])
def test_announcement_is_read_as_what_it_told(key: str) -> None:
    created = ObjectCreated(BUCKETS.bronze, key)
    assert parse_announcement(announcement(created, 1, "e")) == created


def test_announcement_of_a_sweep_reads_like_one_of_eventbridge() -> None:
    ours = json.loads(announcement(ObjectCreated(BUCKETS.bronze, "k"), 1, "e"))
    theirs = json.loads(an_announcement("k"))
    assert ours.keys() <= theirs.keys()
    assert {name: ours[name] for name in ("source", "detail-type")} == {
        name: theirs[name] for name in ("source", "detail-type")
    }
    assert parse_announcement(json.dumps(ours | {"detail-type": "Object Deleted"})) == NotForUs(
        "other_detail_type"
    )


def test_sweep_leaves_alone_what_a_long_queue_holds(store: DatedStore, sweep: Sweep) -> None:
    keys = [land(store, bronze_table(ORDERS, [an_order()], first=n)) for n in range(BACKLOG + 3)]
    store.written = {key: NOON - MINUTE - timedelta(seconds=n) for n, key in enumerate(keys)}
    report, sent = sweep(depth=BACKLOG + 1)
    assert report.announced == (keys[-1], keys[-2])  # the oldest, as many as the queue cannot hold
    assert (len(sent), report.left_for_later) == (2, BACKLOG + 1)
    assert sweep(depth=10 * BACKLOG)[1] == []
    assert len(sweep(depth=BACKLOG)[1]) == len(keys)  # a short queue proves nothing


class QueueThatRefuses:
    def send_message_batch(self, **arguments: Any) -> dict[str, Any]:
        return {"Failed": [{"Id": "0", "Code": "InternalError"}]}


class QueueThatTakes:
    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        self.batches.append([entry["MessageBody"] for entry in Entries])
        return {}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"Attributes": dict.fromkeys(AttributeNames, "4")}


def test_queue_sends_in_batches_of_ten_and_tells_when_it_is_refused() -> None:
    sqs = QueueThatTakes()
    CheckQueue(sqs, "url").send([str(n) for n in range(21)])
    assert [len(batch) for batch in sqs.batches] == [10, 10, 1]
    assert CheckQueue(sqs, "url").depth() == 8  # waiting, and in hand
    CheckQueue(sqs, "url").send([])
    assert len(sqs.batches) == 3
    with pytest.raises(LakeError, match="refused 1 announcements"):
        CheckQueue(QueueThatRefuses(), "url").send(["x"])


def test_sweep_handler_tells_what_it_found(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    report = SweepReport(("a", "b"), 3, ("stuck",), ("missing",), (UncoveredLoad("m", 2, 1),), ("r",))
    counts = sweep_bronze.build_handler(lambda: lambda: report)({}, LocalContext("sweep_bronze"))
    assert list(counts.values()) == [2, 3, 1, 1, 1, 1]
    assert '"LoadsUncovered":[1.0]' in capsys.readouterr().out
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]


def test_sweep_settings_name_what_is_wrong() -> None:
    whole = {
        "NEXUS_BUCKET_PREFIX": "olist",
        "NEXUS_LEDGER_URL": "postgresql://x",
        "NEXUS_CHECK_QUEUE_URL": "http://queue",
        "AWS_REGION": "us-east-1",
    }
    assert Settings.from_env(whole).minimum_age == timedelta(minutes=5)
    for name in whole:
        with pytest.raises(SettingsError, match=name):
            Settings.from_env(whole | {name: ""})
    with pytest.raises(SettingsError, match="whole seconds"):
        Settings.from_env(whole | {"NEXUS_SWEEP_MINIMUM_AGE_S": "soon"})
