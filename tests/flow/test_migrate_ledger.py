"""The migration at deploy: tables once, users as the template says, and a rollback that finds a newer ledger."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native
import pytest
from pg8000.exceptions import DatabaseError

from adapters.ledger import Ledger, connection
from adapters.ledger.connection import connect_arguments, migration_names
from lakehouse.errors import LedgerError, SettingsError
from lambdas.migrate_ledger import handler
from lambdas.migrate_ledger.handler import applied, bring_to_version
from lambdas.migrate_ledger.settings import Settings
from local.postgres import Postgres

MIGRATIONS = Path(connection.__file__).with_name("migrations")
# What takes away from tables that older code still uses. A deployment that rolls back leaves the newer tables.
NARROWS = re.compile(
    r"\b(drop\s|truncate\s|delete\s+from|rename\s|alter\s+column|set\s+not\s+null"
    r"|add\s+(column\s+)?(if\s+not\s+exists\s+)?\w+\s+[^,;]*not\s+null(?![^,;]*default))",
    re.IGNORECASE,
)
USERS = {"check_rows": "write", "auditor": "read"}


@pytest.fixture
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@contextmanager
def as_user(url: str, user: str) -> Iterator[pg8000.native.Connection]:
    """With the rights of that user and no others."""
    with pg8000.native.Connection(**connect_arguments(url)) as db:
        db.run(f"set role {user}")
        yield db


def test_migrate_makes_tables_and_says_what_it_applied(database: str) -> None:
    assert bring_to_version(database, USERS) == {
        "Applied": ",".join(migration_names()),
        "Migrations": str(len(migration_names())),
    }


def test_migrate_applies_each_migration_once(database: str) -> None:
    bring_to_version(database, USERS)
    assert bring_to_version(database, USERS)["Applied"] == ""


def test_migrate_lets_writers_write_and_nobody_delete(database: str) -> None:
    bring_to_version(database, USERS)
    with as_user(database, "check_rows") as db:
        db.run("insert into partition_state (log, topic, partition, entity) values ('l', 't', 0, 'e')")
        db.run("update partition_state set entity = 'f'")
        for forbidden in ("delete from partition_state", "drop table object", "create table mine (a int)"):
            with pytest.raises(DatabaseError):
                db.run(forbidden)


def test_migrate_lets_readers_read_alone(database: str) -> None:
    bring_to_version(database, USERS)
    with as_user(database, "auditor") as db:
        assert db.run("select count(*) from void_now") == [[0]]
        with pytest.raises(DatabaseError):
            db.run("insert into partition_state (log, topic, partition, entity) values ('l', 't', 0, 'e')")


def test_migrate_takes_back_what_a_user_may_no_longer_do(database: str) -> None:
    bring_to_version(database, {"check_rows": "write"})
    bring_to_version(database, {"check_rows": "read"})
    with as_user(database, "check_rows") as db, pytest.raises(DatabaseError):
        db.run("update partition_state set entity = 'f'")


def test_migrate_lets_users_of_rds_sign_in_by_token(postgres: Postgres, database: str) -> None:
    """RDS brings the role; here the test does."""
    with pg8000.native.Connection(**postgres.connect_args) as db:
        db.run("create role rds_iam")
    bring_to_version(database, USERS)
    ledger = Ledger.connect(database)
    members = ledger.read(lambda db: db.run("select pg_has_role('check_rows', 'rds_iam', 'member')"))
    ledger.close()
    assert members == [[True]]


@pytest.mark.parametrize("users", [{"x; drop table object": "read"}, {"Check": "read"}, {"check": "admin"}])
def test_migrate_refuses_users_that_it_cannot_name(database: str, users: Mapping[str, str]) -> None:
    with pytest.raises(LedgerError, match="lower-case letters and write or read"):
        bring_to_version(database, users)


def narrowing(sql: str) -> list[str]:
    """Statements that do more than expand; comments aside."""
    return [found[0] for found in NARROWS.finditer(re.sub(r"--.*", "", sql))]


@pytest.mark.parametrize("name", migration_names())
def test_migrations_only_expand(name: str) -> None:
    assert narrowing((MIGRATIONS / name).read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("sql", "narrows"),
    [
        ("drop table object", True),
        ("alter table object drop column size", True),
        ("alter table object rename column size to bytes", True),
        ("alter table object alter column size type int", True),
        ("alter table object add column team text not null", True),
        ("delete from object where rows = 0", True),
        ("alter table object add column team text", False),
        ("alter table object add column team text not null default ''", False),
        ("create index on object (log) -- drop nothing", False),
        ("create table team (name text not null)", False),
    ],
)
def test_migrations_that_narrow_are_found(sql: str, narrows: bool) -> None:
    assert bool(narrowing(sql)) is narrows


def test_migrate_leaves_a_ledger_of_a_newer_version_as_it_is(database: str) -> None:
    """A deployment that rolls back calls the older code on the newer ledger, and must not fail."""
    bring_to_version(database, USERS)
    ledger = Ledger.connect(database)
    ledger.read(lambda db: db.run("insert into migration values ('9999_later.sql', now())"))
    before = applied(ledger)
    assert bring_to_version(database, USERS)["Applied"] == ""
    assert applied(ledger) == before
    ledger.close()


def test_migrate_fails_the_deployment_when_the_database_is_away(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setenv("NEXUS_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setattr("adapters.custom_resource._put", lambda url, body: sent.append(json.loads(body)))
    handler.lambda_handler(
        {
            "RequestType": "Create",
            "ResponseURL": "https://x",
            "StackId": "s",
            "RequestId": "r",
            "LogicalResourceId": "LedgerSchema",
            "ResourceProperties": {"Users": USERS},
        },
        None,
    )
    assert [answer["Status"] for answer in sent] == ["FAILED"]
    assert "is away" in sent[0]["Reason"]


def test_migrate_of_a_stack_that_goes_touches_nothing() -> None:
    assert handler.migrate("Delete", {}) == {}


class SecretsOfRds:
    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - as in Secrets Manager
        assert SecretId == "arn:secret"
        return {"SecretString": json.dumps({"username": "nexus_owner", "password": "a/b:c@d?e#f"})}


SECRET = {
    "NEXUS_LEDGER_SECRET": "arn:secret",
    "NEXUS_LEDGER_HOST": "db.example",
    "NEXUS_LEDGER_PORT": "5432",
    "NEXUS_LEDGER_DATABASE": "ledger",
}


def test_settings_take_the_owner_from_the_secret() -> None:
    arguments = connect_arguments(Settings.from_env(SECRET).ledger_url(SecretsOfRds()))
    assert (arguments["user"], arguments["password"]) == ("nexus_owner", "a/b:c@d?e#f")
    assert (arguments["host"], arguments["port"], arguments["database"]) == ("db.example", 5432, "ledger")
    assert arguments["ssl_context"].check_hostname


@pytest.mark.parametrize("missing", SECRET)
def test_settings_name_what_is_missing(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"{missing} is not set: give "):
        Settings.from_env({name: value for name, value in SECRET.items() if name != missing})


def test_settings_take_an_address_instead() -> None:
    assert Settings.from_env({"NEXUS_LEDGER_URL": "postgresql://x"}).ledger_url() == "postgresql://x"
