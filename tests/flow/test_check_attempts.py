"""Two attempts on one object, stopped before any of their steps: same pins, same bytes, one commit."""

import threading
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from adapters.ledger import Ledger, Opened, reports
from lakehouse.catalog import Entity, load_entities
from lakehouse.identity import hash_sum
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck, Result
from tests.builders.bronze import NOON
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import an_order, bronze_table, read_parquet
from tests.fakes.gates import STEPS, Gate, GatedLedger, GatedStore
from tests.fakes.object_store import FakeObjectStore

ORDERS = load_entities()["orders"]
TABLE = bronze_table(ORDERS, [an_order(), an_order(order_id="x"), an_order(order_approved_at=None)])
NEWER = replace(ORDERS, rules=ORDERS.rules[1:], rules_hash="f" * 16)


class Attempt(threading.Thread):
    """One attempt in a thread of its own, with a ledger connection of its own, that stops at its gate."""

    def __init__(
        self, store: FakeObjectStore, url: str, key: str, stop: str, entity: Entity = ORDERS
    ) -> None:
        super().__init__()
        self.gate, self.result, self._body = Gate(stop), Result("ignored"), an_announcement(key)
        self.store = GatedStore(store, BUCKETS, self.gate)
        self._connection = Ledger.connect(url)
        self.ledger: Any = GatedLedger(self._connection, self.gate)
        self.check = ObjectCheck(self.store, self.ledger, BUCKETS, {"orders": entity}, lambda: NOON)
        self.start()
        self.gate.wait()

    def run(self) -> None:
        try:
            self.result = check_message(self.check, self._body)
        finally:
            self._connection.close()

    def finish(self) -> Result:
        self.gate.open()
        self.join(60)
        assert not self.is_alive()
        return self.result


def read_back(store: FakeObjectStore, ledger: Ledger, key: str) -> tuple[list[int], list[int]]:
    """Row hashes in the committed Silver and Quarantine."""
    state = reports.object_state(ledger, key)
    assert state is not None
    assert state.quarantine_key is not None
    [silver] = [read_parquet(store.get(BUCKETS.silver, name)) for name in state.silver_keys]
    held = read_parquet(store.get(BUCKETS.quarantine, state.quarantine_key))
    return silver.column("row_hash").to_pylist(), held.column("row_hash").to_pylist()


@pytest.mark.parametrize(("first", "second"), list(product(STEPS[:-1], STEPS[:-1])))
def test_fault_19_two_attempts_in_any_order_of_their_steps_count_once(
    first: str, second: str, ledger: Ledger, ledger_url: str
) -> None:
    """Both stand before a step of theirs; the first finishes, then the second."""
    store = FakeObjectStore()
    key = land(store, TABLE)
    attempts = [Attempt(store, ledger_url, key, step) for step in (first, second)]
    results = [attempt.finish().what for attempt in attempts]
    assert results.count("committed") == 1
    assert set(results) <= {"committed", "already", "settled"}
    opened = [o for attempt in attempts for o in attempt.ledger.opened if isinstance(o, Opened)]
    assert len({replace(o, attempts=0) for o in opened}) == 1
    written = [put for attempt in attempts for put in attempt.store.written]
    assert len({(bucket, key) for bucket, key, _ in written}) == len({*written}) == 2
    hashes = TABLE.column("row_hash").to_pylist()
    assert read_back(store, ledger, key) == ([hashes[0], hashes[2]], [hashes[1]])
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert (balance.bronze.rows, balance.bronze.hash_sum) == (3, hash_sum(hashes))


def test_attempt_that_comes_after_the_commit_has_nothing_to_do(ledger: Ledger, ledger_url: str) -> None:
    """The first has committed and does not know it yet: its message comes again."""
    store = FakeObjectStore()
    key = land(store, TABLE)
    first = Attempt(store, ledger_url, key, "end")
    late = GatedStore(store, BUCKETS, lambda _: None)
    check = ObjectCheck(late, ledger, BUCKETS, {"orders": ORDERS}, lambda: NOON)
    assert check_message(check, an_announcement(key)).what == "settled"
    assert late.written == []
    assert first.finish().what == "committed"
    assert reports.balance(ledger)["orders"].closed


@pytest.mark.parametrize("stop", STEPS[1:-1])
def test_fault_72_attempt_under_old_rules_counts_for_nothing_once_new_ones_are_open(
    stop: str, ledger: Ledger, ledger_url: str
) -> None:
    """It wakes after the newer attempt, writes its files, and is told that they are superseded."""
    store = FakeObjectStore()
    key = land(store, TABLE)
    old = Attempt(store, ledger_url, key, stop)
    new = Attempt(store, ledger_url, key, "commit", NEWER)
    assert new.finish().what == "committed"
    assert old.finish().what == "superseded"
    state = reports.object_state(ledger, key)
    assert state is not None
    assert state.revision == 1
    assert all("+r1.parquet" in name for name in (*state.silver_keys, str(state.quarantine_key)))
    assert reports.balance(ledger)["orders"].closed
