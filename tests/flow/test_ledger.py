"""Open, write, commit on a real PostgreSQL: two attempts in any order of their steps, overlaps, holes and sums."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pg8000.native
import pytest

from adapters.ledger import Ledger, Opened, Outcome, Pins, Settled, Verdict, replays, reports
from adapters.ledger.connection import Connection
from lakehouse.balance import Amount, VoidRange
from lakehouse.errors import LedgerError
from lakehouse.identity import Position
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen
from tests.deadline import wait_until

OTHER_RULES = Pins("1.0.0", "b" * 16)


def open_first(ledger: Ledger, pins: Pins = PINS, **changes: Any) -> Opened:
    opened = ledger.open_object(seen(a_bronze_object(**changes)), pins, NOON)
    assert isinstance(opened, Opened)
    return opened


def land(ledger: Ledger, quarantined: int = 0, **changes: Any) -> Verdict:
    opened = open_first(ledger, **changes)
    return ledger.commit(opened, an_outcome(opened, quarantined), NOON)


def waiting_for_locks(ledger: Ledger) -> int:
    sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    return int(ledger.read(lambda db: db.run(sql))[0][0])


# --- open


def test_open_second_attempt_gets_the_pins_of_the_first(ledger: Ledger) -> None:
    first = open_first(ledger)
    second = open_first(ledger, Pins("9.9.9", PINS.rules_hash))
    assert second == replace(first, attempts=2)
    assert (first.contract_version, first.revision, first.attempts) == ("1.0.0", 0, 1)


def test_open_with_changed_rules_abandons_the_revision(ledger: Ledger) -> None:
    first = open_first(ledger)
    second = open_first(ledger, OTHER_RULES)
    assert (second.revision, second.rules_hash, second.attempts) == (1, OTHER_RULES.rules_hash, 1)
    assert ledger.commit(first, an_outcome(first), NOON) is Verdict.SUPERSEDED
    assert ledger.commit(second, an_outcome(second), NOON) is Verdict.COMMITTED
    assert reports.committed_silver(ledger) == {"orders": [first.metadata.key.silver(1, 1)]}
    assert reports.abandoned_outputs(ledger, NOON) == []
    late = NOON + timedelta(seconds=1)
    assert reports.abandoned_outputs(ledger, late) == [(str(first.metadata.key), 0)]


def test_open_of_a_committed_object_is_settled_whatever_the_rules(ledger: Ledger) -> None:
    land(ledger)
    assert ledger.open_object(seen(), OTHER_RULES, NOON) == Settled("committed", 0)


@pytest.mark.parametrize("changed", [{"etag": "e2"}, {"metadata": a_bronze_object(topic_id="another")}])
def test_open_of_a_replaced_object_is_refused(ledger: Ledger, changed: dict[str, Any]) -> None:
    open_first(ledger)
    with pytest.raises(LedgerError, match="Bronze objects never change"):
        ledger.open_object(replace(seen(), **changed), PINS, NOON)


def test_open_by_racing_attempts_pins_one_revision(ledger_url: str) -> None:
    barrier = Barrier(4)

    def attempt(_: int) -> Opened | Settled:
        mine = Ledger.connect(ledger_url)
        barrier.wait(timeout=30)
        opened = mine.open_object(seen(), PINS, NOON)
        mine.close()
        return opened

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(attempt, range(4)))
    opened = [o for o in found if isinstance(o, Opened)]
    assert sorted(o.attempts for o in opened) == [1, 2, 3, 4]
    assert {replace(o, attempts=0) for o in opened} == {replace(opened[0], attempts=0)}


# --- commit


def test_commit_counts_once_for_two_attempts(ledger: Ledger) -> None:
    first, second = open_first(ledger), open_first(ledger)
    assert ledger.commit(second, an_outcome(second), NOON) is Verdict.COMMITTED
    before = reports.balance(ledger)
    assert ledger.commit(first, an_outcome(first), NOON) is Verdict.ALREADY
    assert reports.balance(ledger) == before
    assert before["orders"].closed
    assert before["orders"].silver.rows == 10


def test_commit_of_rival_objects_at_one_moment_takes_each_offset_once(
    ledger: Ledger, ledger_url: str
) -> None:
    """Four overlapping objects wait at the partition's row together, and are let go together."""
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 25, NOON)

    def attempt(number: int) -> Verdict:
        mine = Ledger.connect(ledger_url)
        verdict = land(mine, first=5 * number, end=5 * number + 10)
        mine.close()
        return verdict

    with ThreadPoolExecutor(4) as pool, Connection(ledger_url) as gate:

        def hold_until_all_wait(db: pg8000.native.Connection) -> list[Future[Verdict]]:
            db.run("select * from partition_state for update")
            started = [pool.submit(attempt, number) for number in range(4)]
            wait_until(lambda: waiting_for_locks(ledger) == 4)
            return started

        verdicts = [future.result(timeout=30) for future in gate.transaction(hold_until_all_wait)]
    [position] = reports.positions(ledger)
    assert set(verdicts) == {Verdict.COMMITTED, Verdict.OVERLAP}
    assert position.landed == 10 * verdicts.count(Verdict.COMMITTED)


