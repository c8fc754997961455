"""Any history of replays, deaths, rivals and sweeps: the balance closes, each row is in one place, once."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.ledger import Ledger, reports
from lakehouse.catalog import Entity, load_entities
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from lambdas.requeue_quarantine.request import Request
from lambdas.requeue_quarantine.requeue import Requeue
from lambdas.sweep_bronze.sweep import LONGEST_ATTEMPT, Sweeper
from local.lake_account import LakeAccounts
from local.rebuild import rebuild_ledger
from tests.builders.ledger_content import content_of
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import an_order, bronze_table, read_parquet
from tests.fakes.check_queue import FakeQueue
from tests.fakes.gates import GatedLedger, GatedStore
from tests.fakes.ticking_store import TickingStore

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]
OBJECTS, ROWS, TURNS = 4, 6, 14
FIXES = ("order_status_known", "order_id_is_id", "order_purchase_timestamp_readable")
BAD = (
    {"order_status": "lost"},
    {"order_id": "x"},
    {"order_purchase_timestamp": "soon"},
    {"order_status": "lost", "order_id": "x"},
)


class Killed(Exception):
    """The process of a replay ends here."""


class History:
    """A lake of orders, and what happens to it."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.draw, self.ledger, self.store = random.Random(seed), ledger, TickingStore()
        self.late, self.hashes, self.edits = timedelta(0), list[int](), 0
        self.rules = 0  # how many of FIXES are made
        check = ObjectCheck(self.store, ledger, BUCKETS, ENTITIES, lambda: self.now)
        for number in range(OBJECTS):
            rows = [an_order(event_id=f"e{number}-{n}", **self._badness()) for n in range(ROWS)]
            table = bronze_table(ORDERS, rows, first=number * ROWS)
            self.hashes += table.column("row_hash").to_pylist()
            assert check_message(check, an_announcement(land(self.store, table))).what == "committed"

    def _badness(self) -> dict[str, Any]:
        return {} if self.draw.random() < 0.3 else dict(self.draw.choice(BAD))

    @property
    def now(self) -> datetime:
        return self.store.now + self.late

    def entity(self) -> Entity:
        mended = FIXES[: self.rules]
        rules = tuple(r for r in ORDERS.rules if r.id not in mended)
        return replace(ORDERS, rules=rules, rules_hash=f"{self.rules:016x}")

    def turn(self) -> None:
        what = self.draw.choice(["replay", "replay", "replay", "die", "rival", "fix", "sweep"])
        if what == "fix":
            self.rules = min(self.rules + 1, len(FIXES))
        elif what == "sweep":
            self.sweep()
        else:
            self.replay(what)

    def sweep(self) -> None:
        """The one that a long silence before it allows to give up and to remove."""
        self.late += LONGEST_ATTEMPT + timedelta(minutes=1)
        sweeper = Sweeper(self.store, self.ledger, BUCKETS, ENTITIES, FakeQueue(), lambda: self.now)
        assert sweeper.sweep(timedelta(0)).announced == ()

    def replay(self, how: str = "replay") -> None:
        """To its end; or it dies before a step; or another runs in between, from beginning to end."""
        request, step = self.request(), self.draw.choice(["put quarantine", "put silver", "commit"])

        def before(at: str) -> None:
            if at == step and how == "die":
                raise Killed
            if at == step and how == "rival":
                self.replay()

        ledger: Any = GatedLedger(self.ledger, before)
        ledger.read = self.ledger.read
        store = GatedStore(self.store, BUCKETS, before)
        requeue = Requeue(store, ledger, BUCKETS, {"orders": self.entity()}, lambda: self.now)
        try:
            report = requeue.run(request)
        except Killed:
            return
        assert report.judged == report.passing + report.staying

    def request(self) -> Request:
        if self.draw.random() < 0.5:
            return Request("orders", "replay", rule=self.draw.choice(["", "", "order_id_is_id"]))
        if self.draw.random() < 0.3 and self.edits:  # the same as before
            return Request("orders", "replay", edits=f"orders/_edits/{self.draw.randrange(self.edits)}.csv")
        lines = ["event_id,order_status,order_id"]
        for number in range(OBJECTS):
            for n in self.draw.sample(range(ROWS), 2):
                status, order = self.draw.choice(["created", "lost"]), self.draw.choice(["f" * 32, "x"])
                lines.append(f"e{number}-{n},{status},{order}")
        key = f"orders/_edits/{self.edits}.csv"
        self.edits += 1
        self.store.put(BUCKETS.quarantine, key, "\n".join(lines).encode(), {"by": "ana"})
        return Request("orders", "replay", edits=key)

    def require_exact(self, ledger: Ledger | None = None) -> None:
        found = reports.balance(ledger or self.ledger)["orders"]
        assert found.closed
        silver, held = reports.output_keys(ledger or self.ledger)
        rows = [row for key in silver for row in self._rows(BUCKETS.silver, key)]
        moved = {row["pos_offset"] for row in rows}
        assert len(moved) == len(rows) == found.silver.rows
        kept = [row for key in held for row in self._rows(BUCKETS.quarantine, key)]
        assert sorted([*moved, *(row["pos_offset"] for row in kept)]) == list(range(OBJECTS * ROWS))
        assert sorted(row["row_hash"] for row in (*rows, *kept)) == sorted(self.hashes)
        assert all(row["edit"] is None or "ana" in row["edit"] for row in rows)
        assert all(row["order_status"] != "created" for row in kept)  # edits leave no trace on what stays

    def _rows(self, bucket: str, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = read_parquet(self.store.get(bucket, key)).to_pylist()
        return found


@pytest.fixture
def new_ledger(make_database: Callable[[], str]) -> Iterator[Ledger]:
    opened = Ledger.connect(make_database())
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(12))
def test_fault_61_any_history_of_replays_moves_each_row_at_most_once(
    ledger: Ledger, new_ledger: Ledger, seed: int
) -> None:
    history = History(ledger, seed)
    for _ in range(TURNS):
        history.turn()
        history.require_exact()
    rebuilt(history, new_ledger)
    history.require_exact(new_ledger)
    history.sweep()  # what was begun and never finished is given up now
    history.require_exact()


def rebuilt(history: History, new_ledger: Ledger) -> None:
    """Equal once nothing is under way: then also what a sweep has removed is gone from both."""
    history.sweep()
    lake = LakeAccounts(history.store, BUCKETS, ENTITIES)
    assert rebuild_ledger(lake, new_ledger, lambda: history.now, "take another").remarks == []
    old, new = content_of(history.ledger), content_of(new_ledger)
    for ledger in (old, new):
        for key, known in ledger["objects"].items():
            ledger["objects"][key] = (known.state, known.revision, known.etag, known.committed)
    assert new == old
