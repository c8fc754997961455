"""Events with valid defaults: `an_order(order_status="lost")` gives columns, `a_message(...)` a message's bytes."""

import uuid
from typing import Any

from grpc_ingest.records import Edge
from grpc_ingest.requests import wrap_entity
from lakehouse.catalog import Entity, load_entities
from lakehouse.wire import FieldTable, encode

MOMENT = 1_506_941_793_000_000
ORDERS = load_entities()["orders"]


def registry_id(entity: Entity) -> str:
    """A schema version id without a registry; another one for each version."""
    major, minor, patch = map(int, entity.version.split("."))
    return str(uuid.UUID(int=entity.tag << 64 | major << 32 | minor << 16 | patch))


def an_edge(*entities: Entity) -> Edge:
    """The edge of these entities, or of all."""
    return Edge(entities or load_entities().values(), registry_id)


def an_order(**columns: Any) -> dict[str, Any]:
    """Columns of an order."""
    return {"order_id": "a" * 32, "customer_id": "b" * 32, "order_status": "created", **columns}


def an_envelope(**fields: Any) -> dict[str, Any]:
    """Envelope fields."""
    return {
        "event_id": "e-1",
        "occurred_at": MOMENT,
        "source": "web-shop",
        "contract_version": "1.0.0",
        **fields,
    }


def a_message(entity: Entity = ORDERS, **fields: Any) -> bytes:
    """Bytes of an event's message: an order's by default; None leaves a field out."""
    columns = an_order() if entity.name == "orders" else {}
    return encode(FieldTable.of(entity), {**an_envelope(), **columns, **fields})


def an_event(entity: Entity = ORDERS, **fields: Any) -> bytes:
    """Bytes of an Event that holds such a message."""
    return wrap_entity(entity.tag, a_message(entity, **fields))
