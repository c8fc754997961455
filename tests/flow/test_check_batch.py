"""Batches: the ledger is asked once for all, each message is answered by itself, and time is watched."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError

from adapters.ledger import Ledger, Opened, Pins, Verdict, reports
from adapters.ledger.connection import Connection
from lakehouse.catalog import load_entities
from lakehouse.errors import LedgerAway, LedgerError
from lambdas.check_rows.batch import Message, check_messages
from lambdas.check_rows.limits import Limits
from lambdas.check_rows.object_check import FAILED_ATTEMPTS, ObjectCheck, OutOfTime, Result
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen
from tests.builders.messages import BUCKETS, an_announcement, land
from tests.builders.rows import an_order, bronze_table
from tests.fakes.object_store import FakeObjectStore
from tests.flow.mortal_server import MortalServer

ENTITIES = load_entities()
ORDERS = ENTITIES["orders"]


class CountedLedger(Ledger):
    """Counts its transactions."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.transactions = 0

    def read(self, work: Callable[[pg8000.native.Connection], Any]) -> Any:
        self.transactions += 1
        return super().read(work)


@pytest.fixture
def counted(ledger_url: str) -> Iterator[CountedLedger]:
    ledger = CountedLedger.connect(ledger_url)
    yield ledger
    ledger.close()


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


def check_of(store: FakeObjectStore, ledger: Ledger) -> ObjectCheck:
    return ObjectCheck(store, ledger, BUCKETS, ENTITIES, lambda: NOON)


def land_orders(store: FakeObjectStore, number: int, log: str = "emb-1") -> list[str]:
    """So many objects of one row each."""
    tables = [bronze_table(ORDERS, [an_order()], first, log=log) for first in range(number)]
    return [land(store, table, log=log) for table in tables]


def messages(keys: list[str], receives: int = 1) -> list[Message]:
    return [Message(an_announcement(key), receives) for key in keys]


def whats(answers: list[Any]) -> list[str]:
    return [answer.what if isinstance(answer, Result) else type(answer).__name__ for answer in answers]


def attempts(ledger: Ledger) -> list[int]:
    rows = ledger.read(lambda db: db.run("select attempts from revision order by object_id"))
    return [row[0] for row in rows or []]


