"""Judged rows become rows of Silver, typed, with their warnings; or of Quarantine, as they were, with reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.balance import Amount
from lakehouse.bronze import EXTRAS, REASON, quarantine_schema, silver_schema
from lakehouse.catalog import Entity, Rule
from lakehouse.envelope import DELETE, FIRST_MS, LAST_MS, UNDECODABLE, UPSERT
from lakehouse.extras import Extras, gather_extras, with_known_extras
from lakehouse.row_check import Broken, CheckPlan, Judgement, ObjectFacts
from lakehouse.shape import absent_names
from lakehouse.text_view import Mask

_Rows = npt.NDArray[np.int64]
# A warning's id is the name of the column with this behind.
ABSENT, UNKNOWN = "_not_in_object", "_not_in_contract"


@dataclass(frozen=True)
class Split:
    """What one table of Bronze rows became. `reasons` and `warnings` count rows by rule.

    `extras` counts the rows, passed and held, that have a value in a column which the contract does not know.
    """

    silver: pa.Table
    quarantine: pa.Table
    passed: Amount
    held: Amount
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]
    extras: Mapping[str, int]


@dataclass(frozen=True)
class Origin:
    """Where the rows stood (Bronze key, number of the first row in it), and the contract version of the check."""

    bronze_key: str
    first_row: int
    judged_by: str


def split_rows(plan: CheckPlan, table: pa.Table, origin: Origin, facts: ObjectFacts | None = None) -> Split:
    """Every row into exactly one of the two, in Bronze order. `facts` are those of the whole object.

    Bronze rows are those that `shape.readable_rows` gives; rows of Quarantine may be split again.
    """
    table = with_known_extras(plan.entity, table)
    judgement = plan.judge(table, facts, origin.first_row)
    extras = gather_extras(plan.entity, table)
    rejected = judgement.rejected
    hashes = table.column("row_hash").to_numpy().view(np.uint64)
    held = Amount(int(rejected.sum()), int(hashes[rejected].sum(dtype=np.uint64)))
    everything = Amount(len(table), int(hashes.sum(dtype=np.uint64)))
    broken = [
        *((one.rule, one.rows) for one in judgement.broken),
        *_shape_warnings(plan.entity, table, judgement, extras),
    ]
    warned = [(rule, rows & ~rejected) for rule, rows in broken if rule.severity == "warn"]
    reasons = _count_rows([(rule, rows) for rule, rows in broken if rule.severity == "error"])
    if judgement.undecodable.any():
        reasons[UNDECODABLE] = int(judgement.undecodable.sum())
    return Split(
        silver=_silver(plan, table, judgement, warned, extras),
        quarantine=_quarantine(plan, table, judgement, origin, extras),
        passed=everything - held,
        held=held,
        reasons=reasons,
        warnings=_count_rows(warned),
        extras={name: int(mask.sum()) for name, mask in extras.present.items()},
    )


def _shape_warnings(
    entity: Entity, table: pa.Table, judgement: Judgement, extras: Extras
) -> Iterator[tuple[Rule, Mask]]:
    """Of contract columns that the object lacks, for rows whose version has them; of columns it has too many."""
    absent = absent_names(entity, table.column_names)
    if absent:
        op, version = judgement.cells["op"].values, judgement.former_version
        concerned = ~(pc.equal(op, DELETE).fill_null(False).to_numpy(zero_copy_only=False))
    for name in absent:
        older = [one.version for one in entity.former if all(f.name != name for f in one.fields)]
        lacking = pc.is_in(version, value_set=pa.array(older, pa.string()))
        text = f"The object has no column {name}: it is taken for empty."
        yield _warning(f"{name}{ABSENT}", name, text), concerned & ~lacking.to_numpy(zero_copy_only=False)
    for name, mask in extras.present.items():
        text = f"The contract does not know the column {name}: it is kept in {EXTRAS}."
        yield _warning(f"{name}{UNKNOWN}", name, text), mask


def _warning(id_: str, column: str, text: str) -> Rule:
    return Rule(id_, "shape", column, "warn", text, "conformity")


def _count_rows(found: Sequence[tuple[Rule, Mask]]) -> dict[str, int]:
    """Rows by rule id; two contract versions may have different rules of one id, but a row has one version."""
    counts: dict[str, int] = {}
    for rule, mask in found:
        if rows := int(mask.sum()):
            counts[rule.id] = counts.get(rule.id, 0) + rows
    return counts


def _silver(
    plan: CheckPlan,
    table: pa.Table,
    judgement: Judgement,
    warned: Sequence[tuple[Rule, Mask]],
    extras: Extras,
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
    columns["warnings"], columns[EXTRAS] = _warning_lists(warned, len(table)), extras.texts
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


def _quarantine(
    plan: CheckPlan, table: pa.Table, judgement: Judgement, origin: Origin, extras: Extras
) -> pa.Table:
    schema = quarantine_schema(plan.entity)
    places = np.flatnonzero(judgement.rejected)
    rows = pa.array(places)
    columns: dict[str, Any] = {f.name: judgement.cells[f.name].texts_at(places) for f in plan.entity.fields}
    columns |= {
        EXTRAS: extras.texts.take(rows),
        "reasons": _reason_lists(table, judgement, places),
        "judged_by": judgement.former_version.take(rows).fill_null(origin.judged_by),
        "bronze_key": pa.array([origin.bronze_key] * len(places), pa.string()),
        "bronze_row": pa.array(places + origin.first_row, pa.int64()),
        "first_seen": first_seen(judgement.cells["broker_time"].values.take(rows)),
    }
    arrays = [
        _as(columns[f.name] if f.name in columns else table.column(f.name).take(rows), f.type) for f in schema
    ]
    return pa.table(arrays, schema=schema)


def first_seen(milliseconds: pa.Int64Array) -> pa.TimestampArray:
    """Broker times as moments, UTC; null where no calendar holds it."""
    readable = pc.and_(pc.greater_equal(milliseconds, FIRST_MS), pc.less_equal(milliseconds, LAST_MS))
    kept = pc.if_else(readable, milliseconds, pa.scalar(None, pa.int64()))
    return pc.multiply(kept, 1000).cast(pa.timestamp("us"))


def _reason_lists(table: pa.Table, judgement: Judgement, rejected: _Rows) -> pa.ListArray:
    """All errors of each rejected row, in contract order."""
    found = [(one, np.flatnonzero(one.rows)) for one in judgement.broken if one.rule.severity == "error"]
    parts = [_undecodable_reasons(table, np.flatnonzero(judgement.undecodable))]
    parts += [_reasons(judgement, one, rows) for one, rows in found]
    places = [np.flatnonzero(judgement.undecodable), *(rows for _, rows in found)]
    order, offsets = _by_row([np.searchsorted(rejected, place) for place in places], len(rejected))
    reasons = pa.concat_arrays(parts).take(pa.array(order))
    return pa.ListArray.from_arrays(offsets, reasons)


def _reasons(judgement: Judgement, broken: Broken, rows: _Rows) -> pa.StructArray:
    """One rule's, with each row's cell as it was, or with what was found of the object."""
    rule, count = broken.rule, len(rows)
    if broken.observed is None:
        cells = judgement.cells[rule.column].texts_at(rows)
    else:
        cells = pa.repeat(pa.scalar(broken.observed, pa.string()), count)
    fixed = [
        pa.repeat(pa.scalar(text, pa.string()), count) for text in (rule.id, rule.column or None, rule.text)
    ]
    return pa.StructArray.from_arrays([*fixed[:2], cells, fixed[2]], fields=list(REASON))


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
