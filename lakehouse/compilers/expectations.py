"""Contract → Great Expectations: the suite of an entity over Silver, for the pandas engine.

Each rule is translated with the same meaning or named as not expressible, with the reason. The frame has one column per
column of Silver: text, whole numbers and decimals as Python objects, moments as UTC, missing values as null.
Great Expectations drops what it does not know with a log line, so whoever loads a suite compares its length.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from lakehouse.catalog import Condition, Entity, Field, Kind, Rule
from lakehouse.compilers.grammar_patterns import grammar_pattern
from lakehouse.compilers.targets import (
    READ_ALREADY,
    Concern,
    NotExpressible,
    concerns,
    fields_of,
    unknown_kind,
)
from lakehouse.envelope import DELETE
from lakehouse.grammar import parse_value

TARGET = "Great Expectations"
VERSION = "1.24.1"
FOLDER = "expectations"

Kwargs = dict[str, Any]
Expectations = list[tuple[str, Kwargs]]
"""Types with their arguments; a row breaks the rule when it breaks one of them."""

_SEVERITY = {"error": "critical", "warn": "warning"}
_EITHER = {"ignore_row_if": "either_value_is_missing"}
_ANY = {"ignore_row_if": "any_value_is_missing"}
_BINARY = NotExpressible("a bound or value that a JSON number, which is binary, cannot hold")


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
    if rule.kind not in _KINDS:
        unknown_kind(rule, TARGET)
    found = _castable(rule, fields) if texts and rule.kind == "castable" else _KINDS[rule.kind](rule, fields)
    applies = row_condition(concern, fields)
    if isinstance(found, NotExpressible):
        return found
    if isinstance(applies, NotExpressible):
        return applies
    condition = {"row_condition": applies, "condition_parser": "pandas"} if applies else {}
    return [(kind, kwargs | condition) for kind, kwargs in found]


def row_condition(concern: Concern, fields: Mapping[str, Field]) -> str | NotExpressible:
    """Which rows the rule concerns, as pandas reads it; empty for all."""
    parts = [] if concern.deletes else [f"`op` != {DELETE!r}"]
    if concern.only:
        parts.append(f"`contract_version`.isin({list(concern.only)!r})")
    if concern.without:
        parts.append(f"~`contract_version`.isin({list(concern.without)!r})")
    when = concern.rule.when
    if when is not None:
        applies = _when(when, fields[when.column])
        if isinstance(applies, NotExpressible):
            return applies
        parts.append(applies)
    return " and ".join(parts)


def _when(when: Condition, field: Field) -> str | NotExpressible:
    if when.values is None:
        return f"`{when.column}`.notnull()"
    values = condition_values(when, field)
    return values if isinstance(values, NotExpressible) else f"`{when.column}`.isin({values!r})"


def condition_values(when: Condition, field: Field) -> list[Any] | NotExpressible:
    """The values of `in`, which are compared with the text as it was sent, as Silver holds them."""
    values = list(when.values or ())
    if field.kind is Kind.TEXT:
        return values
    # A whole number has one spelling only, but for 0 and -0.
    if field.kind is Kind.INT64 and all(value.lstrip("-") != "0" for value in values):
        return [number for value in values if (number := parse_value(field.kind, value)) is not None]
    return NotExpressible("the condition compares the text as it was sent; Silver has only its value")


def _not_null(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return [("expect_column_values_to_not_be_null", {"column": rule.column})]


def _null(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return [("expect_column_values_to_be_null", {"column": rule.column})]


def _read_already(rule: Rule, fields: Mapping[str, Field]) -> NotExpressible:
    return READ_ALREADY


def _castable(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    field = fields[rule.column]
    return _readable(rule.column, field.kind, field.precision, field.scale)


def _readable(column: str, kind: Kind, precision: int, scale: int) -> Expectations | NotExpressible:
    pattern = grammar_pattern(kind, precision, scale)
    if pattern is None:
        return NotExpressible("no pattern says that a number is finite")
    return [("expect_column_values_to_match_regex", {"column": column, "regex": _whole(pattern)})]


def _whole(pattern: str) -> str:
    """The pattern over the whole text, as Python says it."""
    return rf"\A(?:{pattern})\Z"


def _regex(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    regex = _whole(rule.args["pattern"])
    return [("expect_column_values_to_match_regex", {"column": rule.column, "regex": regex})]


def _not_regex(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    regex = _whole(rule.args["pattern"])
    return [("expect_column_values_to_not_match_regex", {"column": rule.column, "regex": regex})]


def _members(rule: Rule, fields: Mapping[str, Field]) -> list[Any] | NotExpressible:
    field = fields[rule.column]
    if field.kind in (Kind.TEXT, Kind.INT64):
        return list(rule.args["values"])
    if field.kind is Kind.TIMESTAMP:
        return NotExpressible("a moment in a set is compared with the text of the value")
    numbers = [_exact(parse_value(field.kind, v, field.precision, field.scale)) for v in rule.args["values"]]
    return _BINARY if None in numbers else numbers


def _in_set(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    values = _members(rule, fields)
    if isinstance(values, NotExpressible):
        return values
    return [("expect_column_values_to_be_in_set", {"column": rule.column, "value_set": values})]


def _not_in_set(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    values = _members(rule, fields)
    if isinstance(values, NotExpressible):
        return values
    return [("expect_column_values_to_not_be_in_set", {"column": rule.column, "value_set": values})]


def _between(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    field, args = fields[rule.column], rule.args
    kwargs: Kwargs = {"column": rule.column}
    for side in ("min", "max"):
        if side not in args:
            continue
        bound = _bound(field, args[side], side, strict=bool(args.get(f"strict_{side}")))
        if bound is None:
            return _BINARY
        kwargs[f"{side}_value"], strict = bound
        if strict:
            kwargs[f"strict_{side}"] = True
    if "min" in args and "max" in args and kwargs["min_value"] > kwargs["max_value"]:
        return NotExpressible("bounds that let no value pass")
    return [("expect_column_values_to_be_between", kwargs)]


def _bound(field: Field, text: str, side: str, strict: bool) -> tuple[Any, bool] | None:
    """The bound as JSON holds it, and whether it is strict; None when it cannot be held.

    A decimal that has no binary form gets a bound half a step away, where the column has no value.
    """
    value = parse_value(field.kind, text, field.precision, field.scale)
    if field.kind is Kind.TIMESTAMP:
        return f"{value:%Y-%m-%d %H:%M:%S.%f}+00:00".rjust(32, "0"), strict
    exact = _exact(value)
    if exact is not None or not isinstance(value, Decimal):
        return None if exact is None else (exact, strict)
    step = Decimal(1).scaleb(-field.scale)
    beyond = value + step if (side == "min") == strict else value - step
    between = float((value + beyond) / 2)
    return (between, False) if min(value, beyond) < Decimal(between) < max(value, beyond) else None


def _exact(value: Any) -> int | float | None:
    """The number as GX holds it, which makes floats of all bounds; None where that is another number."""
    number = float(value)
    if Decimal(number) != Decimal(value):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _length(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    bounds = {f"{side}_value": rule.args[side] for side in ("min", "max") if side in rule.args}
    return [("expect_column_value_lengths_to_be_between", {"column": rule.column, **bounds})]


def _compare(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    mine, other, operator = rule.column, rule.args["other"], rule.args["operator"]
    if operator == "=":
        return [("expect_column_pair_values_to_be_equal", {"column_A": mine, "column_B": other, **_EITHER})]
    if operator == "!=":
        return [
            (
                "expect_select_column_values_to_be_unique_within_record",
                {"column_list": [mine, other], **_ANY},
            )
        ]
    greater, lesser = (mine, other) if operator[0] == ">" else (other, mine)
    kwargs = {"column_A": greater, "column_B": lesser, "or_equal": operator.endswith("="), **_EITHER}
    return [("expect_column_pair_values_a_to_be_greater_than_b", kwargs)]


_KINDS: Mapping[str, Callable[[Rule, Mapping[str, Field]], Expectations | NotExpressible]] = {
    "not_null": _not_null,
    "castable": _read_already,
    "regex": _regex,
    "not_regex": _not_regex,
    "in_set": _in_set,
    "not_in_set": _not_in_set,
    "between": _between,
    "length": _length,
    "compare": _compare,
}
