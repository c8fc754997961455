"""Each kind of rule as expectations of Great Expectations over one row, or the reason why it has none."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.compilers.grammar_patterns import format_pattern, grammar_pattern
from lakehouse.compilers.targets import NotExpressible
from lakehouse.grammar import parse_value

Kwargs = dict[str, Any]
Expectations = list[tuple[str, Kwargs]]
"""Types with their arguments; a row breaks the rule when it breaks one of them."""

BINARY = NotExpressible("a number that JSON, whose numbers are binary here, cannot hold")
_NO_MEMBER = NotExpressible("a moment, or a number that is not binary, among the values of its set")
_IN_SET = "expect_column_values_to_be_in_set"
_EITHER = {"ignore_row_if": "either_value_is_missing"}
# Digits to which Python adds decimals: more would be rounded.
_ADDED_DIGITS = 28


def _not_null(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return [("expect_column_values_to_not_be_null", {"column": rule.column})]


def _null(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return [("expect_column_values_to_be_null", {"column": rule.column})]


def castable(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    """Of a column that still holds the text as it was sent."""
    field = fields[rule.column]
    return _readable(rule.column, field.kind, field.precision, field.scale)


def _readable(column: str, kind: Kind, precision: int, scale: int) -> Expectations | NotExpressible:
    pattern = grammar_pattern(kind, precision, scale)
    if pattern is None:
        return NotExpressible("no pattern says that a number is finite")
    return [("expect_column_values_to_match_regex", {"column": column, "regex": whole(pattern)})]


def whole(pattern: str) -> str:
    """The pattern over the whole text, as Python says it."""
    return rf"\A(?:{pattern})\Z"


def _regex(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return _match(rule, rule.args["pattern"])


def _match(rule: Rule, pattern: str) -> Expectations:
    return [("expect_column_values_to_match_regex", {"column": rule.column, "regex": whole(pattern)})]


def _not_regex(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    regex = whole(rule.args["pattern"])
    return [("expect_column_values_to_not_match_regex", {"column": rule.column, "regex": regex})]


def _regex_list(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    regexes = [whole(pattern) for pattern in rule.args["patterns"]]
    kwargs = {"column": rule.column, "regex_list": regexes, "match_on": rule.args["match_on"]}
    return [("expect_column_values_to_match_regex_list", kwargs)]


def _not_regex_list(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    regexes = [whole(pattern) for pattern in rule.args["patterns"]]
    return [("expect_column_values_to_not_match_regex_list", {"column": rule.column, "regex_list": regexes})]


def _castable_to(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    args = rule.args
    return _readable(rule.column, Kind(args["to"]), args.get("precision", 0), args.get("scale", 0))


def _format(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    return _match(rule, format_pattern(rule.args["format"]))


def _member(value: Any, field: Field) -> Any:
    """The value as JSON holds it; None when it cannot be held."""
    if field.kind in (Kind.TEXT, Kind.INT64):
        return value
    if field.kind is Kind.TIMESTAMP:
        return None
    return _exact(parse_value(field.kind, value, field.precision, field.scale))


def _value_set(rule: Rule, fields: Mapping[str, Field]) -> Kwargs | NotExpressible:
    values = [_member(value, fields[rule.column]) for value in rule.args["values"]]
    return _NO_MEMBER if None in values else {"column": rule.column, "value_set": values}


def _in_set(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    found = _value_set(rule, fields)
    return found if isinstance(found, NotExpressible) else [(_IN_SET, found)]


def _not_in_set(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    found = _value_set(rule, fields)
    return found if isinstance(found, NotExpressible) else [("expect_column_values_to_not_be_in_set", found)]


def _pair_in_set(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    one, two = fields[rule.column], fields[rule.args["other"]]
    pairs = [(_member(a, one), _member(b, two)) for a, b in rule.args["pairs"]]
    if any(None in pair for pair in pairs):
        return _NO_MEMBER
    beside: dict[Any, list[Any]] = {}
    for mine, other in pairs:
        beside.setdefault(mine, []).append(other)
    # The expectation of pairs does not heed row_condition; so: one of these, and beside each of them one of those.
    there = {"row_condition": f"`{two.name}`.notnull()", "condition_parser": "pandas"}
    found = [(_IN_SET, {"column": one.name, "value_set": list(beside), **there})]
    for mine, others in beside.items():
        of_it = {"row_condition": f"`{one.name}`.isin([{mine!r}])", "condition_parser": "pandas"}
        found.append((_IN_SET, {"column": two.name, "value_set": others, **of_it}))
    return found


def _between(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    field, args = fields[rule.column], rule.args
    kwargs: Kwargs = {"column": rule.column}
    for side in ("min", "max"):
        if side not in args:
            continue
        bound = bound_of(field, args[side], side, strict=bool(args.get(f"strict_{side}")))
        if bound is None:
            return BINARY
        kwargs[f"{side}_value"], strict = bound
        if strict:
            kwargs[f"strict_{side}"] = True
    if "min" in args and "max" in args and kwargs["min_value"] > kwargs["max_value"]:
        return NotExpressible("bounds that let no value pass")
    return [("expect_column_values_to_be_between", kwargs)]


def bound_of(field: Field, text: str, side: str, strict: bool) -> tuple[Any, bool] | None:
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
        return [_different(mine, other)]
    greater, lesser = (mine, other) if operator[0] == ">" else (other, mine)
    kwargs = {"column_A": greater, "column_B": lesser, "or_equal": operator.endswith("="), **_EITHER}
    return [("expect_column_pair_values_a_to_be_greater_than_b", kwargs)]


def _different(one: str, other: str) -> tuple[str, Kwargs]:
    kwargs = {"column_list": [one, other], "ignore_row_if": "any_value_is_missing"}
    return "expect_select_column_values_to_be_unique_within_record", kwargs


def _distinct(rule: Rule, fields: Mapping[str, Field]) -> Expectations:
    """Pair by pair: a missing value leaves the others to be compared."""
    return [_different(one, other) for one, other in combinations(rule.args["columns"], 2)]


def _sum(rule: Rule, fields: Mapping[str, Field]) -> Expectations | NotExpressible:
    columns, total = [fields[name] for name in rule.args["columns"]], _exact(Decimal(rule.args["total"]))
    if "tolerance" in rule.args:
        return NotExpressible("no sum with a tolerance")
    digits = max(f.precision - f.scale for f in columns) + max(f.scale for f in columns) + 2  # of 20 columns
    if total is None or digits > _ADDED_DIGITS:
        return NotExpressible(f"a sum that is not binary, or of more than {_ADDED_DIGITS} digits")
    kwargs = {
        "column_list": rule.args["columns"],
        "sum_total": total,
        "ignore_row_if": "any_value_is_missing",
    }
    return [("expect_multicolumn_sum_to_equal", kwargs)]


SAYINGS: Mapping[str, Callable[[Rule, Mapping[str, Field]], Expectations | NotExpressible]] = {
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
