"""Contract → the compiled document that every process reads at run time (`lakehouse/compiled/<entity>.json`)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from lakehouse.catalog import Condition, Entity, Field, Rule
from lakehouse.compilers.proto import definition_of
from lakehouse.contract import Contract

# Raised when the meaning of a rule kind or a grammar changes: verdicts may then differ under the same contract.
SEMANTICS = 1


def compile_entity(contract: Contract, lock: Mapping[str, Any], tag: int) -> Entity:
    """The run-time entity of a contract, its lock and its number in the API's oneof."""
    fields = tuple(
        Field(number=lock["fields"][column.name]["number"], **asdict(column)) for column in contract.columns
    )
    return Entity(
        name=contract.name,
        version=contract.version,
        message=contract.message,
        description=contract.description,
        grain=contract.grain,
        fields=fields,
        rules=contract.rules,
        rules_hash=rules_hash(contract.version, fields, contract.rules),
        definition=definition_of(contract.name, contract.message, contract.grain, fields),
        delivery=contract.delivery,
        tag=tag,
    )


def rules_hash(version: str, fields: tuple[Field, ...], rules: tuple[Rule, ...]) -> str:
    """16 hex digits that change when a verdict could: version, types, rules, semantics; not texts about columns."""
    shape = [[f.name, f.kind, f.precision, f.scale, f.required] for f in fields]
    content = [SEMANTICS, version, shape, [_rule_to_json(r) for r in rules]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def entity_to_json(entity: Entity) -> str:
    """The compiled document's text, the inverse of `catalog.entity_from_json`. Former versions have their own."""
    document = asdict(replace(entity, former=())) | {"rules": [_rule_to_json(r) for r in entity.rules]}
    del document["former"]
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _rule_to_json(rule: Rule) -> dict[str, Any]:
    """Only what is said: a rule that does not use what was added to rules later keeps its document, and its hash."""
    document = asdict(rule)
    if rule.version == 1:
        del document["version"]
    if rule.when is None:
        del document["when"]
        return document
    unsaid = asdict(Condition(rule.when.column))
    document["when"] = {
        name: value
        for name, value in document["when"].items()
        if name in _ALWAYS_SAID or value != unsaid[name]
    }
    return document


_ALWAYS_SAID = ("column", "values")
