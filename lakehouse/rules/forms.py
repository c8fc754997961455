"""Texts that must have a form: a grammar of ours, a date format, JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.kernels import cast_texts
from lakehouse.place import Place
from lakehouse.rules.kind import Args, Columns, RuleKind, Test, TypedColumn, exact_text, is_true, require_kind
from lakehouse.text_view import Bytes, Ints, Mask, TextView

CASTABLE_TO = ("int64", "double", "timestamp", "decimal")
# Digits of each directive: always all of them, so that a format fixes the length of its texts.
DIRECTIVES: Mapping[str, int] = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "f": 6}
_HIGHEST = {"m": 12, "d": 31, "H": 23, "M": 59, "S": 59, "Y": 9999, "f": 999_999}
_MONTH_LENGTHS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)
# Deeper JSON is refused: how deep a parser can go depends on the machine, and a verdict must not.
JSON_DEPTH = 100
# What JSON can begin with: an exception for each word that is none would cost more than all the rest.
_JSON_BEGINS = r"\A[ \t\r\n]*[\[{\"0-9tfn-]"
_JSON_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def _read_castable_to(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    to = body.at("to").one_of(CASTABLE_TO)
    if to != Kind.DECIMAL:
        for name in ("precision", "scale"):
            if name in body.value:
                body.at(name).fail("belongs to a decimal", f"Leave it out for {to}.")
        return {"to": to}
    precision = body.at("precision").integer(1, 38)
    return {"to": to, "precision": precision, "scale": body.at("scale").integer(0, precision)}


def _castable_to(rule: Rule, fields: Mapping[str, Field]) -> Test:
    kind, precision, scale = Kind(rule.args["to"]), rule.args.get("precision", 0), rule.args.get("scale", 0)
    return lambda columns: cast_texts(kind, columns[rule.column].values, precision, scale).refused


@dataclass(frozen=True)
class DateFormat:
    """A strftime format of full-width digits: which byte is a literal, and where each directive's digits begin."""

    length: int
    literals: Mapping[int, int]
    starts: Mapping[str, int]

    @classmethod
    def of(cls, text: str) -> "DateFormat | str":
        """The format, or what is wrong with it."""
        literals: dict[int, int] = {}
        starts: dict[str, int] = {}
        place = 0
        for directive, literal in re.findall(r"(?s)%(.?)|([^%])", text):
            if directive == "%" or literal:
                for byte in (literal or "%").encode():
                    literals[place] = byte
                    place += 1
            elif directive not in DIRECTIVES:
                return f"holds %{directive}"
            elif directive in starts:
                return f"holds %{directive} twice"
            else:
                starts[directive] = place
                place += DIRECTIVES[directive]
        return cls(place, literals, starts) if starts else "holds no directive"

    def refuses(self, texts: pa.StringArray) -> Mask:
        """True where a text is present and is no moment in this format."""
        view = TextView.of(texts)
        found: Mask = (view.lengths != self.length) & (view.lengths > 0)
        for rows, part in view.steps():
            for places, matrix in part.matrices(self.length, self.length):
                found[rows][places] = ~self._formed(np.ascontiguousarray(matrix.T))
        return found

    def _formed(self, columns: Bytes) -> Mask:
        formed = np.ones(columns.shape[1], bool)
        for place, byte in self.literals.items():
            formed &= columns[place] == byte
        numbers: dict[str, Ints] = {}
        for directive, start in self.starts.items():
            number = np.zeros(columns.shape[1], np.int64)
            for column in columns[start : start + DIRECTIVES[directive]]:
                digit = column - np.uint8(48)  # wraps around: whatever is no digit becomes more than 9
                formed &= digit <= 9
                number = number * 10 + digit
            formed &= number <= _HIGHEST[directive]
            formed &= number >= (directive in "Ymd")
            numbers[directive] = number
        return formed & (numbers["d"] <= _month_lengths(numbers)) if "d" in numbers else formed


def _month_lengths(numbers: Mapping[str, Ints]) -> Ints | int:
    """The longest that the month can be: of any year where there is no year."""
    if "m" not in numbers:
        return 31
    month = np.minimum(numbers["m"], 12)
    leap: Any = True
    if "Y" in numbers:
        year = numbers["Y"]
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    found: Ints = _MONTH_LENGTHS[month] + ((month == 2) & leap)
    return found


def _read_format(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    place = body.at("format")
    text = exact_text(place)
    found = DateFormat.of(text)
    if isinstance(found, str):
        place.fail(
            found, f"Use each of {', '.join(f'%{one}' for one in DIRECTIVES)} once at most, and literals."
        )
    return {"format": text}


def _format(rule: Rule, fields: Mapping[str, Field]) -> Test:
    found = DateFormat.of(rule.args["format"])
    assert isinstance(found, DateFormat)
    return lambda columns: found.refuses(columns[rule.column].values)


def is_json(text: str) -> bool:
    """Whether a text is JSON by RFC 8259, at most `JSON_DEPTH` deep; doubled keys are allowed."""
    brackets = len(text) > JSON_DEPTH and text.count("[") + text.count("{")
    if brackets > JSON_DEPTH and _depth(text) > JSON_DEPTH:
        return False
    try:
        _JSON.decode(text)
    except ValueError:
        return False
    return True


def _depth(text: str) -> int:
    deepest = depth = 0
    for found in _JSON_BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Numbers stay texts: Python refuses whole numbers of more than 4,300 digits.
_JSON = json.JSONDecoder(parse_constant=_no_constant, parse_int=str, parse_float=str)


def _json(rule: Rule, fields: Mapping[str, Field]) -> Test:
    def test(columns: Columns) -> Mask:
        cells = columns[rule.column]
        found: Mask = cells.known.copy()
        rows = np.flatnonzero(is_true(pc.match_substring_regex(cells.values, _JSON_BEGINS)))
        texts = cells.values.take(pa.array(rows)).to_pylist()
        found[rows] = np.fromiter((not is_json(text) for text in texts), bool, len(texts))
        return found

    return test


def _read_json(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    return {}


KINDS = (
    RuleKind("castable_to", "to precision scale", _read_castable_to, _castable_to),
    RuleKind("format", "format", _read_format, _format),
    RuleKind("json", "", _read_json, _json),
)
