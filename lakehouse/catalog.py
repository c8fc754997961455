"""The entities as every process knows them at run time, read from the committed `compiled/<entity>.json`.

Versions that a contract had before stand in `compiled/former/<entity>-<version>.json`. The contracts in
`contracts/*.yaml` are the source; `make generate` compiles them. Nothing here parses YAML, so Lambdas and hosts start
without it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal

from lakehouse.paths import topic_of

Severity = Literal["error", "warn"]
Delivery = Literal["stream", "batch"]


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
    """When a rule applies, by one column: it is not null (nothing else said), or null (`absent`), or its text is one
    of `values`, or its value within `bounds` (those of `between`), or its text as a whole matches `pattern`.

    A missing or unreadable value makes all but `absent` false.
    """

    column: str
    values: tuple[str, ...] | None = None
    absent: bool = False
    bounds: Mapping[str, Any] | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Rule:
    """One rule. `kind` and `args` say what holds; `text` tells a person what is wrong when it does not.

    Of a row: not_null · null · castable · castable_to{to,precision,scale} · regex{pattern} · not_regex{pattern} ·
    regex_list{patterns,match_on} · not_regex_list{patterns} · length{min,max} · format{format} · json ·
    in_set{values} · not_in_set{values} · pair_in_set{other,pairs} · between{min,max,strict_min,strict_max} ·
    compare{operator,other} · sum{columns,total,tolerance} · distinct{columns}.
    Of a row among those of its load: unique{columns} · increasing{strictly} · decreasing{strictly}.
    Of a load's object: row_count{min,max} · columns_present{columns} · null_share{max}; the first two have no column.
    Args that have a default are left out. Values are texts in the column's grammar, whole numbers of int64 columns
    in sets are numbers. `docs/rules.md` says what each means.
    """

    id: str
    kind: str
    column: str
    severity: Severity
    text: str
    dimension: str
    args: Mapping[str, Any] = field(default_factory=dict)
    when: Condition | None = None
    version: int = 1


@dataclass(frozen=True)
class Entity:
    """One contract as compiled: columns, key, rules, message and its definition text.

    `former` are the earlier versions of the same major whose rows are still taken, oldest first: each with its own
    rules, and with columns that this version has too.
    """

    name: str
    version: str
    message: str
    description: str
    grain: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    rules_hash: str
    definition: str
    delivery: Delivery
    tag: int  # number in the API's oneof of entities
    former: tuple["Entity", ...] = ()

    @property
    def major(self) -> int:
        """Major version: part of topic, Silver path and registry name."""
        return int(self.version.split(".", 1)[0])

    @property
    def versions(self) -> tuple["Entity", ...]:
        """Every version whose rows are taken, oldest first; the last one is this."""
        return (*self.former, self)

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
    former = list(_read_folder(folder / "former"))
    return {entity.name: with_former(entity, former) for entity in _read_folder(folder)}


def _read_folder(folder: Traversable) -> Iterator[Entity]:
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".json")] if folder.is_dir() else []
    for entry in sorted(files, key=lambda f: f.name):
        yield entity_from_json(json.loads(entry.read_text("utf-8")))


def with_former(entity: Entity, documents: Iterable[Entity]) -> Entity:
    """The entity with those of the documents that are earlier versions of it, within its major.

    Its rules hash then stands for the rules of all of them: verdicts depend on each.
    """
    earlier = [
        one
        for one in documents
        if (one.name, one.major) == (entity.name, entity.major) and one.version != entity.version
    ]
    if not earlier:
        return entity
    former = tuple(sorted(earlier, key=lambda one: version_order(one.version)))
    hashes = ",".join(one.rules_hash for one in (*former, entity))
    return replace(entity, former=former, rules_hash=hashlib.sha256(hashes.encode()).hexdigest()[:16])


def version_order(version: str) -> tuple[int, ...]:
    """What versions are sorted by: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in version.split("."))


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
    if when is None:
        return Rule(**data)
    values = when.get("values")
    condition = Condition(**{**when, "values": None if values is None else tuple(values)})
    return Rule(**{**data, "when": condition})
