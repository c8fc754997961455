"""The columns of a Bronze file against its entity's contract: what keeps it from being read, and what is put right.

Columns are found by name, in any order. Contract columns may have any type that `physical` reads, the lake's own any
of the same meaning; columns that the contract does not know are left alone (`extras` keeps them).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from lakehouse.bronze import CHECK_FIELDS, ENVELOPE_FIELDS, EXTRAS, POSITION_FIELDS, TAIL_FIELDS
from lakehouse.catalog import Entity
from lakehouse.columns import is_utf8
from lakehouse.json_texts import json_texts
from lakehouse.names import collisions, lookalike, name_problem
from lakehouse.physical import Family, family_of, misfit

OURS = {f.name: f.type for f in (*ENVELOPE_FIELDS, *POSITION_FIELDS, *TAIL_FIELDS)}
_SHOWN = 5  # names in a sentence
_COMPARED = 500  # unknown names that a missing one is held against: 10 microseconds each
_TEXTS = (Family.TEXT, Family.BYTES)
_ALWAYS_JSON = (Family.TEXT, Family.BYTES, Family.WHOLE, Family.FLOATING, Family.BOOL, Family.NOTHING)


def unknown_names(entity: Entity, names: Iterable[str]) -> list[str]:
    """Names that neither the contract nor the lake has, sorted. Rows with `extras` are of Quarantine."""
    given = set(names)
    known = {f.name for f in entity.fields} | OURS.keys()
    if EXTRAS in given:
        known |= {EXTRAS, *(f.name for f in CHECK_FIELDS)}
    return sorted(given - known)


def absent_names(entity: Entity, names: Iterable[str]) -> list[str]:
    """Contract columns that are not among the names, in the contract's order."""
    there = set(names)
    return [f.name for f in entity.fields if f.name not in there]


def schema_problem(entity: Entity, schema: pa.Schema) -> str | None:
    """What keeps a file of this schema from being read as Bronze of the entity; None when nothing does."""
    names = list(schema.names)
    if EXTRAS in names:
        return f"column {EXTRAS} has a name of the lake's own"
    # A file may be older than a column that a later version asks for: its rows are then judged one by one.
    required = [{f.name for f in version.fields if f.required} for version in entity.versions]
    needed = [*OURS, *(f.name for f in entity.fields if all(f.name in names for names in required))]
    problem = names_problem(names, unknown_names(entity, names)) or missing_problem(
        needed, absent_names(entity, names), names, unknown_names(entity, names)
    )
    return problem or _types_problem(entity, schema)


def names_problem(names: Sequence[str], unknown: Sequence[str]) -> str | None:
    """Columns that cannot be told apart, or that nothing can be called by."""
    for group in collisions(names):
        if len(set(group)) == 1:
            return f"column {group[0]} stands in it {'twice' if len(group) == 2 else f'{len(group)} times'}"
        told = " and ".join(map(repr, group))
        return (
            f"columns {told} differ only in capitals or in how their letters are coded: leave one of them out"
        )
    return next((problem for name in unknown if (problem := name_problem(name))), None)


def missing_problem(
    needed: Iterable[str], absent: Iterable[str], names: Sequence[str], unknown: Sequence[str]
) -> str | None:
    """Needed columns that are missing, and others that seem to stand there under another name."""
    lacking = [name for name in needed if name not in names]
    meant = {name: lookalike(name, unknown[:_COMPARED]) for name in {*lacking, *absent}}
    renamed = [name for name in absent if meant.get(name) and name not in lacking]
    if not lacking and not renamed:
        return None
    hints = [
        f"{meant[name]!r} looks like {name}: give it that name"
        for name in (*lacking, *renamed)
        if meant.get(name)
    ]
    told = [f"column {', '.join((*lacking, *renamed))} is missing", *hints]
    if unknown and not hints:
        more = ", ..." if len(unknown) > _SHOWN else ""
        told.append(f"the contract does not know {', '.join(map(repr, unknown[:_SHOWN]))}{more}")
    return "; ".join(told)


def _types_problem(entity: Entity, schema: pa.Schema) -> str | None:
    columns = {f.name: f for f in entity.fields}
    for field in schema:
        if field.name in columns:
            problem = misfit(columns[field.name], field.type)
        elif field.name in OURS and not _is_ours(OURS[field.name], family_of(field.type)):
            problem = f"column {field.name} is {field.type}, but {OURS[field.name]} is wanted"
        else:
            problem = None
        if problem:
            return problem
    return None


