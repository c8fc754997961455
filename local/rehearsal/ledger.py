"""The ledger of a rehearsal: in an embedded PostgreSQL, with an owner and users as RDS would have them."""

import secrets
from urllib.parse import urlsplit

import pg8000.native

from local.postgres import Postgres

DATABASE = "ledger"
# As RDS's master user: it makes roles, and is no superuser
_OWNER = "ledger_owner"


class RehearsalLedger:
    """The database is new, and its tables are made by the deployed migration alone."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._password = secrets.token_hex(16)
        self._run(f"create role {_OWNER} login createrole password '{self._password}'")
        self._run(f"create database {DATABASE} owner {_OWNER}")

    @property
    def owner_url(self) -> str:
        """What the migration connects with, instead of the secret that RDS keeps."""
        return self._url(_OWNER)

    def url_of(self, deployed: str) -> str:
        """The same user at this ledger: with a password instead of a token, and without TLS."""
        user = urlsplit(deployed).username or ""
        [[there]] = self._run("select count(*) from pg_roles where rolname = :user", user=user)
        if there:
            self._run(f"alter role {pg8000.native.identifier(user)} password '{self._password}'")
        return self._url(user)

    def _url(self, user: str) -> str:
        return f"postgresql://{user}:{self._password}@127.0.0.1:{self._server.port}/{DATABASE}"

    def _run(self, sql: str, **values: str) -> list[list[object]]:
        arguments = self._server.connect_args
        db = pg8000.native.Connection(
            str(arguments["user"]),
            host=str(arguments["host"]),
            port=int(arguments["port"]),
            password=str(arguments["password"]),
            database=str(arguments["database"]),
        )
        try:
            return db.run(sql, **values) or []
        finally:
            db.close()
