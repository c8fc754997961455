"""Replays over a real ledger: what moves, what stays, how often it is asked, by whom at once, and after which fix."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from adapters.ledger import Ledger, Pins, SeenObject, replays, reports
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity, Rule, load_entities
from lakehouse.errors import InputError
from lakehouse.identity import hash_sum
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import FAILED_ATTEMPTS, ObjectCheck
from lambdas.requeue_quarantine.request import Request
from lambdas.requeue_quarantine.requeue import Report, Requeue
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import a_raw_row, an_order, bronze_table, parquet_bytes, read_parquet
from tests.fakes.gates import Gate, GatedLedger, GatedStore
from tests.fakes.object_store import FakeObjectStore

ORDERS = load_entities()["orders"]
_ID = "0123456789abcdef" * 2


def mended(entity: Entity = ORDERS, rule: str = "order_status_known") -> Entity:
    """The contract without a rule that was wrong."""
    return replace(entity, rules=tuple(r for r in entity.rules if r.id != rule), rules_hash="c" * 16)


class Rig:
    """One Bronze object of orders, checked."""

    def __init__(self, store: FakeObjectStore, ledger: Ledger, table: pa.Table, **how: Any) -> None:
        self.store, self.ledger, self.table = store, ledger, table
        self.key = land(store, table, **how)
        self.check()

    def check(self, receives: int = 1) -> None:
        check = ObjectCheck(self.store, self.ledger, BUCKETS, {"orders": ORDERS}, lambda: NOON)
        assert check_message(check, an_announcement(self.key), receives).what == "committed"

    def requeue(self, entity: Entity = ORDERS) -> Requeue:
        return Requeue(self.store, self.ledger, BUCKETS, {"orders": entity}, lambda: NOON)

    def ask(self, mode: str, entity: Entity = ORDERS, **more: str) -> Report:
        return self.requeue(entity).run(Request.from_event({"entity": "orders", "mode": mode, **more}))

    def edit(self, text: str, name: str = "a.csv") -> str:
        key = f"orders/_edits/{name}"
        self.store.put(BUCKETS.quarantine, key, text.encode(), {"by": "ana"})
        return key

    def silver(self) -> list[dict[str, Any]]:
        keys = reports.committed_silver(self.ledger).get("orders", [])
        return [row for key in keys for row in read_parquet(self.store.get(BUCKETS.silver, key)).to_pylist()]

    def held(self) -> list[dict[str, Any]]:
        keys = reports.committed_quarantine(self.ledger).get("orders", [])
        return [
            row for key in keys for row in read_parquet(self.store.get(BUCKETS.quarantine, key)).to_pylist()
        ]

    def require_balance(self) -> None:
        found = reports.balance(self.ledger)["orders"]
        assert (found.closed, found.bronze.rows) == (True, len(self.table))
        hashes = [row["row_hash"] for row in (*self.silver(), *self.held())]
        assert sorted(hashes) == sorted(self.table.column("row_hash").to_pylist())
        assert found.bronze.hash_sum == hash_sum(hashes)


def lost(**changes: Any) -> dict[str, Any]:
    """An order whose status the contract does not know."""
    return an_order(order_status="lost", **changes)


@pytest.fixture
def make(ledger: Ledger) -> Callable[..., Rig]:
    def build(*rows: dict[str, Any], **how: Any) -> Rig:
        numbered = [row | {"event_id": row.get("event_id") and f"event-{n}"} for n, row in enumerate(rows)]
        return Rig(FakeObjectStore(), ledger, bronze_table(ORDERS, numbered), **how)

    return build


def test_preview_says_what_would_move_and_changes_nothing(make: Callable[..., Rig]) -> None:
    rig = make(an_order(), lost(), lost(order_id="x"), an_order(order_id=None))
    report = rig.ask("preview", mended())
    assert (report.judged, report.passing, report.staying) == (3, 1, 2)
    assert report.refusals == {"order_id_is_id": 1, "order_id_present": 1}
    assert [r.position for r in report.refused] == [f"emb-1/orders.v1/0/{n}" for n in (2, 3)]
    assert [r["message"] for r in report.refused[0].reasons] == [
        "The order number is not 32 characters of 0-9 and a-f."
    ]
    assert reports.revision_states(rig.ledger) == {"committed": 1}
    assert len(rig.silver()) == 1


def test_replay_after_a_contract_fix_moves_what_passes(make: Callable[..., Rig]) -> None:
    rig = make(an_order(), lost(), lost(order_id="x"), an_order(order_id=None))
    report = rig.ask("replay", mended())
    assert (report.passing, report.staying, report.moved) == (1, 2, {rig.key: 1})
    assert [row["pos_offset"] for row in rig.silver()] == [0, 1]
    assert [(row["pos_offset"], row["bronze_row"]) for row in rig.held()] == [(2, 2), (3, 3)]
    # what is mended is no reason any more; the row is as it came
    assert [[r["rule"] for r in row["reasons"]] for row in rig.held()] == [
        ["order_id_is_id"],
        ["order_id_present"],
    ]
    assert rig.held()[0]["order_status"] == "lost"
    assert all(row["edit"] is None for row in rig.silver())
    rig.require_balance()


def test_fault_61_replay_twice_is_once(make: Callable[..., Rig]) -> None:
    rig = make(lost(), an_order(order_id=None))
    first = rig.ask("replay", mended())
    again = rig.ask("replay", mended())
    assert (first.passing, again.passing, again.moved) == (1, 0, {})
    assert reports.revision_states(rig.ledger) == {"committed": 2}
    rig.require_balance()


def test_replay_that_changes_nothing_writes_no_revision(make: Callable[..., Rig]) -> None:
    rig = make(lost(), an_order())
    assert rig.ask("replay").moved == {}
    assert reports.revision_states(rig.ledger) == {"committed": 1}


def test_replay_tells_new_reasons_of_rows_that_stay(make: Callable[..., Rig]) -> None:
    rig = make(lost(order_id="x"), an_order())
    report = rig.ask("replay", mended())
    assert (report.passing, report.moved) == (0, {rig.key: 1})
    assert [[r["rule"] for r in row["reasons"]] for row in rig.held()] == [["order_id_is_id"]]
    rig.require_balance()


def test_replay_of_one_rule_leaves_rows_of_others_as_they_were(make: Callable[..., Rig]) -> None:
    rig = make(lost(), an_order(order_id="x"))
    both = replace(mended(mended(), "order_id_is_id"), rules_hash="d" * 16)
    report = rig.ask("replay", both, rule="order_status_known")
    assert (report.judged, report.passing) == (1, 1)
    assert [row["pos_offset"] for row in rig.held()] == [1]
    assert rig.ask("replay", both, rule="order_status_known").judged == 0
    assert rig.ask("replay", both).passing == 1
    assert rig.held() == []
    assert len(rig.silver()) == 2
    rig.require_balance()


def test_replay_of_edited_rows_keeps_position_and_hash_and_says_who_edited(make: Callable[..., Rig]) -> None:
    rig = make(lost(), an_order(), lost(), lost())
    key = rig.edit(f"event_id,order_status,order_id\nevent-0,delivered,{_ID}\nevent-3,gone,{_ID}\n")
    seen = rig.ask("preview", edits=key)
    assert (seen.judged, seen.passing, seen.refusals) == (2, 1, {"order_status_known": 1})
    assert seen.refused[0].reasons[0]["value"] == "gone"
    assert rig.ask("replay", edits=key).passing == 1
    moved = [row for row in rig.silver() if row["edit"]]
    assert [(row["pos_offset"], row["order_status"]) for row in moved] == [(0, "delivered")]
    assert json.loads(moved[0]["edit"]) == {"by": "ana", "at": "", "file": key, "columns": ["order_status"]}
    # an edit that does not make its row pass leaves no trace on it
    assert [(row["pos_offset"], row["order_status"]) for row in rig.held()] == [(2, "lost"), (3, "lost")]
    rig.require_balance()
    again = rig.ask("replay", edits=key)
    assert (again.judged, again.passing, again.unknown) == (1, 0, ["event-0"])


def test_edit_by_position_mends_an_envelope_and_a_row_that_could_not_be_decoded(
    make: Callable[..., Rig],
) -> None:
    future = an_order(occurred_at=10**18)
    rig = make(future, a_raw_row("orders"), lost())
    whole = {**an_order(), "occurred_at": 1, "source": "clerk"}
    names = ["position", "occurred_at", "source", "contract_version", *(f.name for f in ORDERS.fields)]
    lines = [
        ",".join(names),
        *(
            ",".join([f"emb-1/orders.v1/0/{offset}", *(str(whole[n]) for n in names[1:])])
            for offset in (0, 1)
        ),
    ]
    report = rig.ask("replay", edits=rig.edit("\n".join(lines)))
    assert (report.passing, report.staying) == (2, 0)
    assert [(row["pos_offset"], row["source"]) for row in rig.silver()] == [(0, "clerk"), (1, "clerk")]
    assert "occurred_at" in json.loads(rig.silver()[0]["edit"])["columns"]
    rig.require_balance()


def test_replay_reads_an_object_again_that_was_given_up(ledger: Ledger) -> None:
    """Its one row of Quarantine becomes the rows that it stood for; those that pass are in Silver."""
    store, table = FakeObjectStore(), bronze_table(ORDERS, [an_order(), lost(), an_order()])
    key = land(store, table)
    metadata = BronzeMetadata.from_s3(store.head(BUCKETS.bronze, key).metadata)  # type: ignore[union-attr]
    seen = SeenObject(metadata, store.head(BUCKETS.bronze, key).etag, 1)  # type: ignore[union-attr]
    for _ in range(FAILED_ATTEMPTS):
        ledger.open_object(seen, Pins(ORDERS.version, ORDERS.rules_hash), NOON)
    rig = Rig.__new__(Rig)
    rig.store, rig.ledger, rig.table, rig.key = store, ledger, table, key
    rig.check(receives=FAILED_ATTEMPTS + 1)
    assert [row["reasons"][0]["rule"] for row in rig.held()] == ["UNREADABLE"]
    assert rig.ask("preview").passing == 2
    assert rig.ask("replay", event=rig.held()[0]["event_id"]).judged == 0
    report = rig.ask("replay")
    assert (report.judged, report.passing, report.refusals) == (3, 2, {"order_status_known": 1})
    assert [row["pos_offset"] for row in rig.held()] == [1]
    rig.require_balance()
    assert rig.ask("replay").moved == {}


def test_replay_of_an_object_that_still_cannot_be_read_changes_nothing(ledger: Ledger) -> None:
    rig = Rig(FakeObjectStore(), ledger, bronze_table(ORDERS, [an_order(), lost()]), data=b"no parquet")
    report = rig.ask("replay")
    assert (report.judged, report.passing, report.moved) == (2, 0, {})
    assert reports.balance(ledger)["orders"].closed


def test_edits_may_be_parquet_and_leave_other_rows_alone(make: Callable[..., Rig]) -> None:
    rig = make(lost(), lost(), an_order())
    table = pa.table({"position": ["emb-1/orders.v1/0/1"], "order_status": ["created"]})
    key = "orders/_edits/a.parquet"
    rig.store.put(BUCKETS.quarantine, key, parquet_bytes(table))
    report = rig.ask("replay", edits=key)
    assert (report.judged, report.passing) == (1, 1)
    assert json.loads(rig.silver()[1]["edit"])["by"] == "unknown"
    rig.require_balance()


def test_replay_gives_back_what_it_has_no_time_for(make: Callable[..., Rig]) -> None:
    rig = make(lost())
    report = rig.requeue(mended()).run(Request("orders", "replay"), lambda: 1.0)
    assert (report.judged, report.again) == (0, [rig.key])
    assert rig.ask("replay", mended()).passing == 1


def test_replay_knows_what_is_wrong_with_the_load_as_a_whole(ledger: Ledger) -> None:
    """One row is held by two rules. With the first mended the load is still too small; with both it moves."""
    rule = Rule(
        "enough_rows", "row_count", "", "error", "The file holds too few rows.", "coverage", {"min": 3}
    )
    both = replace(ORDERS, rules=(*ORDERS.rules, rule), rules_hash="b" * 16)
    store, log = FakeObjectStore(), "load-0123456789abcdef"
    rows = [an_order(event_id="event-0"), lost(event_id="event-1")]
    key = land(store, bronze_table(ORDERS, rows, all_text=True, log=log), log=log)
    check = ObjectCheck(store, ledger, BUCKETS, {"orders": both}, lambda: NOON)
    assert check_message(check, an_announcement(key)).what == "committed"

    def replay(entity: Entity) -> tuple[int, dict[str, int]]:
        requeue = Requeue(store, ledger, BUCKETS, {"orders": entity}, lambda: NOON)
        report = requeue.run(Request("orders", "replay"))
        return report.passing, report.refusals

    assert replay(mended(both)) == (0, {"enough_rows": 2})
    assert replay(replace(mended(both, "enough_rows"), rules_hash="d" * 16)) == (1, {"order_status_known": 1})


@pytest.mark.parametrize("first", ["put quarantine", "put silver", "commit"])
def test_two_replays_at_once_are_one(make: Callable[..., Rig], first: str, ledger_url: str) -> None:
    """The one stands before a step of its own while the other runs from beginning to end."""
    rig = make(lost(), lost(order_id="x"), an_order())
    gate = Gate(first)
    connection = Ledger.connect(ledger_url)
    slow: Any = GatedLedger(connection, gate)
    slow.read = connection.read
    one = Requeue(GatedStore(rig.store, BUCKETS, gate), slow, BUCKETS, {"orders": mended()}, lambda: NOON)
    found: list[Report] = []
    thread = threading.Thread(target=lambda: found.append(one.run(Request("orders", "replay"))))
    thread.start()
    gate.wait()
    assert rig.ask("replay", mended()).moved == {rig.key: 1}
    gate.open()
    thread.join(60)
    connection.close()
    assert (found[0].moved, found[0].passing) == ({rig.key: 1}, 1)
    assert reports.revision_states(rig.ledger) == {"committed": 2}
    rig.require_balance()


def test_replays_that_differ_leave_the_last_one_opened(make: Callable[..., Rig]) -> None:
    """One is opened and stops; another comes, with other rules, and commits; the first is too late."""
    rig = make(lost(), lost(order_id="x"))
    [held] = replays.held_objects(rig.ledger, "orders")
    first = replays.open_replay(rig.ledger, held, Pins("1.0.0", "replay-a"), NOON)
    assert first is not None
    assert rig.ask("replay", mended()).moved == {rig.key: 2}
    assert replays.open_replay(rig.ledger, held, Pins("1.0.0", "replay-a"), NOON) is None
    assert reports.revision_states(rig.ledger) == {"committed": 2, "abandoned": 1}
    rig.require_balance()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"mode": "preview"}, "names no entity"),
        ({"entity": "orders"}, "give preview"),
        ({"entity": "orders", "mode": "move"}, "give preview"),
        ({"entity": "orders", "mode": "replay", "rules": "x"}, "'rules', which nothing reads"),
        ({"entity": "orders", "mode": "replay", "rule": 1}, "give a text"),
        ([], "no JSON object"),
    ],
)
def test_request_that_cannot_be_meant_says_what_to_write(event: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Request.from_event(event)


def test_request_for_edits_elsewhere_or_absent_is_refused(make: Callable[..., Rig]) -> None:
    rig = make(lost())
    with pytest.raises(InputError, match="put the file below orders/_edits/"):
        rig.ask("replay", edits="sellers/_edits/a.csv")
    with pytest.raises(InputError, match="put the file there first"):
        rig.ask("replay", edits="orders/_edits/b.csv")
    key = rig.edit("event_id,order_status\nevent-0\n")
    with pytest.raises(InputError, match=r"a.csv: Row 1 has 1 cells"):
        rig.ask("replay", edits=key)
