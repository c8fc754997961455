"""Writes a ledger anew from what the lake tells: the same rows that open and commit had written, in their order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from typing import Any

import pg8000.native

from adapters.ledger.client import Ledger
from adapters.ledger.protocol import note_void, overlap_problem, take_offsets
from lakehouse.account import FoundRevision, ObjectAccount
from lakehouse.balance import Amount
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
    """Writes objects of one partition in the order given, in one transaction; those known already are left alone.

    `gone` names those that are not in the lake. Of overlapping ones the first takes the offsets.
    """

    def work(db: pg8000.native.Connection) -> None:
        keys = [account.key for account in accounts]
        known = {
            row[0] for row in db.run("select bronze_key from object where bronze_key = any(:keys)", keys=keys)
        }
        _restore(db, [account for account in accounts if account.key not in known], gone)

    ledger.read(work)


def _restore(db: pg8000.native.Connection, accounts: Sequence[ObjectAccount], gone: set[str]) -> None:
    """All in a few statements; one by one where some overlap, for then their order decides."""
    rival = None
    if len(accounts) == 1:
        [account] = accounts
        if account.newest is not None:
            rival = take_offsets(db, account.metadata, account.newest.written_at)
    elif not _take_all(db, accounts):
        for account in accounts:
            _restore(db, [account], gone)
        return
    ids = dict(_insert(db, "object", [_object(a, rival, a.key in gone) for a in accounts], "bronze_key, id"))
    revisions = [
        _revision(ids[account.key], found, _state(account, found.revision, rival is not None))
        for account in accounts
        for found in account.revisions.values()
        if found.footer is not None
    ]
    _insert(db, "revision", revisions, "revision")


def _take_all(db: pg8000.native.Connection, accounts: Sequence[ObjectAccount]) -> bool:
    """Adds the offsets of all committed ones to their partition; False, and nothing is added, when any overlap."""
    committed = [account for account in accounts if account.newest is not None]
    places = {(a.metadata.log, a.metadata.topic, a.metadata.partition, a.metadata.entity) for a in committed}
    if not committed:
        return True
    spans = sorted((a.metadata.first_offset, a.metadata.end_offset) for a in committed)
    if len(places) > 1 or any(after < end for (_, end), (after, _) in pairwise(spans)):
        return False
    [(log, topic, partition, entity)] = places
    place = {"log": log, "topic": topic, "partition": partition}
    taken = db.run(
        """insert into partition_state as p (log, topic, partition, entity, landed)
           values (:log, :topic, :partition, :entity, cast(:spans as int8multirange))
           on conflict (log, topic, partition) do update set landed = p.landed + excluded.landed
           where not p.landed && excluded.landed returning 1""",
        entity=entity,
        spans="{" + ",".join(f"[{first},{end})" for first, end in spans) + "}",
        **place,
    )
    for account in committed if taken else ():
        metadata, newest = account.metadata, account.newest
        if newest is not None and metadata.void_reason and metadata.previous_end < metadata.first_offset:
            gap = (metadata.previous_end, metadata.first_offset)
            note_void(db, place, *gap, metadata.void_reason, newest.written_at)
    return bool(taken)


def _insert(
    db: pg8000.native.Connection, table: str, rows: Sequence[Mapping[str, Any]], returning: str
) -> list[list[Any]]:
    """Rows of one shape, in one statement; JSON keeps whole numbers of any size exact."""
    if not rows:
        return []
    columns = ", ".join(rows[0])
    found: list[list[Any]] = db.run(
        f"""insert into {table} ({columns}) select {columns}
            from jsonb_populate_recordset(null::{table}, cast(:rows as jsonb)) returning {returning}""",
        rows=json.dumps(rows, default=datetime.isoformat),
    )
    return found


def _object(account: ObjectAccount, rival: str | None, gone: bool) -> dict[str, Any]:
    """A replay that is under way leaves its object committed, by the revision that it follows."""
    newest, state, problem = account.newest, "open", None
    if rival is not None:
        newest, state, problem = None, "overlap", overlap_problem(rival)
    elif newest is not None:
        state = "committed"
    elif gone:
        state, problem = "gone", GONE
    return {
        "bronze_key": account.key,
        "etag": account.etag,
        "size": account.size,
        "state": state,
        "problem": problem,
        "revision": account.committed[-1] if account.committed else account.unfinished,
        "erased_rows": 0,
        "erased_hash_sum": 0,
        "first_seen_at": account.seen_at,
        "committed_at": newest.written_at if newest else None,
        **asdict(account.metadata),
    }


def _state(account: ObjectAccount, revision: int, overlaps: bool) -> str:
    if overlaps:  # its commit was refused: it stays as it was opened
        return "open" if revision == account.committed[-1] else "abandoned"
    if revision in account.committed:
        return "committed"
    return "open" if revision == account.unfinished else "abandoned"


def _revision(object_id: int, found: FoundRevision, state: str) -> dict[str, Any]:
    """Amounts and keys are those of a commit: empty without one."""
    footer = found.footer
    assert footer is not None
    counted, nothing = state == "committed", Amount()
    silver, quarantine = (footer.silver, footer.quarantine) if counted else (nothing, nothing)
    return {
        "object_id": object_id,
        "revision": found.revision,
        "state": state,
        "contract_version": footer.contract_version,
        "rules_hash": footer.rules_hash,
        "attempts": 0,
        "opened_at": found.written_at,
        "committed_at": found.written_at if counted else None,
        "silver_key": footer.silver_key if counted else None,
        "silver_rows": silver.rows,
        "silver_hash_sum": silver.hash_sum,
        "quarantine_key": (footer.quarantine_key or None) if counted and not found.lacks_quarantine else None,
        "quarantine_rows": quarantine.rows,
        "quarantine_hash_sum": quarantine.hash_sum,
        "reasons": dict(footer.reasons) if counted else {},
        "warnings": dict(footer.warnings) if counted else {},
    }
