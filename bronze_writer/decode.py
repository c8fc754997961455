"""Kafka values → Bronze rows. What cannot be decoded becomes a raw row with its reason; nothing is ever skipped."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bronze_writer.landing import Encoded, Place
from bronze_writer.partition_writer import Record
from bronze_writer.rows import encode_table, event_ids_of_positions, position_columns
from lakehouse.bronze import bronze_schema
from lakehouse.catalog import Entity
from lakehouse.columns import decode_columns
from lakehouse.identity import RowHasher
from lakehouse.wire import FRAME_LENGTH, UPSERT, FieldTable, Framed, Undecodable, unframe


class Tables(Protocol):
    """The part of `schemas.Schemas` that decoding needs."""

    def table(self, schema_version_id: str, entity: Entity) -> FieldTable | Undecodable:
        """What decodes messages of this id in the entity's topic, or why nothing does."""


@dataclass(frozen=True)
class _Part:
    """Rows (by place in the batch) of one schema version, decoded; or rows that share none."""

    rows: Sequence[int]
    arrays: Mapping[str, pa.Array]
    reasons: Mapping[int, str]  # by place in the batch
    registry_id: str | None


class Decoder:
    """Encodes batches of one entity's records; safe to share between threads."""

    def __init__(self, entity: Entity, tables: Tables) -> None:
        self._entity, self._tables = entity, tables
        self._schema = bronze_schema(entity, all_text=False)

    def encode(self, place: Place, records: Sequence[Record]) -> Encoded:
        """The object of these records, in their order."""
        hasher = RowHasher(place.log, place.topic, place.partition)
        found = hasher.hash_all([r.offset for r in records], [r.value for r in records])
        hashes = np.array(found, np.int64)
        return encode_table(self.rows(place, records, hashes), hashes)

    def rows(self, place: Place, records: Sequence[Record], hashes: npt.NDArray[np.int64]) -> pa.Table:
        """Bronze rows: the contract's columns, envelope, position, tail, then columns this code does not know."""
        parts = self._agreeing(self._parts(records))
        reasons = {row: reason for part in parts for row, reason in part.reasons.items()}
        columns = _gather(parts, len(records))
        offsets = np.fromiter((r.offset for r in records), np.int64, len(records))
        times = np.fromiter((r.broker_time for r in records), np.int64, len(records))
        raw = np.zeros(len(records), bool)
        raw[list(reasons)] = True
        columns |= _complete_envelope(place, columns, offsets, times, raw)
        columns |= position_columns(place, offsets)
        columns["broker_time"] = pa.array(times)
        columns["row_hash"] = pa.array(hashes)
        columns["raw"] = _sparse({row: records[row].value for row in reasons}, len(records), pa.binary())
        columns["raw_reason"] = _sparse(reasons, len(records), pa.string())
        extras = [name for name in columns if name not in self._schema.names]
        schema = pa.schema([*self._schema, *(pa.field(name, columns[name].type) for name in extras)])
        empty = {f.name: pa.nulls(len(records), f.type) for f in schema if f.name not in columns}
        return pa.table({f.name: (columns | empty)[f.name] for f in schema}, schema)

    def _parts(self, records: Sequence[Record]) -> list[_Part]:
        """Records by schema version, each version decoded in one go."""
        by_frame: defaultdict[bytes, list[int]] = defaultdict(list)
        alone: dict[int, str] = {}
        for row, (_offset, _time, value) in enumerate(records):
            if value is None or len(value) < FRAME_LENGTH:
                fault = unframe(value)
                alone[row] = fault.reason if isinstance(fault, Undecodable) else ""
            else:
                by_frame[value[:FRAME_LENGTH]].append(row)
        parts = [self._part(frame, rows, records) for frame, rows in by_frame.items()]
        return [*parts, _Part(list(alone), {}, alone, None)] if alone else parts

    def _part(self, frame: bytes, rows: list[int], records: Sequence[Record]) -> _Part:
        framed = unframe(frame)
        if isinstance(framed, Undecodable):
            return _refused(rows, framed, None)
        table = self._tables.table(framed.schema_version_id, self._entity)
        if isinstance(table, Undecodable):
            return _refused(rows, table, framed)
        decoded = decode_columns(table, [records[row].value or b"" for row in rows], skip=FRAME_LENGTH)
        arrays = {name: array.combine_chunks() for name, array in decoded.arrays.items()}
        reasons = {rows[i]: fault.reason for i, fault in decoded.faults.items()}
        return _Part(rows, arrays, reasons, framed.schema_version_id)

    def _agreeing(self, parts: Iterable[_Part]) -> list[_Part]:
        """Parts whose columns have one type each; a version that disagrees with one before it becomes raw rows."""
        types = {f.name: f.type for f in self._schema}
        agreeing = []
        for part in parts:
            clash = next((n for n, a in part.arrays.items() if types.setdefault(n, a.type) != a.type), None)
            if clash is not None:
                fault = Undecodable(f"schema versions disagree on the type of {clash}", clash)
                part = _Part(part.rows, {}, dict.fromkeys(part.rows, fault.reason), part.registry_id)
            agreeing.append(part)
        return agreeing


