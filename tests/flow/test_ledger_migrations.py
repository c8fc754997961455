"""A ledger of any released version is brought to this one: it keeps all it has, and older programs still use it."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from adapters.ledger import Ledger, Settled, Verdict, reports
from adapters.ledger.connection import MIGRATIONS, Connection, connect_arguments, migration_names
from tests.builders.bronze import NOON, PINS, a_bronze_object, an_outcome, seen

# `<number>.sql`: rows as a ledger of that version holds them, in words of that version's tables. Its first line has the
# SHA-256 of the migration, which never changes once it is released. A new migration comes with a new file here.
RELEASED = Path(__file__).parents[1] / "released" / "ledger"
VERSIONS = sorted(path.stem for path in RELEASED.glob("*.sql"))
_COLUMNS = """
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
    where table_schema = 'public' order by 1, 2
"""
_CHECKS = """
    select conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'public'::regnamespace order by 1, 2, 3
"""


def migration(version: str) -> Any:
    [name] = [name for name in migration_names() if name.startswith(version)]
    return MIGRATIONS / name


@contextmanager
def at_version(database: str, version: str) -> Iterator[pg8000.native.Connection]:
    """A ledger as the program of that version has left it."""
    with pg8000.native.Connection(**connect_arguments(database)) as db:
        db.run("create table migration (name text primary key, applied_at timestamptz not null)")
        for name in migration_names():
            if name[:4] <= version:
                db.run((MIGRATIONS / name).read_text("utf-8"))
                db.run("insert into migration values (:name, now())", name=name)
                if (rows := RELEASED / f"{name[:4]}.sql").exists():
                    db.run(rows.read_text("utf-8"))
        yield db


def migrate(database: str) -> None:
    with Connection(database) as connection:
        connection.migrate()


def tables(db: pg8000.native.Connection) -> dict[str, list[Any]]:
    """All rows of all tables, by column."""
    names = [
        row[0] for row in db.run("select tablename from pg_tables where schemaname = 'public' order by 1")
    ]
    return {
        name: [row[0] for row in db.run(f"select to_jsonb(t) from {name} t order by to_jsonb(t)::text")]
        for name in names
        if name != "migration"
    }


def test_every_migration_has_rows_of_its_version() -> None:
    assert [name[:4] for name in migration_names()] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_released_migration_is_never_changed(version: str) -> None:
    digest = hashlib.sha256(migration(version).read_bytes()).hexdigest()
    first = (RELEASED / f"{version}.sql").read_text("utf-8").splitlines()[0]
    assert first == f"-- {digest}", "write a new migration instead: ledgers have this one already"


@pytest.mark.parametrize("version", VERSIONS)
def test_migration_from_each_version_keeps_every_row(make_database: Callable[[], str], version: str) -> None:
    database = make_database()
    with at_version(database, version) as db:
        before = tables(db)
        migrate(database)
        after = tables(db)
    assert before["object"]
    for table, rows in before.items():
        assert [{k: v for k, v in row.items() if k in rows[0]} for row in after[table]] == rows


@pytest.mark.parametrize("version", VERSIONS)
def test_migration_only_expands(make_database: Callable[[], str], version: str) -> None:
    """What an older program reads and writes stays as it knows it: columns, types, defaults; it demands nothing new."""
    database = make_database()
    with at_version(database, version) as db:
        columns, checks = db.run(_COLUMNS), db.run(_CHECKS)
        migrate(database)
        later, checks_later = db.run(_COLUMNS), db.run(_CHECKS)
    known, names = {row[0] for row in columns}, {tuple(row[:2]) for row in columns}
    assert [row for row in later if tuple(row[:2]) in names] == columns
    added = [row for row in later if row[0] in known and tuple(row[:2]) not in names]
    assert [row for row in added if row[3] == "NO" and not row[4]] == [], (
        "give it a default, or let it be null"
    )
    assert [row for row in checks_later if row[0] in known] == checks


@pytest.mark.parametrize("version", VERSIONS)
def test_migrated_ledger_of_each_version_goes_on(make_database: Callable[[], str], version: str) -> None:
    """All is as it was; a committed object stays so, an open one is committed, a new one lands."""
    database = make_database()
    with at_version(database, version):
        migrate(database)
    with Connection(database) as connection:
        ledger = Ledger(connection)
        found = reports.balance(ledger)["orders"]
        rows = (found.bronze.rows, found.silver.rows, found.quarantine.rows, found.unchecked.rows)
        assert rows == (20, 8, 2, 10)
        assert [(v.first, v.end, v.reason) for v in reports.voids(ledger)] == [(30, 35, "broker lost")]
        assert ledger.open_object(seen(), PINS, NOON) == Settled("committed", 0)
        for first in (10, 20):
            opened = ledger.open_object(seen(a_bronze_object(first, first + 10)), PINS, NOON)
            assert not isinstance(opened, Settled)
            assert ledger.commit(opened, an_outcome(opened), NOON) is Verdict.COMMITTED
        [position] = reports.positions(ledger)
        assert (position.landed, position.void, position.unlanded) == (30, 5, 0)
        assert reports.balance(ledger)["orders"].closed
