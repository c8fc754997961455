"""Open, write, commit: the transactions that make an object's rows count exactly once, whoever retries what."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pg8000.native

from adapters.ledger.records import Opened, Outcome, Pins, SeenObject, Settled, Verdict
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LedgerError

_METADATA = tuple(BronzeMetadata.__dataclass_fields__)


def open_revision(
    db: pg8000.native.Connection, seen: SeenObject, pins: Pins, at: datetime
) -> Opened | Settled:
    """The transaction of `Ledger.open_object`; the object's row is locked from here to its end."""
    key = str(seen.metadata.key)
    db.run(
        f"""insert into object (bronze_key, etag, size, state, revision, first_seen_at, {", ".join(_METADATA)})
            values (:key, :etag, :size, 'open', 0, :at, {", ".join(f":{name}" for name in _METADATA)})
            on conflict (bronze_key) do nothing""",
        key=key,
        etag=seen.etag,
        size=seen.size,
        at=at,
        **{name: getattr(seen.metadata, name) for name in _METADATA},
    )
    [(object_id, etag, state, current, *known)] = db.run(
        f"select id, etag, state, revision, {', '.join(_METADATA)} from object where bronze_key = :key for update",
        key=key,
    )
    if (etag, BronzeMetadata(*known)) != (seen.etag, seen.metadata):
        raise LedgerError(
            f"{key} (ETag {seen.etag}) is not the object first seen there (ETag {etag}), and Bronze objects never "
            "change: find out who replaced it, and put the first one back from the bucket's versions"
        )
    if state != "open":
        return Settled(state, current)
    return _open_revision(db, object_id, seen, current, pins, at)


def _open_revision(
    db: pg8000.native.Connection, object_id: int, seen: SeenObject, current: int, pins: Pins, at: datetime
) -> Opened:
    pinned = db.run(
        "select rules_hash from revision where object_id = :id and revision = :revision",
        id=object_id,
        revision=current,
    )
    if pinned and pinned[0][0] != pins.rules_hash:
        db.run(
            "update revision set state = 'abandoned' where object_id = :id and revision = :revision",
            id=object_id,
            revision=current,
        )
        current += 1
        db.run("update object set revision = :revision where id = :id", id=object_id, revision=current)
    [(version, rules_hash, attempts, follows)] = db.run(
        """insert into revision (object_id, revision, state, contract_version, rules_hash, attempts, opened_at)
           values (:id, :revision, 'open', :version, :rules_hash, 1, :at)
           on conflict (object_id, revision) do update set attempts = revision.attempts + 1
           returning contract_version, rules_hash, attempts,
             (select max(c.revision) from revision c where c.object_id = :id and c.state = 'committed')""",
        id=object_id,
        revision=current,
        version=pins.contract_version,
        rules_hash=pins.rules_hash,
        at=at,
    )
    return Opened(object_id, seen.metadata, seen.etag, version, rules_hash, current, attempts, follows)


def lock_objects(db: pg8000.native.Connection, objects: Sequence[BronzeMetadata]) -> None:
    """Locks what the commits of these objects will, in an order that all transactions keep: objects, then partitions.

    One that commits a single object does the same by itself.
    """
    keys = [str(metadata.key) for metadata in objects]
    db.run("select 1 from object where bronze_key = any(:keys) order by bronze_key for update", keys=keys)
    places = sorted({(metadata.log, metadata.topic, metadata.partition) for metadata in objects})
    for log, topic, partition in places:
        db.run(
            """select 1 from partition_state
               where log = :log and topic = :topic and partition = :partition for update""",
            log=log,
            topic=topic,
            partition=partition,
        )


def return_revisions(db: pg8000.native.Connection, opened: Sequence[Opened]) -> None:
    """Takes back that these were attempted."""
    for one in opened:
        db.run(
            """update revision set attempts = greatest(attempts - 1, 0)
               where object_id = :id and revision = :revision and state = 'open'""",
            id=one.object_id,
            revision=one.revision,
        )


def commit_revision(db: pg8000.native.Connection, opened: Opened, outcome: Outcome, at: datetime) -> Verdict:
    """The transaction of `Ledger.commit`: first the object's row is locked, then its partition's."""
    # by key too: a ledger that was rebuilt or restored meanwhile has given the number to another object
    found = db.run(
        "select state, committed_at from object where id = :id and bronze_key = :key for update",
        id=opened.object_id,
        key=str(opened.metadata.key),
    )
    pinned = db.run(
        "select state from revision where object_id = :id and revision = :revision for update",
        id=opened.object_id,
        revision=opened.revision,
    )
    if not found or not pinned:
        raise LedgerError(f"{opened.metadata.key} was opened in another ledger than this one: open it again")
    [(state, committed_before)], [(revision_state,)] = found, pinned
    if revision_state != "open":
        return Verdict.ALREADY if revision_state == "committed" else Verdict.SUPERSEDED
    if state == "overlap":
        return Verdict.OVERLAP
    _require_balanced(db, opened, outcome)
    rival = None if committed_before else take_offsets(db, opened.metadata, at)  # a replay has them already
    if rival is not None:
        db.run(
            "update object set state = 'overlap', problem = :problem where id = :id",
            id=opened.object_id,
            problem=overlap_problem(rival),
        )
        return Verdict.OVERLAP
    _note_outcome(db, opened, outcome, at)
    return Verdict.COMMITTED


