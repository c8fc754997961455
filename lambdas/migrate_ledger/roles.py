"""The ledger's database users: made and granted at every deployment, so that the list in the template is the truth."""

import re
from collections.abc import Mapping

import pg8000.native

from lakehouse.errors import LedgerError

# What each kind of user may do with the ledger's tables. Nobody may delete: the ledger only ever learns more.
GRANTS: Mapping[str, str] = {
    "write": "select, insert, update",
    "read": "select",
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def grant_users(db: pg8000.native.Connection, users: Mapping[str, str]) -> list[str]:
    """Makes users that are missing and grants all of them what their kind says (`write` or `read`); those made.

    They sign in by tokens of AWS where the database offers it (`rds_iam`), and have no password anywhere.
    """
    made = []
    by_token = bool(db.run("select 1 from pg_roles where rolname = 'rds_iam'"))
    known = {row[0] for row in db.run("select rolname from pg_roles")}
    for name, kind in sorted(users.items()):
        if not _NAME.fullmatch(name) or kind not in GRANTS:
            raise LedgerError(
                f"user {name!r} of kind {kind!r}: use lower-case letters and {' or '.join(GRANTS)}"
            )
        if name not in known:
            db.run(f"create role {name} login")
            made.append(name)
        if by_token:
            db.run(f"grant rds_iam to {name}")
        db.run(f"revoke all on all tables in schema public from {name}")
        db.run(f"grant {GRANTS[kind]} on all tables in schema public to {name}")
    return made
