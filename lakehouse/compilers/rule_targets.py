"""Which target says which rule: every rule of a contract, and of each target its word or the reason why it has none."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from lakehouse.catalog import Entity, Field, Kind, WireType
from lakehouse.compilers import dbt_tests, expectations
from lakehouse.compilers.targets import Concern, NotExpressible, concerns, fields_of
from lakehouse.rules.registry import kind_of

_Fields = Mapping[str, Field]
_Answer = Callable[[Concern, _Fields], NotExpressible | None]

HOP = "the check hop"
_TYPES_ONLY = NotExpressible("a column has a type and no rules")


class Said(NamedTuple):
    """A rule with the targets that cannot say it; `since` is the first version that has it as it is."""

    concern: Concern
    since: str
    reasons: Mapping[str, NotExpressible]


def rules_said(entity: Entity) -> list[Said]:
    """Every rule of every version that is taken. ContractError when a target neither says a rule nor lists it."""
    fields = fields_of(entity)
    found = []
    for concern in concerns(entity):
        answers = {target: answer(concern, fields) for target, answer in TARGETS.items()}
        reasons = {target: reason for target, reason in answers.items() if reason is not None}
        since = next(one.version for one in entity.versions if concern.rule in one.rules)
        found.append(Said(concern, since, reasons))
    return found


def _check_hop(concern: Concern, fields: _Fields) -> None:
    kind_of(concern.rule)


def _great_expectations(concern: Concern, fields: _Fields) -> NotExpressible | None:
    found = expectations.translate(concern, fields)
    return found if isinstance(found, NotExpressible) else None


def _dbt(concern: Concern, fields: _Fields) -> NotExpressible | None:
    found = dbt_tests.translate(concern, fields)
    return found if isinstance(found, NotExpressible) else None


def _glue(concern: Concern, fields: _Fields) -> NotExpressible | None:
    return None if concern.rule.kind == "castable" else _TYPES_ONLY


def _registry(concern: Concern, fields: _Fields) -> NotExpressible | None:
    if concern.rule.kind != "castable":
        return _TYPES_ONLY
    field = fields[concern.rule.column]
    return (
        None if field.wire is WireType.INT64 and field.kind is Kind.INT64 else NotExpressible("sent as text")
    )


TARGETS: Mapping[str, _Answer] = {
    HOP: _check_hop,
    expectations.TARGET: _great_expectations,
    dbt_tests.TARGET: _dbt,
    "Glue and Athena": _glue,
    "the registry schema": _registry,
}