def _refused(rows: Sequence[int], fault: Undecodable, framed: Framed | None) -> _Part:
    return _Part(rows, {}, dict.fromkeys(rows, fault.reason), framed.schema_version_id if framed else None)


def _gather(parts: Sequence[_Part], rows: int) -> dict[str, pa.Array]:
    """Columns of all parts, and `registry_id`, in the order of the batch; known ones by number, then new ones."""
    types = {name: array.type for part in parts for name, array in part.arrays.items()}
    pieces: dict[str, list[pa.Array]] = {name: [] for name in types}
    ids: list[pa.Array] = []
    for part in parts:
        for name, kind in types.items():
            pieces[name].append(part.arrays[name] if name in part.arrays else pa.nulls(len(part.rows), kind))
        ids.append(pa.repeat(pa.scalar(part.registry_id, pa.string()), len(part.rows)))
    pieces["registry_id"] = ids
    if len(parts) == 1:
        return {name: arrays[0] for name, arrays in pieces.items()}
    places = np.empty(rows, np.int64)
    places[np.concatenate([np.asarray(part.rows, np.int64) for part in parts])] = np.arange(rows)
    order = pa.array(places)
    return {name: pa.concat_arrays(arrays).take(order) for name, arrays in pieces.items()}


def _complete_envelope(
    place: Place,
    columns: Mapping[str, pa.Array],
    offsets: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    raw: npt.NDArray[np.bool_],
) -> dict[str, pa.Array]:
    """Ids for rows without one, `upsert` where a decoded row names no `op`, broker time as raw rows' own (µs)."""
    rows = len(offsets)
    ids = columns.get("event_id", pa.nulls(rows, pa.string()))
    nameless = pc.is_null(ids)
    if pc.any(nameless).as_py():
        mine = np.asarray(nameless)
        ids = pc.replace_with_mask(ids, nameless, event_ids_of_positions(place, offsets[mine].tolist()))
    op = columns.get("op", pa.nulls(rows, pa.string()))
    op = pc.if_else(pc.and_(pc.is_null(op), pa.array(~raw)), UPSERT, op)
    occurred = columns.get("occurred_at", pa.nulls(rows, pa.int64()))
    occurred = pc.if_else(pa.array(raw), pa.array(times * 1000), occurred)
    return {"event_id": ids, "op": op, "occurred_at": occurred}


def _sparse(values: Mapping[int, object], rows: int, kind: pa.DataType) -> pa.Array:
    """An array that is null but for these rows."""
    if not values:
        return pa.nulls(rows, kind)
    return pa.array([values.get(row) for row in range(rows)], kind)
