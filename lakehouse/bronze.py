"""What a Bronze, Silver and Quarantine object holds: Arrow schemas, and the metadata on a Bronze object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from lakehouse.catalog import Entity, Field, Kind, WireType
from lakehouse.errors import LakeError
from lakehouse.identity import Position
from lakehouse.paths import MAX_OFFSET, BronzeKey, day_of

ENVELOPE_FIELDS = (
    pa.field("event_id", pa.string()),
    pa.field("occurred_at", pa.int64()),
    pa.field("source", pa.string()),
    pa.field("op", pa.string()),
    pa.field("contract_version", pa.string()),
)
POSITION_FIELDS = (
    pa.field("pos_log", pa.string()),
    pa.field("pos_topic", pa.string()),
    pa.field("pos_partition", pa.int32()),
    pa.field("pos_offset", pa.int64()),
    pa.field("broker_time", pa.int64()),
)
TAIL_FIELDS = (
    pa.field("registry_id", pa.string()),
    pa.field("row_hash", pa.int64()),
    pa.field("raw", pa.binary()),
    pa.field("raw_reason", pa.string()),
)
# JSON by name of the columns that the contract does not know; null where they hold nothing.
EXTRAS = "extras"
RESERVED_NAMES = frozenset(f.name for f in (*ENVELOPE_FIELDS, *POSITION_FIELDS, *TAIL_FIELDS)) | {
    EXTRAS,
    "warnings",
    "edit",
    "reasons",
    "judged_by",
    "bronze_key",
    "bronze_row",
    "first_seen",
    "year",
    "month",
    "day",
}

REASON = pa.struct(
    [
        pa.field("rule", pa.string()),
        pa.field("column", pa.string()),
        pa.field("value", pa.string()),
        pa.field("message", pa.string()),
    ]
)
CHECK_FIELDS = (
    pa.field("reasons", pa.list_(REASON)),
    pa.field("judged_by", pa.string()),
    pa.field("bronze_key", pa.string()),
    pa.field("bronze_row", pa.int64()),
    pa.field("first_seen", pa.timestamp("us")),
)


def bronze_schema(entity: Entity, all_text: bool) -> pa.Schema:
    """Bronze of an entity: a stream's columns are text and int64, a batch load's are all text."""
    columns = [pa.field(f.name, _wire_type(f, all_text)) for f in entity.fields]
    return pa.schema([*columns, *ENVELOPE_FIELDS, *POSITION_FIELDS, *TAIL_FIELDS])


def silver_schema(entity: Entity) -> pa.Schema:
    """Silver of an entity: typed columns, envelope, position, row hash, warnings (rule ids), extras and edit (JSON)."""
    columns = [pa.field(f.name, silver_type(f)) for f in entity.fields]
    moments = {"occurred_at": pa.timestamp("us"), "broker_time": pa.timestamp("us")}
    envelope = [pa.field(f.name, moments.get(f.name, f.type)) for f in (*ENVELOPE_FIELDS, *POSITION_FIELDS)]
    tail = [
        pa.field("registry_id", pa.string()),
        pa.field("row_hash", pa.int64()),
        pa.field("warnings", pa.list_(pa.string())),
        pa.field(EXTRAS, pa.string()),
        pa.field("edit", pa.string()),
    ]
    return pa.schema([*columns, *envelope, *tail])


def quarantine_schema(entity: Entity) -> pa.Schema:
    """Quarantine: the Bronze row with its columns as text, its extras, all its reasons, the contract version, where it
    stood and since when. One schema whatever the file was like, so that one table can show all of them.

    `first_seen` is the broker's time of the row, UTC; null where no calendar holds it.
    """
    return pa.schema([*bronze_schema(entity, all_text=True), pa.field(EXTRAS, pa.string()), *CHECK_FIELDS])


def silver_type(column: Field) -> pa.DataType:
    """Arrow type of a column in Silver."""
    match column.kind:
        case Kind.TEXT:
            return pa.string()
        case Kind.INT64:
            return pa.int64()
        case Kind.TIMESTAMP:
            return pa.timestamp("us")
        case Kind.DECIMAL:
            return pa.decimal128(column.precision, column.scale)
        case Kind.DOUBLE:
            return pa.float64()


def _wire_type(column: Field, all_text: bool) -> pa.DataType:
    return pa.int64() if column.wire is WireType.INT64 and not all_text else pa.string()


@dataclass(frozen=True)
class BronzeMetadata:
    """S3 user metadata of a Bronze object: what the ledger needs without opening it.

    Offsets are half open: `[first_offset, end_offset)`. `previous_end` is the end of the partition's predecessor
    (equal to `first_offset` unless offsets are missing between them, then `void_reason` says why).
    `hash_sum` is unsigned, mod 2^64. `first_broker_time` is in milliseconds UTC and gives the key its day.
    """

    entity: str
    log: str
    topic: str
    partition: int
    first_offset: int
    end_offset: int
    previous_end: int
    rows: int
    hash_sum: int
    first_broker_time: int
    topic_id: str = ""
    void_reason: str = ""

    @property
    def key(self) -> BronzeKey:
        """Where the object stands."""
        day = day_of(self.first_broker_time)
        return BronzeKey(self.entity, day, self.log, self.partition, self.first_offset)

    @property
    def position(self) -> Position:
        """Position of the first row."""
        return Position(self.log, self.topic, self.partition, self.first_offset)

    def to_s3(self) -> dict[str, str]:
        """User metadata, without the `x-amz-meta-` that S3 puts before each name."""
        return {name.replace("_", "-"): str(getattr(self, name)) for name in self.__dataclass_fields__}

    @classmethod
    def from_s3(cls, metadata: Mapping[str, str]) -> Self:
        """Metadata as `to_s3` wrote it; LakeError names what is missing, unreadable or impossible."""
        values: dict[str, str | int] = {}
        for name, field in cls.__dataclass_fields__.items():
            # an empty header may be dropped on its way
            text = metadata.get(name.replace("_", "-"), "" if field.default == "" else None)
            if text is None:
                raise LakeError(
                    f"object metadata lacks {name.replace('_', '-')}: was it written by another sink?"
                )
            if field.type is int and not re.fullmatch(r"-?(?:0|[1-9][0-9]{0,19})", text):
                raise LakeError(f"object metadata {name.replace('_', '-')} is {text!r}, not a number")
            values[name] = int(text) if field.type is int else text
        found = cls(**values)  # type: ignore[arg-type]
        if not 0 <= found.previous_end <= found.first_offset < found.end_offset <= MAX_OFFSET:
            raise LakeError(f"object metadata of {found.key} has offsets that cannot be: {found.position}")
        if not 0 <= found.rows <= found.end_offset - found.first_offset or not 0 <= found.hash_sum < 2**64:
            raise LakeError(f"object metadata of {found.key} has rows or a hash sum that cannot be")
        return found
