"""The fast shape check against the reference in lakehouse.wire: they must agree on any bytes."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grpc_ingest.shape import ShapeCheck
from lakehouse.catalog import load_entities
from lakehouse.wire import FieldTable, Undecodable, WireField, decode, encode, shape_fault
from tests.builders.events import a_message, an_envelope

TABLES = {entity.name: FieldTable.of(entity) for entity in load_entities().values()}
CHECKS = {name: ShapeCheck(table) for name, table in TABLES.items()}
ITEMS = TABLES["order_items"]

texts = st.text(max_size=12) | st.sampled_from(["", "web-shop", "upsert", "delete", "1.0.0", "\n", "x" * 129])
numbers = st.integers(-(2**63), 2**63 - 1)


def values(field: WireField) -> st.SearchStrategy[Any]:
    return st.none() | (numbers if field.type == "int64" else texts)


def rows(table: FieldTable) -> st.SearchStrategy[dict[str, Any]]:
    fields = {field.name: values(field) for field in table.fields.values()}
    sound = st.fixed_dictionaries(fields).map(lambda row: {**row, **an_envelope()})
    return sound | st.fixed_dictionaries({}, optional=fields)


@st.composite
def mutated(draw: st.DrawFn, table: FieldTable) -> bytes:
    """A message, or two in a row, then cut, overwritten or with something put into it."""
    message = b"".join(encode(table, row) for row in draw(st.lists(rows(table), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(message)))
        size = draw(st.integers(0, 3))
        message = message[:at] + draw(st.binary(max_size=4)) + message[at + size :]
    return message


def agree(name: str, message: bytes) -> None:
    found, fault = CHECKS[name].read(message), shape_fault(TABLES[name], message)
    if fault is not None:
        assert found == fault
        return
    assert not isinstance(found, Undecodable)
    row = decode(TABLES[name], message)
    assert {field.name: value for field, value in found.ListFields()} == row


@settings(max_examples=400)
@given(mutated(ITEMS))
def test_shape_check_agrees_with_the_reference_on_mutated_messages(message: bytes) -> None:
    agree("order_items", message)


@settings(max_examples=200)
@given(rows(TABLES["orders"]), st.integers(0, 400))
def test_shape_check_agrees_with_the_reference_on_truncated_messages(row: dict[str, Any], size: int) -> None:
    agree("orders", encode(TABLES["orders"], row)[:size])


@settings(max_examples=300)
@given(st.binary(max_size=60))
@example(b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01")  # the largest tag
def test_shape_check_agrees_with_the_reference_on_any_bytes(message: bytes) -> None:
    agree("reviews", message)


SOUND = a_message()
ODD = {
    "nothing": b"",
    "unknown field": SOUND + b"\xb8\x7d\x01",
    "unknown text": SOUND + b"\xba\x7d\x01x",
    "group": SOUND + b"\x53\x54",
    "end of a group": SOUND + b"\x54",
    "field number 0": SOUND + b"\x00\x01",
    "fixed 64": SOUND + b"\x11" + bytes(8),
    "fixed 32": SOUND + b"\x15" + bytes(4),
    "text as a number": SOUND + b"\x50\x01",
    "number as text": SOUND + b"\x12\x01\x01",
    "tag longer than need be": SOUND + b"\xa2\x80\x00\x04lost",
    "tag longer than protobuf takes": SOUND + b"\xa2\x80\x80\x80\x80\x00\x04lost",
    "tag of 64 bits": SOUND + b"\xa2\x80\x80\x80\x80\x80\x80\x80\x80\x01\x04lost",
    "size longer than need be": SOUND + b"\x62\x84\x80\x00lost",
    "size beyond the end": SOUND + b"\x62\xff\xff\xff\xff\x0f",
    "size of 64 bits": SOUND + b"\x62\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "number of 10 bytes": SOUND + b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    "number beyond 64 bits": SOUND + b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    "number of 11 bytes": SOUND + b"\x10" + b"\x80" * 10 + b"\x01",
    "surrogate": SOUND + b"\x62\x03\xed\xa0\x80",
    "overlong UTF-8": SOUND + b"\x62\x02\xc0\x80",
    "beyond Unicode": SOUND + b"\x62\x04\xf4\x90\x80\x80",
    "NUL in a text": SOUND + b"\x62\x01\x00",
    "source again, empty": SOUND + b"\x1a\x00",
    "event id again, empty": SOUND + b"\x0a\x00",
    "op empty": SOUND + b"\x22\x00",
    "op upsert": a_message(op="upsert"),
    "op delete": a_message(op="delete"),
    "op of another kind": a_message(op="UPSERT"),
    "no event id": a_message(event_id=None),
    "long event id": a_message(event_id="x" * 128),
    "too long event id": a_message(event_id="x" * 129),
    "event id with a line break": a_message(event_id="a\nb"),
    "no moment": a_message(occurred_at=None),
    "moment 0": a_message(occurred_at=0),
    "moment before 1970": a_message(occurred_at=-1),
    "no source": a_message(source=None),
    "long source": a_message(source="é" * 64),
    "too long source": a_message(source="é" * 65),
    "no contract version": a_message(contract_version=None),
    "empty contract version": a_message(contract_version=""),
}


@pytest.mark.parametrize("message", ODD.values(), ids=ODD.keys())
def test_shape_check_agrees_with_the_reference_on_odd_messages(message: bytes) -> None:
    agree("orders", message)


def test_shape_check_names_the_field_that_is_wrong() -> None:
    fault = CHECKS["orders"].read(a_message(source=""))
    assert isinstance(fault, Undecodable)
    assert fault.field == "source"


def test_shape_check_remembers_a_bounded_number_of_sources() -> None:
    check = ShapeCheck(TABLES["orders"])
    for number in range(1_100):
        assert not isinstance(check.read(a_message(source=f"shop-{number}")), Undecodable)
    assert len(check._sources) == 1_000
