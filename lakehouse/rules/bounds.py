"""Values within bounds, and values compared with another column of their row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.bronze import silver_type
from lakehouse.catalog import Field, Kind, Rule
from lakehouse.grammar import parse_value
from lakehouse.place import Place
from lakehouse.rules.kind import (
    NUMBERS,
    Args,
    RuleKind,
    Test,
    TypedColumn,
    is_false,
    is_true,
    parsed,
    require_kind,
    typed_text,
)
from lakehouse.text_view import Mask

BOUND_KEYS = "min max strict_min strict_max"
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    "=": pc.equal,
    "!=": pc.not_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def read_bounds(body: Place, column: TypedColumn) -> Args:
    """`min` and `max` of a column's type, one of them at least and in their order; strict ones leave the bound out."""
    found: Args = {}
    values: list[Any] = []
    for name in ("min", "max"):
        strict = body.flag(f"strict_{name}")
        if name not in body.value:
            if strict:
                body.at(f"strict_{name}").fail("has no bound to be strict about", f"Give {name} too.")
            continue
        text = typed_text(body.at(name), column)
        values.append(parsed(text, column))
        found |= {name: text} | ({f"strict_{name}": True} if strict else {})
    if not values:
        body.fail("has neither min nor max", "Give at least one bound.")
    if values != sorted(values):
        body.fail(f"has min {found['min']} above max {found['max']}", "No value would pass: turn them round.")
    if len(values) == 2 and values[0] == values[1] and body.flag("strict_min") | body.flag("strict_max"):
        body.fail(f"has only {found['min']} between its bounds, and leaves it out", "No value would pass.")
    return found


def outside(field: Field, bounds: Mapping[str, Any]) -> Callable[[pa.Array], Mask]:
    """True for values that are not within the bounds; null is not outside."""
    beyond: list[tuple[Callable[[Any, Any], Any], pa.Scalar]] = []
    if "min" in bounds:
        beyond.append((pc.less_equal if bounds.get("strict_min") else pc.less, _bound(field, bounds["min"])))
    if "max" in bounds:
        beyond.append(
            (pc.greater_equal if bounds.get("strict_max") else pc.greater, _bound(field, bounds["max"]))
        )

    def test(values: pa.Array) -> Mask:
        found: Mask = np.logical_or.reduce([is_true(outside(values, bound)) for outside, bound in beyond])
        return found

    return test


def _bound(field: Field, text: str) -> pa.Scalar:
    return pa.scalar(parse_value(field.kind, text, field.precision, field.scale), silver_type(field))


def _read_between(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, *NUMBERS, Kind.TIMESTAMP)
    return read_bounds(body, column)


def _between(rule: Rule, fields: Mapping[str, Field]) -> Test:
    beyond = outside(fields[rule.column], rule.args)
    return lambda columns: beyond(columns[rule.column].values)


def _read_comparison(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    other = columns[body.at("other").one_of(list(columns))]
    if other.kind is not column.kind:
        body.at("other").fail(
            f"{other.name} is {other.kind}, {column.name} is {column.kind}", "Compare columns of one type."
        )
    return {"operator": body.at("operator").one_of(list(OPERATORS)), "other": other.name}


def _compare(rule: Rule, fields: Mapping[str, Field]) -> Test:
    holds, other = OPERATORS[rule.args["operator"]], rule.args["other"]
    return lambda columns: is_false(holds(columns[rule.column].values, columns[other].values))


KINDS = (
    RuleKind("between", BOUND_KEYS, _read_between, _between),
    RuleKind("compare", "operator other", _read_comparison, _compare, column_args=("other",)),
)
