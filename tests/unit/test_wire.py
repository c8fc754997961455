"""The codec against protobuf's own: what both read is equal, and what protobuf refuses we refuse."""

import uuid
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse.catalog import WireType, load_entities
from lakehouse.wire import (
    FRAME_LENGTH,
    MAX_EVENT_ID,
    FieldTable,
    Framed,
    Undecodable,
    decode,
    encode,
    frame_header,
    parse_definition,
    shape_fault,
    unframe,
)

ITEMS = FieldTable.of(load_entities()["order_items"])
SCHEMA = "01234567-89ab-4def-8123-456789abcdef"
VALID: dict[str, str | int | None] = {
    "event_id": "e",
    "occurred_at": 1,
    "source": "web",
    "contract_version": "1.0.0",
}


def peer_of(table: FieldTable) -> type[Message]:
    """Protobuf's own class for a field table: every field proto3 optional."""
    file = descriptor_pb2.FileDescriptorProto(name="peer.proto", package="peer", syntax="proto3")
    message = file.message_type.add(name=table.message)
    kinds = {
        WireType.TEXT: descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
        WireType.INT64: descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    }
    for index, field in enumerate(table.fields.values()):
        message.field.add(
            name=field.name,
            number=field.number,
            type=kinds[field.type],
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            proto3_optional=True,
            oneof_index=index,
        )
        message.oneof_decl.add(name=f"_{field.name}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"peer.{table.message}"))


PEER = peer_of(ITEMS)


def by_peer(message: bytes) -> dict[str, Any] | None:
    """What protobuf reads; None when it refuses."""
    try:
        read = PEER.FromString(message)
    except DecodeError:
        return None
    return {field.name: value for field, value in read.ListFields()}


texts = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.integers(-(2**63), 2**63 - 1)
rows: st.SearchStrategy[dict[str, str | int]] = st.fixed_dictionaries(
    {}, optional={f.name: numbers if f.type is WireType.INT64 else texts for f in ITEMS.fields.values()}
)
# fragments that resemble a message more than random bytes do
fragments = st.one_of(
    st.binary(max_size=4),
    rows.map(lambda row: encode(ITEMS, row)),
    st.sampled_from([f.number << 3 | wire for f in ITEMS.fields.values() for wire in range(6)]).map(
        lambda tag: bytes([tag & 0x7F | 0x80, tag >> 7]) if tag > 0x7F else bytes([tag])
    ),
)
messages = st.lists(fragments, max_size=6).map(b"".join)


@given(rows)
@example({})
@example({"order_item_id": -(2**63)})
def test_encode_decode_round_trip_and_protobuf_agrees(row: dict[str, str | int]) -> None:
    message = encode(ITEMS, row)
    assert decode(ITEMS, message) == row == by_peer(message)
    assert message == PEER(**row).SerializeToString(deterministic=True)


@given(messages)
@example(b"\x0a\x01\xff")  # not UTF-8
@example(b"\x0a\x03\xed\xa0\x80")  # a surrogate
@example(b"\x10" + b"\xff" * 9 + b"\x01")
@example(b"\x10" + b"\xff" * 9 + b"\x7f")  # more than 64 bits
@example(b"\x10" + b"\xff" * 10 + b"\x01")  # more than ten bytes
@example(b"\x8a\x00\x01a")  # a tag in two bytes that needs one
@example(b"\x8a\x80\x80\x80\x80\x80\x00\x01a")  # a tag of more than 32 bits
@example(b"\x0a\x80\x80\x80\x80\x80\x00")  # a length in more bytes than a length may have
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x00\x00")
def test_decode_reads_nothing_that_protobuf_reads_differently(message: bytes) -> None:
    ours = decode(ITEMS, message)
    if not isinstance(ours, Undecodable):
        assert ours == by_peer(message)


@given(messages)
def test_decode_gives_a_row_or_a_reason_for_any_bytes(message: bytes) -> None:
    found = decode(ITEMS, message)
    assert isinstance(found, dict) or found.reason


@pytest.mark.parametrize(
    ("message", "reason", "field"),
    [
        (b"\x0a", "ends inside event_id", "event_id"),
        (b"\x0a\x05abc", "ends inside event_id", "event_id"),
        (b"\x10", "ends inside occurred_at", "occurred_at"),
        (b"\x80", "ends inside a field's tag", ""),
        (b"\x8a\x80\x80\x80\x80\x00\x01a", "the tag is too long", ""),
        (b"\x0a\x01\xff", "event_id is not valid UTF-8", "event_id"),
        (b"\x08\x01", "event_id has wire type 0", "event_id"),
        (b"\x12\x01a", "occurred_at has wire type 2", "occurred_at"),
        (b"\x32\x01a", "field number 6 is not in OrderItem", "#6"),
        (b"\x00", "field number 0 is not in OrderItem", "#0"),
        (b"\x0b", "event_id has wire type 3", "event_id"),
    ],
)
def test_decode_names_what_is_wrong(message: bytes, reason: str, field: str) -> None:
    found = decode(ITEMS, message)
    assert isinstance(found, Undecodable)
    assert reason in found.reason
    assert found.field == field


def test_decode_takes_the_last_of_two() -> None:
    assert decode(ITEMS, b"\x0a\x01a\x0a\x01b") == {"event_id": "b"} == by_peer(b"\x0a\x01a\x0a\x01b")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_encode_refuses_numbers_beyond_64_bits(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode(ITEMS, {"occurred_at": number})


def test_encode_refuses_unknown_fields() -> None:
    with pytest.raises(KeyError):
        encode(ITEMS, {"no_such_column": "x"})


@given(st.uuids(), st.binary(max_size=20))
def test_frame_round_trip(schema: uuid.UUID, message: bytes) -> None:
    assert unframe(frame_header(str(schema)) + message) == Framed(str(schema), message)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "0 bytes are too few"),
        (frame_header(SCHEMA)[: FRAME_LENGTH - 1], "18 bytes are too few"),
        (b"\x04" + frame_header(SCHEMA)[1:], "starts with 0x04"),
        (b"\x03\x05" + frame_header(SCHEMA)[2:], "compression byte 0x05"),
        (frame_header(SCHEMA)[:-1] + b"\x02abc", "message index is not 0"),
        (b'{"order_id": "a plain JSON text"}', "starts with 0x7b"),
    ],
)
def test_unframe_names_what_is_wrong(value: bytes | None, reason: str) -> None:
    found = unframe(value)
    assert isinstance(found, Undecodable)
    assert reason in found.reason


