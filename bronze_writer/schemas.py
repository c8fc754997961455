"""Schema definitions by id: kept in the lake once resolved and read from there first, so it outlives the registry."""

import logging
import threading
from collections.abc import Mapping
from typing import Protocol

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)

from bronze_writer.lake import PatientStore
from lakehouse.bronze import RESERVED_NAMES
from lakehouse.catalog import Entity, WireType
from lakehouse.errors import RegistryError
from lakehouse.paths import schema_definition_key
from lakehouse.wire import ENVELOPE_NAMES, FieldTable, Undecodable, WireField, parse_definition

_log = logging.getLogger(__name__)

_WAIT = wait_random_exponential(multiplier=0.2, max=10)  # as for the store, see lake.py


class Registry(Protocol):
    """The part of `adapters.registry.SchemaRegistry` that decoding needs."""

    def definition(self, schema_version_id: str) -> str | None:
        """None: unknown. RegistryError: away."""


class Schemas:
    """Field tables by schema id; safe to share between threads.

    An id that the registry does not know is asked for again the next time: it may be registered by then.
    """

    def __init__(
        self,
        store: PatientStore,
        registry: Registry,
        patience_s: float,
        closing: threading.Event | None = None,
    ) -> None:
        self._store, self._registry, self._patience_s = store, registry, patience_s
        self._closing = closing or threading.Event()
        self._known: dict[str, FieldTable | Undecodable] = {}

    def table(self, schema_version_id: str, entity: Entity) -> FieldTable | Undecodable:
        """What decodes messages of this id in the entity's topic, or why nothing does.

        Raises RegistryError when the registry stays away, LakeError when the store does.
        """
        if schema_version_id not in self._known:
            definition = self._definition(schema_version_id)
            if definition is None:
                return Undecodable(f"the registry does not know schema {schema_version_id}")
            self._known[schema_version_id] = parse_definition(definition)
        found = self._known[schema_version_id]
        return found if isinstance(found, Undecodable) else admit(entity, found)

    def _definition(self, schema_version_id: str) -> str | None:
        key = schema_definition_key(schema_version_id)
        kept = self._store.get(key)
        if kept is not None:
            return kept.decode()
        definition = self._ask_registry(schema_version_id)
        if definition is not None:
            self._store.put_new(key, definition.encode())
        return definition

    def _ask_registry(self, schema_version_id: str) -> str | None:
        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            _log.warning("registry does not answer, asking again", extra={"problem": str(error)})

        for attempt in Retrying(
            retry=retry_if_exception_type(RegistryError),
            wait=_WAIT,
            stop=stop_any(stop_after_delay(self._patience_s), stop_when_event_set(self._closing)),
            sleep=sleep_using_event(self._closing),
            before_sleep=tell,
            reraise=True,
        ):
            with attempt:
                return self._registry.definition(schema_version_id)
        raise AssertionError("tenacity either returns or raises")


def admit(entity: Entity, table: FieldTable) -> FieldTable | Undecodable:
    """The table, when Bronze of the entity can hold its columns beside those the contract knows.

    Columns of contract versions newer than this code are welcome; a column that means something else is not.
    """
    if table.message != entity.message:
        return Undecodable(f"the schema is of message {table.message}, not {entity.message}")
    known = {f.name: f.type for f in FieldTable.of(entity).fields.values()}
    seen: set[str] = set()
    for field in table.fields.values():
        fault = _misfit(field, known, seen)
        if fault is not None:
            return fault
        seen.add(field.name)
    return table


def _misfit(field: WireField, known: Mapping[str, WireType], seen: set[str]) -> Undecodable | None:
    if field.name in seen:
        return Undecodable(f"the schema names {field.name} twice", field.name)
    if field.name in RESERVED_NAMES - ENVELOPE_NAMES:
        return Undecodable(
            f"the schema has a column {field.name}, which is a name of the lake's own", field.name
        )
    if known.get(field.name, field.type) != field.type:
        return Undecodable(
            f"the schema has {field.name} as {field.type}, the contract as {known[field.name]}", field.name
        )
    return None
