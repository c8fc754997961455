"""Each rule as generic tests of dbt over Silver, or the reason why it has none.

Names and arguments are those of dbt_expectations and dbt_utils, our own code of which stands in `dbt/packages`. A test
passes where it cannot tell, so that null passes as in the contract.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import combinations
from typing import Any

from lakehouse.catalog import Condition, Field, Kind, Rule
from lakehouse.compilers.expectations import condition_values
from lakehouse.compilers.grammar_patterns import DOUBLE, format_pattern, grammar_pattern
from lakehouse.compilers.targets import (
    Concern,
    Dialect,
    NotExpressible,
    reason_for,
    row_condition,
)
from lakehouse.envelope import DELETE
from lakehouse.grammar import parse_value

TARGET = "dbt"
# Digits of the widest decimal of DuckDB and Athena.
_DIGITS = 38
_INT64_DIGITS = 19


@dataclass(frozen=True)
class DataTest:
    """A generic test; `column` is None for one of the table."""

    test: str
    arguments: dict[str, Any]
    column: str | None = None


DataTests = list[DataTest]
"""A row breaks the rule when it breaks one of them."""
_Fields = Mapping[str, Field]


def translate(concern: Concern, fields: _Fields) -> DataTests | NotExpressible:
    """The tests that say what the rule says of Silver."""
    say = SAYINGS.get(concern.rule.kind)
    found = reason_for(concern.rule, TARGET) if say is None else say(concern.rule, fields)
    applies = row_condition(concern, fields, SQL)
    if isinstance(found, NotExpressible):
        return found
    if isinstance(applies, NotExpressible):
        return applies
    return [_restricted(test, applies) for test in found] if applies else found


def _restricted(test: DataTest, condition: str) -> DataTest:
    """The test for those rows alone; in `where`, a test's configuration, dbt takes no macros."""
    if test.test == _TRUE:
        holds = f"coalesce(not ({condition}), true) or ({test.arguments['expression']})"
        return DataTest(test.test, {"expression": holds}, test.column)
    mine = test.arguments.get("row_condition")
    both = condition if mine is None else f"{mine} and {condition}"
    return DataTest(test.test, test.arguments | {"row_condition": both}, test.column)


def _when(when: Condition, column: Field) -> str | NotExpressible:
    if when.absent:
        return f"{column.name} is null"
    if when.pattern is not None:
        pattern = rf"\A(?:{when.pattern})\z"
        return f"{{{{ dbt_expectations.regex_matches({column.name!r}, {pattern!a}) }}}}"
    if when.bounds is not None:
        return _within(when.bounds, column)
    if when.values is None:
        return f"{column.name} is not null"
    values = condition_values(when, column)
    if isinstance(values, NotExpressible):
        return values
    return (
        f"{column.name} in ({', '.join(literal(column, value) for value in values)})" if values else "false"
    )


def _within(bounds: Mapping[str, Any], column: Field) -> str:
    return " and ".join(
        f"{column.name} {sign}{'' if bounds.get(f'strict_{side}') else '='} {literal(column, bounds[side])}"
        for side, sign in (("min", ">"), ("max", "<"))
        if side in bounds
    )


def literal(column: Field, value: str | int) -> str:
    """A value of a column's kind as both DuckDB and Athena write it."""
    match column.kind:
        case Kind.TEXT:
            return _text(str(value))
        case Kind.INT64:
            return str(value) if int(value) > -(2**63) else f"bigint '{value}'"
        case Kind.DECIMAL:
            return f"cast('{value}' as decimal({column.precision}, {column.scale}))"
        case Kind.DOUBLE:
            return f"cast('{value}' as double)"
        case Kind.TIMESTAMP:
            return f"timestamp '{parse_value(column.kind, str(value))}'"


def _text(value: str) -> str:
    escaped = value.replace("'", "''")
    return _unread(f"'{escaped}'")


def _listed(values: Sequence[str]) -> str:
    return ", ".join(_text(value) for value in values)


def _whole(pattern: str) -> str:
    """The pattern over the whole text, as RE2 and Athena say it."""
    return _unread(rf"\A(?:{pattern})\z")


_TEMPLATE = re.compile(r"\{[{%#]|\s*(?:env_var|ref|var|source|doc)\s*\(")


def _unread(text: str) -> str:
    """A text of the contract that dbt, which takes arguments for templates, gives on as it is."""
    return f"{{{{ {text!a} | as_text }}}}" if _TEMPLATE.search(text) else text


_PAIR_GREATER = "dbt_expectations.expect_column_pair_values_A_to_be_greater_than_B"
_TRUE = "dbt_utils.expression_is_true"


def _on_column(name: str, rule: Rule, **arguments: Any) -> DataTest:
    return DataTest(f"dbt_expectations.expect_column_{name}", arguments, rule.column)


def _is_true(expression: str) -> DataTest:
    return DataTest(_TRUE, {"expression": expression})


def _not_null(rule: Rule, fields: _Fields) -> DataTests:
    return [_on_column("values_to_not_be_null", rule)]


def _null(rule: Rule, fields: _Fields) -> DataTests:
    return [_on_column("values_to_be_null", rule)]


def _match(rule: Rule, pattern: str) -> DataTests:
    return [_on_column("values_to_match_regex", rule, regex=_whole(pattern))]


def _regex(rule: Rule, fields: _Fields) -> DataTests:
    return _match(rule, rule.args["pattern"])


def _not_regex(rule: Rule, fields: _Fields) -> DataTests:
    return [_on_column("values_to_not_match_regex", rule, regex=_whole(rule.args["pattern"]))]


def _regex_list(rule: Rule, fields: _Fields) -> DataTests:
    regexes = [_whole(pattern) for pattern in rule.args["patterns"]]
    return [
        _on_column("values_to_match_regex_list", rule, regex_list=regexes, match_on=rule.args["match_on"])
    ]


