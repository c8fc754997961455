"""Contract → Great Expectations: the suite of an entity over Silver, for the pandas engine.

Each rule is translated with the same meaning or named as not expressible, with the reason. The frame has one column per
column of Silver: text, whole numbers and decimals as Python objects, moments as UTC, missing values as null.
Great Expectations drops what it does not know with a log line, so whoever loads a suite compares its length.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule
from lakehouse.compilers.expectation_kinds import BINARY, SAYINGS, Expectations, Kwargs, bound_of, castable
from lakehouse.compilers.targets import (
    Concern,
    Dialect,
    NotExpressible,
    concerns,
    fields_of,
    reason_for,
    row_condition,
)
from lakehouse.envelope import DELETE
from lakehouse.grammar import parse_value

TARGET = "Great Expectations"
VERSION = "1.24.1"
FOLDER = "expectations"

_SEVERITY = {"error": "critical", "warn": "warning"}


def suite_files(entities: Iterable[Entity]) -> dict[str, str]:
    """Path in the repository → text of every suite."""
    return {
        f"{FOLDER}/{e.name}.json": json.dumps(suite(e), indent=1, ensure_ascii=False) + "\n" for e in entities
    }


def suite(entity: Entity) -> dict[str, Any]:
    """The suite of an entity over Silver; `meta` names the rules that are not in it."""
    fields = fields_of(entity)
    expectations: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    for concern in concerns(entity):
        found = translate(concern, fields)
        if isinstance(found, NotExpressible):
            left_out[concern.rule.id] = found.reason
        else:
            expectations += entries(concern.rule, found)
    meta = {
        "great_expectations_version": VERSION,
        "contract": entity.version,
        "expectations": len(expectations),
        "not_expressible": left_out,
    }
    return {"name": entity.name, "expectations": expectations, "meta": meta}


def entries(rule: Rule, translated: Expectations) -> list[dict[str, Any]]:
    """The translation of a rule as a suite holds it."""
    meta = {"rule": rule.id, "dimension": rule.dimension}
    return [
        {
            "type": kind,
            "kwargs": kwargs,
            "severity": _SEVERITY[rule.severity],
            "description": rule.text,
            "meta": meta,
        }
        for kind, kwargs in translated
    ]


def translate(
    concern: Concern, fields: Mapping[str, Field], texts: bool = False
) -> Expectations | NotExpressible:
    """The expectations that say what the rule says; `texts`: over columns that hold text as it was sent."""
    rule = concern.rule
    say = castable if texts and rule.kind == "castable" else SAYINGS.get(rule.kind)
    found = reason_for(rule, TARGET) if say is None else say(rule, fields)
    applies = row_condition(concern, fields, PANDAS)
    if isinstance(found, NotExpressible):
        return found
    if isinstance(applies, NotExpressible):
        return applies
    return [(kind, _restricted(kwargs, applies)) for kind, kwargs in found]


def _restricted(kwargs: Kwargs, condition: str) -> Kwargs:
    both = [part for part in (kwargs.get("row_condition"), condition) if part]
    return kwargs | {"row_condition": " and ".join(both), "condition_parser": "pandas"} if both else kwargs


def _when(when: Condition, field: Field) -> str | NotExpressible:
    column = f"`{when.column}`"
    if when.absent:
        return f"{column}.isnull()"
    if when.pattern is not None:
        return f"{column}.str.fullmatch({when.pattern!r}, na=False)"
    if when.bounds is not None:
        return _within(column, field, when.bounds)
    if when.values is None:
        return f"{column}.notnull()"
    values = condition_values(when, field)
    return values if isinstance(values, NotExpressible) else f"{column}.isin({values!r})"


def _within(column: str, field: Field, bounds: Mapping[str, Any]) -> str | NotExpressible:
    """Null is within no bounds; Python's numbers cannot be compared with it, so it becomes an infinite one."""
    parts = []
    if field.kind in (Kind.INT64, Kind.DECIMAL):
        column += f".fillna({'-' if 'min' in bounds else ''}1e999)"
    for side, sign in (("min", ">"), ("max", "<")):
        if side not in bounds:
            continue
        found = bound_of(field, bounds[side], side, strict=bool(bounds.get(f"strict_{side}")))
        if found is None:
            return BINARY
        parts.append(f"{column} {sign}{'' if found[1] else '='} {found[0]!r}")
    return " and ".join(parts)


def condition_values(when: Condition, field: Field) -> list[Any] | NotExpressible:
    """The values of `in`, which are compared with the text as it was sent, as Silver holds them."""
    values = list(when.values or ())
    if field.kind is Kind.TEXT:
        return values
    # A whole number has one spelling only, but for 0 and -0.
    if field.kind is Kind.INT64 and all(value.lstrip("-") != "0" for value in values):
        return [number for value in values if (number := parse_value(field.kind, value)) is not None]
    return NotExpressible("the condition compares the text as it was sent; Silver has only its value")


PANDAS = Dialect(
    no_delete=f"`op` != {DELETE!r}",
    among=lambda versions: f"`contract_version`.isin({list(versions)!r})",
    not_among=lambda versions: f"~`contract_version`.isin({list(versions)!r})",
    when=_when,
)
