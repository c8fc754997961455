"""Reads the row rules of a contract: ODCS quality entries of type custom for our own engine."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Condition, Kind, Rule, Severity
from lakehouse.grammar import parse_value
from lakehouse.place import Place

DIMENSIONS = ["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"]
_T = TypeVar("_T")
OPERATORS = ["<", "<=", "=", "!=", ">", ">="]

# RE2 has no look-around, back references, possessive quantifiers or atomic groups; and \d, \w, \s, \b and case
# folding differ between engines for text beyond ASCII, $ before a final newline: all left out of contracts.
_NOT_PORTABLE = re.compile(r"\(\?|\\[1-9dDwWsSbBAZzpP]|[*+?}]\+|[\^$]")


class TypedColumn(Protocol):
    """What a rule needs to know of a column."""

    @property
    def name(self) -> str:
        """Column name."""

    @property
    def kind(self) -> Kind:
        """What the column holds."""

    @property
    def precision(self) -> int:
        """Digits of a decimal."""

    @property
    def scale(self) -> int:
        """Decimals of a decimal."""


def read_rule(place: Place, engine: str, columns: Mapping[str, TypedColumn], column: str | None) -> Rule:
    """The rule at this place; `column` is given where the entry stands under a property."""
    place.only("id name type engine severity dimension description implementation")
    place.at("type").one_of(["custom"])
    place.at("engine").one_of([engine])
    severity: Severity = "error" if place.at("severity").one_of(["error", "warn"]) == "error" else "warn"
    body = place.at("implementation")
    kind = body.at("rule").one_of(list(_READERS))
    if column is None:
        column = body.at("column").one_of(list(columns))
    elif "column" in body.value:
        body.at("column").fail("is given by the property it stands under", "Leave it out.")
    when = _read_condition(body.at("when"), columns) if "when" in body.value else None
    keys, reader = _READERS[kind]
    body.only(f"rule column when {keys}")
    return Rule(
        id=place.at("id").text(r"[a-z][a-z0-9_]{0,79}", "lower-case letters, digits and _"),
        kind=kind,
        column=column,
        severity=severity,
        text=place.at("description").text(),
        dimension=place.at("dimension").one_of(DIMENSIONS),
        args=reader(body, columns, columns[column]),
        when=when,
    )


def _read_condition(place: Place, columns: Mapping[str, TypedColumn]) -> Condition:
    place.only("column in present")
    column = place.at("column").one_of(list(columns))
    if "in" in place.value:
        return Condition(column, tuple(_texts(place.at("in"))))
    if place.at("present").value is not True:
        place.at("present").fail("is not true", "Write `present: true`, or `in:` with a list of values.")
    return Condition(column)


def _texts(place: Place) -> list[str]:
    return _each_once(place, [item.text(r"(?s).+", "a text in quotes") for item in place.items()])


def _each_once(place: Place, found: list[_T]) -> list[_T]:
    if not found or len(set(found)) != len(found):
        place.fail("is empty or holds a value twice", "Write each value once.")
    return found


_Args = dict[str, Any]
_Reader = Callable[[Place, Mapping[str, TypedColumn], TypedColumn], _Args]


def _no_args(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    return {}


def _pattern(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    _require_kind(body, column, Kind.TEXT)
    place = body.at("pattern")
    pattern = place.text(r"(?s).+", "a regular expression")
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
    return {"pattern": pattern}


def _values(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    _require_kind(body, column, Kind.TEXT, Kind.INT64)
    values = body.at("values")
    if column.kind is Kind.TEXT:
        return {"values": _texts(values)}
    numbers = [item.integer(-(2**63), 2**63 - 1) for item in values.items()]
    return {"values": _each_once(values, numbers)}


def _bounds(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    _require_kind(body, column, Kind.INT64, Kind.DECIMAL, Kind.DOUBLE, Kind.TIMESTAMP)
    found: _Args = {}
    values: list[Any] = []
    for name in ("min", "max"):
        strict = body.flag(f"strict_{name}")
        if name not in body.value:
            if strict:
                body.at(f"strict_{name}").fail("has no bound to be strict about", f"Give {name} too.")
            continue
        place = body.at(name)
        text = str(place.value)
        value = parse_value(column.kind, text, column.precision, column.scale)
        if value is None:
            place.fail(f"is {place.value!r}", f"Write a value of the column's type, {column.kind}.")
        values.append(value)
        found |= {name: text} | ({f"strict_{name}": True} if strict else {})
    return _some_bound(body, found, values)


def _some_bound(body: Place, found: _Args, values: list[Any]) -> _Args:
    if not values:
        body.fail("has neither min nor max", "Give at least one bound.")
    if values != sorted(values):
        body.fail(f"has min {found['min']} above max {found['max']}", "No value would pass: turn them round.")
    return found


def _length(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    _require_kind(body, column, Kind.TEXT)
    found = {name: body.at(name).integer(0, 10**9) for name in ("min", "max") if name in body.value}
    return _some_bound(body, dict(found), list(found.values()))


def _comparison(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> _Args:
    other = columns[body.at("other").one_of(list(columns))]
    if other.kind is not column.kind:
        body.at("other").fail(
            f"{other.name} is {other.kind}, {column.name} is {column.kind}", "Compare columns of one type."
        )
    return {"operator": body.at("operator").one_of(OPERATORS), "other": other.name}


def _require_kind(body: Place, column: TypedColumn, *kinds: Kind) -> None:
    if column.kind not in kinds:
        body.at("rule").fail(
            f"does not fit {column.name}, which is {column.kind}",
            f"It is for columns of type {', '.join(kinds)}.",
        )


_READERS: dict[str, tuple[str, _Reader]] = {
    "not_null": ("", _no_args),
    "regex": ("pattern", _pattern),
    "not_regex": ("pattern", _pattern),
    "in_set": ("values", _values),
    "not_in_set": ("values", _values),
    "between": ("min max strict_min strict_max", _bounds),
    "length": ("min max", _length),
    "compare": ("operator other", _comparison),
}
