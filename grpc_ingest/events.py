"""A shop's event → the bytes of its message, with an id that is the same whenever it is sent again."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf import message_factory
from google.protobuf.message import Message

from grpc_ingest.proto.gen.nexus.ingest.v1 import events_pb2
from lakehouse.catalog import Entity, WireType, load_entities
from lakehouse.errors import InputError
from lakehouse.identity import event_id_of_content
from lakehouse.wire import DELETE, FIRST_COLUMN_NUMBER, UPSERT

Columns = Mapping[str, str | int | None]
_TAKES = {
    WireType.TEXT: "text in quotes that UTF-8 can hold",
    WireType.INT64: "a whole number of at most 64 bits",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class EventError(InputError):
    """An event cannot be written as its entity's message: names the entity, the field and the remedy."""


class Encoded(NamedTuple):
    """One event, ready to send. `tag` is the entity's field number in the API's oneof."""

    entity: str
    event_id: str
    tag: int
    message: bytes


class EventEncoder:
    """Writes events of one source. Holds no state between events; safe for threads."""

    def __init__(self, source: str) -> None:
        if not (1 <= len(source) <= 64 and source.isprintable()):
            raise EventError(f"source {source!r}: give 1 to 64 printable characters, such as web-shop")
        self._source = source
        contracts = load_entities()
        members = events_pb2.Event.DESCRIPTOR.fields
        self._kinds = {m.name: _Kind(contracts[m.name], m) for m in members}
        self._by_class = {kind.make: kind for kind in self._kinds.values()}

    def encode(
        self,
        entity: str,
        columns: Columns,
        occurred_at: int | datetime,
        *,
        op: str = UPSERT,
        event_id: str | None = None,
        source: str | None = None,
    ) -> Encoded:
        """An event from its columns.

        Args:
            columns: text and whole numbers by the contract's names; None and absent are the same.
            occurred_at: microseconds since 1970 UTC, or a datetime with a zone.
            op: `upsert` (the full current row) or `delete` (the key is enough).
            event_id: the id of the event if it has one; else it is derived from all that is given here.
        """
        kind = self._kinds.get(entity)
        if kind is None:
            raise EventError(f"{entity!r} is no entity; there are {', '.join(sorted(self._kinds))}")
        moment = occurred_at if isinstance(occurred_at, int) else microseconds(occurred_at)
        source = source or self._source
        if op not in (UPSERT, DELETE):
            raise EventError(f"{entity}: op is {op!r}: give 'upsert' or 'delete'")
        try:
            event_id = event_id or event_id_of_content(entity, source, moment, op, columns)
            message = kind.make(
                event_id=event_id,
                occurred_at=moment,
                source=source,
                op=None if op == UPSERT else op,
                contract_version=kind.version,
                **columns,
            ).SerializeToString()
        except (TypeError, ValueError, AttributeError) as error:
            raise kind.explain(columns) or EventError(f"{entity}: {error}") from error
        return Encoded(entity, event_id, kind.tag, message)

    def encode_message(self, message: Message) -> Encoded:
        """An event from a generated class such as `nexus.v1.Order`, which is not changed.

        What its envelope lacks is filled in: source, contract version, event id. `occurred_at` it must have.
        """
        kind = self._by_class.get(type(message))
        if kind is None:
            raise EventError(f"{type(message).__name__} is no entity's message; see nexus.v1")
        given = {field.name: value for field, value in message.ListFields()}
        if "occurred_at" not in given:
            raise EventError(f"{kind.name}.occurred_at is missing: give microseconds since 1970 in UTC")
        columns = {name: value for name, value in given.items() if name in kind.columns}
        return self.encode(
            kind.name,
            columns,
            given["occurred_at"],
            op=given.get("op", UPSERT),
            event_id=given.get("event_id"),
            source=given.get("source"),
        )


class _Kind:
    """One entity: its generated class and what its events carry."""

    def __init__(self, entity: Entity, member: Any) -> None:
        self.name, self.version, self.tag = entity.name, entity.version, member.number
        self.make: Callable[..., Message] = message_factory.GetMessageClass(member.message_type)
        fields = member.message_type.fields
        self.columns = frozenset(f.name for f in fields if f.number >= FIRST_COLUMN_NUMBER)
        self._takes = {f.name: _TAKES[f.wire] for f in entity.fields}

    def explain(self, columns: Columns) -> EventError | None:
        """Which column cannot be written, and why; None when it is none of them."""
        for name, value in columns.items():
            place = f"{self.name}.{name}"
            if name not in self.columns:
                return EventError(f"{place} is no column; there are {', '.join(sorted(self.columns))}")
            try:
                self.make(**{name: value}).SerializeToString()
                fits = type(value) in (str, int, bool, type(None))
            except (TypeError, ValueError):
                fits = False
            if not fits:
                return EventError(f"{place} cannot hold {value!r}: give {self._takes[name]}, or None")
        return None


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact."""
    if moment.tzinfo is None:
        raise EventError(
            f"{moment.isoformat()} has no time zone: give a datetime that has one, or microseconds"
        )
    return (moment - _EPOCH) // _MICROSECOND
