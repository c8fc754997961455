"""The bytes of a Kafka value: Glue header, message index, flat protobuf; and the field tables that read them.

The decoder here is the reference: plain, one row at a time, naming what is wrong. Faster twins are tested against it.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from lakehouse.catalog import Entity, WireType

HEADER_VERSION = 0x03
UNCOMPRESSED = 0x00
FIRST_MESSAGE = b"\x00"  # index of the only message of a schema, a plain varint
HEADER_LENGTH = 18
FRAME_LENGTH = HEADER_LENGTH + len(FIRST_MESSAGE)

FIRST_COLUMN_NUMBER = 10  # 1-5 are the envelope, 6-9 kept for it
UPSERT, DELETE = "upsert", "delete"
MAX_EVENT_ID = 128  # characters; a UUID has 36, a shop's own ids stay below this


@dataclass(frozen=True)
class WireField:
    """One field of a message: number, name, type."""

    number: int
    name: str
    type: WireType


ENVELOPE = (
    WireField(1, "event_id", WireType.TEXT),
    WireField(2, "occurred_at", WireType.INT64),
    WireField(3, "source", WireType.TEXT),
    WireField(4, "op", WireType.TEXT),
    WireField(5, "contract_version", WireType.TEXT),
)
ENVELOPE_NAMES = frozenset(f.name for f in ENVELOPE)


@dataclass(frozen=True)
class FieldTable:
    """Fields of one message by number; what hosts and writers check and decode with."""

    message: str
    fields: Mapping[int, WireField]

    @classmethod
    def of(cls, entity: Entity) -> "FieldTable":
        """The table of an entity's current contract."""
        columns = [WireField(f.number, f.name, f.wire) for f in entity.fields]
        return cls(entity.message, {f.number: f for f in (*ENVELOPE, *columns)})

    @property
    def columns(self) -> tuple[WireField, ...]:
        """Fields that are not envelope, by number."""
        return tuple(f for n, f in sorted(self.fields.items()) if n >= FIRST_COLUMN_NUMBER)


@dataclass(frozen=True)
class Undecodable:
    """Why bytes could not be read; `field` names the place when there is one."""

    reason: str
    field: str = ""


@dataclass(frozen=True)
class Framed:
    """A Kafka value with its header taken off."""

    schema_version_id: str
    message: bytes


def frame_header(schema_version_id: str) -> bytes:
    """The 19 bytes before a message: Glue header of this schema version, then message index 0."""
    return bytes((HEADER_VERSION, UNCOMPRESSED)) + uuid.UUID(schema_version_id).bytes + FIRST_MESSAGE


def unframe(value: bytes | None) -> Framed | Undecodable:
    """The schema version and message of a Kafka value, or why it has none. Never raises for bad bytes."""
    if value is None:
        return Undecodable("tombstone: the record has no value")
    if len(value) < FRAME_LENGTH:
        return Undecodable(f"{len(value)} bytes are too few for a schema header")
    if value[0] != HEADER_VERSION:
        return Undecodable(f"schema header starts with 0x{value[0]:02x}, not 0x03")
    if value[1] != UNCOMPRESSED:
        return Undecodable(f"compression byte 0x{value[1]:02x} is not supported")
    if value[HEADER_LENGTH:FRAME_LENGTH] != FIRST_MESSAGE:
        return Undecodable("message index is not 0")
    return Framed(str(uuid.UUID(bytes=value[2:HEADER_LENGTH])), value[FRAME_LENGTH:])


_PROTO_FIELD = re.compile(r"optional (string|int64) ([a-z][a-z0-9_]*) = ([1-9][0-9]*)")
_PROTO_MESSAGE = re.compile(r"\bmessage ([A-Za-z][A-Za-z0-9]*) \{([^{}]*)\}")
_PROTO_COMMENT = re.compile(r"//[^\n]*")


@cache
def parse_definition(definition: str) -> FieldTable | Undecodable:
    """The field table of a schema's text: one flat message of optional string and int64 fields."""
    text = _PROTO_COMMENT.sub("", definition)
    messages, named = _PROTO_MESSAGE.findall(text), len(re.findall(r"\bmessage\b", text))
    if len(messages) != 1 or named != 1:
        return Undecodable(f"the schema holds {named} messages, not a single flat one")
    name, body = messages[0]
    fields: dict[int, WireField] = {}
    for statement in filter(None, (part.strip() for part in body.split(";"))):
        if statement.startswith("reserved "):
            continue
        found = _PROTO_FIELD.fullmatch(statement)
        if found is None:
            return Undecodable(f"the schema holds {statement!r}, not an optional string or int64")
        if int(found[3]) in fields:
            return Undecodable(f"the schema gives number {found[3]} twice")
        fields[int(found[3])] = WireField(int(found[3]), found[2], _PROTO_TYPES[found[1]])
    return FieldTable(name, fields)


