"""Follows one event: from its positions in Bronze to Silver or Quarantine, and whether Gold shows it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from adapters.ledger import Ledger, reports
from lakehouse.catalog import Entity
from lakehouse.identity import Position
from local.gold import file_pattern
from local.lake import OBJECT_ROWS, Lake

_POSITION = "pos_log, pos_topic, pos_partition, pos_offset"
_VERSION_ORDER = "occurred_at, broker_time, pos_log, pos_partition, pos_offset"

Place = Literal["silver", "quarantine", "unchecked", "overlap", "gone", "void", "missing"]


@dataclass(frozen=True)
class Reason:
    """Why a row is in Quarantine."""

    rule: str
    column: str
    value: str | None
    message: str


@dataclass(frozen=True)
class Sighting:
    """One position of an event and what became of it there."""

    entity: str
    event_id: str
    position: Position
    broker_time_ms: int
    bronze_key: str
    place: Place
    output_key: str | None = None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()
    edit: Mapping[str, Any] | None = (
        None  # who edited the row in Quarantine, when, by which file, which columns
    )
    newest_of_key: bool = False  # the version Gold shows once it was built after this object was committed
    in_gold: bool = False
    deleted: bool = False  # a newer version, or this one, deletes the key


def follow_event(
    lake: Lake, ledger: Ledger, entities: Mapping[str, Entity], event_id: str, in_gold: set[str]
) -> list[Sighting]:
    """Every position at which the event landed, oldest first; empty when Bronze has never seen it.

    `in_gold` names the Silver keys that the published Gold was built from.
    """
    with duckdb.connect() as db:
        db.execute("set enable_progress_bar = false")
        found = [
            _sighting(db, lake, ledger, entity, event_id, row, in_gold)
            for entity in entities.values()
            for row in _bronze_rows(db, lake, entity, event_id)
        ]
    return sorted(found, key=lambda s: (s.broker_time_ms, s.position))


def _bronze_rows(
    db: duckdb.DuckDBPyConnection, lake: Lake, entity: Entity, event_id: str
) -> Sequence[tuple[Any, ...]]:
    files = lake.bronze(entity.name)
    if not files:
        return []
    rows = OBJECT_ROWS.replace("(?", "(?, filename = true")
    sql = f"select {_POSITION}, broker_time, filename from {rows} where event_id = ?"
    found: list[tuple[Any, ...]] = db.execute(sql, [_names(files), event_id]).fetchall()
    return found


def _sighting(
    db: duckdb.DuckDBPyConnection,
    lake: Lake,
    ledger: Ledger,
    entity: Entity,
    event_id: str,
    row: tuple[Any, ...],
    in_gold: set[str],
) -> Sighting:
    position = Position(*row[:4])
    bronze_key = str(Path(row[5]).relative_to(lake.bucket(lake.buckets.bronze)))
    state = reports.object_state(ledger, bronze_key)
    start = Sighting(entity.name, event_id, position, row[4], bronze_key, "unchecked")
    if state is None or state.state == "open":
        return start
    if state.state != "committed":
        return _with(start, place=state.state)
    for key in state.silver_keys:
        silver = _row_at(db, lake.file(lake.buckets.silver, key), position, "warnings, op, edit")
        if silver is not None:
            newest, deleted = _newest(db, lake, ledger, entity, key, position)
            return _with(
                start,
                place="silver",
                output_key=key,
                warnings=tuple(silver[0] or ()),
                edit=json.loads(silver[2]) if silver[2] else None,
                newest_of_key=newest,
                deleted=deleted,
                in_gold=newest and not deleted and key in in_gold,
            )
    if state.quarantine_key is not None:
        held = _row_at(db, lake.file(lake.buckets.quarantine, state.quarantine_key), position, "reasons")
        if held is not None:
            reasons = tuple(Reason(**reason) for reason in held[0] or ())
            return _with(start, place="quarantine", output_key=state.quarantine_key, reasons=reasons)
    return _with(start, place="missing")


def _newest(
    db: duckdb.DuckDBPyConnection, lake: Lake, ledger: Ledger, entity: Entity, key: str, position: Position
) -> tuple[bool, bool]:
    """Whether the row is the newest version of its business key, and whether that newest version deletes it."""
    if not entity.key:
        return True, False
    files = [lake.file(lake.buckets.silver, k) for k in reports.committed_silver(ledger).get(entity.name, [])]
    same = " and ".join(f"a.{c} = b.{c}" for c in entity.key)
    versions = db.execute(
        f"""select {", ".join(f"a.{c.strip()}" for c in _POSITION.split(","))}, a.op
            from {OBJECT_ROWS} a
            join (select * from {OBJECT_ROWS} where pos_partition = ? and pos_offset = ?) b on {same}
            order by {", ".join(f"a.{c.strip()} desc nulls last" for c in _VERSION_ORDER.split(","))} limit 1""",
        [
            _names(files),
            file_pattern(str(lake.file(lake.buckets.silver, key))),
            position.partition,
            position.offset,
        ],
    ).fetchone()
    if versions is None:
        return False, False
    return Position(*versions[:4]) == position, versions[4] == "delete"


def _row_at(
    db: duckdb.DuckDBPyConnection, file: Path, position: Position, columns: str
) -> tuple[Any, ...] | None:
    if not file.exists():
        return None
    sql = f"select {columns} from {OBJECT_ROWS} where pos_partition = ? and pos_offset = ?"
    found: tuple[Any, ...] | None = db.execute(
        sql, [file_pattern(str(file)), position.partition, position.offset]
    ).fetchone()
    return found


def _with(sighting: Sighting, **changes: Any) -> Sighting:
    return Sighting(**{**vars(sighting), **changes})


def _names(files: Sequence[Path]) -> list[str]:
    return [file_pattern(str(file)) for file in files]
