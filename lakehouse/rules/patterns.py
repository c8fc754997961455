"""Texts by patterns, whole and in RE2's dialect, and by their length in code points."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.errors import ContractError
from lakehouse.patterns import FixedPattern
from lakehouse.place import Place
from lakehouse.rules.kind import (
    Args,
    Columns,
    RuleKind,
    Test,
    TypedColumn,
    each_once,
    exact_text,
    is_false,
    is_true,
    require_kind,
)
from lakehouse.text_view import Mask

# RE2 has no look-around, back references, possessive quantifiers or atomic groups; and \d, \w, \s, \b and case
# folding differ between engines for text beyond ASCII, $ before a final newline: all left out of contracts.
_NOT_PORTABLE = re.compile(r"\(\?|\\[1-9dDwWsSbBAZzpP]|[*+?}]\+|[\^$]")


def read_pattern(place: Place) -> str:
    """A pattern that every engine reads alike."""
    pattern = exact_text(place)
    bad = _NOT_PORTABLE.search(pattern.replace("[^", "["))
    if bad:
        place.fail(
            f"{bad[0]!r} does not mean the same in every engine",
            "Patterns match the whole text; use classes such as [0-9], no anchors, no look-around.",
        )
    try:
        re.compile(pattern)
        pc.match_substring_regex(pa.array([""]), pattern)  # RE2, which refuses some of what Python takes
    except (re.error, pa.ArrowInvalid) as error:
        place.fail(f"is not a regular expression: {error}", "Mend it.")
    return pattern


def whole_match(name: str, patterns: Sequence[str]) -> Callable[[pa.StringArray], pa.BooleanArray]:
    """Whether a text as a whole matches one of the patterns. ContractError, with the rule's name, when RE2 refuses."""
    pattern = rf"\A(?:{'|'.join(f'(?:{one})' for one in patterns)})\z"
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise ContractError(
            name, "pattern", f"is not in RE2's dialect: {error}", "Write it without."
        ) from error
    return lambda texts: pc.match_substring_regex(texts, pattern)


def _read_one(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    return {"pattern": read_pattern(body.at("pattern"))}


def _read_several(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    place = body.at("patterns")
    return {"patterns": each_once(place, [read_pattern(item) for item in place.items()])}


def _read_matching(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    match_on = body.at("match_on").one_of(["any", "all"]) if "match_on" in body.value else "any"
    return {**_read_several(body, columns, column), "match_on": match_on}


def _regex(rule: Rule, fields: Mapping[str, Field]) -> Test:
    return _mismatch(rule, [rule.args["pattern"]])


def _mismatch(rule: Rule, patterns: Sequence[str]) -> Test:
    """True where none of the patterns matches."""
    fixed = FixedPattern.of(patterns[0]) if len(patterns) == 1 else None
    if fixed is not None:
        return lambda columns: fixed.mismatches(columns[rule.column].values)
    matches = whole_match(rule.id, patterns)
    return lambda columns: is_false(matches(columns[rule.column].values))


def _regex_list(rule: Rule, fields: Mapping[str, Field]) -> Test:
    if rule.args["match_on"] == "any":
        return _mismatch(rule, rule.args["patterns"])
    each = [_mismatch(rule, [pattern]) for pattern in rule.args["patterns"]]

    def test(columns: Columns) -> Mask:
        found: Mask = np.logical_or.reduce([mismatch(columns) for mismatch in each])
        return found

    return test


def _not_regex(rule: Rule, fields: Mapping[str, Field]) -> Test:
    matches = whole_match(rule.id, rule.args.get("patterns") or [rule.args["pattern"]])
    return lambda columns: is_true(matches(columns[rule.column].values))


def _read_length(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    return read_counts(body)


def read_counts(body: Place) -> Args:
    """`min` and `max` as whole numbers: one of them at least, and in their order."""
    found = {name: body.at(name).integer(0, 10**9) for name in ("min", "max") if name in body.value}
    if not found:
        body.fail("has neither min nor max", "Give at least one bound.")
    if found.get("min", 0) > found.get("max", 10**9):
        body.fail(f"has min {found['min']} above max {found['max']}", "No value would pass: turn them round.")
    return dict(found)


def _length(rule: Rule, fields: Mapping[str, Field]) -> Test:
    least, most = rule.args.get("min", 0), rule.args.get("max", 2**31 - 1)

    def test(columns: Columns) -> Mask:
        lengths = pc.utf8_length(columns[rule.column].values)
        return is_true(pc.or_(pc.less(lengths, least), pc.greater(lengths, most)))

    return test


KINDS = (
    RuleKind("regex", "pattern", _read_one, _regex),
    RuleKind("not_regex", "pattern", _read_one, _not_regex),
    RuleKind("regex_list", "patterns match_on", _read_matching, _regex_list),
    RuleKind("not_regex_list", "patterns", _read_several, _not_regex),
    RuleKind("length", "min max", _read_length, _length),
)
