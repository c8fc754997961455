"""Replays in the ledger: objects with rows in Quarantine, the revision that moves some, what it leaves behind.

An object stays committed while it is replayed, by its newest committed revision; the one that a replay has opened lies
above it in `revision` alone. So nothing that reads the ledger sees a replay before its commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pg8000.native

from adapters.ledger.client import Ledger
from adapters.ledger.records import Opened, Pins
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata

_METADATA = tuple(BronzeMetadata.__dataclass_fields__)
_HELD = f"""
    select o.id, o.etag, o.size, o.revision, r.quarantine_key, r.quarantine_rows, r.quarantine_hash_sum, r.reasons,
           {", ".join(f"o.{name}" for name in _METADATA)}
    from object o join revision r on (r.object_id, r.revision) = (o.id, o.revision)
    where o.state = 'committed' and r.quarantine_rows > 0 and o.entity = :entity
      and (:log = '' or o.log = :log) and (:key = '' or o.bronze_key = :key)
      and (:rule = '' or r.reasons -> :rule is not null)
    order by o.log, o.partition, o.first_offset
"""


@dataclass(frozen=True)
class Held:
    """A committed object with rows in Quarantine, by its newest committed revision; `reasons` counts rows by rule."""

    object_id: int
    metadata: BronzeMetadata
    etag: str
    size: int
    revision: int
    quarantine_key: str
    quarantine: Amount
    reasons: Mapping[str, int]

    @property
    def bronze_key(self) -> str:
        """The Bronze key."""
        return str(self.metadata.key)


def held_objects(ledger: Ledger, entity: str, rule: str = "", log: str = "", key: str = "") -> list[Held]:
    """Objects of an entity with rows in Quarantine, by position; those that break a rule, of a log, or one of them."""
    rows = ledger.read(lambda db: db.run(_HELD, entity=entity, rule=rule, log=log, key=key) or [])
    return [_held(row) for row in rows]


def _held(row: Sequence[Any]) -> Held:
    object_id, etag, size, revision, key, rows, hash_sum, reasons, *metadata = row
    values = dict(zip(_METADATA, metadata, strict=True))
    values["hash_sum"] = int(values["hash_sum"])
    amount = Amount(int(rows), int(hash_sum))
    return Held(object_id, BronzeMetadata(**values), etag, size, revision, key, amount, reasons)


def open_replay(ledger: Ledger, held: Held, pins: Pins, at: datetime) -> Opened | None:
    """Opens the next revision of an object that is as it was found; None when it is not any more.

    Whoever comes second with the same pins goes on with the same revision. One that was opened with other pins is
    abandoned: of two replays that differ, the one that was opened last can commit.
    """
    return ledger.read(lambda db: _open_replay(db, held, pins, at))


def _open_replay(db: pg8000.native.Connection, held: Held, pins: Pins, at: datetime) -> Opened | None:
    found = db.run(
        """select state, revision from object where id = :id and bronze_key = :key and etag = :etag for update""",
        id=held.object_id,
        key=held.bronze_key,
        etag=held.etag,
    )
    if found != [["committed", held.revision]]:
        return None
    [(newest, state, rules_hash)] = db.run(
        """select revision, state, rules_hash from revision where object_id = :id order by revision desc limit 1""",
        id=held.object_id,
    )
    if state != "open" or rules_hash != pins.rules_hash:
        db.run(
            "update revision set state = 'abandoned' where object_id = :id and state = 'open'",
            id=held.object_id,
        )
        newest += 1
    # a replay that goes on counts as opened now: the sweep gives up those that nobody goes on with
    [(version, rules_hash, attempts)] = db.run(
        """insert into revision (object_id, revision, state, contract_version, rules_hash, attempts, opened_at)
           values (:id, :revision, 'open', :version, :rules_hash, 1, :at)
           on conflict (object_id, revision) do update
             set attempts = revision.attempts + 1, opened_at = greatest(revision.opened_at, excluded.opened_at)
           returning contract_version, rules_hash, attempts""",
        id=held.object_id,
        revision=newest,
        version=pins.contract_version,
        rules_hash=pins.rules_hash,
        at=at,
    )
    return Opened(
        held.object_id,
        held.metadata,
        held.etag,
        version,
        rules_hash,
        newest,
        attempts,
        follows=held.revision,
    )


def abandon_replays(ledger: Ledger, before: datetime) -> int:
    """Gives up replays that nobody went on with since: their outputs may be removed. How many."""
    sql = """update revision r set state = 'abandoned' from object o
             where o.id = r.object_id and o.state = 'committed' and r.state = 'open' and r.opened_at < :before
             returning 1"""
    return len(ledger.read(lambda db: db.run(sql, before=before) or []))


def superseded_quarantine(ledger: Ledger, before: datetime) -> list[str]:
    """Quarantine keys of committed revisions that a later one has followed before a moment: to be removed."""
    sql = """select r.quarantine_key from revision r join object o on o.id = r.object_id
             where r.state = 'committed' and r.quarantine_key is not null and r.revision < o.revision
               and o.state = 'committed' and o.committed_at < :before order by 1"""
    return [key for (key,) in ledger.read(lambda db: db.run(sql, before=before) or [])]


def forget_quarantine(ledger: Ledger, keys: Sequence[str]) -> None:
    """Notes that superseded Quarantine objects are removed; their counts and reasons stay."""
    sql = (
        "update revision set quarantine_key = null where state = 'committed' and quarantine_key = any(:keys)"
    )
    ledger.read(lambda db: db.run(sql, keys=list(keys)))
