"""Made-up Bronze tables of an entity: every cell as text, as a stream lays them out, or already of Silver's types."""

from random import Random
from typing import Any

import pyarrow as pa

from lakehouse.bronze import bronze_schema, silver_type
from lakehouse.catalog import Entity, Field, Kind
from lakehouse.grammar import parse_value
from tests.builders.bronze import NOON_MS
from tests.differential.values import a_text

LOAD_LOG = "load-0123456789abcdef"
LAYOUTS = ("text", "text", "stream", "typed")


def a_table(entity: Entity, seed: int, layout: str = "", troubled: bool = True) -> pa.Table:
    """Up to forty rows. Of a load but for the layout `stream` (none named: by chance).

    Args:
        troubled: some rows could not be decoded, delete their key or have a wrong envelope, and columns are missing.
    """
    random = Random(seed)
    layout = layout or random.choice(LAYOUTS)
    schema = _schema(entity, layout)
    rows = [_row(entity, random, layout, n, troubled) for n in range(random.choice((0, 1, 2, 5, 12, 25, 40)))]
    table = pa.Table.from_pylist(rows, schema)
    if troubled and random.random() < 0.2:
        gone = random.choice([f.name for f in entity.fields if f.key_position is None])
        table = table.drop_columns([gone])
    return table


def _schema(entity: Entity, layout: str) -> pa.Schema:
    schema = bronze_schema(entity, all_text=layout == "text")
    if layout != "typed":
        return schema
    types = {f.name: silver_type(f) for f in entity.fields}
    return pa.schema([f.with_type(types.get(f.name, f.type)) for f in schema])


def _row(entity: Entity, random: Random, layout: str, number: int, troubled: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "event_id": f"e-{number}",
        "occurred_at": NOON_MS * 1000,
        "source": "shop",
        "op": None,
        "contract_version": entity.version,
        "pos_log": "emb-1" if layout == "stream" else LOAD_LOG,
        "pos_topic": entity.topic,
        "pos_partition": 0,
        "pos_offset": number,
        "broker_time": NOON_MS,
        "row_hash": random.randrange(-(2**63), 2**63),
    }
    if troubled and random.random() < 0.04:
        return row | {"raw": b"\x00", "raw_reason": random.choice((None, "", "The schema is unknown."))}
    if troubled and random.random() < 0.08:
        row["op"] = random.choice(("delete", "delete", "", "replace"))
    if troubled and random.random() < 0.04:
        row |= random.choice(({"event_id": ""}, {"occurred_at": 2**63 - 1}, {"contract_version": "9.9.9"}))
    return row | {f.name: _cell(f, random, layout) for f in entity.fields}


def _cell(field: Field, random: Random, layout: str) -> Any:
    text = a_text(random, field.kind)
    if layout == "text" or text is None or (field.kind is not Kind.INT64 and layout == "stream"):
        return text
    if layout == "typed" and field.kind is Kind.DOUBLE and random.random() < 0.2:
        return random.choice((float("nan"), float("inf"), -float("inf"), -0.0, 5e-324))
    return parse_value(field.kind, text, field.precision, field.scale) if text else None
