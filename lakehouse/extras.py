"""Columns that the contract does not know: kept beside each row as one JSON object by name, so that nothing is lost.

Text stands in it as text, numbers and truth values as JSON's own, lists and structs as JSON; everything else (moments,
decimals, what is not finite) as the text of it, and bytes that are no UTF-8 as {"base64": ...}.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.bronze import EXTRAS
from lakehouse.catalog import Entity
from lakehouse.json_texts import json_texts, quoted
from lakehouse.physical import Family, as_plain, family_of
from lakehouse.shape import unknown_names
from lakehouse.text_view import Mask, missing_texts, valid_mask


@dataclass(frozen=True)
class Extras:
    """`texts`: the JSON objects, null for a row with nothing. `present`: the rows with a value, by column."""

    texts: pa.StringArray
    present: Mapping[str, Mask]


def gather_extras(entity: Entity, table: pa.Table) -> Extras:
    """The extras of every row: of columns that are unknown, and of a column `extras` that a row brings with it."""
    values: list[dict[str, str]] | None = None
    present: dict[str, Mask] = {}
    if EXTRAS in table.column_names:
        values = _objects(table)
        for name in sorted({name for found in values for name in found}):
            present[name] = np.array([name in found for found in values], bool)
    for name in unknown_names(entity, table.column_names):
        array = table.column(name).combine_chunks()
        values = [{} for _ in range(len(table))] if values is None else values
        texts = json_texts(array)
        present[name] = _holds_something(array)
        for row in np.flatnonzero(present[name]).tolist():
            values[row][name] = texts[row]
    if values is None:
        return Extras(pa.nulls(len(table), pa.string()), {})
    return Extras(pa.array([_joined(found) for found in values], pa.string()), present)


def _holds_something(array: pa.Array) -> Mask:
    """Empty text is nothing, as everywhere."""
    if family_of(array.type) is Family.TEXT:
        return ~missing_texts(as_plain(array))
    return valid_mask(array)


def with_known_extras(entity: Entity, table: pa.Table) -> pa.Table:
    """The table with those extras as columns that the contract knows by now; they leave the extras.

    For rows that were held before the contract had the column. A value that the column has already stays.
    """
    if EXTRAS not in table.column_names or table.column(EXTRAS).null_count == len(table):
        return table
    objects = _objects(table)
    known = [f.name for f in entity.fields if any(f.name in found for found in objects)]
    for name in known:
        brought = pa.array([_text(found.pop(name, None)) for found in objects], pa.string())
        if name in table.column_names:
            there = as_plain(table.column(name).combine_chunks()).cast(pa.string())
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pc.coalesce(there, brought))
        else:
            table = table.append_column(name, brought)
    rest = pa.array([_joined(found) for found in objects], pa.string())
    return table.set_column(table.schema.get_field_index(EXTRAS), EXTRAS, rest)


def _objects(table: pa.Table) -> list[dict[str, str]]:
    """Of each row, name → JSON text of the value."""
    found = []
    for text in table.column(EXTRAS).to_pylist():
        members: dict[str, Any] = json.loads(text, parse_int=_Number, parse_float=_Number) if text else {}
        found.append({name: _dumped(value) for name, value in members.items()})
    return found


class _Number(str):
    """A number of a JSON text, in the digits that stand there."""

    __slots__ = ()


def _dumped(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)}: {_dumped(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dumped, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _text(dumped: str | None) -> str | None:
    """A JSON value as a cell of text: what it says, without quotes."""
    if dumped is None:
        return None
    return json.loads(dumped) if dumped.startswith('"') else dumped


def _joined(members: Mapping[str, str]) -> str | None:
    """One spelling of the same members, whatever order they came in."""
    if not members:
        return None
    return "{" + ", ".join(f"{quoted(name)}: {members[name]}" for name in sorted(members)) + "}"
