"""Reads the Quarantine in force: by reason, and row by row with the words a person understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from adapters.ledger import Ledger, reports
from lakehouse.bronze import CHECK_FIELDS, ENVELOPE_FIELDS, POSITION_FIELDS, TAIL_FIELDS
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
class HeldRow:
    """A row in Quarantine: all its reasons, its columns as they were, and where it came from."""

    entity: str
    event_id: str
    position: str
    reasons: tuple[Reason, ...]
    columns: Mapping[str, Any]
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


def held_rows(
    lake: Lake,
    ledger: Ledger,
    entity: str | None = None,
    rule: str | None = None,
    limit: int = 20,
    log: str | None = None,
) -> list[HeldRow]:
    """Rows in Quarantine, in the order of their position; of one entity, rule or log when given."""
    found: list[HeldRow] = []
    with duckdb.connect() as db:
        for name, files in _files(lake, ledger).items():
            if entity in (None, name):
                found += _read(db, name, files, rule, log, limit - len(found))
    return found


def _read(
    db: duckdb.DuckDBPyConnection,
    entity: str,
    files: Sequence[str],
    rule: str | None,
    log: str | None,
    limit: int,
) -> list[HeldRow]:
    parameters: dict[str, Any] = {"files": files, "limit": limit}
    wanted = ["true"]
    if rule is not None:
        wanted.append("list_contains(list_transform(reasons, r -> r.rule), $rule)")
        parameters["rule"] = rule
    if log is not None:
        wanted.append("pos_log = $log")
        parameters["log"] = log
    cursor = db.execute(
        f"""select * from {OBJECT_ROWS.replace("?", "$files")} where {" and ".join(wanted)}
            order by broker_time, pos_log, pos_partition, pos_offset limit $limit""",
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
