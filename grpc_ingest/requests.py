"""Requests as the host sees them: wire-compatible with `ingest.proto`, but each event is its bytes.

Parsing a request does not parse entities, so an entity the host's code has never heard of passes like any other.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
_ONE = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
_MANY = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
_LENGTH_DELIMITED = 2


def _views() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="host_view.proto", package="nexus.host", syntax="proto3")
    one = file.message_type.add(name="PutRequest")
    one.field.add(name="event", number=1, type=_BYTES, label=_ONE)
    batch = file.message_type.add(name="BatchRequest")
    batch.field.add(name="batch_id", number=1, type=_STRING, label=_ONE)
    batch.field.add(name="events", number=2, type=_BYTES, label=_MANY)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = [pool.FindMessageTypeByName(f"nexus.host.{m.name}") for m in (one, batch)]
    return message_factory.GetMessageClass(found[0]), message_factory.GetMessageClass(found[1])


# PutRequest: event (bytes). BatchRequest, of PutBatch and PutStream alike: batch_id (text), events (list of bytes).
PutRequest, BatchRequest = _views()


def event_tag(number: int) -> int:
    """First number of an Event's bytes when it holds the entity of this field number."""
    return number << 3 | _LENGTH_DELIMITED


def wrap_entity(number: int, message: bytes) -> bytes:
    """An Event that holds this entity: what a generated `Event(...).SerializeToString()` gives."""
    return _varint(event_tag(number)) + _varint(len(message)) + message


def unwrap_entity(event: bytes) -> tuple[int, bytes] | None:
    """Field number and bytes of the entity in an Event; None unless it is exactly one whole field of messages."""
    tag, at = _read_varint(event, 0)
    size, at = _read_varint(event, at)
    if size is None or tag is None or tag & 7 != _LENGTH_DELIMITED or at + size != len(event):
        return None
    return tag >> 3, event[at:]


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SMALL[number]
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_SMALL = tuple(bytes((n,)) for n in range(0x80))


def _read_varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Tags and sizes have at most 5 bytes; None when cut off or longer."""
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
    return None, at
