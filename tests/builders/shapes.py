"""Bronze tables with columns of one's own, judged as the check hop does: schema, rows, split."""

import pyarrow as pa

from lakehouse.bronze import quarantine_schema, silver_schema
from lakehouse.catalog import Entity, load_entities
from lakehouse.row_check import CheckPlan
from lakehouse.shape import readable_rows, schema_problem
from lakehouse.split import Origin, Split, split_rows
from tests.builders.rows import an_item, bronze_table

ITEMS = load_entities()["order_items"]


def judged(entity: Entity, table: pa.Table) -> Split:
    """What became of a file of these rows; its schema has no problem, and nothing is lost."""
    assert schema_problem(entity, table.schema) is None
    rows = readable_rows(entity, table)
    assert not isinstance(rows, str), rows
    made = split_rows(CheckPlan(entity), rows, Origin("some/key", 0, entity.version))
    made.silver.validate(full=True)
    made.quarantine.validate(full=True)
    assert made.silver.schema == silver_schema(entity)
    assert made.quarantine.schema == quarantine_schema(entity)
    assert made.passed.rows + made.held.rows == len(table)
    return made


def with_column(table: pa.Table, name: str, array: pa.Array) -> pa.Table:
    """The table with this column instead of the one of that name, or behind the others."""
    place = table.schema.get_field_index(name)
    return table.append_column(name, array) if place < 0 else table.set_column(place, name, array)


def items(**columns: pa.Array) -> pa.Table:
    """As many items as the columns have rows."""
    table = bronze_table(ITEMS, [an_item() for _ in next(iter(columns.values()))])
    for name, array in columns.items():
        table = with_column(table, name, array)
    return table


def reasons(made: Split) -> list[list[tuple[str, str | None]]]:
    """Rule and value of each reason of each row in Quarantine."""
    return [[(r["rule"], r["value"]) for r in row["reasons"]] for row in made.quarantine.to_pylist()]
