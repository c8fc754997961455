"""The ledger's connection: migrations, a server that dies in the middle, locks that are held, addresses."""

import subprocess
import sys
from collections.abc import Callable

import pg8000.native
import pytest

from adapters.ledger import Ledger, Opened, Settled, Verdict, connection, reports
from adapters.ledger.connection import Connection, connect_arguments
from lakehouse.errors import LedgerError
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen
from tests.deadline import wait_until
from tests.flow.mortal_server import MortalServer

MIGRATE = """
import sys
from adapters.ledger.connection import Connection
with Connection(sys.argv[1]) as ledger:
    print(ledger.migrate())
"""
FIRST = "0001_objects_and_positions.sql"


def migrations(url: str) -> list[str]:
    with Connection(url) as opened:
        rows = opened.transaction(lambda db: db.run("select name from migration order by name") or [])
    return [row[0] for row in rows]


def test_migrate_twice_changes_nothing(make_database: Callable[[], str]) -> None:
    url = make_database()
    with Connection(url) as opened:
        assert opened.migrate()[0] == FIRST
        assert opened.migrate() == []


def test_migrate_from_two_processes_at_once_applies_each_migration_once(
    make_database: Callable[[], str],
) -> None:
    """Both are made to wait at the door, and let in at once."""
    url = make_database()
    sql = """select count(*) from pg_locks l join pg_database d on d.oid = l.database
             where l.locktype = 'advisory' and not l.granted and d.datname = current_database()"""

    def start_both(db: pg8000.native.Connection) -> list[subprocess.Popen[str]]:
        db.run(f"select pg_advisory_xact_lock({connection._MIGRATION_LOCK})")
        command = [sys.executable, "-c", MIGRATE, url]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        wait_until(lambda: db.run(sql) == [[2]])
        return processes

    with Connection(url) as door:
        started = door.transaction(start_both)
    said = [process.communicate(timeout=60)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert sorted(said, key=len) == ["[]", str(migrations(url))]


def test_migrate_refuses_a_ledger_of_a_newer_program(make_database: Callable[[], str]) -> None:
    with Connection(make_database()) as opened:
        opened.migrate()
        opened.transaction(lambda db: db.run("insert into migration values ('9999_later.sql', now())"))
        with pytest.raises(LedgerError, match=r"newer version .*9999_later"):
            opened.migrate()


def test_fault_51_server_killed_between_open_and_commit_is_a_ledger_error_then_works(
    mortal: MortalServer,
) -> None:
    ledger = Ledger.connect(mortal.running.url)
    ledger.migrate()
    opened = ledger.open_object(seen(), PINS, NOON)
    assert isinstance(opened, Opened)
    mortal.kill()
    for _ in range(2):  # the lost connection, then a refused new one
        with pytest.raises(LedgerError, match=r"away.*is its PostgreSQL running"):
            ledger.commit(opened, an_outcome(opened), NOON)
    mortal.start()
    assert ledger.commit(opened, an_outcome(opened), NOON) is Verdict.COMMITTED
    mortal.kill()
    mortal.start()
    with pytest.raises(LedgerError):
        reports.balance(ledger)
    assert reports.balance(ledger)["orders"].closed
    ledger.close()


def test_server_stopped_in_the_middle_of_a_transaction_leaves_nothing_of_it(mortal: MortalServer) -> None:
    ledger = Ledger.connect(mortal.running.url)
    ledger.migrate()

    def observe_then_stop(db: pg8000.native.Connection) -> None:
        db.run("insert into partition_state (log, topic, partition, entity) values ('a', 'b', 0, 'c')")
        mortal.stop()
        db.run("select 1")

    with pytest.raises(LedgerError, match="away"):
        ledger.read(observe_then_stop)
    mortal.start()
    assert reports.positions(ledger) == []
    ledger.close()


def test_server_gone_while_an_error_is_rolled_back_leaves_a_usable_ledger(mortal: MortalServer) -> None:
    ledger = Ledger.connect(mortal.running.url)
    ledger.migrate()

    def fail_and_stop(db: pg8000.native.Connection) -> None:
        try:
            db.run("select * from no_such_table")
        finally:
            mortal.stop()

    with pytest.raises(LedgerError, match="away"):
        ledger.read(fail_and_stop)
    mortal.start()
    assert reports.positions(ledger) == []
    ledger.close()


def test_error_in_the_work_rolls_back_and_keeps_the_ledger_usable(ledger: Ledger) -> None:
    def fail(db: pg8000.native.Connection) -> None:
        db.run("insert into partition_state (log, topic, partition, entity) values ('a', 'b', 0, 'c')")
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        ledger.read(fail)
    assert reports.positions(ledger) == []


def test_refused_statement_names_the_reason_and_keeps_the_ledger_usable(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"refuses: .*no_such_table"):
        ledger.read(lambda db: db.run("select * from no_such_table"))
    assert reports.positions(ledger) == []


def test_fault_52_deadlock_is_run_again(ledger: Ledger) -> None:
    runs = []

    def deadlock_once(db: pg8000.native.Connection) -> str:
        runs.append(1)
        if len(runs) == 1:
            db.run("do $$ begin raise exception 'made up' using errcode = '40P01'; end $$")
        return "done"

    assert ledger.read(deadlock_once) == "done"
    assert len(runs) == 2


def test_lock_held_for_too_long_is_a_ledger_error(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LOCK_TIMEOUT", "100ms")
    holder, waiter = Connection(ledger_url), Ledger.connect(ledger_url)
    assert not isinstance(waiter.open_object(seen(), PINS, NOON), Settled)

    def hold(db: pg8000.native.Connection) -> None:
        db.run("select * from object for update")
        with pytest.raises(LedgerError, match="lock timeout"):
            waiter.open_object(seen(a_bronze_object()), PINS, NOON)

    holder.transaction(hold)
    holder.close()
    assert isinstance(waiter.open_object(seen(), PINS, NOON), Opened)
    waiter.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@db:6432/nexus", ("u", "p@ss", "db", 6432, "nexus")),
        ("postgres://u@db", ("u", None, "db", 5432, "postgres")),
    ],
)
def test_connect_arguments_reads_addresses(url: str, expected: tuple[object, ...]) -> None:
    found = connect_arguments(url)
    assert tuple(found[k] for k in ("user", "password", "host", "port", "database")) == expected


def test_connect_arguments_reads_options() -> None:
    socket = connect_arguments("postgresql:///nexus?host=/run/pg")
    assert socket["unix_sock"] == "/run/pg/.s.PGSQL.5432"
    assert connect_arguments("postgresql://db/x?sslmode=require")["ssl_context"] is True
    assert connect_arguments("postgresql://db/x?sslmode=verify-full")["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://u:secret@db/x", "begins with mysql"),
        ("db:5432/secret", "give postgresql://"),
        ("postgresql://u:secret@db:port/x", "cannot be read"),
        ("postgresql://u:secret@db/x?sslmode=maybe", "sslmode=maybe"),
        ("postgresql://u:secret@db/x?ssl=on", "holds ssl"),
    ],
)
def test_connect_arguments_refuses_without_telling_the_password(url: str, problem: str) -> None:
    with pytest.raises(LedgerError, match=problem) as caught:
        connect_arguments(url)
    assert "secret" not in str(caught.value)


def test_wrong_password_is_refused_by_name(ledger_url: str) -> None:
    wrong = Ledger.connect(ledger_url.replace("://postgres:", "://postgres:x"))
    with pytest.raises(LedgerError, match="refuses: password authentication failed"):
        reports.positions(wrong)
