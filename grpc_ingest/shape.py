"""The fast twin of `lakehouse.wire.shape_fault`: protobuf's own parser on a class made from the field table.

Whatever the parser or a quick look at the envelope does not take goes to the reference, which decides and names the
fault. So the verdicts are equal as long as everything taken here is taken there; tests hold the two together.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from lakehouse.catalog import WireType
from lakehouse.wire import (
    DELETE,
    MAX_EVENT_ID,
    UPSERT,
    FieldTable,
    Undecodable,
    decode,
    encode,
    envelope_fault,
)

_PROTO_TYPE = {
    WireType.TEXT: descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    WireType.INT64: descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
}
_OPS = (UPSERT, DELETE)
_SOURCES_KEPT = 1000


class ShapeCheck:
    """Checks messages of one field table. Between messages it remembers nothing but sources that were sound."""

    def __init__(self, table: FieldTable) -> None:
        self._table = table
        self._parse = message_class(table).FromString
        self._sources: set[str] = set()

    def read(self, message: bytes) -> Any:
        """The message, its fields as attributes, or `Undecodable`. Never raises for bad bytes."""
        try:
            found = self._parse(message)
        except DecodeError:
            return self._read_slowly(message)
        event_id = found.event_id
        if (
            (event_id.isprintable() and len(event_id) <= MAX_EVENT_ID)
            and (event_id or not found.HasField("event_id"))
            and (found.source in self._sources or self._learn(found.source))
            and (found.occurred_at or found.HasField("occurred_at"))
            and found.contract_version
            and (not found.HasField("op") or found.op in _OPS)
            and not UnknownFieldSet(found)
        ):
            return found
        return self._read_slowly(message)

    def _learn(self, source: str) -> bool:
        """Whether a source is sound; a few are remembered, as nearly all events have one of a few."""
        sound = 1 <= len(source) <= 64 and source.isprintable()
        if sound and len(self._sources) < _SOURCES_KEPT:
            self._sources.add(source)
        return sound

    def _read_slowly(self, message: bytes) -> Any:
        row = decode(self._table, message)
        if isinstance(row, Undecodable):
            return row
        # Only tags spelt longer than need be bring a sound message here: the parser refuses them.
        return envelope_fault(row) or self._parse(encode(self._table, row))


def message_class(table: FieldTable) -> Any:
    """A protobuf class of these fields, in a pool of its own."""
    name = f"nexus.shape.{table.message}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="nexus.shape", syntax="proto3")
    message = file.message_type.add(name=table.message)
    for place, field in enumerate(table.fields.values()):
        message.oneof_decl.add(name=f"_{field.name}")
        message.field.add(
            name=field.name,
            number=field.number,
            type=_PROTO_TYPE[field.type],
            label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            proto3_optional=True,
            oneof_index=place,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
