"""The Lambda behind a custom resource of the database stack: migrates the ledger, or fails the deployment."""

import logging
from collections.abc import Mapping
from typing import Any

from adapters.custom_resource import RequestKind, answering
from adapters.ledger import Ledger
from adapters.ledger.connection import migration_names
from lambdas.migrate_ledger.roles import grant_users
from lambdas.migrate_ledger.settings import Settings

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


def migrate(kind: RequestKind, properties: Mapping[str, Any]) -> Mapping[str, str]:
    """Applies what is missing and grants the users of the property `Users`; a deleted stack changes nothing."""
    if kind == "Delete":
        return {}
    return bring_to_version(Settings.from_process().ledger_url(), properties["Users"])


def bring_to_version(url: str, users: Mapping[str, str]) -> Mapping[str, str]:
    """What was applied, and how many migrations there are. May be repeated.

    A ledger that a newer version has migrated is left as it is: migrations only expand, so this version works with it.
    That is what a deployment finds that rolls back.
    """
    ledger = Ledger.connect(url)
    try:
        newer = applied(ledger).difference(migration_names())
        fresh = [] if newer else ledger.migrate()
        made = ledger.read(lambda db: grant_users(db, users))
    finally:
        ledger.close()
    _log.info("migrated: %s; users made: %s; newer: %s", fresh, made, sorted(newer))
    return {"Applied": ",".join(fresh), "Migrations": str(len(migration_names()))}


def applied(ledger: Ledger) -> set[str]:
    """Names of the migrations that have run; none in an empty database."""
    if not ledger.read(lambda db: db.run("select to_regclass('migration') is not null"))[0][0]:
        return set()
    return {row[0] for row in ledger.read(lambda db: db.run("select name from migration"))}


lambda_handler = answering("ledger-schema", migrate)