@pytest.mark.parametrize(
    "wrong", [{"silver_rows": 9}, {"silver_rows": 11}, {"silver_hash_sum": 1}, {"quarantine_rows": 1}]
)
def test_commit_with_rows_or_sums_that_do_not_add_up_is_refused(
    ledger: Ledger, wrong: dict[str, int]
) -> None:
    opened = open_first(ledger)
    with pytest.raises(LedgerError, match="nothing is committed"):
        ledger.commit(opened, an_outcome(opened, **wrong), NOON)
    assert reports.positions(ledger) == []
    assert ledger.commit(opened, an_outcome(opened), NOON) is Verdict.COMMITTED


def test_commit_of_overlapping_offsets_is_loud_and_counts_nothing(ledger: Ledger) -> None:
    land(ledger)
    assert land(ledger, first=9, end=20) is Verdict.OVERLAP
    state = reports.object_state(ledger, str(a_bronze_object(9).key))
    assert state is not None
    assert state.state == "overlap"
    assert str(a_bronze_object(0).key) in str(state.problem)
    found = reports.balance(ledger)["orders"]
    assert (found.bronze.rows, found.silver.rows, found.unchecked.rows, found.closed) == (21, 10, 11, False)
    assert found.difference == Amount()
    assert ledger.open_object(seen(a_bronze_object(9, 20)), PINS, NOON) == Settled("overlap", 0)


def test_commit_of_the_same_offsets_in_another_log_or_partition_is_no_overlap(ledger: Ledger) -> None:
    verdicts = [land(ledger), land(ledger, log="emb-2"), land(ledger, partition=1)]
    assert verdicts == [Verdict.COMMITTED] * 3


def test_commit_after_gone_by_another_attempt_counts(ledger: Ledger) -> None:
    first, second = open_first(ledger), open_first(ledger)
    ledger.mark_gone(first, "vanished")
    assert ledger.open_object(seen(), PINS, NOON) == Settled("gone", 0)
    assert reports.balance(ledger)["orders"].unchecked.rows == 10
    assert ledger.commit(second, an_outcome(second), NOON) is Verdict.COMMITTED
    state = reports.object_state(ledger, str(second.metadata.key))
    assert state is not None
    assert (state.state, state.problem) == ("committed", None)


def test_mark_gone_leaves_a_committed_object_alone(ledger: Ledger) -> None:
    opened = open_first(ledger)
    ledger.commit(opened, an_outcome(opened), NOON)
    ledger.mark_gone(opened, "vanished")
    assert reports.bronze_keys(ledger) == {str(opened.metadata.key): "committed"}


def test_commit_against_another_ledger_is_refused(ledger: Ledger) -> None:
    opened = open_first(ledger)
    with pytest.raises(LedgerError, match="another ledger"):
        ledger.commit(replace(opened, object_id=opened.object_id + 1), an_outcome(opened), NOON)