_PROTO_TYPES = {"string": WireType.TEXT, "int64": WireType.INT64}


def decode(table: FieldTable, message: bytes) -> dict[str, str | int] | Undecodable:
    """Present fields of a message by name; the last one wins where a field stands twice, as protobuf says."""
    row: dict[str, str | int] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at, _TAG_BYTES)
        if tag is None:
            return Undecodable("the message ends inside a field's tag, or the tag is too long")
        found = table.fields.get(tag >> 3)
        if found is None:
            return Undecodable(f"field number {tag >> 3} is not in {table.message}", f"#{tag >> 3}")
        if tag & 7 != (0 if found.type is WireType.INT64 else 2):
            return Undecodable(f"{found.name} has wire type {tag & 7}, not that of {found.type}", found.name)
        number, at = _varint(message, at)
        if number is None:
            return Undecodable(f"the message ends inside {found.name}", found.name)
        if found.type is WireType.INT64:
            row[found.name] = number - 2**64 if number >= 2**63 else number
            continue
        if at + number > len(message):
            return Undecodable(f"the message ends inside {found.name}", found.name)
        try:
            row[found.name] = message[at : at + number].decode()
        except UnicodeDecodeError:
            return Undecodable(f"{found.name} is not valid UTF-8", found.name)
        at += number
    return row


def shape_fault(table: FieldTable, message: bytes) -> Undecodable | None:
    """What the ingest edge refuses: undecodable bytes, or an envelope that cannot be followed. None when it may pass.

    Values of columns are not judged here; the check hop does that.
    """
    row = decode(table, message)
    return row if isinstance(row, Undecodable) else envelope_fault(row)


def envelope_fault(row: Mapping[str, str | int]) -> Undecodable | None:
    """What is wrong with a decoded event's envelope, or None."""
    event_id = str(row.get("event_id", "-"))
    if not 1 <= len(event_id) <= MAX_EVENT_ID or not event_id.isprintable():
        return Undecodable(f"event_id must be 1 to {MAX_EVENT_ID} printable characters", "event_id")
    if "occurred_at" not in row:
        return Undecodable("occurred_at is missing: give microseconds since 1970 in UTC", "occurred_at")
    source = str(row.get("source", ""))
    if not 1 <= len(source) <= 64 or not source.isprintable():
        return Undecodable("source must be 1 to 64 printable characters", "source")
    if row.get("op", UPSERT) not in (UPSERT, DELETE):
        return Undecodable(f"op is {row['op']!r}: leave it out, or send 'upsert' or 'delete'", "op")
    if not row.get("contract_version"):
        return Undecodable(
            "contract_version is missing: give the version the client was compiled with", "contract_version"
        )
    return None


def encode(table: FieldTable, row: Mapping[str, str | int | None]) -> bytes:
    """A message of these fields in number order; absent and None are left out.

    KeyError for an unknown field, ValueError for a number beyond 64 bits.
    """
    numbers = {f.name: f for f in table.fields.values()}
    parts = bytearray()
    for found in sorted((numbers[name] for name in row), key=lambda f: f.number):
        value = row[found.name]
        if value is None:
            continue
        if found.type is WireType.INT64:
            if not -(2**63) <= int(value) < 2**63:
                raise ValueError(f"{found.name} is {value}, which 64 bits do not hold")
            parts += _encode_varint(found.number << 3) + _encode_varint(int(value) & (2**64 - 1))
        else:
            text = str(value).encode()
            parts += _encode_varint(found.number << 3 | 2) + _encode_varint(len(text)) + text
    return bytes(parts)


_TAG_BYTES, _NUMBER_BYTES = 5, 10  # what protobuf's own readers take at most


def _varint(data: bytes, at: int, longest: int = _NUMBER_BYTES) -> tuple[int | None, int]:
    """The varint at `at` and what follows it; None when it is cut off or has more than `longest` bytes."""
    number = shift = 0
    while at < len(data) and shift < 7 * longest:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number & (2**64 - 1), at
        shift += 7
    return None, at


def _encode_varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