def test_batch_asks_the_ledger_twice_however_many_objects_it_has(
    store: FakeObjectStore, counted: CountedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.check_rows.batch._COMMIT_EVERY_S", 600.0)  # of the slowest machine
    keys = land_orders(store, 40) + land_orders(store, 40, "emb-2")
    assert set(whats(check_messages(check_of(store, counted), messages(keys[::-1])))) == {"committed"}
    assert counted.transactions == 2
    assert reports.balance(counted)["orders"].closed


def test_object_that_the_ledger_refuses_fails_alone(store: FakeObjectStore, ledger: Ledger) -> None:
    keys = land_orders(store, 5)
    check = check_of(store, ledger)
    wrong = seen(a_bronze_object(2, 3, rows=1), etag="another")
    ledger.open_object(wrong, PINS, NOON)
    answers = check_messages(check, messages(keys))
    assert whats(answers) == ["committed", "committed", "LedgerError", "committed", "committed"]


def test_fault_20_message_that_cannot_be_done_fails_alone(store: FakeObjectStore, ledger: Ledger) -> None:
    class StoreWithOnePoison(FakeObjectStore):
        def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
            if "+00000000000000000003.parquet" in key and bucket == BUCKETS.bronze:
                raise ClientError({"Error": {"Code": "500", "Message": "internal"}}, "GetObject")
            return super().get(bucket, key, etag)

    poisoned = StoreWithOnePoison()
    answers = check_messages(check_of(poisoned, ledger), messages(land_orders(poisoned, 10)))
    assert whats(answers).count("committed") == 9
    assert isinstance(answers[3], ClientError)


def test_faults_11_12_object_that_is_announced_twice_in_a_batch_is_checked_once(
    store: FakeObjectStore, ledger: Ledger
) -> None:
    [key] = land_orders(store, 1)
    assert whats(check_messages(check_of(store, ledger), messages([key] * 3))) == [
        "committed",
        "settled",
        "settled",
    ]
    assert attempts(ledger) == [1]


# --- fault 18: time


def test_fault_18_what_cannot_be_finished_goes_back_and_counts_no_attempt(
    store: FakeObjectStore, ledger: Ledger
) -> None:
    keys = land_orders(store, 6)
    left = iter([60.0] * 2 + [3.0] * 100)
    answers = check_messages(check_of(store, ledger), messages(keys), lambda: next(left))
    done = whats(answers).count("committed")
    assert 0 < done < 6
    assert whats(answers) == ["committed"] * done + ["OutOfTime"] * (6 - done)
    assert attempts(ledger) == [1] * done + [0] * (6 - done)
    again = check_messages(check_of(store, ledger), messages(keys, receives=2))
    assert whats(again) == ["settled"] * done + ["committed"] * (6 - done)
    assert {pins for (pins,) in ledger.read(lambda db: db.run("select revision from object")) or []} == {0}
    assert reports.balance(ledger)["orders"].closed


def test_fault_18_first_object_is_begun_whatever_time_is_left(store: FakeObjectStore, ledger: Ledger) -> None:
    """Or one that needs more than all of it would go round for ever, and nobody would hear of it."""
    [key] = land_orders(store, 1)
    assert whats(check_messages(check_of(store, ledger), messages([key]), lambda: 6.0)) == ["committed"]


def test_fault_18_large_object_that_runs_out_of_time_leaves_nothing(
    store: FakeObjectStore, ledger: Ledger
) -> None:
    [key] = land_orders(store, 1)
    check = check_of(store, ledger)
    check.limits = Limits(whole_bytes=1)
    left = iter([60.0, 60.0, *[1.0] * 100])
    [answer] = check_messages(check, messages([key]), lambda: next(left))
    assert isinstance(answer, OutOfTime)
    assert attempts(ledger) == [1]
    assert list(store.keys(BUCKETS.silver, "")) == []
    for _ in range(FAILED_ATTEMPTS):
        check_messages(check, messages([key], receives=9), lambda: 1.0)
    assert reports.bronze_keys(ledger) == {key: "committed"}, "it is given up in the end, and held"


# --- fault 51: no ledger


def test_fault_51_ledger_that_is_away_fails_every_message_and_commits_nothing(
    store: FakeObjectStore, ledger: Ledger
) -> None:
    class LedgerThatGoesAway(Ledger):
        away = False

        def read(self, work: Callable[[pg8000.native.Connection], Any]) -> Any:
            if self.away:
                raise LedgerAway("the ledger is away")
            return super().read(work)

        def commit_all(self, outcomes: Any, at: datetime) -> Any:
            self.away = True
            return super().commit_all(outcomes, at)

    keys = land_orders(store, 4)
    leaving = LedgerThatGoesAway(ledger.connection)
    assert whats(check_messages(check_of(store, leaving), messages(keys))) == ["LedgerAway"] * 4
    assert set(reports.bronze_keys(ledger).values()) == {"open"}
    assert whats(check_messages(check_of(store, leaving), messages(keys))) == ["LedgerAway"] * 4
    assert set(whats(check_messages(check_of(store, ledger), messages(keys, receives=2)))) == {"committed"}
    assert reports.balance(ledger)["orders"].closed


def test_fault_51_ledger_killed_before_the_commits_fails_every_message_and_all_recover(
    store: FakeObjectStore, mortal: MortalServer
) -> None:
    """Its PostgreSQL is killed when all outputs are written and nothing is committed, and is away for a while."""

    class LedgerKilledOnce(Ledger):
        killed = False

        def commit_all(self, outcomes: Any, at: datetime) -> Any:
            if not self.killed:
                self.killed = True
                mortal.kill()
            return super().commit_all(outcomes, at)

    ledger = LedgerKilledOnce.connect(mortal.running.url)
    ledger.migrate()
    check, keys = check_of(store, ledger), land_orders(store, 4)
    assert whats(check_messages(check, messages(keys))) == ["LedgerAway"] * 4
    written = {stored.key: stored.etag for stored in store.keys(BUCKETS.silver, "")}
    assert len(written) == 4
    assert whats(check_messages(check, messages(keys, receives=2))) == ["LedgerAway"] * 4
    mortal.start()
    assert set(reports.bronze_keys(ledger).values()) == {"open"}
    assert whats(check_messages(check, messages(keys, receives=3))) == ["committed"] * 4
    assert {stored.key: stored.etag for stored in store.keys(BUCKETS.silver, "")} == written
    assert reports.balance(ledger)["orders"].closed
    ledger.close()


# --- fault 52: rivals in the ledger


def test_faults_12_52_batches_of_the_same_objects_in_other_orders_neither_deadlock_nor_double(
    ledger_url: str, ledger: Ledger
) -> None:
    """Every object is opened and committed by all of them, over and over."""
    objects = [seen(a_bronze_object(n * 10, n * 10 + 10, log=f"emb-{n % 3}")) for n in range(12)]
    verdicts: list[Verdict | LedgerError] = []
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def rival(number: int) -> None:
        mine = objects[number:] + objects[:number]
        mine = mine if number % 2 else mine[::-1]
        one = Ledger.connect(ledger_url)
        try:
            start.wait()
            opened = one.open_objects([(o, PINS) for o in mine], NOON)
            work = [(o, an_outcome(o)) for o in opened if isinstance(o, Opened)]
            verdicts.extend(one.commit_all(work, NOON))
        except Exception as error:  # noqa: BLE001 - the test asks whether there were any
            failures.append(error)
        finally:
            one.close()

    rivals = [threading.Thread(target=rival, args=(number,)) for number in range(4)]
    for thread in rivals:
        thread.start()
    for thread in rivals:
        thread.join(60)
    assert failures == []
    assert set(verdicts) <= {Verdict.COMMITTED, Verdict.ALREADY}
    assert verdicts.count(Verdict.COMMITTED) == 12
    assert [p.landed for p in reports.positions(ledger)] == [40, 40, 40]


def test_fault_52_object_whose_row_is_locked_too_long_fails_alone(
    ledger_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.ledger.connection._LOCK_TIMEOUT", "200ms")
    objects = [(seen(a_bronze_object(n * 10, n * 10 + 10)), Pins("1.0.0", "a" * 16)) for n in range(3)]
    opened = [o for o in ledger.open_objects(objects, NOON) if isinstance(o, Opened)]
    holder = Ledger.connect(ledger_url)

    def hold(db: pg8000.native.Connection) -> list[Any]:
        db.run("select 1 from object where id = :id for update", id=opened[1].object_id)
        return ledger.commit_all([(o, an_outcome(o)) for o in opened], NOON)

    answers = holder.read(hold)
    holder.close()
    assert answers[0] is Verdict.COMMITTED
    assert isinstance(answers[1], LedgerError)
    assert answers[2] is Verdict.COMMITTED
    assert ledger.commit_all([(opened[1], an_outcome(opened[1]))], NOON) == [Verdict.COMMITTED]
