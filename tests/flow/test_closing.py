"""Logs whose embedded broker is gone: what landed is safe, the rest is named."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ledger import Ledger, reports
from adapters.ledger.connection import Connection
from lakehouse.balance import VoidRange
from lakehouse.catalog import load_entities
from lakehouse.errors import LakeError
from lakehouse.paths import closed_log_key
from local.closing import BROKER_LOST, close_lost_log, lost_logs, recall_closed_logs, without
from local.drain import missing_rows
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen
from tests.fakes.object_store import FakeObjectStore

LOG = "emb-20261121t120000-0a1b"
OBJECT = {"log": LOG, "first_offset": 0, "end_offset": 10, "previous_end": 0, "rows": 10}
ranges = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple), max_size=6)


@given(ranges, st.integers(0, 40), st.integers(0, 40))
def test_without_leaves_exactly_what_is_not_taken(taken: list[tuple[int, int]], one: int, two: int) -> None:
    low, high = sorted((one, two))
    left = without(low, high, taken)
    free = {n for n in range(low, high) if not any(first <= n < end for first, end in taken)}
    assert [n for first, end in left for n in range(first, end)] == sorted(free)


def close(ledger: Ledger, store: FakeObjectStore, end: int) -> list[VoidRange]:
    return close_lost_log(ledger, store, "bronze", load_entities(), LOG, {("orders.v1", 0): end}, NOON)


def test_close_names_what_was_acknowledged_and_never_landed(ledger: Ledger) -> None:
    opened = ledger.open_object(seen(a_bronze_object(**OBJECT)), PINS, NOON)
    ledger.commit(opened, an_outcome(opened, 0), NOON)
    lost = close(ledger, FakeObjectStore(), 25)
    assert lost == [VoidRange(LOG, "orders.v1", 0, 10, 25, BROKER_LOST)]
    assert reports.voids(ledger) == lost
    [position] = reports.positions(ledger)
    assert (position.end, position.landed, position.void, position.unlanded) == (25, 10, 15, 0)
    assert lost_logs(ledger, "emb-another") == set()


def test_close_keeps_what_is_in_bronze_and_not_checked(ledger: Ledger) -> None:
    metadata = a_bronze_object(**OBJECT)
    store = FakeObjectStore()
    store.put_new("bronze", str(metadata.key), b"bytes", metadata.to_s3())
    assert close(ledger, store, 12) == [VoidRange(LOG, "orders.v1", 0, 10, 12, BROKER_LOST)]
    assert missing_rows(ledger, {(LOG, "orders.v1", 0): 12}) == 10


def test_close_twice_changes_nothing(ledger: Ledger) -> None:
    store = FakeObjectStore()
    first = close(ledger, store, 5)
    assert close(ledger, store, 5) == []
    assert reports.voids(ledger) == first


def test_recall_takes_over_what_the_lake_says_of_a_closed_log(
    ledger: Ledger, make_database: Callable[[], str]
) -> None:
    store = FakeObjectStore()
    lost = close(ledger, store, 25)
    with Connection(make_database()) as connection:
        connection.migrate()
        older = Ledger(connection)
        assert recall_closed_logs(older, store, "bronze", load_entities()) == [LOG]
        assert recall_closed_logs(older, store, "bronze", load_entities()) == []
        assert (reports.voids(older), reports.positions(older)) == (lost, reports.positions(ledger))
        assert reports.open_logs(older) == set()


def test_recall_of_a_note_that_cannot_be_read_says_where_it_is(ledger: Ledger) -> None:
    store = FakeObjectStore()
    store.put("bronze", closed_log_key(LOG), b'{"log": "x"}')
    with pytest.raises(LakeError, match="_logs/"):
        recall_closed_logs(ledger, store, "bronze", load_entities())


def test_missing_rows_counts_unknown_partitions(ledger: Ledger) -> None:
    assert missing_rows(ledger, {("emb-x", "orders.v1", 3): 7}) == 7
    ledger.observe_partition("emb-x", "orders.v1", 3, "orders", 0, 9, NOON + timedelta(seconds=1))
    assert missing_rows(ledger, {("emb-x", "orders.v1", 3): 7}) == 7
