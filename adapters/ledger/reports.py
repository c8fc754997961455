"""What the ledger can tell: balance, positions, voids, where a position is, what Gold may read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pg8000.native

from adapters.ledger.client import Ledger
from adapters.ledger.protocol import note_void
from lakehouse.balance import Amount, Balance, PositionBalance, VoidRange
from lakehouse.errors import LedgerError
from lakehouse.identity import Position

# One row per object: what it holds, and what its committed revisions put where. An object whose replay is under way
# still counts by its committed revisions.
_OBJECTS = """
    select o.entity, o.log, o.rows, o.hash_sum, o.erased_rows, o.erased_hash_sum,
           coalesce(s.rows, 0) silver_rows, coalesce(s.sum, 0) silver_sum,
           coalesce(q.quarantine_rows, 0) quarantine_rows, coalesce(q.quarantine_hash_sum, 0) quarantine_sum,
           q.quarantine_rows is null as unchecked
    from object o
    left join lateral (
        select sum(silver_rows) as rows, sum(silver_hash_sum) as sum from revision r
        where r.object_id = o.id and r.state = 'committed') s on true
    left join lateral (
        select quarantine_rows, quarantine_hash_sum from revision r
        where r.object_id = o.id and r.state = 'committed' order by revision desc limit 1) q on true
"""
_BALANCE = f"""
    select entity, sum(rows), sum(hash_sum), sum(silver_rows), sum(silver_sum), sum(quarantine_rows),
           sum(quarantine_sum), sum(erased_rows), sum(erased_hash_sum),
           coalesce(sum(rows) filter (where unchecked), 0), coalesce(sum(hash_sum) filter (where unchecked), 0)
    from ({_OBJECTS}) x group by entity order by entity
"""
# A batch file begins at record 0, whatever has landed of it; nobody observes a broker for it.
_POSITIONS = """
    select p.log, p.topic, p.partition, p.entity,
           coalesce(least(p.broker_start, lower(p.landed), lower(v.ranges),
                          case when p.log ~ '^load-[0-9a-f]{16}$' then 0 end), 0) as first,
           greatest(p.broker_end, upper(p.landed), upper(v.ranges), 0) as last,
           p.landed, coalesce(v.ranges, '{}') as void
    from partition_state p
    left join lateral (
        select range_agg(offsets) as ranges from void_now v
        where (v.log, v.topic, v.partition) = (p.log, p.topic, p.partition)) v on true
"""

_STATE = """
    select o.bronze_key, o.first_offset, o.end_offset, o.state, o.revision, r.contract_version,
           array(select silver_key from revision s where s.object_id = o.id and s.state = 'committed'
                 order by s.revision),
           (select quarantine_key from revision q where q.object_id = o.id and q.state = 'committed'
            order by q.revision desc limit 1), o.problem
    from object o left join revision r on r.object_id = o.id and r.revision = o.revision
