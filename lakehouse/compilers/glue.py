"""Contract → Glue (Athena) columns of Bronze, Silver and Quarantine tables."""

from collections.abc import Sequence

import pyarrow as pa

from lakehouse.bronze import bronze_schema, quarantine_schema, silver_schema
from lakehouse.catalog import Entity

PARTITION_COLUMNS = (("year", "string"), ("month", "string"), ("day", "string"))


def glue_columns(entity: Entity) -> dict[str, list[tuple[str, str]]]:
    """Name and Hive type of every column, by layer. A type Hive lacks fails loudly."""
    bronze = bronze_schema(entity, all_text=entity.delivery == "batch")
    layers = {
        "bronze": bronze,
        "silver": silver_schema(entity),
        "quarantine": quarantine_schema(entity),
    }
    return {layer: _columns(schema) for layer, schema in layers.items()}


def _columns(schema: Sequence[pa.Field]) -> list[tuple[str, str]]:
    return [(field.name, hive_type(field.type)) for field in schema]


def hive_type(kind: pa.DataType) -> str:
    """Hive's name of an Arrow type."""
    plain = {
        pa.string(): "string",
        pa.int64(): "bigint",
        pa.int32(): "int",
        pa.float64(): "double",
        pa.binary(): "binary",
        pa.timestamp("us"): "timestamp",
    }
    if kind in plain:
        return plain[kind]
    if pa.types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind):
        return f"array<{hive_type(kind.value_type)}>"
    if pa.types.is_struct(kind):
        members = (kind.field(i) for i in range(kind.num_fields))
        return f"struct<{','.join(f'{m.name}:{hive_type(m.type)}' for m in members)}>"
    raise TypeError(f"{kind} has no Hive type: add it to lakehouse.compilers.glue")
