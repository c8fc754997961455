"""Event → Kafka record: which entity, is its shape sound, which contract version; then header, key and topic.

The message itself passes unchanged. The host and the plain producer both go through here.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from grpc_ingest.refusal import Refusal, refuse_malformed
from grpc_ingest.requests import event_tag, unwrap_entity
from grpc_ingest.shape import ShapeCheck, message_class
from lakehouse.catalog import Entity
from lakehouse.wire import ENVELOPE, FieldTable, Undecodable, frame_header

KEY_SEPARATOR = "\x1f"
_read_envelope: Callable[[bytes], Any] = message_class(
    FieldTable("Envelope", {field.number: field for field in ENVELOPE})
).FromString


# What goes to Kafka: event id (empty when the event has none), topic, key (None when a part of it is missing), value.
# A plain tuple: a class of its own costs a tenth of all that is done for an event here.
Record = tuple[str, str, bytes | None, bytes]


class _Version:
    """One contract version of an entity."""

    __slots__ = ("header", "key", "read", "topic", "version")

    def __init__(self, entity: Entity, registry_id: str) -> None:
        self.version, self.topic = entity.version, entity.topic
        self.header = frame_header(registry_id)
        self.read = ShapeCheck(FieldTable.of(entity)).read
        self.key = _key_reader(entity.key)


class _Member:
    """An entity with the versions that are known of it."""

    __slots__ = ("name", "newest", "versions")

    def __init__(self, name: str, versions: Mapping[str, _Version], newest: str) -> None:
        self.name, self.versions, self.newest = name, versions, versions[newest]

    def record(self, message: bytes) -> Record | Refusal:
        # Within a major version columns stay and numbers are never reused: the newest table reads every message.
        version = self.newest
        found = version.read(message)
        if type(found) is Undecodable:
            return self._refuse(self._explain(found, message))
        if (given := found.contract_version) != version.version:
            older = self.versions.get(given)
            if older is None:
                return self._refuse(self._unknown_version(given))
            version, found = older, older.read(message)
            if type(found) is Undecodable:
                return self._refuse(found)
        return found.event_id, version.topic, version.key(found), version.header + message

    def _explain(self, fault: Undecodable, message: bytes) -> Undecodable:
        """A message of a version that is newer than this host is refused for that, not for its new fields."""
        try:
            given = _read_envelope(message).contract_version
        except DecodeError:
            return fault
        return self._unknown_version(given) if given and given not in self.versions else fault

    def _refuse(self, fault: Undecodable) -> Refusal:
        return refuse_malformed(f"{self.name}.{fault.field}" if fault.field else self.name, fault.reason)

    def _unknown_version(self, given: str) -> Undecodable:
        known = ", ".join(sorted(self.versions))
        problem = f"contract_version {given!r} of {self.name} is not known here: known are {known}"
        return Undecodable(problem, "contract_version")


class Edge:
    """Every entity by its field number in the API's oneof."""

    def __init__(self, entities: Iterable[Entity], registry_ids: Callable[[Entity], str]) -> None:
        """`registry_ids` gives the schema version of each contract version; it is asked for every former one too."""
        self._by_tag: dict[int, _Member] = {}
        self._by_name: dict[str, _Member] = {}
        for entity in entities:
            versions = {one.version: _Version(one, registry_ids(one)) for one in entity.versions}
            member = _Member(entity.name, versions, entity.version)
            self._by_name[entity.name] = self._by_tag[entity.tag] = member
        # Numbers below 16 have their tag in one byte.
        self._by_byte = {event_tag(n): member for n, member in self._by_tag.items() if n < 16}

    @property
    def topics(self) -> list[str]:
        """Every topic that records may go to."""
        return sorted({v.topic for member in self._by_name.values() for v in member.versions.values()})

    def accept(self, event: bytes) -> Record | Refusal:
        """The record of an `Event`'s bytes."""
        # Nearly every event has its tag in one byte and its size in two: read here, all others below.
        if len(event) > 2 and 0x80 & event[1] & ~event[2]:
            member = self._by_byte.get(event[0])
            if member is not None and (event[1] & 0x7F | event[2] << 7) + 3 == len(event):
                return member.record(event[3:])
        return self._accept_slowly(event)

    def accept_entity(self, name: str, message: bytes) -> Record | Refusal:
        """The record of an entity's bytes. KeyError for an entity that has no contract."""
        return self._by_name[name].record(message)

    def _accept_slowly(self, event: bytes) -> Record | Refusal:
        if not event:
            return refuse_malformed("entity", "the event holds no entity: set one of the oneof")
        found = unwrap_entity(event)
        if found is None:
            return refuse_malformed("entity", "the event is not exactly one entity: send one event for each")
        number, message = found
        member = self._by_tag.get(number)
        if member is None:
            known = ", ".join(sorted(self._by_name))
            return refuse_malformed(
                "entity", f"entity number {number} has no contract here; known are {known}"
            )
        return member.record(message)


def _key_reader(names: tuple[str, ...]) -> Callable[[Any], bytes | None]:
    """Reads the business key of a message: its values joined, or None when one is absent."""
    if not names:
        return lambda _found: None
    read = attrgetter(*names)
    form = KEY_SEPARATOR.join(["%s"] * len(names))

    def read_one(found: Any) -> bytes | None:
        value = read(found)
        return (form % value).encode() if value or found.HasField(names[0]) else None

    def read_all(found: Any) -> bytes | None:
        values = read(found)
        if all(values) or all(map(found.HasField, names)):
            return (form % values).encode()
        return None

    return read_one if len(names) == 1 else read_all
