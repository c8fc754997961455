"""The grammars as patterns say what the parsers say, in Python's dialect and in RE2's."""

import re
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.cells import read_cells
from lakehouse.compilers.grammar_patterns import format_pattern, grammar_pattern
from lakehouse.grammar import parse_value
from lakehouse.rules.registry import compile_test

KINDS = [
    (Kind.INT64, 0, 0),
    (Kind.DECIMAL, 10, 2),
    (Kind.DECIMAL, 3, 3),
    (Kind.DECIMAL, 38, 0),
    (Kind.TIMESTAMP, 0, 0),
]
EDGES = [
    "0",
    "-0",
    "00",
    "+1",
    "-",
    "",
    "1.",
    ".5",
    "1.50",
    "1.505",
    "99999999.99",
    "100000000.00",
    "0.123",
    "1.123",
]
EDGES += [str(sign * (2**63 + off)) for sign in (1, -1) for off in (-2, -1, 0, 1, 10**17)]
EDGES += ["9" * 18, "9" * 19, "9" * 38, "9" * 39, "1\n", "\u0661", "1e3", "2018-05-01 13:45:00\n"]


def matches(pattern: str, text: str) -> bool:
    """Python's answer, which RE2 must give too."""
    found = re.fullmatch(pattern, text) is not None
    assert pc.match_substring_regex(pa.array([text]), rf"\A(?:{pattern})\z")[0].as_py() == found
    return found


@pytest.mark.parametrize(("kind", "precision", "scale"), KINDS)
def test_grammar_pattern_takes_what_the_parser_takes_of_edges(kind: Kind, precision: int, scale: int) -> None:
    pattern = grammar_pattern(kind, precision, scale)
    assert pattern is not None
    for text in EDGES:
        assert matches(pattern, text) == (parse_value(kind, text, precision, scale) is not None), text


@given(st.integers(-(2**64), 2**64))
def test_grammar_pattern_of_whole_numbers_ends_where_64_bits_end(number: int) -> None:
    pattern = grammar_pattern(Kind.INT64)
    assert pattern is not None
    assert matches(pattern, str(number)) == (-(2**63) <= number < 2**63)


@given(
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?", fullmatch=True
    )
)
@example("0000-01-01 00:00:00")
@example("1900-02-29 00:00:00")
@example("2000-02-29 23:59:59.999999")
def test_grammar_pattern_of_moments_is_the_calendar(text: str) -> None:
    pattern = grammar_pattern(Kind.TIMESTAMP)
    assert pattern is not None
    assert matches(pattern, text) == (parse_value(Kind.TIMESTAMP, text) is not None)


def test_grammar_pattern_takes_every_day_of_four_centuries_and_no_other() -> None:
    pattern = re.compile(grammar_pattern(Kind.TIMESTAMP) or "")
    first = date(2000, 1, 1)
    days = {str(first + timedelta(days=n)) for n in range(146_097)}
    for year in range(2000, 2400):
        for month in range(14):
            for day in range(28, 33):
                text = f"{year}-{month:02}-{day:02}"
                assert (pattern.fullmatch(f"{text} 00:00:00") is not None) == (text in days), text


def test_grammar_patterns_leave_out_what_no_pattern_says() -> None:
    assert grammar_pattern(Kind.DOUBLE) is None


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d", "%d", "%d %Y", "100%% %H:%M:%S.%f", "a[%m]\n", "%Y%d"]
)
def test_format_pattern_takes_what_the_rule_takes(form: str) -> None:
    rule = Rule("form", "format", "c", "error", "Has another form.", "conformity", {"format": form})
    field = Field("c", 10, Kind.TEXT, False, None, "c", "c")
    literal = form.replace("%%", "%")
    texts = [literal]
    for year in ("0000", "0001", "1900", "2000", "2024", "2023"):
        for month in ("00", "01", "02", "04", "12", "13"):
            for day in ("00", "01", "28", "29", "30", "31", "32", "1", "\u0661\u0661"):
                values = {"Y": year, "m": month, "d": day, "H": day, "M": day, "S": "59", "f": "000001"}
                texts.append(written(form, values))
    refused = compile_test(rule, {"c": field})({"c": read_cells(field, pa.array(texts), len(texts))})
    pattern = format_pattern(form)
    for text, wrong in zip(texts, refused, strict=True):
        assert matches(pattern, text) == (not wrong), text
    assert not refused.all()
    assert refused.any()


def written(form: str, values: dict[str, str]) -> str:
    return re.sub("%(.)", lambda found: values.get(found[1], "%"), form)
