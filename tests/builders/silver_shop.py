"""A small shop in Silver in which everything happens that Gold has to settle: versions, deletes, what never arrives."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.builders.silver import NOON, Row, a_deletion, a_load, a_silver_row, an_id, civil

HOUR = timedelta(hours=1)
OLD, NEW = a_load("geolocation 2025"), a_load("geolocation 2026")


def shop_rows() -> dict[str, list[Row]]:
    """Every row has its own `event_id` and offset here, so that they may be put into any files in any order."""
    rows = {
        "orders": _orders(),
        "order_items": _items(),
        "payments": _payments(),
        "reviews": _reviews(),
        "customers": _customers(),
        "products": [
            a_silver_row("products"),
            a_silver_row("products", product_id=an_id(22), product_category_name="pc_gamer"),
            a_silver_row(
                "products", product_id=an_id(23), product_category_name=None, product_length_cm=2**62
            ),
        ],
        "sellers": [
            a_silver_row("sellers"),
            a_silver_row("sellers", seller_id=an_id(32), seller_zip_code_prefix="99999", seller_state="RS"),
        ],
        "geolocation": _geolocation(),
        "category_translation": [a_silver_row("category_translation")],
    }
    for entity, listed in rows.items():
        for offset, row in enumerate(listed):
            row.setdefault("event_id", f"{entity}-{offset}")
            row.setdefault("pos_offset", offset)
    return rows


def _orders() -> list[Row]:
    shipped = {"order_status": "shipped", "order_delivered_customer_date": None}
    late = {"order_delivered_customer_date": civil("2018-03-21 22:00:00")}
    return [
        # 1: the newer event arrived first; then it was sent again over another log
        a_silver_row("orders", event_id="o1-new", occurred_at=NOON + HOUR),
        a_silver_row("orders", **shipped),
        a_silver_row(
            "orders", event_id="o1-new", occurred_at=NOON + HOUR, broker_time=NOON + 3 * HOUR, pos_log="emb-2"
        ),
        # a canary never wins
        a_silver_row("orders", order_status="canceled", source="canary", occurred_at=NOON + 9 * HOUR),
        # 2: no such customer; delivered late
        a_silver_row("orders", order_id=an_id(2), customer_id=an_id(99), **late),
        # 3: deleted, and a version older than that arrives later
        a_silver_row("orders", order_id=an_id(3)),
        a_deletion("orders", order_id=an_id(3), occurred_at=NOON + 2 * HOUR),
        a_silver_row("orders", order_id=an_id(3), occurred_at=NOON + HOUR, broker_time=NOON + 4 * HOUR),
        # 4: deleted and born again; bought by the same person as 1, two months before and elsewhere
        a_deletion("orders", order_id=an_id(4)),
        a_silver_row(
            "orders",
            order_id=an_id(4),
            customer_id=an_id(12),
            occurred_at=NOON + HOUR,
            op="upsert",
            order_purchase_timestamp=civil("2018-01-31 23:59:59"),
        ),
        # 5 to 8: equal times are settled by broker time, log, partition, offset, in this order
        *_tied(5, {"broker_time": NOON + HOUR}),
        *_tied(6, {"pos_log": "emb-2"}),
        *_tied(7, {"pos_partition": 1}),
        *_tied(8, {}),
    ]


def _tied(number: int, newer: Row) -> list[Row]:
    """Two versions that occurred at once. `newer` makes the approved one the newer, though its offset is smaller."""
    order = {"order_id": an_id(number)}
    offsets = (1_000, 2_000) if newer else (2_000, 1_000)
    return [
        a_silver_row("orders", **order, **newer, order_status="approved", pos_offset=offsets[0] + number),
        a_silver_row("orders", **order, order_status="canceled", pos_offset=offsets[1] + number),
    ]


def _items() -> list[Row]:
    return [
        a_silver_row("order_items"),
        a_silver_row("order_items", order_item_id=2, product_id=an_id(98), price=Decimal("50.00")),
        a_silver_row("order_items", order_id=an_id(2), seller_id=an_id(97), price=Decimal("99999999.99")),
        a_silver_row("order_items", order_id=an_id(3), price=Decimal("7.01")),  # its order was deleted
        a_silver_row("order_items", order_id=an_id(4), product_id=an_id(22), seller_id=an_id(32)),
        a_silver_row("order_items", order_id=an_id(90), product_id=an_id(23), price=Decimal("3.00")),
        a_silver_row("order_items", order_id=an_id(4), order_item_id=9, source="canary"),
    ]


def _payments() -> list[Row]:
    return [
        a_silver_row("payments", payment_value=Decimal("171.00")),
        a_silver_row("payments", order_id=an_id(2), payment_value=Decimal("0.00")),
        a_silver_row("payments", order_id=an_id(91), payment_value=Decimal("5.55")),
    ]


def _reviews() -> list[Row]:
    return [
        a_silver_row("reviews"),
        a_silver_row("reviews", order_id=an_id(4), review_score=2, review_comment_message=None),
        a_silver_row("reviews", order_id=an_id(92), review_creation_date=civil("2018-12-31 00:00:00")),
    ]


def _customers() -> list[Row]:
    return [
        a_silver_row("customers"),
        a_silver_row(
            "customers", customer_id=an_id(12), customer_zip_code_prefix="20000", customer_state="RJ"
        ),
        a_silver_row("customers", customer_id=an_id(13), customer_unique_id=an_id(53)),
    ]


def _geolocation() -> list[Row]:
    def sighting(log: str, source: str = "load", **changes: Any) -> Row:
        year = 2025 if log == OLD else 2026
        at = civil(f"{year}-01-01 00:00:00")
        changes = {"occurred_at": at, "broker_time": at, "op": "upsert"} | changes
        return a_silver_row("geolocation", source=source, pos_log=log, **changes)

    campinas = {"geolocation_zip_code_prefix": "13023", "geolocation_lng": -47.0}
    return [
        sighting(OLD, geolocation_lat=-1.0),
        sighting(OLD, geolocation_zip_code_prefix="20000"),
        sighting(NEW, geolocation_lat=-23.0),
        sighting(NEW, geolocation_lat=-23.0),  # an exact copy, which counts
        sighting(NEW, geolocation_lat=-24.5),
        sighting(NEW, **campinas, geolocation_lat=-22.9),
        # a shop that sends its own: an event sent twice counts once
        sighting("emb-1", "web-shop", event_id="g", **campinas, geolocation_lat=-22.6),
        sighting("emb-1", "web-shop", event_id="g", **campinas, geolocation_lat=-22.6),
    ]
