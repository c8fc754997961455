"""Made-up tables as Silver would hold their rows: what cannot be read is not there, some rows delete their key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from random import Random
from typing import Any

import pyarrow as pa

from lakehouse.bronze import silver_type
from lakehouse.catalog import Entity, Field
from lakehouse.grammar import parse_value
from tests.differential.tables import a_table

# Where a row of the stacked tables came from.
TABLE, ROW = "made_table", "made_row"


@dataclass(frozen=True)
class Stacked:
    """Tables of one contract, one after another: `bronze` for plan and oracle, one typed table for the others."""

    entity: Entity
    seeds: Sequence[int]
    bronze: Sequence[pa.Table]

    @property
    def typed(self) -> pa.Table:
        """All rows in Silver's types."""
        return self._table(typed_value, silver_type)

    @property
    def texts(self) -> pa.Table:
        """All rows as text."""
        return self._table(lambda _, cell: as_text(cell), lambda _: pa.string())

    def _table(self, value: Callable[[Field, Any], Any], type_: Callable[[Field], pa.DataType]) -> pa.Table:
        fields = self.entity.fields
        rows = [
            {
                **{f.name: value(f, row[f.name]) for f in fields},
                "op": row["op"],
                "contract_version": row["contract_version"],
                TABLE: table,
                ROW: number,
            }
            for table, made in enumerate(self.bronze)
            for number, row in enumerate(made.to_pylist())
        ]
        return pa.Table.from_pylist(rows, self._schema({f.name: type_(f) for f in fields}))

    def _schema(self, columns: dict[str, pa.DataType]) -> pa.Schema:
        envelope = {"op": pa.string(), "contract_version": pa.string(), TABLE: pa.int64(), ROW: pa.int64()}
        return pa.schema([pa.field(name, type_) for name, type_ in (columns | envelope).items()])


def stacked(entity: Entity, seeds: Sequence[int], readable: bool) -> Stacked:
    """The tables of these seeds; `readable`: without what no rule lets into Silver."""
    tables = [a_table(entity, seed, troubled=False) for seed in seeds]
    if not readable:
        tables = [a_table(entity, seed, "text", troubled=False) for seed in seeds]
    made = [_with_deletes(table, seed) for table, seed in zip(tables, seeds, strict=True)]
    return Stacked(entity, seeds, [_readable(entity, table) for table in made] if readable else made)


def _with_deletes(table: pa.Table, seed: int) -> pa.Table:
    random = Random(seed)
    ops = [random.choice((None, None, "upsert", "", "delete")) for _ in range(len(table))]
    return table.set_column(table.column_names.index("op"), "op", pa.array(ops, pa.string()))


def _readable(entity: Entity, table: pa.Table) -> pa.Table:
    for field in entity.fields:
        column = table.column(field.name)
        kept = [v if typed_value(field, v) is not None else None for v in column.to_pylist()]
        place = table.column_names.index(field.name)
        table = table.set_column(place, table.schema.field(place), pa.array(kept, column.type))
    return table


def typed_value(field: Field, value: Any) -> Any:
    """The value in Silver; None for what is missing or cannot be read."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or value == "":
        return None
    return parse_value(field.kind, value, field.precision, field.scale) if isinstance(value, str) else value


def as_text(value: Any) -> str | None:
    """The text as it was sent; empty is missing."""
    return None if value is None or value == "" else str(value)
