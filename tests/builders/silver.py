"""Silver rows with valid defaults, and Silver files of them: `SilverLake(folder).add("orders", [...])`."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from lakehouse.bronze import silver_schema
from lakehouse.catalog import load_entities
from lakehouse.paths import BronzeKey, load_log

Row = dict[str, Any]

DAY = date(2026, 11, 2)


def civil(text: str) -> datetime:
    """A moment without a zone, as all of Silver's are: civil ones are local, the envelope's UTC."""
    return datetime.fromisoformat(text)


NOON = civil("2026-11-02 12:00:00")


def an_id(number: int) -> str:
    """32 hex digits."""
    return f"{number:032x}"


_VALID: Mapping[str, Row] = {
    "orders": {
        "order_id": an_id(1),
        "customer_id": an_id(11),
        "order_status": "delivered",
        "order_purchase_timestamp": civil("2018-03-01 10:00:00"),
        "order_approved_at": civil("2018-03-01 11:00:00"),
        "order_delivered_carrier_date": civil("2018-03-02 10:00:00"),
        "order_delivered_customer_date": civil("2018-03-03 10:00:00"),
        "order_estimated_delivery_date": civil("2018-03-20 00:00:00"),
    },
    "order_items": {
        "order_id": an_id(1),
        "order_item_id": 1,
        "product_id": an_id(21),
        "seller_id": an_id(31),
        "shipping_limit_date": civil("2018-03-05 10:00:00"),
        "price": Decimal("100.00"),
        "freight_value": Decimal("10.50"),
    },
    "payments": {
        "order_id": an_id(1),
        "payment_sequential": 1,
        "payment_type": "credit_card",
        "payment_installments": 3,
        "payment_value": Decimal("110.50"),
    },
    "reviews": {
        "review_id": an_id(41),
        "order_id": an_id(1),
        "review_score": 5,
        "review_comment_title": None,
        "review_comment_message": "Chegou antes do prazo.",
        "review_creation_date": civil("2018-03-04 00:00:00"),
        "review_answer_timestamp": civil("2018-03-05 12:00:00"),
    },
    "customers": {
        "customer_id": an_id(11),
        "customer_unique_id": an_id(51),
        "customer_zip_code_prefix": "01310",
        "customer_city": "são paulo",
        "customer_state": "SP",
    },
    "products": {
        "product_id": an_id(21),
        "product_category_name": "perfumaria",
        "product_name_lenght": 40,
        "product_description_lenght": 287,
        "product_photos_qty": 1,
        "product_weight_g": 225,
        "product_length_cm": 16,
        "product_height_cm": 10,
        "product_width_cm": 14,
    },
    "sellers": {
        "seller_id": an_id(31),
        "seller_zip_code_prefix": "13023",
        "seller_city": "campinas",
        "seller_state": "SP",
    },
    "geolocation": {
        "geolocation_zip_code_prefix": "01310",
        "geolocation_lat": -23.5,
        "geolocation_lng": -46.6,
        "geolocation_city": "sao paulo",
        "geolocation_state": "SP",
    },
    "category_translation": {
        "product_category_name": "perfumaria",
        "product_category_name_english": "perfumery",
    },
}


def a_silver_row(entity: str, **changes: Any) -> Row:
    """A checked row with these columns changed. Its position is given when it is added to a lake."""
    envelope = {
        "occurred_at": NOON,
        "source": "web-shop",
        "op": None,
        "contract_version": "1.0.0",
        "pos_log": "emb-1",
        "pos_partition": 0,
        "broker_time": NOON,
        "registry_id": None,
        "row_hash": 0,
        "warnings": [],
    }
    return {**envelope, **_VALID[entity], **changes}


def a_deletion(entity: str, **changes: Any) -> Row:
    """`op: delete` of a key: every other column is empty."""
    key = load_entities()[entity].key
    emptied = {name: None for name in _VALID[entity] if name not in key}
    return a_silver_row(entity, **emptied, op="delete", **changes)


def a_load(name: str) -> str:
    """Log id of a batch file."""
    return load_log(hashlib.sha256(name.encode()).hexdigest())


@dataclass
class SilverLake:
    """Silver objects in a folder; counts offsets, so that every row has a position of its own."""

    folder: Path
    files: dict[str, list[Path]] = field(default_factory=dict)
    offset: int = 0

    def add(self, entity: str, rows: Sequence[Row], without: Sequence[str] = ()) -> Path:
        """Writes one object with these rows, `without` some columns, as an older contract version would."""
        found = load_entities()[entity]
        placed = []
        for row in rows:
            event = {
                "event_id": f"{entity}-{self.offset}",
                "pos_topic": found.topic,
                "pos_offset": self.offset,
            }
            placed.append({**event, **row})
            self.offset += 1
        log = placed[0]["pos_log"] if placed else "emb-1"
        key = BronzeKey(entity, DAY, log, 0, self.offset).silver(found.major, 0)
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(placed, silver_schema(found)).drop_columns(list(without))
        pq.write_table(table, path, compression="snappy")
        self.files.setdefault(entity, []).append(path)
        return path

    def add_csv(self, entity: str, file: Path) -> None:
        """Writes a published CSV file as one object; every cell must fit its type."""
        found = load_entities()[entity]
        schema = silver_schema(found)
        cells = csv.read_csv(
            io.BytesIO(file.read_bytes().removeprefix(b"\xef\xbb\xbf")),
            csv.ReadOptions(use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types={f.name: schema.field(f.name).type for f in found.fields},
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        rows = len(cells)
        envelope = {
            "event_id": pa.array(f"{entity}-{number}" for number in range(rows)),
            "pos_offset": pa.array(range(rows), pa.int64()),
            "warnings": pa.array([[]] * rows, pa.list_(pa.string())),
        }
        for name, value in a_silver_row(entity, pos_topic=found.topic, pos_log=a_load(entity)).items():
            if name not in cells.column_names and name not in envelope:
                envelope[name] = pa.repeat(pa.scalar(value, schema.field(name).type), rows)
        columns = {name: cells.column(name) for name in cells.column_names} | envelope
        nothing = {field.name: pa.nulls(rows, field.type) for field in schema}
        table = pa.table([(nothing | columns)[name] for name in schema.names], schema=schema)
        key = BronzeKey(entity, DAY, a_load(entity), 0, 0).silver(found.major, 0)
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="snappy")
        self.files[entity] = [path]
