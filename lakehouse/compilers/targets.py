"""What each target can say of a rule: its translation, or the reason why it has none. Never nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import iter_modules

from lakehouse.catalog import Condition, Entity, Field, Rule
from lakehouse.envelope import envelope_fields
from lakehouse.errors import ContractError
from lakehouse.row_check import rules_of_versions
from lakehouse.rules import custom
from lakehouse.rules.registry import columns_of


@dataclass(frozen=True)
class NotExpressible:
    """Why a target has no translation of a rule; stands in docs/generated/rules.md."""

    reason: str


# Rows that passed are typed already; what could not be read is in Quarantine.
_READ_ALREADY = NotExpressible("Silver holds only what could be read; the column's type says so")
_WHOLE_LOAD = NotExpressible("speaks of a whole load; Silver has not the rows in Quarantine")
_NO_JSON = NotExpressible("takes as JSON what RFC 8259 does not, such as NaN")
_CUSTOM = NotExpressible("a rule of our own, in code that only the check hop runs")
_NOT_OVER_SILVER: Mapping[str, NotExpressible] = {
    "castable": _READ_ALREADY,
    "json": _NO_JSON,
    "unique": _WHOLE_LOAD,
    "increasing": _WHOLE_LOAD,
    "decreasing": _WHOLE_LOAD,
    "row_count": _WHOLE_LOAD,
    "columns_present": _WHOLE_LOAD,
    "null_share": _WHOLE_LOAD,
}


def reason_for(rule: Rule, target: str) -> NotExpressible:
    """Why an engine that reads Silver cannot say the rule. ContractError when that is not known."""
    if rule.kind in {module.name for module in iter_modules(custom.__path__)}:
        return _CUSTOM
    if rule.kind in _NOT_OVER_SILVER:
        return _NOT_OVER_SILVER[rule.kind]
    raise ContractError(
        rule.id,
        "rule",
        f"{rule.kind!r} is neither translated for {target} nor listed as not expressible in it",
        f"Add it to the compiler of {target}, with its reason if it cannot be said there.",
    )


@dataclass(frozen=True)
class Concern:
    """Which rows of Silver a rule concerns, besides its condition.

    `deletes`: also rows that delete their key. `only`: contract versions whose rows it judges, `without`: those whose
    rows it does not (a version that is not known is judged by the newest); both empty when versions do not matter.
    """

    rule: Rule
    deletes: bool
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def concerns(entity: Entity) -> Iterator[Concern]:
    """Every rule of every version of the entity, once, in the order in which reasons are given."""
    for rule, having in rules_of_versions(entity):
        deletes = columns_of(rule) <= set(entity.key)
        if having is None:
            yield Concern(rule, deletes)
        elif entity.version in having:
            without = [one.version for one in entity.former if one.version not in having]
            yield Concern(rule, deletes, without=tuple(without))
        else:
            yield Concern(rule, deletes, only=tuple(having))


def fields_of(entity: Entity) -> Mapping[str, Field]:
    """The columns of the entity and of the envelope, by name."""
    return {**envelope_fields(), **{f.name: f for f in entity.fields}}


@dataclass(frozen=True)
class Dialect:
    """How an engine says which rows a rule concerns; `among` and `not_among` speak of contract versions."""

    no_delete: str
    among: Callable[[Sequence[str]], str]
    not_among: Callable[[Sequence[str]], str]
    when: Callable[[Condition, Field], str | NotExpressible]


def row_condition(concern: Concern, fields: Mapping[str, Field], dialect: Dialect) -> str | NotExpressible:
    """Which rows the rule concerns, in the engine's words; empty for all."""
    parts = [] if concern.deletes else [dialect.no_delete]
    if concern.only:
        parts.append(dialect.among(concern.only))
    if concern.without:
        parts.append(dialect.not_among(concern.without))
    when = concern.rule.when
    if when is not None:
        applies = dialect.when(when, fields[when.column])
        if isinstance(applies, NotExpressible):
            return applies
        parts.append(applies)
    return " and ".join(parts)
