"""Each kind of row rule as a test over whole columns: compiled once, asked for every row group.

The one meaning of all kinds: a missing value passes every rule but not_null; a value that cannot be read passes every
rule that needs its type, as castable has told already. Patterns match the whole text, in RE2's dialect.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.bronze import silver_type
from lakehouse.catalog import Condition, Field, Rule
from lakehouse.cells import Cells
from lakehouse.errors import ContractError
from lakehouse.grammar import parse_value
from lakehouse.patterns import FixedPattern
from lakehouse.text_view import Mask

Columns = Mapping[str, Cells]
Test = Callable[[Columns], Mask]
"""True where the rule is broken. May answer for rows that the rule does not concern: the plan leaves those out."""

_Maker = Callable[[Rule, Mapping[str, Field]], Test]


def compile_test(rule: Rule, fields: Mapping[str, Field]) -> Test:
    """The test of a rule with its condition. ContractError when the rule cannot be run here."""
    maker = _MAKERS.get(rule.kind)
    if maker is None:
        raise ContractError(
            rule.id, "rule", f"{rule.kind!r} is no kind of rule known here", "Deploy a newer check hop."
        )
    test = maker(rule, fields)
    if rule.when is None:
        return test
    condition = compile_condition(rule.when)
    return lambda columns: test(columns) & condition(columns)


def compile_condition(when: Condition) -> Test:
    """True where the condition holds; its values are compared with the text as it was."""
    if when.values is None:
        return lambda columns: ~columns[when.column].missing
    values = pa.array(when.values, pa.string())
    return lambda columns: _mask(pc.is_in(columns[when.column].texts, value_set=values))


def _mask(answers: pa.BooleanArray) -> Mask:
    found: Mask = answers.to_numpy(zero_copy_only=False)
    return found


def _true(answers: pa.BooleanArray) -> Mask:
    """True where the answer is yes; null is neither yes nor no."""
    return _mask(pc.fill_null(answers, fill_value=False))


def _false(answers: pa.BooleanArray) -> Mask:
    return _true(pc.invert(answers))


def _not_null(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return lambda columns: columns[rule.column].missing


def _castable(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return lambda columns: columns[rule.column].unreadable


def _matches(rule: Rule) -> Callable[[Columns], pa.BooleanArray]:
    pattern = rf"\A(?:{rule.args['pattern']})\z"
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ContractError(
            rule.id, "pattern", f"is not in RE2's dialect: {error}", "Write it without."
        ) from error
    return lambda columns: pc.match_substring_regex(columns[rule.column].values, pattern)


def _regex(rule: Rule, fields: Mapping[str, Field]) -> Test:
    fixed = FixedPattern.of(rule.args["pattern"])
    if fixed is not None:
        return lambda columns: fixed.mismatches(columns[rule.column].values)
    matches = _matches(rule)
    return lambda columns: _false(matches(columns))


def _not_regex(rule: Rule, fields: Mapping[str, Field]) -> Test:
    matches = _matches(rule)
    return lambda columns: _true(matches(columns))


def _member(rule: Rule, fields: Mapping[str, Field]) -> Test:
    values = pa.array(rule.args["values"], silver_type(fields[rule.column]))
    return lambda columns: _mask(pc.is_in(columns[rule.column].values, value_set=values))


def _in_set(rule: Rule, fields: Mapping[str, Field]) -> Test:
    member = _member(rule, fields)
    return lambda columns: ~member(columns) & columns[rule.column].known


def _not_in_set(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return _member(rule, fields)  # null is in no set


def _between(rule: Rule, fields: Mapping[str, Field]) -> Test:
    field, args = fields[rule.column], rule.args
    beyond = []
    if "min" in args:
        outside = pc.less_equal if args.get("strict_min") else pc.less
        beyond.append((outside, _bound(field, args["min"])))
    if "max" in args:
        outside = pc.greater_equal if args.get("strict_max") else pc.greater
        beyond.append((outside, _bound(field, args["max"])))

    def test(columns: Columns) -> Mask:
        values = columns[rule.column].values
        found: Mask = np.logical_or.reduce([_true(outside(values, bound)) for outside, bound in beyond])
        return found

    return test


def _bound(field: Field, text: str) -> pa.Scalar:
    return pa.scalar(parse_value(field.kind, text, field.precision, field.scale), silver_type(field))


def _length(rule: Rule, fields: Mapping[str, Field]) -> Test:
    least, most = rule.args.get("min", 0), rule.args.get("max", 2**31 - 1)

    def test(columns: Columns) -> Mask:
        lengths = pc.utf8_length(columns[rule.column].values)
        return _true(pc.or_(pc.less(lengths, least), pc.greater(lengths, most)))

    return test


def _compare(rule: Rule, fields: Mapping[str, Field]) -> Test:
    holds, other = _OPERATORS[rule.args["operator"]], rule.args["other"]
    return lambda columns: _false(holds(columns[rule.column].values, columns[other].values))


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": pc.less,
    "<=": pc.less_equal,
    "=": pc.equal,
    "!=": pc.not_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_MAKERS: Mapping[str, _Maker] = {
    "not_null": _not_null,
    "castable": _castable,
    "regex": _regex,
    "not_regex": _not_regex,
    "in_set": _in_set,
    "not_in_set": _not_in_set,
    "between": _between,
    "length": _length,
    "compare": _compare,
}
