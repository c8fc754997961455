"""Bytes → Arrow columns for many rows at once: the fast twin of `wire.decode`, equal to it row by row.

All messages advance in lockstep with numpy while their fields stand in number order, as every encoder writes them;
a message that does anything else goes through the reference, which also gives the reason when it is bad.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse.catalog import WireType
from lakehouse.wire import FieldTable, Undecodable, WireField, decode

Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Positions and masks of 5,000 rows stay in a core's cache; larger chunks were slower.
CHUNK_ROWS = 5_000
# Arrow's text offsets are int32: a chunk may span at most 2^31 - 1 bytes.
_CHUNK_BYTES = 2**30
# A varint has at most 10 bytes: the last row may be read this far beyond its end before the check.
_PADDING = bytes(16)
_CONTINUED = 0x80


@dataclass(frozen=True)
class Columns:
    """One array per field, by name in number order. Rows named in `faults` are null in all of them."""

    arrays: Mapping[str, pa.ChunkedArray]
    faults: Mapping[int, Undecodable]


def decode_columns(table: FieldTable, messages: Sequence[bytes], skip: int = 0) -> Columns:
    """Every message decoded as `wire.decode` would; `skip` bytes at the start of each are passed over.

    A message must have at least `skip` bytes.
    """
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    ends = np.cumsum(lengths)
    starts = ends - lengths + skip
    data = b"".join((*messages, _PADDING))
    fields = [table.fields[number] for number in sorted(table.fields)]
    pieces: dict[str, list[pa.Array]] = {f.name: [] for f in fields}
    faults: dict[int, Undecodable] = {}
    for low, high in _chunks(starts, ends):
        chunk = _Chunk(table, data, starts[low:high], ends[low:high])
        for name, array in chunk.decode(fields).items():
            pieces[name].append(array)
        faults |= {low + row: fault for row, fault in chunk.faults.items()}
    types = {f.name: _arrow_type(f) for f in fields}
    return Columns({name: pa.chunked_array(pieces[name], types[name]) for name in pieces}, faults)


def text_from_spans(data: Any, starts: Positions, ends: Positions, present: Mask | None = None) -> pa.Array:
    """Text array of `data[starts[i]:ends[i]]`, null where not `present`. The bytes are **not** checked for UTF-8.

    Args:
        data: bytes, or anything with the buffer protocol.
        starts, ends: ascending and disjoint, spanning less than 2^31 bytes; also where nothing is present.
    """
    rows = len(starts)
    if not rows:
        return pa.array([], pa.string())
    base = int(starts[0])
    edges = np.empty(2 * rows, np.int32)
    edges[0::2] = starts - base
    edges[1::2] = ends - base
    # One array of what is wanted and what lies between, in turn; every second one is then taken out of it.
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(data)[base : int(ends[-1])]]
    alternating = pa.StringArray.from_buffers(2 * rows - 1, buffers[1], buffers[2])
    wanted = np.arange(0, 2 * rows, 2, dtype=np.int32)
    return alternating.take(pa.array(wanted, mask=None if present is None else ~present))


def is_utf8(array: pa.Array) -> bool:
    """Whether every text of an array is valid UTF-8, by the same rules as Python's own decoder."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def patch_rows(array: pa.Array, rows: Sequence[int], values: Sequence[Any]) -> pa.Array:
    """The array with these rows replaced."""
    if not rows:
        return array
    places = np.arange(len(array))
    places[np.asarray(rows)] = len(array) + np.arange(len(rows))
    return pa.concat_arrays([array, pa.array(values, array.type)]).take(pa.array(places))


