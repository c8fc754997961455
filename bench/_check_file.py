"""A Bronze file for the benchmark of the check: orders as a shop streams them, a fiftieth of them wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bronze_writer.landing import Place
from bronze_writer.rows import ROW_GROUP_ROWS, event_ids_of_positions, position_columns
from lakehouse.bronze import BronzeMetadata, bronze_schema
from lakehouse.catalog import Entity, load_entities
from lakehouse.paths import topic_of

PLACE = Place("orders", "bench-1", topic_of("orders", 1), 0)
NOON_MS = 1_520_164_800_000
_BAD = 50  # one row in so many breaks a rule, each time another
_STATES = np.array(["created", "approved", "invoiced", "processing", "shipped", "delivered", "canceled"])
_EVENTS = 20_000  # ids that are made; they come again, which no rule forbids


def orders(rules: int) -> Entity:
    """The entity of the benchmark: the contract's first so many rules, beside the envelope's."""
    found = load_entities()["orders"]
    return replace(found, rules=found.rules[:rules], former=())


def write_orders(path: Path, rows: int) -> BronzeMetadata:
    """Writes a file of so many rows as our writer lays it out; what its writer says of it.

    All row groups have the same rows at other offsets: nothing that is measured looks across row groups.
    """
    schema = bronze_schema(load_entities()["orders"], all_text=False)
    repeating = [name for name in schema.names if name not in ("event_id", "pos_offset", "row_hash", "raw")]
    total, group = 0, _orders(ROW_GROUP_ROWS, schema)
    place = schema.get_field_index("pos_offset")
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=repeating) as writer:
        for first in range(0, rows, ROW_GROUP_ROWS):
            table = group.slice(0, min(ROW_GROUP_ROWS, rows - first))
            offsets = pa.array(np.arange(first, first + len(table), dtype=np.int64))
            table = table.set_column(place, schema.field(place), offsets)
            total += int(table.column("row_hash").to_numpy().view(np.uint64).sum(dtype=np.uint64))
            writer.write_table(table)
    return BronzeMetadata(
        entity="orders",
        log=PLACE.log,
        topic=PLACE.topic,
        partition=PLACE.partition,
        first_offset=0,
        end_offset=rows,
        previous_end=0,
        rows=rows,
        hash_sum=total % 2**64,
        first_broker_time=NOON_MS,
    )


def _orders(rows: int, schema: pa.Schema) -> pa.Table:
    dice = np.random.default_rng(20260101)
    offsets = np.arange(rows, dtype=np.int64)
    bought = np.datetime64("2017-01-01T00:00:00") + dice.integers(0, 50_000_000, rows).astype("m8[s]")
    days = np.timedelta64(1, "D")
    columns: dict[str, pa.Array] = {
        "order_id": _ids(dice, rows),
        "customer_id": _ids(dice, rows),
        "order_status": pa.array(_STATES[dice.integers(0, len(_STATES), rows)]),
        "order_purchase_timestamp": _texts(bought),
        "order_approved_at": _texts(bought + np.timedelta64(1, "h")),
        "order_delivered_carrier_date": _texts(bought + 2 * days),
        "order_delivered_customer_date": _texts(bought + 9 * days),
        "order_estimated_delivery_date": _texts((bought + 20 * days).astype("M8[D]").astype("M8[s]")),
        "event_id": _event_ids(rows),
        "occurred_at": pa.array(np.full(rows, NOON_MS * 1000) + offsets),
        "source": pa.repeat(pa.scalar("shop"), rows),
        "op": pa.nulls(rows, pa.string()),
        "contract_version": pa.repeat(pa.scalar("1.0.0"), rows),
        "broker_time": pa.array(np.full(rows, NOON_MS) + offsets // 1000),
        "registry_id": pa.repeat(pa.scalar("b0000000-0000-4000-8000-000000000001"), rows),
        "row_hash": pa.array(dice.integers(-(2**63), 2**63 - 1, rows, dtype=np.int64)),
        "raw": pa.nulls(rows, pa.binary()),
        "raw_reason": pa.nulls(rows, pa.string()),
        **position_columns(PLACE, offsets),
    }
    bad = offsets % _BAD == 0
    wrongs = ("order_id", "x"), ("order_status", "lost"), ("order_purchase_timestamp", "yesterday")
    for number, (name, value) in enumerate(wrongs):
        mask = pa.array(bad & (offsets // _BAD % len(wrongs) == number))
        columns[name] = pa.compute.if_else(mask, pa.scalar(value), columns[name])
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _ids(dice: np.random.Generator, rows: int) -> pa.Array:
    digits = dice.integers(0, 16, (rows, 32), dtype=np.uint8)
    texts = np.frombuffer(b"0123456789abcdef", np.uint8)[digits]
    ends = np.arange(0, 32 * (rows + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends), pa.py_buffer(texts.tobytes()))


def _event_ids(rows: int) -> pa.Array:
    made = event_ids_of_positions(PLACE, range(min(rows, _EVENTS)))
    return pa.array(made).take(pa.array(np.arange(rows) % len(made)))


def _texts(moments: npt.NDArray[np.datetime64]) -> pa.Array:
    return pa.compute.strftime(pa.array(moments.astype("M8[s]")), "%Y-%m-%d %H:%M:%S")