"""


@dataclass(frozen=True)
class ObjectState:
    """A Bronze object and what became of it; Quarantine is that of the newest committed revision.

    It holds offsets from `first_offset` up to, and without, `end_offset`.
    """

    bronze_key: str
    first_offset: int
    end_offset: int
    state: str
    revision: int
    contract_version: str | None
    silver_keys: tuple[str, ...]
    quarantine_key: str | None
    problem: str | None


def balance(ledger: Ledger) -> dict[str, Balance]:
    """The balance per entity."""
    rows = ledger.read(lambda db: db.run(_BALANCE) or [])
    return {row[0]: _balance_of(row) for row in rows}


def balance_of_log(ledger: Ledger, log: str) -> Balance:
    """The balance of one log, such as a batch file; all zero when nothing of it was opened."""
    sql = _BALANCE.replace("group by", "where log = :log group by")
    rows = ledger.read(lambda db: db.run(sql, log=log) or [])
    return sum((_balance_of(row) for row in rows), Balance())


def _balance_of(row: Sequence[Any]) -> Balance:
    return Balance(*(Amount(int(row[i]), int(row[i + 1]) % 2**64) for i in range(1, 11, 2)))


def positions(ledger: Ledger) -> list[PositionBalance]:
    """Every partition of every log, with its unlanded ranges."""
    sql = f"""
        select log, topic, partition, entity, first, last,
               (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(landed) r),
               (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(void) r),
               array(select lower(r) from unnest(unlanded) r), array(select upper(r) from unnest(unlanded) r)
        from (select *, int8multirange(int8range(first, last)) - landed - void as unlanded from ({_POSITIONS}) p) x
        order by log, topic, partition"""
    rows = ledger.read(lambda db: db.run(sql) or [])
    return [
        PositionBalance(
            log, topic, partition, entity, first, last, int(landed), int(void), tuple(zip(*ends, strict=True))
        )
        for log, topic, partition, entity, first, last, landed, void, *ends in rows
    ]


def voids(ledger: Ledger) -> list[VoidRange]:
    """Every void range, by position."""
    sql = """select log, topic, partition, lower(offsets), upper(offsets), reason from void_now
             order by log, topic, partition, offsets"""
    return [VoidRange(*row) for row in ledger.read(lambda db: db.run(sql) or [])]


def committed_silver(ledger: Ledger) -> dict[str, list[str]]:
    """Silver keys that Gold may read, per entity, in commit order."""
    sql = """select o.entity, r.silver_key from revision r join object o on o.id = r.object_id
             where r.state = 'committed' and r.silver_rows > 0 order by r.committed_at, o.id, r.revision"""
    found: dict[str, list[str]] = {}
    for entity, key in ledger.read(lambda db: db.run(sql) or []):
        found.setdefault(entity, []).append(key)
    return found


def committed_quarantine(ledger: Ledger) -> dict[str, list[str]]:
    """Quarantine keys in force (of each object's newest committed revision), per entity."""
    sql = """select distinct on (o.id) o.entity, r.quarantine_key, r.quarantine_rows
             from revision r join object o on o.id = r.object_id where r.state = 'committed'
             order by o.id, r.revision desc"""
    found: dict[str, list[str]] = {}
    for entity, key, rows in ledger.read(lambda db: db.run(sql) or []):
        if rows:
            found.setdefault(entity, []).append(key)
    return found


def rows_by_rule(ledger: Ledger) -> list[tuple[str, str, str, int]]:
    """(entity, severity, rule, rows): errors of each object's newest committed revision, warnings of all of them."""
    sql = """
        select o.entity, k.severity, e.key, sum(cast(e.value as bigint))
        from (select *, max(revision) over (partition by object_id) as newest
              from revision where state = 'committed') r
        join object o on o.id = r.object_id
        cross join lateral (values ('error', r.reasons), ('warn', r.warnings)) k(severity, rules)
        cross join lateral jsonb_each_text(k.rules) e
        where k.severity = 'warn' or r.revision = r.newest
        group by 1, 2, 3 order by 1, 2, 4 desc, 3"""
    return [(a, b, c, int(d)) for a, b, c, d in ledger.read(lambda db: db.run(sql) or [])]


def object_at(ledger: Ledger, position: Position) -> ObjectState | None:
    """The Bronze object that holds a position, as far as the ledger knows; the committed one of several."""
    sql = """select bronze_key from object where log = :log and topic = :topic and partition = :partition
             and first_offset <= :offset and end_offset > :offset
             order by state = 'committed' desc, first_offset limit 1"""
    found = ledger.read(
        lambda db: db.run(
            sql, log=position.log, topic=position.topic, partition=position.partition, offset=position.offset
        )
    )
    return object_state(ledger, found[0][0]) if found else None


def object_state(ledger: Ledger, bronze_key: str) -> ObjectState | None:
    """What the ledger knows of a Bronze object."""
    found = ledger.read(lambda db: db.run(f"{_STATE} where o.bronze_key = :key", key=bronze_key) or [])
    return _state_of(found[0]) if found else None


def objects_over(ledger: Ledger, first: Position, end: int) -> list[ObjectState]:
    """Objects that hold any offset of `first`'s partition from there up to `end`, by offset."""
    sql = f"""{_STATE} where o.log = :log and o.topic = :topic and o.partition = :partition
              and o.first_offset < :end and o.end_offset > :first order by o.first_offset"""
    place = {"log": first.log, "topic": first.topic, "partition": first.partition}
    found = ledger.read(lambda db: db.run(sql, **place, first=first.offset, end=end) or [])
    return [_state_of(row) for row in found]


def _state_of(row: Sequence[Any]) -> ObjectState:
    key, first, end, state, revision, version, silver, quarantine, problem = row
    return ObjectState(key, first, end, state, revision, version, tuple(silver), quarantine, problem)


def bronze_keys(ledger: Ledger, prefix: str = "", start_after: str = "") -> Mapping[str, str]:
    """State of every Bronze object the ledger has heard of, by key; or of those under a prefix, behind a key."""
    sql = """select bronze_key, state from object
             where starts_with(bronze_key, :prefix) and bronze_key collate "C" > :after"""
    rows = ledger.read(lambda db: db.run(sql, prefix=prefix, after=start_after) or [])
    return dict(rows)


def stuck_objects(ledger: Ledger) -> list[str]:
    """Bronze keys of objects in state overlap or gone, in key order."""
    sql = "select bronze_key from object where state in ('overlap', 'gone') order by 1"
    return [row[0] for row in ledger.read(lambda db: db.run(sql) or [])]


def accounted_until(ledger: Ledger) -> dict[str, int | None]:
    """By entity, the first broker time (ms) of the oldest object behind which the ledger does not know everything.

    Of each partition it is the last object before the first offset that is neither landed nor void: what the ledger
    has not heard of was written after it. None: a partition's very beginning is not accounted for. Batch files, and
    closed logs that are accounted for up to their end, have no say; an entity without any is not among them.
    """
    sql = """
        with known as (
            select p.*, (select r from unnest(p.landed + coalesce(v.ranges, '{}')) r order by lower(r) limit 1) as head
            from partition_state p
            left join lateral (
                select range_agg(offsets) as ranges from void_now v
                where (v.log, v.topic, v.partition) = (p.log, p.topic, p.partition)) v on true
            where p.log !~ '^load-[0-9a-f]{16}$'
        ), heads as (
            select *, case when lower(head) = 0 then upper(head) else 0 end as until from known
        )
        select h.entity, (select first_broker_time from object o
                          where (o.log, o.topic, o.partition) = (h.log, h.topic, h.partition)
                            and o.state = 'committed' and o.end_offset <= h.until
                          order by o.first_offset desc limit 1)
        from heads h where h.closed_at is null or h.broker_end > h.until"""
    found: dict[str, int | None] = {}
    for entity, time in ledger.read(lambda db: db.run(sql) or []):
        before = found.get(entity, time)
        found[entity] = None if before is None or time is None else min(before, time)
    return found


def failing_objects(ledger: Ledger, attempts: int) -> list[str]:
    """Keys of open objects whose revision was opened at least so often."""
    sql = """select o.bronze_key from object o
             join revision r on r.object_id = o.id and r.revision = o.revision
             where o.state = 'open' and r.attempts >= :attempts order by 1"""
    return [key for (key,) in ledger.read(lambda db: db.run(sql, attempts=attempts) or [])]


def revision_states(ledger: Ledger) -> Mapping[str, int]:
    """Number of revisions by state."""
    rows = ledger.read(lambda db: db.run("select state, count(*) from revision group by 1") or [])
    return {state: int(count) for state, count in rows}


def output_keys(ledger: Ledger) -> tuple[set[str], set[str]]:
    """All committed Silver keys, and the Quarantine keys in force: what must be in the lake."""
    sql = "select silver_key from revision where state = 'committed'"
    silver = {key for (key,) in ledger.read(lambda db: db.run(sql) or [])}
    return silver, {key for keys in committed_quarantine(ledger).values() for key in keys}


def abandoned_outputs(ledger: Ledger, before: datetime) -> list[tuple[str, int]]:
    """(Bronze key, revision) of abandoned revisions opened before a moment: their outputs may be removed."""
    sql = """select o.bronze_key, r.revision from revision r join object o on o.id = r.object_id
             where r.state = 'abandoned' and r.opened_at < :before order by 1, 2"""
    return [(key, revision) for key, revision in ledger.read(lambda db: db.run(sql, before=before) or [])]


def open_logs(ledger: Ledger) -> set[str]:
    """Logs, batch files left out, that are not closed."""
    sql = "select distinct log from partition_state where closed_at is null and log not like 'load-%'"
    return {row[0] for row in ledger.read(lambda db: db.run(sql) or [])}


def closed_logs(ledger: Ledger) -> set[str]:
    """Logs all of whose known partitions are closed."""
    sql = "select log from partition_state group by log having bool_and(closed_at is not null)"
    return {row[0] for row in ledger.read(lambda db: db.run(sql) or [])}


def close_log(
    ledger: Ledger, log: str, unlanded: Sequence[VoidRange], ends: Mapping[tuple[str, int], int], at: datetime
) -> None:
    """Closes a log whose broker is gone: final ends by (topic, partition), and the ranges that never landed.

    Idempotent. LedgerError, and nothing is closed, when a partition was never observed and nothing of it landed.
    """

    def work(db: pg8000.native.Connection) -> None:
        known = set(
            map(
                tuple,
                db.run(
                    "select topic, partition from partition_state where log = :log order by 1, 2 for update",
                    log=log,
                ),
            )
        )
        if unknown := sorted({*ends, *((v.topic, v.partition) for v in unlanded)} - known):
            raise LedgerError(
                f"log {log} cannot be closed: {unknown} were never observed. Observe them first"
            )
        for (topic, partition), end in ends.items():
            db.run(
                """update partition_state set broker_end = greatest(broker_end, :end)
                   where log = :log and topic = :topic and partition = :partition""",
                log=log,
                topic=topic,
                partition=partition,
                end=end,
            )
        db.run(
            "update partition_state set closed_at = coalesce(closed_at, :at) where log = :log", log=log, at=at
        )
        for void in unlanded:
            place = {"log": log, "topic": void.topic, "partition": void.partition}
            note_void(db, place, void.first, void.end, void.reason, at)

    ledger.read(work)