def test_commit_against_a_ledger_that_gave_its_number_to_another_object_is_refused(ledger: Ledger) -> None:
    """The ledger was rebuilt while an attempt was under way."""
    opened = open_first(ledger)
    other = replace(opened, metadata=a_bronze_object(first=50, end=60, hash_sum=opened.metadata.hash_sum))
    with pytest.raises(LedgerError, match="another ledger"):
        ledger.commit(other, an_outcome(other), NOON)


def test_commit_of_a_replay_counts_beside_the_first_check(ledger: Ledger) -> None:
    """Of three rows in Quarantine the replay moves two to Silver: Silver is both, Quarantine the newer."""
    opened = open_first(ledger)
    ledger.commit(opened, an_outcome(opened, 3), NOON)
    [held] = replays.held_objects(ledger, "orders")
    replay = replays.open_replay(ledger, held, Pins("1.0.0", "replay"), NOON)
    assert replay is not None
    assert (replay.revision, replay.follows) == (1, 0)
    key = opened.metadata.key
    moved = Outcome(key.silver(1, 1), 2, 14, key.quarantine(1, 1), 1, 7, {"price_in_range": 1})
    with pytest.raises(LedgerError, match="nothing is committed"):
        ledger.commit(replay, replace(moved, silver_rows=3), NOON)
    assert reports.balance(ledger)["orders"].closed
    assert ledger.commit(replay, moved, NOON) is Verdict.COMMITTED
    found = reports.balance(ledger)["orders"]
    assert (found.silver.rows, found.quarantine, found.closed) == (9, Amount(1, 7), True)
    assert reports.committed_silver(ledger) == {"orders": [key.silver(1, 0), key.silver(1, 1)]}
    assert reports.committed_quarantine(ledger) == {"orders": [key.quarantine(1, 1)]}
    assert reports.rows_by_rule(ledger) == [("orders", "error", "price_in_range", 1)]


# --- positions, voids, logs


def test_positions_name_the_hole_between_objects(ledger: Ledger) -> None:
    land(ledger)
    land(ledger, first=15, end=20)
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 25, NOON)
    [found] = reports.positions(ledger)
    assert (found.start, found.end, found.landed, found.void) == (0, 25, 15, 0)
    assert (found.unlanded, found.open_ranges) == (10, ((10, 15), (20, 25)))


def test_positions_count_a_gap_with_a_reason_as_void(ledger: Ledger) -> None:
    land(ledger, first=5, end=10, previous_end=0, void_reason="expired")
    land(ledger, first=12, end=20, previous_end=10)
    [found] = reports.positions(ledger)
    assert (found.start, found.end, found.void, found.open_ranges) == (0, 20, 5, ((10, 12),))
    assert reports.voids(ledger) == [VoidRange("emb-1", "orders.v1", 0, 0, 5, "expired")]


def test_positions_of_a_load_begin_at_record_zero(ledger: Ledger) -> None:
    land(ledger, first=10, end=20, log="load-" + "0" * 16)
    [found] = reports.positions(ledger)
    assert found.open_ranges == ((0, 10),)
    assert reports.open_logs(ledger) == set()


def test_observed_ends_only_grow_and_starts_only_shrink(ledger: Ledger) -> None:
    for start, end in ((3, 30), (7, 20), (5, 40)):
        ledger.observe_partition("emb-1", "orders.v1", 0, "orders", start, end, NOON)
    [found] = reports.positions(ledger)
    assert (found.start, found.end, found.unlanded) == (3, 40, 37)


def test_close_log_names_what_never_landed(ledger: Ledger) -> None:
    land(ledger)
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 12, NOON)
    lost = VoidRange("emb-1", "orders.v1", 0, 10, 15, "broker lost")
    for _ in range(2):
        reports.close_log(ledger, "emb-1", [lost], {("orders.v1", 0): 15}, NOON)
    [found] = reports.positions(ledger)
    assert (found.end, found.landed, found.void, found.unlanded) == (15, 10, 5, 0)
    assert reports.voids(ledger) == [lost]
    assert reports.open_logs(ledger) == set()