class _Chunk:
    """Some messages within the joined bytes. `_at` is how far each has been read."""

    def __init__(self, table: FieldTable, data: bytes, starts: Positions, ends: Positions) -> None:
        self._table, self._bytes = table, data
        self._data = np.frombuffer(data, np.uint8)
        self._starts, self._ends = starts, ends
        self._at = starts.copy()
        self._broken = np.zeros(len(starts), bool)
        self.faults: dict[int, Undecodable] = {}

    def decode(self, fields: Sequence[WireField]) -> dict[str, pa.Array]:
        """One array per field."""
        arrays = {f.name: self._int64(f) if f.type is WireType.INT64 else self._text(f) for f in fields}
        self._broken |= self._at != self._ends
        slow = [int(row) for row in np.flatnonzero(self._broken)]
        found = [self._by_reference(row) for row in slow]
        return {
            name: patch_rows(array, slow, [row.get(name) for row in found]) for name, array in arrays.items()
        }

    def _by_reference(self, row: int) -> Mapping[str, str | int]:
        decoded = decode(self._table, self._bytes[self._starts[row] : self._ends[row]])
        if isinstance(decoded, Undecodable):
            self.faults[row] = decoded
            return {}
        return decoded

    def _int64(self, field: WireField) -> pa.Array:
        rows, values = self._varints(field.number << 3)
        column = np.zeros(len(self._at), np.int64)
        column[rows] = values.view(np.int64)
        absent = np.ones(len(column), bool)
        absent[rows] = False
        return pa.array(column, mask=absent)

    def _text(self, field: WireField) -> pa.Array:
        rows, lengths = self._varints(field.number << 3 | 2)
        fits = lengths <= (self._ends[rows] - self._at[rows]).astype(np.uint64)
        if not fits.all():
            self._broken[rows[~fits]] = True
            rows, lengths = rows[fits], lengths[fits]
        starts = self._at.copy()
        self._at[rows] += lengths.astype(np.int64)
        present = np.zeros(len(starts), bool)
        present[rows] = True
        array = text_from_spans(self._bytes, starts, self._at, present)
        if not is_utf8(array):
            for row in rows:
                if not _decodes(self._bytes[starts[row] : self._at[row]]):
                    self._broken[row] = True
        return array

    def _varints(self, tag: int) -> tuple[Positions, npt.NDArray[np.uint64]]:
        """Rows whose next field has this tag, and the number behind it; those rows are read up to behind it."""
        rows = self._rows_at(tag)
        at, ends = self._at[rows] + _tag_length(tag), self._ends[rows]
        byte = self._data[at]
        values = (byte & 0x7F).astype(np.uint64)
        at += 1
        going = np.flatnonzero(byte >= _CONTINUED)
        for shift in range(7, 70, 7):
            if not going.size:
                break
            byte = self._data[at[going]]
            values[going] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
            at[going] += 1
            going = going[byte >= _CONTINUED]
        whole = at <= ends
        whole[going] = False
        if whole.all():
            self._at[rows] = at
            return rows, values
        self._broken[rows[~whole]] = True
        self._at[rows[whole]] = at[whole]
        return rows[whole], values[whole]

    def _rows_at(self, tag: int) -> Positions:
        """Rows not broken whose next bytes are this tag, in its shortest form."""
        length = _tag_length(tag)
        here = (self._at + length <= self._ends) & ~self._broken
        for index in range(length):
            byte = (tag >> 7 * index) & 0x7F | (_CONTINUED if index + 1 < length else 0)
            # Where a row has ended this reads its successor or the padding; `here` is false there already.
            here &= self._data[self._at + index] == byte
        return np.flatnonzero(here)


def _tag_length(tag: int) -> int:
    return max(1, (tag.bit_length() + 6) // 7)


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _arrow_type(field: WireField) -> pa.DataType:
    return pa.int64() if field.type is WireType.INT64 else pa.string()


def _chunks(starts: Positions, ends: Positions) -> Iterator[tuple[int, int]]:
    low = 0
    while low < len(starts):
        fitting = int(np.searchsorted(ends, starts[low] + _CHUNK_BYTES, side="right"))
        high = min(low + CHUNK_ROWS, max(fitting, low + 1), len(starts))
        yield low, high
        low = high
