"""Reads the Quarantine in force: by reason, by day, and row by row with the words a person understands."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from adapters.ledger import Ledger, reports
from lakehouse.bronze import CHECK_FIELDS, ENVELOPE_FIELDS, POSITION_FIELDS, TAIL_FIELDS
from lakehouse.catalog import Entity
from lakehouse.edits import ENVELOPE, EVENT, POSITION, TOLD
from lakehouse.errors import InputError
from local.gold import file_pattern
from local.lake import OBJECT_ROWS, Lake
from local.where import Reason

_OURS = {f.name for f in (*ENVELOPE_FIELDS, *POSITION_FIELDS, *TAIL_FIELDS, *CHECK_FIELDS)}


@dataclass(frozen=True)
class ReasonCount:
    """How many rows of an entity break a rule; a row that breaks two counts in both.

    `events`: how many different events these are; one that was sent again stands at two positions.
    """

    entity: str
    rule: str
    message: str
    rows: int
    events: int


@dataclass(frozen=True)
class DayCount:
    """Rows of an entity and source that break a rule, by the UTC day they arrived (None: a day of no calendar)."""

    day: date | None
    entity: str
    source: str | None
    rule: str
    rows: int


@dataclass(frozen=True)
class HeldRow:
    """A row in Quarantine: all its reasons, its columns as they were, and where it came from."""

    entity: str
    event_id: str
    position: str
    reasons: tuple[Reason, ...]
    columns: Mapping[str, Any]
    envelope: Mapping[str, Any]
    first_seen: datetime | None
    bronze_key: str
    bronze_row: int
    judged_by: str
    raw: bytes | None


def count_reasons(lake: Lake, ledger: Ledger) -> list[ReasonCount]:
    """Rows by entity and rule, most first."""
    found = []
    with duckdb.connect() as db:
        for entity, files in _files(lake, ledger).items():
            rows = db.execute(
                f"""select r.rule, any_value(r.message), count(*), count(distinct event_id) from
                     (select unnest(reasons) r, event_id from {OBJECT_ROWS})
                   group by 1""",
                [files],
            ).fetchall()
            found += [ReasonCount(entity, *row) for row in rows]
    return sorted(found, key=lambda c: (-c.rows, c.entity, c.rule))


def count_by_day(lake: Lake, ledger: Ledger) -> list[DayCount]:
    """Rows by day, entity, source and rule, newest day first; a row that breaks two rules counts in both."""
    found = []
    with duckdb.connect() as db:
        for entity, files in _files(lake, ledger).items():
            rows = db.execute(
                f"""select cast(first_seen as date), source, r.rule, count(*) from
                     (select first_seen, source, unnest(reasons) r from {OBJECT_ROWS}) group by all""",
                [files],
            ).fetchall()
            found += [DayCount(day, entity, *rest) for day, *rest in rows]
    return sorted(
        found, key=lambda c: (-(c.day or date.min).toordinal(), c.entity, c.source or "", -c.rows, c.rule)
    )


def held_rows(
    lake: Lake,
    ledger: Ledger,
    entity: str | None = None,
    rule: str | None = None,
    limit: int | None = 20,
    log: str | None = None,
    event: str | None = None,
) -> list[HeldRow]:
    """Rows in Quarantine, in the order of their position; of one entity, rule, log or event when given."""
    found: list[HeldRow] = []
    with duckdb.connect() as db:
        for name, files in _files(lake, ledger).items():
            if entity in (None, name):
                left = None if limit is None else limit - len(found)
                found += _read(db, name, files, {"rule": rule, "log": log, "event": event}, left)
    return found


def held_event(lake: Lake, ledger: Ledger, event: str) -> list[HeldRow]:
    """Every row of an event that is in Quarantine."""
    return held_rows(lake, ledger, limit=None, event=event)


def write_csv(file: Path, entity: Entity, rows: Sequence[HeldRow]) -> None:
    """Rows as a file to correct: a line for each, its columns as they came, and last what is wrong."""
    columns = [*ENVELOPE, *(field.name for field in entity.fields)]
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow([POSITION, EVENT, *columns, *TOLD])
            for row in rows:
                values = {**row.envelope, **row.columns}
                told = "; ".join(reason.message for reason in row.reasons)
                cells = ("" if values.get(name) is None else values[name] for name in columns)
                raw = "" if row.raw is None else row.raw.decode("utf-8", "backslashreplace")
                writer.writerow([row.position, row.event_id, *cells, told, raw])
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error


_WANTED = {
    "rule": "list_contains(list_transform(reasons, r -> r.rule), $rule)",
    "log": "pos_log = $log",
    "event": "event_id = $event",
}


def _read(
    db: duckdb.DuckDBPyConnection,
    entity: str,
    files: Sequence[str],
    wanted: Mapping[str, str | None],
    limit: int | None,
) -> list[HeldRow]:
    given = {name: value for name, value in wanted.items() if value is not None}
    parameters: dict[str, Any] = {"files": files, **given}
    where = " and ".join(["true", *(_WANTED[name] for name in given)])
    cursor = db.execute(
        f"""select * from {OBJECT_ROWS.replace("?", "$files")} where {where}
            order by broker_time, pos_log, pos_partition, pos_offset {"" if limit is None else f"limit {limit}"}""",
        parameters,
    )
    names = [column[0] for column in cursor.description or ()]
    return [_held(entity, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _held(entity: str, row: Mapping[str, Any]) -> HeldRow:
    return HeldRow(
        entity=entity,
        event_id=row["event_id"],
        position=f"{row['pos_log']}/{row['pos_topic']}/{row['pos_partition']}/{row['pos_offset']}",
        reasons=tuple(Reason(**reason) for reason in row["reasons"] or ()),
        columns={name: value for name, value in row.items() if name not in _OURS},
        envelope={name: row[name] for name in ENVELOPE},
        first_seen=row["first_seen"],
        bronze_key=row["bronze_key"],
        bronze_row=row["bronze_row"],
        judged_by=row["judged_by"],
        raw=row["raw"],
    )


def _files(lake: Lake, ledger: Ledger) -> dict[str, list[str]]:
    committed = reports.committed_quarantine(ledger)
    return {e: [file_pattern(str(_file(lake, key))) for key in keys] for e, keys in committed.items()}


def _file(lake: Lake, key: str) -> Path:
    return lake.file(lake.buckets.quarantine, key)