@given(st.none() | st.binary(max_size=30))
def test_unframe_gives_a_message_or_a_reason_for_any_bytes(value: bytes | None) -> None:
    found = unframe(value)
    assert isinstance(found, Framed) or found.reason


@pytest.mark.parametrize("name", sorted(load_entities()))
def test_definition_of_each_entity_gives_its_field_table(name: str) -> None:
    entity = load_entities()[name]
    assert parse_definition(entity.definition) == FieldTable.of(entity)


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("", "0 messages"),
        ("message A { optional string a = 1; } message B { optional string a = 1; }", "2 messages"),
        ("message A { string a = 1; }", "'string a = 1'"),
        ("message A { optional double a = 1; }", "'optional double a = 1'"),
        ("message A { repeated string a = 1; }", "'repeated string a = 1'"),
        ("message A { message B { optional string a = 1; } }", "2 messages"),
        ("message A { oneof b { string a = 1; } }", "not a single flat one"),
        ("message A { optional string a = 1; optional string b = 1; }", "number 1 twice"),
    ],
)
def test_definition_that_we_cannot_read_says_so(definition: str, reason: str) -> None:
    found = parse_definition(definition)
    assert isinstance(found, Undecodable)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "a" * (MAX_EVENT_ID + 1)}, "event_id"),
        ({"event_id": "a\nb"}, "event_id"),
        ({"occurred_at": None}, "occurred_at"),
        ({"source": None}, "source"),
        ({"source": "a" * 65}, "source"),
        ({"op": "insert"}, "op"),
        ({"op": ""}, "op"),
        ({"contract_version": None}, "contract_version"),
        ({"contract_version": ""}, "contract_version"),
    ],
)
def test_shape_refuses_an_envelope_nobody_could_follow(change: dict[str, Any], field: str) -> None:
    found = shape_fault(ITEMS, encode(ITEMS, {**VALID, **change}))
    assert isinstance(found, Undecodable)
    assert (found.field, field in found.reason) == (field, True)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"event_id": None},
        {"op": "delete"},
        {"op": "upsert"},
        {"event_id": "é" * MAX_EVENT_ID},
        {"price": "x"},
    ],
)
def test_shape_lets_pass_what_the_check_hop_judges(change: dict[str, Any]) -> None:
    assert shape_fault(ITEMS, encode(ITEMS, {**VALID, **change})) is None


def test_shape_refuses_undecodable_bytes() -> None:
    assert isinstance(shape_fault(ITEMS, b"\x0a"), Undecodable)
