"""Bronze rows with valid defaults, and Bronze objects of them: `an_order(order_status="lost")`, `bronze_table(...)`."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.bronze import BronzeMetadata, bronze_schema
from lakehouse.catalog import Entity, load_entities
from lakehouse.identity import Position, event_id_of_position, hash_sum, row_hash
from tests.builders.bronze import NOON_MS, a_bronze_object

Row = dict[str, Any]

_ID = "0123456789abcdef" * 2
_VALID: Mapping[str, Row] = {
    "orders": {
        "order_id": _ID,
        "customer_id": _ID,
        "order_status": "delivered",
        "order_purchase_timestamp": "2018-03-01 10:00:00",
        "order_approved_at": "2018-03-01 11:00:00",
        "order_delivered_carrier_date": "2018-03-02 10:00:00",
        "order_delivered_customer_date": "2018-03-03 10:00:00",
        "order_estimated_delivery_date": "2018-03-20 00:00:00",
    },
    "order_items": {
        "order_id": _ID,
        "order_item_id": 1,
        "product_id": _ID,
        "seller_id": _ID,
        "shipping_limit_date": "2018-03-05 10:00:00",
        "price": "129.90",
        "freight_value": "12.5",
    },
    "payments": {
        "order_id": _ID,
        "payment_sequential": 1,
        "payment_type": "credit_card",
        "payment_installments": 3,
        "payment_value": "142.40",
    },
    "reviews": {
        "review_id": _ID,
        "order_id": _ID,
        "review_score": 5,
        "review_comment_title": None,
        "review_comment_message": "Chegou antes do prazo.\nRecomendo!",
        "review_creation_date": "2018-03-04 00:00:00",
        "review_answer_timestamp": "2018-03-05 08:00:00",
    },
    "customers": {
        "customer_id": _ID,
        "customer_unique_id": _ID,
        "customer_zip_code_prefix": "01310",
        "customer_city": "são paulo",
        "customer_state": "SP",
    },
    "products": {
        "product_id": _ID,
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
        "seller_id": _ID,
        "seller_zip_code_prefix": "13023",
        "seller_city": "campinas",
        "seller_state": "SP",
    },
    "geolocation": {
        "geolocation_zip_code_prefix": "01037",
        "geolocation_lat": "-23.54562128115268",
        "geolocation_lng": "-46.63929204800168",
        "geolocation_city": "sao paulo",
        "geolocation_state": "SP",
    },
    "category_translation": {
        "product_category_name": "perfumaria",
        "product_category_name_english": "perfumery",
    },
}

VALID_ENTITIES = sorted(_VALID)


def a_row(entity: str, **changes: Any) -> Row:
    """A row of an entity that breaks no rule, with these columns changed; envelope included, position not."""
    envelope = {
        "event_id": "6f1ed002-ab55-8123-8f00-000000000001",
        "occurred_at": NOON_MS * 1000,
        "source": "shop",
        "op": None,
        "contract_version": "1.0.0",
        "broker_time": NOON_MS,
        "registry_id": "b0000000-0000-4000-8000-000000000001",
        "raw": None,
        "raw_reason": None,
    }
    return {**envelope, **_VALID[entity], **changes}


def an_order(**changes: Any) -> Row:
    """A delivered order."""
    return a_row("orders", **changes)


def an_item(**changes: Any) -> Row:
    """An item of it."""
    return a_row("order_items", **changes)


def a_raw_row(entity: str, raw: bytes | None = b"\x07", reason: str = "The header is unknown.") -> Row:
    """A message that could not be decoded: only its bytes and the reason."""
    nothing = dict.fromkeys([*_VALID[entity], "event_id", "occurred_at", "source", "op", "contract_version"])
    return a_row(entity, **nothing, raw=raw, raw_reason=reason)


def bronze_table(
    entity: Entity, rows: Sequence[Row], first: int = 0, all_text: bool = False, log: str = "emb-1"
) -> pa.Table:
    """The rows at offsets from `first` of partition 0; `all_text` lays them out as a batch load does."""
    schema = bronze_schema(entity, all_text)
    placed = []
    for offset, row in enumerate(rows, first):
        position = Position(log, entity.topic, 0, offset)
        texts = {f.name: str(row[f.name]) for f in entity.fields if all_text and row[f.name] is not None}
        placed.append(
            row
            | texts
            | ({} if row["raw_reason"] is None else {"event_id": event_id_of_position(position)})
            | {"pos_log": position.log, "pos_topic": position.topic, "pos_partition": 0, "pos_offset": offset}
            | {"row_hash": row_hash(position, repr(row).encode())}
        )
    return pa.Table.from_pylist(placed, schema)


def metadata_of(table: pa.Table, entity: str = "orders", **changes: Any) -> BronzeMetadata:
    """What the writer says of an object with these rows."""
    offsets = table.column("pos_offset").to_pylist() or [0]
    end = offsets[-1] + 1 if len(table) else 0
    metadata = a_bronze_object(
        offsets[0],
        end,
        entity=entity,
        topic=load_entities()[entity].topic,
        rows=len(table),
        hash_sum=hash_sum(table.column("row_hash").to_pylist()),
        first_broker_time=table.column("broker_time")[0].as_py() if len(table) else NOON_MS,
    )
    return replace(metadata, **changes)


def parquet_bytes(table: pa.Table, row_group_size: int | None = None) -> bytes:
    """The table as a Bronze file."""
    file = io.BytesIO()
    pq.write_table(table, file, compression="snappy", row_group_size=row_group_size)
    return file.getvalue()


def read_parquet(data: bytes) -> pa.Table:
    """A file's rows, without threads: pyarrow aborts at exit otherwise."""
    return pq.read_table(io.BytesIO(data), use_threads=False)
