"""Columns or generated classes → an event's bytes and id, and clear words when that cannot be."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from grpc_ingest.client import EventEncoder, EventError
from grpc_ingest.proto.gen.nexus.v1 import order_items_pb2, orders_pb2
from lakehouse.catalog import load_entities
from lakehouse.identity import event_id_of_content
from lakehouse.wire import FieldTable, decode, encode, shape_fault
from tests.builders.events import MOMENT, an_edge, an_order

ENCODER = EventEncoder("web-shop")
TABLES = {entity.name: FieldTable.of(entity) for entity in load_entities().values()}


@st.composite
def contents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An entity and some of its columns."""
    name = draw(st.sampled_from(sorted(TABLES)))
    texts, numbers = st.text(max_size=20), st.integers(-(2**63), 2**63 - 1)
    fields = {f.name: st.none() | (numbers if f.type == "int64" else texts) for f in TABLES[name].columns}
    return name, draw(st.fixed_dictionaries({}, optional=fields))


@given(contents(), st.integers(-(2**63), 2**63 - 1), st.sampled_from(["upsert", "delete"]))
def test_encoded_event_says_what_was_given(content: tuple[str, dict[str, Any]], moment: int, op: str) -> None:
    name, columns = content
    found = ENCODER.encode(name, columns, moment, op=op)
    assert shape_fault(TABLES[name], found.message) is None
    row = decode(TABLES[name], found.message)
    assert isinstance(row, dict)
    assert row.pop("op", "upsert") == op
    assert row.pop("event_id") == found.event_id == event_id_of_content(name, "web-shop", moment, op, columns)
    assert (row.pop("occurred_at"), row.pop("source")) == (moment, "web-shop")
    assert row.pop("contract_version") == load_entities()[name].version
    assert row == {name: value for name, value in columns.items() if value is not None}
    assert found == ENCODER.encode(name, columns, moment, op=op), "the same event must have the same id"


def test_event_written_by_a_generated_class_is_the_same_event() -> None:
    order = orders_pb2.Order(**an_order(), occurred_at=MOMENT)
    assert ENCODER.encode_message(order) == ENCODER.encode("orders", an_order(), MOMENT)
    assert not order.HasField("event_id"), "the program's own object is not changed"
    item = order_items_pb2.OrderItem(
        order_id="o", order_item_id=0, occurred_at=MOMENT, op="delete", event_id="mine", source="till"
    )
    given = {"order_id": "o", "order_item_id": 0}
    assert ENCODER.encode_message(item) == ENCODER.encode(
        "order_items", given, MOMENT, op="delete", event_id="mine", source="till"
    )


def test_encoded_event_passes_the_edge_unchanged() -> None:
    found = ENCODER.encode("orders", an_order(), MOMENT)
    event_id, topic, key, value = an_edge().accept_entity("orders", found.message)
    assert (event_id, topic, key) == (found.event_id, "orders.v1", b"a" * 32)
    assert value.endswith(found.message)
    table = TABLES["orders"]
    assert found.message == encode(table, decode(table, found.message))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2017, 10, 2, 10, 56, 33, 7, tzinfo=UTC),
        datetime(2017, 10, 2, 7, 56, 33, 7, tzinfo=timezone(timedelta(hours=-3))),
    ],
)
def test_moment_may_be_a_datetime_with_a_zone(moment: datetime) -> None:
    same = ENCODER.encode("orders", an_order(), 1_506_941_793_000_007)
    assert ENCODER.encode("orders", an_order(), moment) == same


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"order_idd": "x"}, r"orders\.order_idd is no column; there are customer_id, order_approved_at"),
        ({"order_id": 5}, r"orders\.order_id cannot hold 5"),
        ({"order_id": b"x"}, r"orders\.order_id cannot hold b'x'"),
        ({"order_id": 1.5}, r"orders\.order_id cannot hold 1\.5"),
        ({"order_id": "\ud800"}, r"orders\.order_id cannot hold"),
        ({"source": "x"}, r"orders\.source is no column"),
        ({"event_id": "x"}, r"orders\.event_id is no column"),
    ],
)
def test_column_that_cannot_be_written_is_named(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(EventError, match=words):
        ENCODER.encode("orders", columns, MOMENT)


def test_number_that_cannot_be_written_is_named() -> None:
    with pytest.raises(EventError, match=r"order_items\.order_item_id cannot hold '1'"):
        ENCODER.encode("order_items", {"order_item_id": "1"}, MOMENT)
    with pytest.raises(EventError, match=r"order_items\.order_item_id cannot hold 9223372036854775808"):
        ENCODER.encode("order_items", {"order_item_id": 2**63}, MOMENT)
    with pytest.raises(EventError, match="orders"):
        ENCODER.encode("orders", an_order(), 2**63)


def test_event_that_cannot_be_written_says_why() -> None:
    with pytest.raises(EventError, match="'parcels' is no entity; there are category_translation"):
        ENCODER.encode("parcels", {}, MOMENT)
    with pytest.raises(EventError, match="no time zone"):
        ENCODER.encode("orders", {}, datetime(2017, 10, 2))
    with pytest.raises(EventError, match="op is 'insert'"):
        ENCODER.encode("orders", {}, MOMENT, op="insert")
    with pytest.raises(EventError, match=r"orders\.occurred_at is missing"):
        ENCODER.encode_message(orders_pb2.Order())
    with pytest.raises(EventError, match="Duration is no entity"):
        ENCODER.encode_message(Duration())
    with pytest.raises(EventError, match="source"):
        EventEncoder("")
