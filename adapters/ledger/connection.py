"""One connection to the ledger's PostgreSQL: reconnects when it was lost, retries what the database asks to retry."""

import logging
import ssl
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from lakehouse.errors import LedgerAway, LedgerError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# serialization_failure and deadlock_detected: the database rolled back and wants the same again
_RETRYABLE = {"40001", "40P01"}
# two attempts on one object are the usual contention; a third rival in one millisecond is not seen in practice
_TRIES = 4
# admin_shutdown, crash_shutdown, cannot_connect_now: the server goes or is not up yet
_AWAY = {"57P01", "57P02", "57P03"}
# longer waits mean a stuck holder of a row lock: better to give the message back than to hold it
_LOCK_TIMEOUT = "10s"
# for connecting and for each answer; must exceed the lock timeout, or a wait for a lock reads like a dead server
_ANSWER_SECONDS = 30
# any constant: makes two processes that start together migrate one after the other
_MIGRATION_LOCK = 7301
_FORM = "give postgresql://user:password@host:port/database"


MIGRATIONS = resources.files("adapters.ledger") / "migrations"


def migration_names() -> list[str]:
    """The migrations of this version, in the order in which they run."""
    return sorted(entry.name for entry in MIGRATIONS.iterdir() if entry.name.endswith(".sql"))


class Connection:
    """Not to be shared between threads. Every call is one transaction."""

    def __init__(self, url: str) -> None:
        self._arguments = connect_arguments(url)
        self._by_token = signs_in_by_token(url)
        self._name = url.rpartition("@")[2]
        self._connection: pg8000.native.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (InterfaceError, DatabaseError, OSError):
                _log.debug("the ledger's connection was lost before it was closed")

    def transaction(self, work: Callable[[pg8000.native.Connection], _T]) -> _T:
        """Runs `work` in one transaction and returns its answer; LedgerError when the database is away.

        `work` may run several times, so it must have no effect but on the database.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return self._attempt(work)
            except DatabaseError as error:
                code = _code(error)
                if code in _AWAY:
                    self.close()
                    raise self._away(error) from error
                if code not in _RETRYABLE or attempt == _TRIES:
                    raise LedgerError(f"the ledger at {self._name} refuses: {_message(error)}") from error
            except (InterfaceError, OSError) as error:
                self.close()
                raise self._away(error) from error
        raise AssertionError("the loop either returns or raises")

    def _attempt(self, work: Callable[[pg8000.native.Connection], _T]) -> _T:
        if self._connection is None:
            arguments = {**self._arguments}
            if self._by_token:
                arguments["password"] = access_token(arguments["host"], arguments["port"], arguments["user"])
            self._connection = pg8000.native.Connection(**arguments, timeout=_ANSWER_SECONDS)
        connection = self._connection
        try:
            # one round trip, and nothing that outlives the transaction: poolers such as RDS Proxy pin sessions that do
            connection.run(f"begin; set local lock_timeout = '{_LOCK_TIMEOUT}'; set local timezone = 'UTC'")
            answer = work(connection)
            connection.run("commit")
        except (DatabaseError, LedgerError):
            connection.run("rollback")
            raise
        except BaseException:
            self.close()  # interrupted in the middle of an answer: what comes next would be read as another's
            raise
        return answer

    def migrate(self) -> list[str]:
        """Applies the migrations that have not run here, in order; their names. Safe to call from several processes."""
        folder, names = MIGRATIONS, migration_names()

        def apply(connection: pg8000.native.Connection) -> list[str]:
            connection.run("select pg_advisory_xact_lock(:number)", number=_MIGRATION_LOCK)
            connection.run(
                "create table if not exists migration (name text primary key, applied_at timestamptz not null)"
            )
            done = {row[0] for row in connection.run("select name from migration")}
            if newer := sorted(done.difference(names)):
                raise LedgerError(
                    f"the ledger at {self._name} was migrated by a newer version of this program ({newer[0]}): "
                    "use that version, or another ledger"
                )
            fresh = [name for name in names if name not in done]
            for name in fresh:
                connection.run((folder / name).read_text("utf-8"))
                connection.run("insert into migration values (:name, now())", name=name)
            return fresh

        return self.transaction(apply)

    def _away(self, error: Exception) -> LedgerAway:
        return LedgerAway(f"the ledger at {self._name} is away ({error}): is its PostgreSQL running?")


_SSL_MODES: Mapping[str, Any] = {"disable": False, "prefer": None, "require": True, "verify-full": "verified"}


def access_token(host: str, port: int, user: str) -> str:
    """What RDS and its proxy take as a password for 15 minutes: signed here with the process's own AWS credentials."""
    import boto3  # here alone: most processes sign in by password, and it takes its time to load

    token: str = boto3.client("rds").generate_db_auth_token(host, port, user)
    return token


def signs_in_by_token(url: str) -> bool:
    """Whether the address says `auth=iam`."""
    return parse_qs(urlsplit(url).query).get("auth") == ["iam"]


def connect_arguments(url: str) -> Mapping[str, Any]:
    """pg8000's arguments for `postgresql://user:password@host:port/database`.

    Options behind a `?`: `host=/folder` (a unix socket), `sslmode` (disable, prefer, require, verify-full),
    `auth=iam` (a token of AWS instead of the password). verify-full also trusts the roots of RDS.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
    except ValueError as error:
        raise LedgerError(f"the ledger's address cannot be read ({error}): {_FORM}") from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise LedgerError(f"the ledger's address begins with {parts.scheme or 'nothing'}://, {_FORM}")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    folder, mode = options.pop("host", ""), options.pop("sslmode", "prefer")
    auth = options.pop("auth", "iam")
    if options or mode not in _SSL_MODES or auth != "iam":
        wrong = ", ".join(options) or (f"auth={auth}" if auth != "iam" else f"sslmode={mode}")
        raise LedgerError(
            f"the ledger's address holds {wrong}: use host=/folder, sslmode={'|'.join(_SSL_MODES)} or auth=iam"
        )
    arguments: dict[str, Any] = {
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password) if parts.password else None,
        "database": unquote(parts.path.lstrip("/")) or "postgres",
    }
    if folder:
        return arguments | {"unix_sock": f"{folder}/.s.PGSQL.{port}", "ssl_context": False}
    ssl_context = _verifying() if mode == "verify-full" else _SSL_MODES[mode]
    return arguments | {"host": parts.hostname or "localhost", "port": port, "ssl_context": ssl_context}


def _verifying() -> ssl.SSLContext:
    """The system's roots, which the proxy's certificates have, and those of RDS, which no system has."""
    context = ssl.create_default_context()
    context.load_verify_locations(
        cadata=(resources.files("adapters.ledger") / "rds_roots.pem").read_text("ascii")
    )
    return context


def _code(error: DatabaseError) -> str:
    details = error.args[0] if error.args else {}
    return str(details.get("C", "")) if isinstance(details, dict) else ""


def _message(error: DatabaseError) -> str:
    details = error.args[0] if error.args else {}
    return str(details.get("M", error)) if isinstance(details, dict) else str(error)
