"""Writes a ledger anew from what the lake tells: the same rows that open and commit had written, in their order."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pg8000.native

from adapters.ledger.client import Ledger
from adapters.ledger.protocol import overlap_problem, take_offsets
from lakehouse.account import FoundRevision, ObjectAccount
from lakehouse.errors import LedgerError

GONE = "its Bronze object is not in the lake"


def begin_rebuild(ledger: Ledger, at: datetime, otherwise: str) -> bool:
    """Marks the ledger as not whole; True when an earlier rebuild is carried on. LedgerError when it has objects.

    Args:
        otherwise: ends that error: how to give an empty database in its place.
    """

    def work(db: pg8000.native.Connection) -> bool:
        if db.run("select 1 from rebuild where finished_at is null"):
            return True
        [(objects,)] = db.run("select count(*) from object")
        if objects:
            raise LedgerError(
                f"The ledger is not empty: it knows {objects:,} objects. What it lacks of the lake, the sweep finds by "
                f"itself (`nexus up`). To make it anew all the same: {otherwise}"
            )
        db.run("insert into rebuild (started_at) values (:at)", at=at)
        return False

    return ledger.read(work)


def finish_rebuild(ledger: Ledger, at: datetime) -> None:
    """The ledger is whole."""
    ledger.read(lambda db: db.run("update rebuild set finished_at = :at where finished_at is null", at=at))


def unfinished_rebuild(ledger: Ledger) -> bool:
    """Whether a rebuild was begun and not finished."""
    return bool(ledger.read(lambda db: db.run("select 1 from rebuild where finished_at is null")))


def restore_objects(ledger: Ledger, accounts: Sequence[ObjectAccount], gone: set[str]) -> None:
    """Writes objects in the order given, in one transaction; those that are known already are left alone.

    `gone` names those that are not in the lake. Of overlapping ones the first takes the offsets.
    """

    def work(db: pg8000.native.Connection) -> None:
        for account in accounts:
            _restore(db, account, account.key in gone)

    ledger.read(work)


def _restore(db: pg8000.native.Connection, account: ObjectAccount, gone: bool) -> None:
    metadata, newest = account.metadata, account.newest
    names = tuple(metadata.__dataclass_fields__)
    made = db.run(
        f"""insert into object (bronze_key, etag, size, state, revision, first_seen_at, {", ".join(names)})
            values (:key, :etag, :size, 'open', :revision, :at, {", ".join(f":{name}" for name in names)})
            on conflict (bronze_key) do nothing returning id""",
        key=account.key,
        etag=account.etag,
        size=account.size,
        revision=account.committed[-1] if account.unfinished is None else account.unfinished,
        at=account.seen_at,
        **asdict(metadata),
    )
    if not made:
        return
    [(object_id,)] = made
    rival = None
    if newest is not None and (rival := take_offsets(db, metadata, newest.written_at)) is None:
        _note_committed(db, object_id, account, newest)
    elif newest is not None or gone:
        state, problem = ("overlap", overlap_problem(str(rival))) if rival else ("gone", GONE)
        db.run(
            "update object set state = :state, problem = :problem where id = :id",
            id=object_id,
            state=state,
            problem=problem,
        )
    for found in account.revisions.values():
        if found.footer is not None:
            _restore_revision(db, object_id, found, _state(account, found.revision, rival is not None))


def _state(account: ObjectAccount, revision: int, overlaps: bool) -> str:
    if overlaps:  # its commit was refused: it stays as it was opened
        return "open" if revision == account.committed[-1] else "abandoned"
    if revision in account.committed:
        return "committed"
    return "open" if revision == account.unfinished else "abandoned"


def _note_committed(
    db: pg8000.native.Connection, object_id: int, account: ObjectAccount, newest: FoundRevision
) -> None:
    """A replay that is under way leaves its object open, with its offsets taken."""
    db.run(
        "update object set state = :state, committed_at = :at where id = :id",
        id=object_id,
        state="committed" if account.unfinished is None else "open",
        at=newest.written_at,
    )


def _restore_revision(db: pg8000.native.Connection, object_id: int, found: FoundRevision, state: str) -> None:
    footer = found.footer
    assert footer is not None
    counted = state == "committed"
    outcome: dict[str, Any] = {
        "committed_at": found.written_at,
        "silver_key": footer.silver_key,
        "silver_rows": footer.silver.rows,
        "silver_hash_sum": footer.silver.hash_sum,
        "quarantine_key": footer.quarantine_key or None,
        "quarantine_rows": footer.quarantine.rows,
        "quarantine_hash_sum": footer.quarantine.hash_sum,
        "reasons": json.dumps(dict(footer.reasons)),
        "warnings": json.dumps(dict(footer.warnings)),
    }
    row = {
        "object_id": object_id,
        "revision": found.revision,
        "state": state,
        "contract_version": footer.contract_version,
        "rules_hash": footer.rules_hash,
        "opened_at": found.written_at,
    } | (outcome if counted else {})
    values = ", ".join(f"cast(:{n} as jsonb)" if n in ("reasons", "warnings") else f":{n}" for n in row)
    db.run(f"insert into revision ({', '.join(row)}) values ({values})", **row)
