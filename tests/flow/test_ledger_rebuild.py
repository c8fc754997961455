"""The ledger made anew from the lake alone equals the lost one, after any history of checks, crashes and new rules."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.ledger import Ledger, Opened, Pins, SeenObject, Settled, contents, reports
from adapters.ledger.contents import KnownObject
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity, load_entities
from lakehouse.errors import LedgerError
from lakehouse.paths import LoadManifestKey, load_log
from lakehouse.row_check import CheckPlan
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from lambdas.check_rows.outputs import Outputs, make_outputs
from lambdas.sweep_bronze.sweep import Sweeper
from local.closing import close_lost_log
from local.lake_account import LakeAccounts
from local.rebuild import RebuildReport, rebuild_ledger
from tests.builders.bronze import NOON
from tests.builders.ledger_content import content_of, objects_of
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import a_row, an_order, bronze_table, read_parquet
from tests.fakes.check_queue import FakeQueue
from tests.fakes.ticking_store import TickingStore

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]
SHA = "0123456789abcdef" * 4
RULES = [ORDERS.rules_hash, "0" * 16, "1" * 16]


@pytest.fixture
def store() -> TickingStore:
    return TickingStore()


@pytest.fixture
def new_ledger(make_database: Callable[[], str]) -> Iterator[Ledger]:
    """An empty database, not even migrated."""
    opened = Ledger.connect(make_database())
    yield opened
    opened.close()


def rebuild(store: TickingStore, ledger: Ledger) -> RebuildReport:
    return rebuild_ledger(LakeAccounts(store, BUCKETS, ENTITIES), ledger, lambda: NOON, "take another")


def check(store: TickingStore, ledger: Ledger, *keys: str) -> list[str]:
    hop = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: store.now)
    return [check_message(hop, an_announcement(key)).what for key in keys]


def drive(store: TickingStore, ledger: Ledger) -> None:
    """What the sweep does until nothing is left to do."""
    queue = FakeQueue()
    sweeper = Sweeper(store, ledger, BUCKETS, ENTITIES, queue, lambda: store.now)
    sweeper.sweep(NOON - NOON, everything=True)
    hop = ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: store.now)
    for body in queue.sent:
        check_message(hop, body)


def orders(*bad: int, first: int = 0, rows: int = 4, **changes: Any) -> Any:
    """Orders at offsets from `first`; those numbered in `bad` break a rule."""
    made = [an_order(**({"order_id": "x"} if n in bad else {})) for n in range(rows)]
    return bronze_table(ORDERS, made, first=first, **changes)


# --- one kind of object each


def test_rebuilt_ledger_equals_the_lost_one(store: TickingStore, ledger: Ledger, new_ledger: Ledger) -> None:
    good, bad = land(store, orders(first=0)), land(store, orders(0, 2, first=4))
    void = land(store, orders(first=20), previous_end=8, void_reason="expired")
    broken = land(store, orders(first=24), data=b"no parquet")
    load = bronze_table(ENTITIES["products"], [a_row("products")] * 2, all_text=True, log=load_log(SHA))
    batch = land(store, load, entity="products", log=load_log(SHA))
    store.put(BUCKETS.bronze, str(LoadManifestKey("products", SHA)), json.dumps({"records": 2}).encode())
    assert check(store, ledger, good, bad, void, broken, batch) == ["committed"] * 5
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 40, NOON)
    ledger.observe_partition("emb-1", "orders.v1", 3, "orders", 0, 7, NOON)
    close_lost_log(ledger, store, BUCKETS.bronze, ENTITIES, "emb-1", {("orders.v1", 0): 38}, NOON)  # type: ignore[arg-type]
    report = rebuild(store, new_ledger)
    assert (report.states, report.remarks, report.open_logs) == ({"committed": 5}, [], ())
    assert content_of(new_ledger) == content_of(ledger)
    assert [(v.first, v.end) for v in reports.voids(new_ledger)] == [(8, 20), (28, 40), (0, 7)]


@pytest.mark.parametrize("batch", [1, 2, 200])
def test_rebuilt_ledger_lets_the_first_of_overlapping_objects_count(
    store: TickingStore, ledger: Ledger, new_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("local.rebuild._BATCH", batch)
    whole, rival, far = (land(store, orders(first=first)) for first in (2, 0, 8))
    assert check(store, ledger, whole, rival, far) == ["committed", "overlap", "committed"]
    rebuild(store, new_ledger)
    assert content_of(new_ledger) == content_of(ledger)
    assert reports.bronze_keys(new_ledger)[rival] == "overlap"


def test_rebuilt_ledger_has_abandoned_outputs_swept(
    store: TickingStore, ledger: Ledger, new_ledger: Ledger
) -> None:
    key = land(store, orders(1))
    attempt(store, ledger, key, RULES[1], "silver")
    assert check(store, ledger, key) == ["committed"]
    rebuild(store, new_ledger)
    assert objects_of(new_ledger) == objects_of(ledger)
    assert [r for _, r in reports.abandoned_outputs(new_ledger, store.now)] == [0]


def test_rebuilt_ledger_keeps_what_is_committed_and_gone_from_bronze(
    store: TickingStore, ledger: Ledger, new_ledger: Ledger
) -> None:
    gone, lost = land(store, orders(1)), land(store, orders(first=4))
    check(store, ledger, gone)
    attempt(store, ledger, lost, RULES[0], "open")
    for key in (gone, lost):
        store.delete(BUCKETS.bronze, key)
    rebuild(store, new_ledger)
    assert objects_of(new_ledger) == {k: v for k, v in objects_of(ledger).items() if k == gone}


def test_rebuilt_ledger_checks_again_what_lost_its_outputs(
    store: TickingStore, ledger: Ledger, new_ledger: Ledger
) -> None:
    key, other = land(store, orders(1)), land(store, orders(first=4))
    check(store, ledger, key, other)
    [silver] = objects_of(ledger)[key].committed
    store.put(BUCKETS.silver, silver.silver_key, b"damaged")
    store.delete(BUCKETS.silver, objects_of(ledger)[other].committed[0].silver_key)
    report = rebuild(store, new_ledger)
    assert report.states == {"open": 2}
    assert any(silver.silver_key in remark for remark in report.remarks)
    assert reports.balance(new_ledger)["orders"].unchecked.rows == 8
    drive(store, new_ledger)
    assert content_of(new_ledger)["balance"] == content_of(ledger)["balance"]


def test_rebuild_leaves_out_what_the_check_refuses(store: TickingStore, new_ledger: Ledger) -> None:
    key = land(store, orders())
    body = store.get(BUCKETS.bronze, key)
    store.put(BUCKETS.bronze, key.replace("emb-1+0", "emb-1+7"), body, {"rows": "4"})
    report = rebuild(store, new_ledger)
    assert report.states == {"open": 1}
    assert [r.partition(" is not taken")[0] for r in report.remarks] == [key.replace("emb-1+0", "emb-1+7")]


# --- the command's promises


def test_rebuild_refuses_a_ledger_in_use(store: TickingStore, ledger: Ledger) -> None:
    check(store, ledger, land(store, orders()))
    before = content_of(ledger)
    with pytest.raises(LedgerError, match=r"knows 1 objects.*take another"):
        rebuild(store, ledger)
    assert content_of(ledger) == before


def test_rebuild_twice_is_refused_once_it_is_whole(store: TickingStore, new_ledger: Ledger) -> None:
    land(store, orders())
    rebuild(store, new_ledger)
    with pytest.raises(LedgerError, match="not empty"):
        rebuild(store, new_ledger)


class StoreThatFailsOnce(TickingStore):
    """The n-th listing breaks off."""

    def __init__(self, fails_at: int) -> None:
        super().__init__()
        self.left = fails_at

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Any]:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().keys(bucket, prefix, start_after)


@pytest.mark.parametrize("fails_at", [1, 4, 8, 12, 28])
def test_rebuild_broken_off_anywhere_goes_on(ledger: Ledger, new_ledger: Ledger, fails_at: int) -> None:
    """28 listings: three of each of nine entities, one of closed logs."""
    store = StoreThatFailsOnce(0)
    keys = [land(store, orders(n, first=4 * n)) for n in range(3)]
    item = bronze_table(ENTITIES["order_items"], [a_row("order_items")])
    keys.append(land(store, item, entity="order_items"))
    check(store, ledger, *keys)
    store.left = fails_at
    with pytest.raises(KeyboardInterrupt):
        rebuild(store, new_ledger)
    assert rebuild(store, new_ledger).resumed
    assert content_of(new_ledger) == content_of(ledger)


# --- any history


Steps = list[Callable[[], object]]


def attempt(
    store: TickingStore, ledger: Ledger, key: str, rules: str, until: str, late: list[Steps] | None = None
) -> None:
    """The check hop under given rules, which dies after `until`: open, quarantine, silver or commit.

    With `late`, what it had still to do is kept there instead: it comes back to life later.
    """
    opened = open_object(store, ledger, key, rules)
    if isinstance(opened, Settled):
        return
    outputs = make_outputs(CheckPlan(ruled(rules)), opened, 0, store.get(BUCKETS.bronze, key))
    rest = steps(store, ledger, opened, outputs)
    names = ["open", "quarantine", "silver", "commit"]
    for name in names[: names.index(until) + 1]:
        rest.pop(name)()
    if late is not None:
        late.append(list(rest.values()))


def open_object(store: TickingStore, ledger: Ledger, key: str, rules: str) -> Opened | Settled:
    head = store.head(BUCKETS.bronze, key)
    assert head is not None
    seen = SeenObject(BronzeMetadata.from_s3(head.metadata), head.etag, head.size)
    return ledger.open_object(seen, Pins("1.0.0", rules), store.now)


def steps(
    store: TickingStore, ledger: Ledger, opened: Opened, outputs: Outputs
) -> dict[str, Callable[[], object]]:
    outcome = outputs.outcome

    def put_quarantine() -> None:
        if outputs.quarantine is not None and outcome.quarantine_key is not None:
            store.put(BUCKETS.quarantine, outcome.quarantine_key, outputs.quarantine)

    return {
        "open": lambda: None,
        "quarantine": put_quarantine,
        "silver": lambda: store.put(BUCKETS.silver, outcome.silver_key, outputs.silver),
        "commit": lambda: ledger.commit(opened, outcome, store.now),
    }


def ruled(rules: str) -> Entity:
    """Orders under other rules: with the first, an unreadable id is an error; with the others a warning, or nothing."""
    if rules == RULES[0]:
        return ORDERS
    kept = tuple(rule for rule in ORDERS.rules if rule.id != "order_id_is_id")
    if rules == RULES[1]:
        kept = tuple(replace(r, severity="warn") if r.id == "order_id_is_id" else r for r in ORDERS.rules)
    return replace(ORDERS, rules=kept, rules_hash=rules)


@pytest.mark.parametrize("seed", range(25))
def test_rebuilt_ledger_equals_the_lost_one_after_any_history(
    ledger: Ledger, new_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("local.rebuild._BATCH", 5)
    draw, store = random.Random(seed), TickingStore()
    late: list[Steps] = []
    keys = []
    for number in range(12):
        table = orders(*draw.sample(range(4), draw.randint(0, 4)), first=4 * number)
        keys.append(land(store, table))
    for _ in range(40):
        if late and draw.random() < 0.3:
            zombie = draw.choice(late)
            zombie.pop(0)()
            late = [z for z in late if z]
        until = draw.choice(["open", "quarantine", "silver", "commit", "commit"])
        dead = None if draw.random() < 0.6 or until == "commit" else late
        attempt(store, ledger, draw.choice(keys), draw.choice(RULES), until, dead)
    report = rebuild(store, new_ledger)
    lost, made = objects_of(ledger), objects_of(new_ledger)
    assert made.keys() == set(keys)
    for key, ours in made.items():
        require_same(lost.get(key), ours, doubted=any(r.startswith(f"{key}:") for r in report.remarks))
    drive(store, new_ledger)
    drive(store, ledger)
    for drained in (ledger, new_ledger):
        found = reports.balance(drained)["orders"]
        assert (found.closed, found.bronze.rows) == (True, 48)
        assert contents.landed_ranges(drained)[0] == {("emb-1", "orders.v1", 0): [(0, 48)]}
    assert sum(b.silver.rows for b in reports.balance(new_ledger).values()) == silver_rows(store, new_ledger)


def require_same(lost: KnownObject | None, made: KnownObject, doubted: bool) -> None:
    """Committed is committed, revision by revision. What was not may be finished, if all of it had been written."""
    if lost is not None and lost.committed and not doubted:
        assert made.committed == lost.committed
        assert (made.state, made.revision, made.etag) == (lost.state, lost.revision, lost.etag)
    elif made.committed:
        assert lost is not None
        newest = lost.revisions[made.revision]
        assert newest.rules_hash == made.committed[-1].rules_hash
        assert made.difference.rows == 0
    else:
        assert made.state == "open"
    for number, revision in made.revisions.items():
        assert lost is not None
        assert revision.rules_hash == lost.revisions[number].rules_hash


def silver_rows(store: TickingStore, ledger: Ledger) -> int:
    """Rows in the files that the ledger calls committed."""
    keys = [key for keys in reports.committed_silver(ledger).values() for key in keys]
    return sum(len(read_parquet(store.get(BUCKETS.silver, key))) for key in keys)
