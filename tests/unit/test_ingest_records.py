"""Which entity an event holds, whether it may pass, and what it becomes in Kafka."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_ingest.proto.gen.nexus.ingest.v1 import events_pb2, ingest_pb2
from grpc_ingest.records import Record
from grpc_ingest.refusal import Code, Refusal
from grpc_ingest.requests import BatchRequest, PutRequest, unwrap_entity, wrap_entity
from lakehouse.catalog import Entity, Field, Kind, load_entities
from lakehouse.wire import unframe
from tests.builders.events import ORDERS, a_message, an_edge, an_event, registry_id

ENTITIES = load_entities()
EDGE = an_edge()


def accepted(event: bytes, edge: Any = EDGE) -> Record:
    found = edge.accept(event)
    assert not isinstance(found, Refusal), found
    return found  # type: ignore[no-any-return]


def refused(event: bytes, edge: Any = EDGE) -> Refusal:
    found = edge.accept(event)
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
def test_record_of_a_generated_event_carries_its_bytes_behind_the_header(entity: Entity) -> None:
    event = events_pb2.Event()
    member = getattr(event, entity.name)
    member.event_id, member.occurred_at, member.source = "e-1", 5, "shop"
    member.contract_version = entity.version
    event_id, topic, _key, value = accepted(event.SerializeToString())
    framed = unframe(value)
    assert (event_id, topic) == ("e-1", entity.topic)
    assert framed.schema_version_id == str(uuid.UUID(registry_id(entity)))  # type: ignore[union-attr]
    assert framed.message == member.SerializeToString()  # type: ignore[union-attr]


def test_record_keeps_bytes_that_are_not_canonical() -> None:
    message = a_message() + b"\x62\x04lost" + b"\x62\x84\x80\x00lose"
    assert accepted(wrap_entity(ORDERS.tag, message))[3].endswith(message)


@pytest.mark.parametrize("size", [0, 40, 120, 16_000, 16_500, 300_000])
def test_record_of_an_event_of_any_size(size: int) -> None:
    message = a_message(order_status="x" * size)
    assert accepted(wrap_entity(ORDERS.tag, message))[3].endswith(message)


@pytest.mark.parametrize("tag", [10, 15, 16, 17, 31, 2047, 2048, 2**29 - 1])
def test_record_of_a_tenth_entity_needs_no_code(tag: int) -> None:
    parcels = replace(ORDERS, name="parcels", tag=tag)
    others = [entity for entity in ENTITIES.values() if entity.tag != tag]
    edge = an_edge(*others, parcels)
    assert accepted(an_event(parcels), edge)[1] == "parcels.v1"
    for entity in others:
        assert accepted(an_event(entity), edge)[1] == entity.topic


@given(st.integers(1, 2**29 - 1), st.binary(max_size=300))
def test_wrapped_entity_is_unwrapped(number: int, message: bytes) -> None:
    assert unwrap_entity(wrap_entity(number, message)) == (number, message)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_record_or_a_refusal(event: bytes) -> None:
    found = EDGE.accept(event)
    assert isinstance(found, tuple)
    if isinstance(found, Refusal):
        assert found.code == Code.INVALID_ARGUMENT
        assert not found.retryable
        assert found.field


@given(st.sampled_from(list(ENTITIES.values())), st.integers(0, 200), st.binary(max_size=3))
def test_any_event_is_read_as_protobuf_reads_it(entity: Entity, at: int, noise: bytes) -> None:
    """What the edge takes for one whole entity, the generated class takes for the same."""
    event = an_event(entity)
    event = event[:at] + noise + event[at + len(noise) :]
    found = EDGE.accept(event)
    if not isinstance(found, Refusal):
        parsed = events_pb2.Event.FromString(event)
        name = parsed.WhichOneof("entity")
        assert ENTITIES[name].topic == found[1]
        assert getattr(parsed, name).event_id == found[0]


def test_event_without_entity_is_refused() -> None:
    assert refused(b"").field == "entity"


def test_event_with_two_entities_is_refused() -> None:
    assert refused(an_event() + an_event(ENTITIES["sellers"])).field == "entity"
    assert refused(an_event() * 2).field == "entity"
    long = an_event(order_status="x" * 200)
    assert refused(long + an_event()).field == "entity"
    assert refused(long[:-1]).field == "entity"


def test_event_of_an_unknown_entity_is_refused() -> None:
    found = refused(wrap_entity(77, a_message()))
    assert "77" in found.message
    assert found.field == "entity"


def test_malformed_event_names_entity_and_field() -> None:
    assert refused(an_event(occurred_at=None)).field == "orders.occurred_at"
    assert refused(wrap_entity(ORDERS.tag, a_message()[:-1])).field == "orders.order_status"
    assert refused(wrap_entity(ORDERS.tag, b"\xff")).field == "orders"


def test_unknown_contract_version_is_refused() -> None:
    found = refused(an_event(contract_version="1.7.0"))
    assert found.field == "orders.contract_version"
    assert "1.0.0" in found.message


NEWER = replace(
    ORDERS,
    version="1.1.0",
    fields=(*ORDERS.fields, Field("gift", 18, Kind.TEXT, False, None, "gift", "A gift.")),
    former=(ORDERS,),
)


def test_older_version_keeps_its_registry_id_and_its_fields() -> None:
    edge = an_edge(NEWER)
    old = unframe(accepted(an_event(), edge)[3])
    new = unframe(accepted(an_event(NEWER, contract_version="1.1.0", gift="yes"), edge)[3])
    assert old.schema_version_id == registry_id(ORDERS)  # type: ignore[union-attr]
    assert new.schema_version_id == registry_id(NEWER)  # type: ignore[union-attr]
    assert old.schema_version_id != new.schema_version_id  # type: ignore[union-attr]


def test_older_version_does_not_take_fields_of_a_newer_one() -> None:
    found = refused(an_event(NEWER, contract_version="1.0.0", gift="yes"), an_edge(NEWER))
    assert found.code == Code.INVALID_ARGUMENT
    assert "18" in found.message


def test_version_newer_than_the_host_is_named_before_its_fields() -> None:
    found = refused(an_event(NEWER, contract_version="1.1.0", gift="yes"))
    assert found.field == "orders.contract_version"
    assert "'1.1.0' of orders is not known here: known are 1.0.0" in found.message


@pytest.mark.parametrize(
    ("entity", "fields", "key"),
    [
        ("orders", {"order_id": "o-1"}, b"o-1"),
        ("orders", {"order_id": ""}, b""),
        ("orders", {"order_id": None}, None),
        ("order_items", {"order_id": "o-1", "order_item_id": 2}, b"o-1\x1f2"),
        ("order_items", {"order_id": "o-1", "order_item_id": 0}, b"o-1\x1f0"),
        ("order_items", {"order_id": "o-1"}, None),
        ("order_items", {"order_item_id": 2}, None),
        ("reviews", {"review_id": "é%s", "order_id": "o"}, "é%s\x1fo".encode()),
        ("geolocation", {"geolocation_city": "sao paulo"}, None),
    ],
)
def test_key_is_the_business_key(entity: str, fields: dict[str, Any], key: bytes | None) -> None:
    assert accepted(an_event(ENTITIES[entity], **fields))[2] == key


def test_key_is_read_from_an_event_without_event_id() -> None:
    found = accepted(an_event(event_id=None))
    assert found[0] == ""
    assert found[2] == b"a" * 32


@pytest.mark.parametrize("kind", ["PutBatchRequest", "PutStreamRequest"])
def test_host_view_reads_what_clients_write(kind: str) -> None:
    event = events_pb2.Event()
    event.orders.event_id = "e-1"
    made = getattr(ingest_pb2, kind)(batch_id="b-1", events=[event, events_pb2.Event(), event])
    view = BatchRequest.FromString(made.SerializeToString())
    assert view.batch_id == "b-1"
    assert list(view.events) == [event.SerializeToString(), b"", event.SerializeToString()]
    assert getattr(ingest_pb2, kind).FromString(view.SerializeToString()) == made


def test_host_view_reads_a_single_event() -> None:
    event = events_pb2.Event()
    event.sellers.seller_id = "s-1"
    made = ingest_pb2.PutRequest(event=event)
    assert PutRequest.FromString(made.SerializeToString()).event == event.SerializeToString()