def test_close_log_void_gives_way_to_an_object_that_lands_late(ledger: Ledger) -> None:
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 20, NOON)
    reports.close_log(ledger, "emb-1", [VoidRange("emb-1", "orders.v1", 0, 0, 20, "broker lost")], {}, NOON)
    assert land(ledger, first=5, end=10) is Verdict.COMMITTED
    [found] = reports.positions(ledger)
    assert (found.landed, found.void, found.unlanded) == (5, 15, 0)
    assert [(v.first, v.end) for v in reports.voids(ledger)] == [(0, 5), (10, 20)]


def test_close_log_of_a_partition_nobody_observed_is_refused(ledger: Ledger) -> None:
    ledger.observe_partition("emb-1", "orders.v1", 0, "orders", 0, 20, NOON)
    with pytest.raises(LedgerError, match="Observe them first"):
        reports.close_log(ledger, "emb-1", [], {("orders.v1", 0): 30, ("reviews.v1", 2): 5}, NOON)
    assert reports.positions(ledger)[0].end == 20
    assert reports.open_logs(ledger) == {"emb-1"}


def test_voids_told_twice_are_counted_once(ledger: Ledger) -> None:
    land(ledger, first=5, end=10, previous_end=0, void_reason="expired")
    lost = [VoidRange("emb-1", "orders.v1", 0, 2, 12, "broker lost")]
    reports.close_log(ledger, "emb-1", lost, {("orders.v1", 0): 12}, NOON)
    [found] = reports.positions(ledger)
    assert (found.landed, found.void, found.unlanded) == (5, 7, 0)
    assert [(v.first, v.end, v.reason) for v in reports.voids(ledger)] == [
        (0, 5, "expired"),
        (10, 12, "broker lost"),
    ]


# --- balance and reports


def test_balance_sums_hashes_modulo_two_to_the_64(ledger: Ledger) -> None:
    for first in (0, 10, 20):
        land(ledger, quarantined=2, first=first, end=first + 10)
    found = reports.balance(ledger)["orders"]
    objects = [a_bronze_object(first, first + 10) for first in (0, 10, 20)]
    assert found.bronze == Amount(30, sum(o.hash_sum for o in objects) % 2**64)
    assert found.quarantine == Amount(6, 42)
    assert found.closed


def test_balance_of_an_open_object_is_unchecked(ledger: Ledger) -> None:
    open_first(ledger)
    found = reports.balance(ledger)["orders"]
    assert (found.unchecked, found.difference, found.closed) == (found.bronze, Amount(), False)


def test_rows_by_rule_add_up_over_objects(ledger: Ledger) -> None:
    for first, held in ((0, 1), (10, 3)):
        opened = open_first(ledger, first=first, end=first + 10)
        outcome = an_outcome(opened, held, warnings={"carrier_after_approval": 4})
        ledger.commit(opened, outcome, NOON)
    assert reports.rows_by_rule(ledger) == [
        ("orders", "error", "order_id_present", 4),
        ("orders", "warn", "carrier_after_approval", 8),
    ]


def test_object_at_finds_the_committed_object_of_a_position(ledger: Ledger) -> None:
    land(ledger, quarantined=1, first=10, end=20)
    land(ledger, first=5, end=15)
    found = reports.object_at(ledger, Position("emb-1", "orders.v1", 0, 12))
    assert found is not None
    key = a_bronze_object(10, 20).key
    assert (found.bronze_key, found.state) == (str(key), "committed")
    assert (found.silver_keys, found.quarantine_key) == ((key.silver(1, 0),), key.quarantine(1, 0))
    assert reports.object_at(ledger, Position("emb-1", "orders.v1", 0, 20)) is None
    assert reports.object_at(ledger, Position("emb-2", "orders.v1", 0, 12)) is None


def test_output_keys_are_those_of_committed_revisions(ledger: Ledger) -> None:
    open_first(ledger, first=100, end=110)
    land(ledger, quarantined=1)
    key = a_bronze_object().key
    assert reports.output_keys(ledger) == ({key.silver(1, 0)}, {key.quarantine(1, 0)})
    assert reports.committed_quarantine(ledger) == {"orders": [key.quarantine(1, 0)]}


def test_committed_silver_leaves_out_empty_objects(ledger: Ledger) -> None:
    land(ledger, quarantined=10)
    assert reports.committed_silver(ledger) == {}
    assert reports.balance(ledger)["orders"].closed
