"""Judged rows become rows of Silver, typed, with their warnings; or of Quarantine, as they were, with reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.balance import Amount
from lakehouse.bronze import CHECK_FIELDS, REASON, quarantine_schema, silver_schema
from lakehouse.catalog import Rule
from lakehouse.envelope import FIRST_MS, LAST_MS, UNDECODABLE, UPSERT
from lakehouse.row_check import CheckPlan, Judgement
from lakehouse.text_view import Mask

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """What one table of Bronze rows became. `reasons` and `warnings` count rows by rule."""

    silver: pa.Table
    quarantine: pa.Table
    passed: Amount
    held: Amount
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]


@dataclass(frozen=True)
class Origin:
    """Where the rows stood (Bronze key, number of the first row in it), and the contract version of the check."""

    bronze_key: str
    first_row: int
    judged_by: str


def split_rows(plan: CheckPlan, table: pa.Table, origin: Origin) -> Split:
    """Every row into exactly one of the two, in Bronze order."""
    judgement = plan.judge(table)
    rejected = judgement.rejected
    hashes = table.column("row_hash").to_numpy().view(np.uint64)
    held = Amount(int(rejected.sum()), int(hashes[rejected].sum(dtype=np.uint64)))
    everything = Amount(len(table), int(hashes.sum(dtype=np.uint64)))
    warned = [(rule, mask & ~rejected) for rule, mask in judgement.broken if rule.severity == "warn"]
    reasons = _count_rows([(rule, mask) for rule, mask in judgement.broken if rule.severity == "error"])
    if judgement.undecodable.any():
        reasons[UNDECODABLE] = int(judgement.undecodable.sum())
    return Split(
        silver=_silver(plan, table, judgement, warned),
        quarantine=_quarantine(table, judgement, origin),
        passed=everything - held,
        held=held,
        reasons=reasons,
        warnings=_count_rows(warned),
    )


def _count_rows(found: Sequence[tuple[Rule, Mask]]) -> dict[str, int]:
    """Rows by rule id; two contract versions may have different rules of one id, but a row has one version."""
    counts: dict[str, int] = {}
    for rule, mask in found:
        if rows := int(mask.sum()):
            counts[rule.id] = counts.get(rule.id, 0) + rows
    return counts


def _silver(
    plan: CheckPlan, table: pa.Table, judgement: Judgement, warned: Sequence[tuple[Rule, Mask]]
) -> pa.Table:
    schema, cells = silver_schema(plan.entity), judgement.cells
    columns: dict[str, Any] = {
        name: table.column(name) for name in schema.names if name in table.column_names
    }
    columns |= {name: cell.values for name, cell in cells.items()}
    columns["op"] = cells["op"].values.fill_null(UPSERT)
    columns["occurred_at"] = cells["occurred_at"].values.cast(pa.timestamp("us"))
    milliseconds = cells["broker_time"].values.fill_null(0).to_numpy()
    columns["broker_time"] = pa.array(milliseconds * 1000).cast(
        pa.timestamp("us")
    )  # wraps only in rejected rows
    columns["warnings"] = _warning_lists(warned, len(table))
    columns["edit"] = pa.nulls(len(table), pa.string())  # a replay says which of its rows were edited
    made = pa.table([_as(columns[field.name], field.type) for field in schema], schema=schema)
    return made.filter(pa.array(~judgement.rejected)) if judgement.rejected.any() else made


def _as(column: pa.Array | pa.ChunkedArray, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return column if column.type == type_ else column.cast(type_)


def _warning_lists(warned: Sequence[tuple[Rule, Mask]], rows: int) -> pa.ListArray:
    places = [np.flatnonzero(mask) for _, mask in warned]
    ids = pa.array([rule.id for rule, _ in warned], pa.string())
    numbers = [np.full(len(place), number) for number, place in enumerate(places)]
    order, offsets = _by_row(places, rows)
    return pa.ListArray.from_arrays(offsets, ids.take(pa.array(_joined(numbers)[order])))


def _quarantine(table: pa.Table, judgement: Judgement, origin: Origin) -> pa.Table:
    schema = quarantine_schema(table.schema.remove_metadata())
    places = np.flatnonzero(judgement.rejected)
    held = table.filter(pa.array(judgement.rejected)) if len(places) else table.slice(0, 0)
    checks = {
        "reasons": _reason_lists(table, judgement, places),
        "judged_by": judgement.former_version.take(pa.array(places)).fill_null(origin.judged_by),
        "bronze_key": pa.array([origin.bronze_key] * len(places), pa.string()),
        "bronze_row": pa.array(places + origin.first_row, pa.int64()),
        "first_seen": first_seen(judgement.cells["broker_time"].values.take(pa.array(places))),
    }
    return pa.table([*held.columns, *(checks[f.name] for f in CHECK_FIELDS)], schema=schema)


def first_seen(milliseconds: pa.Int64Array) -> pa.TimestampArray:
    """Broker times as moments, UTC; null where no calendar holds it."""
    readable = pc.and_(pc.greater_equal(milliseconds, FIRST_MS), pc.less_equal(milliseconds, LAST_MS))
    kept = pc.if_else(readable, milliseconds, pa.scalar(None, pa.int64()))
    return pc.multiply(kept, 1000).cast(pa.timestamp("us"))


def _reason_lists(table: pa.Table, judgement: Judgement, rejected: _Rows) -> pa.ListArray:
    """All errors of each rejected row, in contract order."""
    found = [(rule, np.flatnonzero(mask)) for rule, mask in judgement.broken if rule.severity == "error"]
    parts = [_undecodable_reasons(table, np.flatnonzero(judgement.undecodable))]
    for rule, rows in found:
        cells = judgement.cells[rule.column].original.take(pa.array(rows)).cast(pa.string())
        fixed = [
            pa.repeat(pa.scalar(text, pa.string()), len(rows)) for text in (rule.id, rule.column, rule.text)
        ]
        parts.append(pa.StructArray.from_arrays([*fixed[:2], cells, fixed[2]], fields=list(REASON)))
    places = [np.flatnonzero(judgement.undecodable), *(rows for _, rows in found)]
    order, offsets = _by_row([np.searchsorted(rejected, place) for place in places], len(rejected))
    reasons = pa.concat_arrays(parts).take(pa.array(order))
    return pa.ListArray.from_arrays(offsets, reasons)


def _undecodable_reasons(table: pa.Table, rows: _Rows) -> pa.StructArray:
    messages = table.column("raw_reason").take(pa.array(rows)).combine_chunks()
    messages = messages.cast(pa.string()).fill_null("The message could not be decoded.")
    rule = pa.repeat(pa.scalar(UNDECODABLE), len(rows))
    nothing = pa.nulls(len(rows), pa.string())
    return pa.StructArray.from_arrays([rule, nothing, nothing, messages], fields=list(REASON))


def _by_row(places: Sequence[_Rows], rows: int) -> tuple[_Rows, pa.Array]:
    """How to reorder joined parts so that each row's stand together in the parts' order, and each row's offset."""
    joined = _joined(places)
    counts = np.bincount(joined, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return np.argsort(joined, kind="stable"), pa.array(offsets, pa.int32())


def _joined(parts: Sequence[npt.NDArray[Any]]) -> _Rows:
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