def _not_regex_list(rule: Rule, fields: _Fields) -> DataTests:
    regexes = [_whole(pattern) for pattern in rule.args["patterns"]]
    return [_on_column("values_to_not_match_regex_list", rule, regex_list=regexes, match_on="all")]


def _castable_to(rule: Rule, fields: _Fields) -> DataTests:
    args = rule.args
    pattern = grammar_pattern(Kind(args["to"]), args.get("precision", 0), args.get("scale", 0))
    if pattern is not None:
        return _match(rule, pattern)
    finite = f"abs(try_cast({rule.column} as double)) < cast('Infinity' as double)"
    return [*_match(rule, DOUBLE), _is_true(f"coalesce({finite}, {rule.column} is null)")]


def _format(rule: Rule, fields: _Fields) -> DataTests:
    return _match(rule, format_pattern(rule.args["format"]))


def _length(rule: Rule, fields: _Fields) -> DataTests:
    bounds = {f"{side}_value": rule.args[side] for side in ("min", "max") if side in rule.args}
    return [_on_column("value_lengths_to_be_between", rule, **bounds)]


def _value_set(rule: Rule, column: Field) -> dict[str, Any]:
    if column.kind is Kind.TEXT:
        return {"value_set": [_unread(value) for value in rule.args["values"]]}
    return {"value_set": [literal(column, value) for value in rule.args["values"]], "quote_values": False}


def _in_set(rule: Rule, fields: _Fields) -> DataTests:
    there = f"{rule.column} is not null"  # else the test fails for null
    return [
        _on_column("values_to_be_in_set", rule, **_value_set(rule, fields[rule.column]), row_condition=there)
    ]


def _not_in_set(rule: Rule, fields: _Fields) -> DataTests:
    return [_on_column("values_to_not_be_in_set", rule, **_value_set(rule, fields[rule.column]))]


def _pair_in_set(rule: Rule, fields: _Fields) -> DataTests:
    one, two = fields[rule.column], fields[rule.args["other"]]
    pairs = " or ".join(
        f"({one.name} = {literal(one, a)} and {two.name} = {literal(two, b)})" for a, b in rule.args["pairs"]
    )
    return [_is_true(f"({one.name} is null or {two.name} is null or {pairs})")]


def _between(rule: Rule, fields: _Fields) -> DataTests:
    """One test, or one of each bound where only one of them is strict."""
    column, args = fields[rule.column], rule.args
    found: dict[bool, dict[str, Any]] = {}
    for side in ("min", "max"):
        if side in args:
            bounds = found.setdefault(bool(args.get(f"strict_{side}")), {})
            bounds[f"{side}_value"] = literal(column, args[side])
    return [
        _on_column("values_to_be_between", rule, **bounds, **({"strictly": True} if strict else {}))
        for strict, bounds in found.items()
    ]


def _compare(rule: Rule, fields: _Fields) -> DataTests:
    mine, other, operator = rule.column, rule.args["other"], rule.args["operator"]
    if operator in ("=", "!="):
        return [_is_true(f"{mine} {'=' if operator == '=' else '<>'} {other}")]
    greater, lesser = (mine, other) if operator[0] == ">" else (other, mine)
    or_equal = {"or_equal": True} if operator.endswith("=") else {}
    return [DataTest(_PAIR_GREATER, {"column_A": greater, "column_B": lesser, **or_equal})]


def _distinct(rule: Rule, fields: _Fields) -> DataTests:
    return [
        _is_true(" and ".join(f"{one} <> {other}" for one, other in combinations(rule.args["columns"], 2)))
    ]


def _sum(rule: Rule, fields: _Fields) -> DataTests | NotExpressible:
    """Added as decimals of the smallest unit that any of the numbers has."""
    columns = [fields[name] for name in rule.args["columns"]]
    total, tolerance = Decimal(rule.args["total"]), Decimal(rule.args.get("tolerance", "0"))
    with localcontext(prec=3 * _DIGITS):
        given = [total - tolerance, total + tolerance]
    unit = max(*(f.scale for f in columns), *(-int(number.as_tuple().exponent) for number in given), 0)
    whole = max(f.precision - f.scale if f.kind is Kind.DECIMAL else _INT64_DIGITS for f in columns)
    if max(whole + 2, *(number.adjusted() + 1 for number in given)) + unit > _DIGITS:
        return NotExpressible(f"a sum that can have more than {_DIGITS} digits")
    least, most = (f"cast('{number:f}' as decimal({_DIGITS}, {unit}))" for number in given)
    added = " + ".join(f"cast({f.name} as decimal({_DIGITS}, {unit}))" for f in columns)
    return [_is_true(f"{added} between {least} and {most}" if tolerance else f"{added} = {most}")]


SQL = Dialect(
    no_delete=f"(op is null or op <> '{DELETE}')",
    among=lambda versions: f"contract_version in ({_listed(versions)})",
    not_among=lambda versions: f"(contract_version is null or contract_version not in ({_listed(versions)}))",
    when=_when,
)

SAYINGS: Mapping[str, Callable[[Rule, _Fields], DataTests | NotExpressible]] = {
    "not_null": _not_null,
    "null": _null,
    "castable_to": _castable_to,
    "regex": _regex,
    "not_regex": _not_regex,
    "regex_list": _regex_list,
    "not_regex_list": _not_regex_list,
    "length": _length,
    "format": _format,
    "in_set": _in_set,
    "not_in_set": _not_in_set,
    "pair_in_set": _pair_in_set,
    "between": _between,
    "compare": _compare,
    "sum": _sum,
    "distinct": _distinct,
}