def _is_ours(wanted: pa.DataType, family: Family) -> bool:
    if family is Family.NOTHING:
        return True
    if pt.is_string(wanted):
        return family in _TEXTS
    return family is (Family.BYTES if pt.is_binary(wanted) else Family.WHOLE)


def readable_rows(entity: Entity, table: pa.Table) -> pa.Table | str:
    """The rows with the lake's own columns in their own types and every text as `string`; or why that cannot be.

    A row with text that is not UTF-8 gets a `raw_reason`, as if its message could not be decoded, and shows the wrong
    bytes as `\\xe9`. The schema must be one in which `schema_problem` found nothing.
    """
    wrong: dict[int, str] = {}
    unknown = set(unknown_names(entity, table.column_names))
    for place, field in enumerate(table.schema):
        if field.name in unknown and not _has_json(field, table.column(place)):
            return (
                f"column {field.name} is not in the contract, and {field.type} cannot be kept beside the row"
            )
        if pt.is_dictionary(field.type) and not _indices_fit(table.column(place)):
            return f"column {field.name} points outside its own dictionary"
        try:
            column = _readable(entity, field, table.column(place), wrong)
        except pa.ArrowInvalid as error:
            return f"column {field.name} cannot be read as {OURS.get(field.name, 'text')}: {error}"
        if column is not table.column(place):
            table = table.set_column(place, field.name, column)
    return _with_reasons(table, wrong) if wrong else table


def _has_json(field: pa.Field, column: pa.ChunkedArray) -> bool:
    if family_of(field.type) in _ALWAYS_JSON:
        return True
    try:
        for chunk in column.chunks:
            json_texts(chunk)
    except (pa.ArrowException, ValueError, OverflowError, RecursionError):
        return False
    return True


def _indices_fit(column: pa.ChunkedArray) -> bool:
    for chunk in column.chunks:
        span = pc.min_max(chunk.indices)
        least, most = span["min"].as_py(), span["max"].as_py()
        if least is not None and (least < 0 or most >= len(chunk.dictionary)):
            return False
    return True


def _readable(
    entity: Entity, field: pa.Field, column: pa.ChunkedArray, wrong: dict[int, str]
) -> pa.ChunkedArray:
    wanted = OURS.get(field.name)
    family = family_of(field.type)
    if wanted is not None and not pt.is_string(wanted):
        return column if field.type == wanted else _undictionaried(column).cast(wanted)
    known = wanted is not None or any(f.name == field.name for f in entity.fields)
    if family is Family.TEXT or (family is Family.BYTES and known):
        return _texts(field, column, wrong)
    if wanted is not None and field.type != wanted:
        return column.cast(wanted)  # a column of nothing
    return column


def _texts(field: pa.Field, column: pa.ChunkedArray, wrong: dict[int, str]) -> pa.ChunkedArray:
    if field.type == pa.string() and is_utf8(column):
        return column
    chunks, first = [], 0
    for chunk in _undictionaried(column).chunks:
        texts = chunk if chunk.type == pa.string() else chunk.cast(pa.binary()).view(pa.string())
        if not is_utf8(texts):
            texts = _repaired(field.name, texts, first, wrong)
        chunks.append(texts)
        first += len(chunk)
    return pa.chunked_array(chunks, pa.string())


def _undictionaried(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pt.is_dictionary(column.type):
        return column
    return pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)


def _repaired(name: str, texts: pa.Array, first: int, wrong: dict[int, str]) -> pa.Array:
    found = []
    for row, cell in enumerate(texts.view(pa.binary()).to_pylist()):
        try:
            found.append(None if cell is None else cell.decode())
        except UnicodeDecodeError as error:
            found.append(cell.decode("utf-8", "backslashreplace"))
            reason = f"byte {error.start + 1} of {name} (0x{cell[error.start]:02x}) is not UTF-8"
            wrong.setdefault(first + row, reason)
    return pa.array(found, pa.string())


def _with_reasons(table: pa.Table, wrong: dict[int, str]) -> pa.Table:
    place = table.schema.get_field_index("raw_reason")
    rows = np.zeros(len(table), bool)
    rows[list(wrong)] = True
    told = pa.array([wrong.get(row) for row in range(len(table))], pa.string())
    reasons = pc.if_else(pa.array(rows), told, table.column(place).cast(pa.string()))
    return table.set_column(place, "raw_reason", reasons)
