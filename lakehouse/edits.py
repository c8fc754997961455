"""Rows of Quarantine as a person has corrected them: read from CSV or Parquet, and put over the rows as they came.

A file names its rows by `position` (as `nexus quarantine show` prints it), by `event_id`, or by both; of an event that
was sent again every held row is meant. Each further column replaces that column of the rows named: an empty cell says
that there is no value. Position, event id, broker's time and row hash are never edited.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.bronze import CHECK_FIELDS
from lakehouse.catalog import Entity
from lakehouse.errors import InputError
from lakehouse.text_view import Mask

POSITION, EVENT = "position", "event_id"
# What an event says of itself and may have said wrongly.
ENVELOPE = ("occurred_at", "source", "op", "contract_version")
# `nexus quarantine show --csv` writes them for whoever edits; they change nothing.
TOLD = ("reasons", "raw")
_RAW = ("raw", "raw_reason")
_MOST_CELL = 2**31 - 1  # what one cell may hold is for the rules to say

Row = Mapping[str, str]


@dataclass(frozen=True)
class Note:
    """Who edited rows, when (ISO 8601, UTC), and the key of the file that says how."""

    by: str
    at: str
    file: str

    def of(self, columns: Sequence[str]) -> str:
        """What stands beside an edited row. The row's own values are in Bronze, at its position."""
        return json.dumps({"by": self.by, "at": self.at, "file": self.file, "columns": sorted(columns)})


@dataclass(frozen=True)
class Edited:
    """Bronze rows with edits over them; which rows the file names, and the columns that it changes of each."""

    table: pa.Table
    named: Mask
    changed: Sequence[tuple[str, ...]]


class Edits:
    """The rows of one file. `columns` are those that it replaces."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Row], note: Note) -> None:
        self.columns, self.note, self._rows = tuple(columns), note, tuple(rows)
        self._by_position = {row[POSITION]: n for n, row in enumerate(rows) if row.get(POSITION)}
        self._by_event = {row[EVENT]: n for n, row in enumerate(rows) if not row.get(POSITION)}

    def __len__(self) -> int:
        return len(self._rows)

    def names(self, found: Mask) -> list[str]:
        """How the file calls those of its rows that are not `found`."""
        return [
            row.get(POSITION) or row[EVENT]
            for row, is_there in zip(self._rows, found, strict=True)
            if not is_there
        ]

    def apply(self, table: pa.Table, found: Mask) -> Edited:
        """Puts the edits over Bronze rows, and marks the file's rows that are among them in `found`."""
        matches = np.array([self._match(*place) for place in _places(table)], np.int64)
        named = matches >= 0
        found[matches[named]] = True
        changed: list[list[str]] = [[] for _ in range(len(table))]
        for column in self.columns:
            table = self._replace(table, column, matches, changed)
        untouched = pa.array([not columns for columns in changed], pa.bool_())
        for column in _RAW:  # a row that could not be decoded is now what its edit says
            original = table.column(column).combine_chunks()
            values = pc.if_else(untouched, original, pa.scalar(None, original.type))
            table = table.set_column(table.column_names.index(column), table.field(column), values)
        return Edited(table, named, [tuple(columns) for columns in changed])

    def _match(self, position: str, event: str | None) -> int:
        number = self._by_position.get(position)
        if number is None:
            return self._by_event.get(event or "", -1)
        wanted = self._rows[number].get(EVENT) or event
        return number if wanted == event else -1

    def _replace(
        self, table: pa.Table, column: str, matches: np.ndarray, changed: Sequence[list[str]]
    ) -> pa.Table:
        """The column as text, with the cells of named rows replaced; as it was when no cell differs."""
        there = column in table.column_names
        texts = table.column(column).cast(pa.string()).to_pylist() if there else [None] * len(table)
        differs = False
        for row in np.flatnonzero(matches >= 0).tolist():
            value = self._rows[matches[row]][column]
            if value != (texts[row] or ""):
                texts[row], differs = value or None, True
                changed[row].append(column)
        if not differs:
            return table
        made = pa.array(texts, pa.string())
        if not there:
            return table.append_column(column, made)
        return table.set_column(table.column_names.index(column), column, made)


def _places(table: pa.Table) -> Iterator[tuple[str, str | None]]:
    """Position, as people read it, and event id of each row."""
    columns = ("pos_log", "pos_topic", "pos_partition", "pos_offset", EVENT)
    for *position, event in zip(*(table.column(c).to_pylist() for c in columns), strict=True):
        yield "/".join(map(str, position)), event


def read_edits(data: bytes, entity: Entity, note: Note) -> Edits:
    """The edits of a file, CSV (UTF-8, a header line) or Parquet. InputError says what to change in it."""
    names, rows = _read_parquet(data) if data[:4] == b"PAR1" else _read_csv(data)
    _require_names(names, entity)
    for number, row in enumerate(rows, 1):
        if not row.get(POSITION) and not row.get(EVENT):
            raise InputError(f"Row {number} has neither a position nor an event id: give one of them.")
    named = Counter(row.get(POSITION) or row[EVENT] for row in rows)
    if doubled := [name for name, times in named.items() if times > 1]:
        raise InputError(f"{doubled[0]} stands in it twice: say once how the row shall be.")
    return Edits([name for name in names if name not in (POSITION, EVENT, *TOLD)], rows, note)


def _require_names(names: Sequence[str], entity: Entity) -> None:
    editable = [*(field.name for field in entity.fields), *ENVELOPE]
    if len(set(names)) < len(names):
        raise InputError("A column stands in it twice: leave one of them.")
    if not {POSITION, EVENT} & set(names):
        raise InputError(
            f"It has neither a column {POSITION} nor a column {EVENT}: add one, to say which rows are meant."
        )
    if unknown := [name for name in names if name not in (POSITION, EVENT, *TOLD, *editable)]:
        fixed = {field.name for field in CHECK_FIELDS} | {"broker_time", "row_hash", "registry_id"}
        remedy = (
            "it is never edited, take it out" if unknown[0] in fixed else f"use some of {', '.join(editable)}"
        )
        raise InputError(f"Column {unknown[0]} cannot be edited in {entity.name}: {remedy}.")
    if set(names) <= {POSITION, EVENT, *TOLD}:
        raise InputError("It edits no column: add those that shall change, with their new values.")


def _read_csv(data: bytes) -> tuple[list[str], list[Row]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"It is neither Parquet nor a CSV file in UTF-8 ({error}): save it as UTF-8."
        ) from error
    csv.field_size_limit(_MOST_CELL)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(
            f"It is no CSV file: {error}. Quote cells that hold commas, quotes or line ends."
        ) from error
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise InputError("It holds no rows: write a line of column names, and a line for each row to edit.")
    names = [name.strip() for name in lines[0]]
    for number, line in enumerate(lines[1:], 1):
        if len(line) != len(names):
            raise InputError(
                f"Row {number} has {len(line)} cells, the header {len(names)}: give each column one cell."
            )
    return names, [dict(zip(names, line, strict=True)) for line in lines[1:]]


def _read_parquet(data: bytes) -> tuple[list[str], list[Row]]:
    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
        texts = [table.column(number).cast(pa.string()).to_pylist() for number in range(table.num_columns)]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"It is no Parquet file of texts and numbers: {error}") from error
    rows: list[Row] = [
        dict(zip(table.column_names, (cell or "" for cell in row), strict=True))
        for row in zip(*texts, strict=True)
    ]
    if not rows:
        raise InputError("It holds no rows: write one for each row to edit.")
    return list(table.column_names), rows