def _require_balanced(db: pg8000.native.Connection, opened: Opened, outcome: Outcome) -> None:
    """Silver of all committed revisions, this Quarantine and what was erased are the Bronze object, or LedgerError."""
    [(rows, hash_sum, silver_rows, silver_sum)] = db.run(
        """select o.rows - o.erased_rows, o.hash_sum - o.erased_hash_sum,
                  coalesce(sum(r.silver_rows), 0), coalesce(sum(r.silver_hash_sum), 0)
           from object o left join revision r on r.object_id = o.id and r.state = 'committed'
           where o.id = :id group by o.id""",
        id=opened.object_id,
    )
    wanted = int(rows), int(hash_sum) % 2**64
    written = (
        int(silver_rows) + outcome.silver_rows + outcome.quarantine_rows,
        (int(silver_sum) + outcome.silver_hash_sum + outcome.quarantine_hash_sum) % 2**64,
    )
    if wanted != written:
        raise LedgerError(
            f"{opened.metadata.key}: {written[0]} rows (sum {written[1]}) were written of {wanted[0]} "
            f"(sum {wanted[1]}): the check hop lost, doubled or changed rows, so nothing is committed"
        )


def _note_outcome(db: pg8000.native.Connection, opened: Opened, outcome: Outcome, at: datetime) -> None:
    db.run(
        """update revision set state = 'committed', committed_at = :at, silver_key = :silver_key,
             silver_rows = :silver_rows, silver_hash_sum = :silver_hash_sum, quarantine_key = :quarantine_key,
             quarantine_rows = :quarantine_rows, quarantine_hash_sum = :quarantine_hash_sum,
             reasons = cast(:reasons as jsonb), warnings = cast(:warnings as jsonb)
           where object_id = :id and revision = :revision""",
        id=opened.object_id,
        revision=opened.revision,
        at=at,
        **{name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
        | {"reasons": json.dumps(dict(outcome.reasons)), "warnings": json.dumps(dict(outcome.warnings))},
    )
    db.run(
        """update object set state = 'committed', problem = null, committed_at = :at, revision = :revision
           where id = :id""",
        id=opened.object_id,
        at=at,
        revision=opened.revision,
    )


def overlap_problem(rival: str) -> str:
    """What is wrong with an object some of whose offsets another holds."""
    return f"{rival} holds some of its offsets: two writers without the writers' rule, or another sink"


def take_offsets(db: pg8000.native.Connection, metadata: BronzeMetadata, at: datetime) -> str | None:
    """Adds the object's offsets to its partition under the row lock; or the key of the object that holds some."""
    place = {"log": metadata.log, "topic": metadata.topic, "partition": metadata.partition}
    span = {"first": metadata.first_offset, "end": metadata.end_offset}
    db.run(
        """insert into partition_state (log, topic, partition, entity)
           values (:log, :topic, :partition, :entity) on conflict do nothing""",
        entity=metadata.entity,
        **place,
    )
    [(taken,)] = db.run(
        """select landed && int8range(:first, :end) from partition_state
           where log = :log and topic = :topic and partition = :partition for update""",
        **span,
        **place,
    )
    if taken:
        return _holder(db, span, place)
    db.run(
        """update partition_state set landed = landed + int8multirange(int8range(:first, :end))
           where log = :log and topic = :topic and partition = :partition""",
        **span,
        **place,
    )
    if metadata.void_reason and metadata.previous_end < metadata.first_offset:
        note_void(db, place, metadata.previous_end, metadata.first_offset, metadata.void_reason, at)
    return None


def _holder(db: pg8000.native.Connection, span: Mapping[str, int], place: Mapping[str, Any]) -> str:
    found = db.run(
        """select bronze_key from object
           where log = :log and topic = :topic and partition = :partition and state = 'committed'
             and int8range(first_offset, end_offset) && int8range(:first, :end) order by first_offset limit 1""",
        **span,
        **place,
    )
    return str(found[0][0]) if found else "an object the ledger no longer lists"


def note_void(
    db: pg8000.native.Connection, place: Mapping[str, Any], first: int, end: int, reason: str, at: datetime
) -> None:
    """Notes `[first, end)` as void where it is not yet; its partition's row must be locked. See the view `void_now`."""
    db.run(
        """insert into void_range (log, topic, partition, offsets, reason, noted_at)
           select log, topic, partition, part, cast(:reason as text), cast(:at as timestamptz)
           from partition_state p, lateral unnest(
               int8multirange(int8range(:first, :end)) - coalesce(
                   (select range_agg(v.offsets) from void_range v
                    where (v.log, v.topic, v.partition) = (p.log, p.topic, p.partition)), '{}')) part
           where log = :log and topic = :topic and partition = :partition""",
        first=first,
        end=end,
        reason=reason,
        at=at,
        **place,
    )
