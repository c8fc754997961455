"""The entities as every process knows them at run time, read from the committed `compiled/<entity>.json`.

The contracts in `contracts/*.yaml` are the source; `make generate` compiles them. Nothing here parses YAML, so
Lambdas and hosts start without it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Literal

from lakehouse.paths import topic_of

Severity = Literal["error", "warn"]


class WireType(StrEnum):
    """Types on the wire and in a stream's Bronze."""

    TEXT = "text"
    INT64 = "int64"


class Kind(StrEnum):
    """What a column holds in Silver."""

    TEXT = "text"
    INT64 = "int64"
    TIMESTAMP = "timestamp"
    DECIMAL = "decimal"
    DOUBLE = "double"


@dataclass(frozen=True)
class Field:
    """One column of an entity; `number` is its protobuf field number, released once and never reused."""

    name: str
    number: int
    kind: Kind
    required: bool
    key_position: int | None
    business_name: str
    description: str
    personal: bool = False
    precision: int = 0
    scale: int = 0

    @property
    def wire(self) -> WireType:
        """Civil time, money and coordinates travel as text; only whole numbers have a type of their own."""
        return WireType.INT64 if self.kind is Kind.INT64 else WireType.TEXT


@dataclass(frozen=True)
class Condition:
    """When a rule applies: the column is not null, or holds one of `values` (compared as text)."""

    column: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rule:
    """One row rule. `kind` and `args` say what holds; `text` tells a person what is wrong when it does not.

    Kinds: not_null · castable · regex{pattern} · not_regex{pattern} · in_set{values} · not_in_set{values} ·
    between{min,max,strict_min,strict_max} · length{min,max} · compare{operator,other}.
    A null value passes every kind but not_null; a value that cannot be cast passes every kind that needs the type
    (castable has told already).
    """

    id: str
    kind: str
    column: str
    severity: Severity
    text: str
    dimension: str
    args: Mapping[str, Any] = field(default_factory=dict)
    when: Condition | None = None


@dataclass(frozen=True)
class Entity:
    """One contract as compiled: columns, key, rules, message and its definition text."""

    name: str
    version: str
    message: str
    description: str
    grain: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    rules_hash: str
    definition: str
    delivery: Literal["stream", "batch"]
    tag: int  # number in the API's oneof of entities

    @property
    def major(self) -> int:
        """Major version: part of topic, Silver path and registry name."""
        return int(self.version.split(".", 1)[0])

    @property
    def topic(self) -> str:
        """Kafka topic."""
        return topic_of(self.name, self.major)

    @property
    def key(self) -> tuple[str, ...]:
        """Business key columns in order; empty when the entity has none."""
        keyed = [f for f in self.fields if f.key_position is not None]
        return tuple(f.name for f in sorted(keyed, key=lambda f: f.key_position or 0))

    def field(self, name: str) -> Field:
        """The column of that name; KeyError when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


@cache
def load_entities() -> Mapping[str, Entity]:
    """Every entity by name, in the order of their names. Read once per process."""
    folder = resources.files("lakehouse") / "compiled"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".json")), key=lambda f: f.name
    )
    entities = [entity_from_json(json.loads(entry.read_text("utf-8"))) for entry in files]
    return {entity.name: entity for entity in entities}


def entity_from_json(data: Mapping[str, Any]) -> Entity:
    """The entity of one compiled document, the inverse of `compilers.plan.entity_to_json`."""
    fields = tuple(Field(**{**f, "kind": Kind(f["kind"])}) for f in data["fields"])
    return Entity(
        **{k: data[k] for k in _PLAIN},
        fields=fields,
        rules=tuple(_rule(r) for r in data["rules"]),
    )


_PLAIN = (
    "name",
    "version",
    "message",
    "description",
    "grain",
    "rules_hash",
    "definition",
    "delivery",
    "tag",
)


def _rule(data: Mapping[str, Any]) -> Rule:
    when = data.get("when")
    condition = None
    if when is not None:
        values = when.get("values")
        condition = Condition(when["column"], None if values is None else tuple(values))
    return Rule(**{**data, "when": condition})
