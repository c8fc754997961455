"""The real Olist files as Bronze tables of batch loads: every cell as it was, all in text."""

import csv
from pathlib import Path

import pyarrow as pa

from lakehouse.bronze import bronze_schema
from lakehouse.catalog import Entity
from local.shop.forms import FORMS
from tests.builders.bronze import NOON_MS

TRUNCATED_REVIEWS = "reviews_truncated_rows.csv"


def read_cells(file: Path) -> tuple[list[str], list[list[str]]]:
    """Header and records of a file."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        header, *records = csv.reader(lines)
    return header, records


def load_table(entity: Entity, file: Path) -> pa.Table:
    """The file as the loader lays it out."""
    header, records = read_cells(file)
    assert set(header) == {f.name for f in entity.fields}
    rows = len(records)
    cells = dict(zip(header, zip(*records, strict=True), strict=True))
    fixed: dict[str, pa.Scalar] = {
        "event_id": pa.scalar("e"),
        "occurred_at": pa.scalar(NOON_MS * 1000),
        "source": pa.scalar("load"),
        "op": pa.scalar("upsert"),
        "contract_version": pa.scalar(entity.version),
        "pos_log": pa.scalar("load-0123456789abcdef"),
        "pos_topic": pa.scalar(entity.topic),
        "pos_partition": pa.scalar(0, pa.int32()),
        "broker_time": pa.scalar(NOON_MS),
    }
    columns = {name: pa.array(values, pa.string()) for name, values in cells.items()}
    columns |= {name: pa.repeat(value, rows) for name, value in fixed.items()}
    columns |= {"pos_offset": pa.array(range(rows)), "row_hash": pa.array(range(rows))}
    schema = bronze_schema(entity, all_text=True)
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in schema], schema=schema)


def file_of(folder: Path, entity: str) -> Path:
    """The published file of an entity."""
    return folder / FORMS[entity].name
