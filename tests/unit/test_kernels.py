"""The column kernels give what the reference grammar gives, value by value."""

import math
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.catalog import Kind
from lakehouse.grammar import parse_value
from lakehouse.kernels import cast_texts
from lakehouse.patterns import FixedPattern
from lakehouse.text_view import missing_texts

TYPES = [
    (Kind.INT64, 0, 0),
    (Kind.TIMESTAMP, 0, 0),
    (Kind.DOUBLE, 0, 0),
    (Kind.DECIMAL, 10, 2),
    (Kind.DECIMAL, 18, 18),
    (Kind.DECIMAL, 5, 0),
    (Kind.DECIMAL, 1, 1),
    (Kind.DECIMAL, 38, 6),
    (Kind.TEXT, 0, 0),
]
NASTY = [
    *(
        "",
        " ",
        "0",
        "-0",
        "+1",
        "-1",
        "007",
        "-07",
        "00",
        "1e5",
        "1E5",
        "1e400",
        "-1e400",
        "1e-400",
        "e5",
        "1e",
        "--1",
    ),
    *(
        "-",
        ".",
        "-.",
        "1.",
        ".5",
        "0.5",
        "-0.50",
        "00.5",
        "12.345",
        "1.2.3",
        "1,5",
        "1_000",
        "0x10",
        "NaN",
        "nan",
    ),
    *(
        "inf",
        "-Infinity",
        "9" * 18,
        "9" * 19,
        "9" * 20,
        "9" * 400,
        "0." + "1" * 500,
        "1" + "0" * 400,
        "-" + "9" * 400,
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "10000000000000000000", "-0000000000000000000"),
    *("99999999.99", "100000000", "-99999999.99", "100000000.00", "123456789.1", "0.00", "-0.00", "0.000"),
    *(" 1", "1 ", "1\n", "\n1", "1\0", "\x001", "１", "٣", "1٣", "1\u00a0", "−1", "é", "😀"),
    *(
        "2017-02-28 10:00:00",
        "2017-02-29 10:00:00",
        "2017-02-30 10:00:00",
        "2016-02-29 23:59:59",
        "1900-02-29 00:00:00",
    ),
    *(
        "2000-02-29 00:00:00",
        "2017-13-01 00:00:00",
        "2017-00-01 00:00:00",
        "2017-01-00 00:00:00",
        "2017-04-31 00:00:00",
    ),
    *(
        "2017-12-31 23:59:60",
        "2017-12-31 24:00:00",
        "2017-12-31 23:60:00",
        "0000-01-01 00:00:00",
        "0001-01-01 00:00:00",
    ),
    *("9999-12-31 23:59:59", "9999-12-31 23:59:59.999999", "2017-01-01 00:00:00.", "2017-01-01 00:00:00.1"),
    *(
        "2017-01-01 00:00:00.1234567",
        "2017-01-01T00:00:00",
        "2017-01-01 00:00:00Z",
        "2017-01-01",
        "2017-1-1 0:00:00",
    ),
    *(
        " 2017-01-01 00:00:00",
        "2017-01-01 00:00:00\n",
        "２017-01-01 00:00:00",
        "2017/01/01 00:00:00",
        "2017-01-01 00:00",
    ),
    *("1969-12-31 23:59:59.999999", "1582-10-10 00:00:00", "-017-01-01 00:00:00", "2017-01-01 -1:00:00"),
]


@st.composite
def near_timestamps(draw: st.DrawFn) -> str:
    parts = [draw(st.integers(0, most)) for most in (9999, 13, 32, 24, 60, 60)]
    text = "{:04d}-{:02d}-{:02d} {:02d}:{:02d}:{:02d}".format(*parts)
    return text + draw(st.sampled_from(["", "", "."])) + draw(st.text("0123456789", max_size=7))


NEAR = st.one_of(
    st.sampled_from(NASTY),
    st.text("0123456789-.", max_size=22),
    st.from_regex(re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,7})?([eE][+-]?[0-9]{1,3})?"), fullmatch=True),
    st.integers(-(2**64), 2**64).map(str),
    st.floats(allow_nan=True).map(repr),
    near_timestamps(),
    st.text(max_size=6),
)
TEXTS = st.lists(st.one_of(st.none(), NEAR), max_size=40)


def expected(kind: Kind, texts: list[str | None], precision: int, scale: int) -> list[Any]:
    return [parse_value(kind, text, precision, scale) if text else None for text in texts]


def check_equal(kind: Kind, texts: list[str | None], array: pa.Array, precision: int, scale: int) -> None:
    cast = cast_texts(kind, array, precision, scale)
    wanted = expected(kind, texts, precision, scale)
    cast.values.validate(full=True)
    assert cast.values.to_pylist() == wanted
    assert cast.refused.tolist() == [bool(t) and v is None for t, v in zip(texts, wanted, strict=True)]
    if kind is Kind.DOUBLE:
        signs = [math.copysign(1, v) for v in wanted if v is not None]
        assert [math.copysign(1, v) for v in cast.values.to_pylist() if v is not None] == signs


@pytest.mark.parametrize(("kind", "precision", "scale"), TYPES)
def test_cast_of_nasty_values_equals_the_grammar(kind: Kind, precision: int, scale: int) -> None:
    texts: list[str | None] = [*NASTY, None]
    check_equal(kind, texts, pa.array(texts, pa.string()), precision, scale)
    for text in texts:
        check_equal(kind, [text], pa.array([text], pa.string()), precision, scale)


@pytest.mark.parametrize(("kind", "precision", "scale"), TYPES)
@given(TEXTS, st.integers(0, 5))
def test_cast_of_any_column_equals_the_grammar(
    kind: Kind, precision: int, scale: int, texts: list[str | None], skip: int
) -> None:
    array = pa.array(texts, pa.string()).slice(skip)
    check_equal(kind, texts[skip:], array, precision, scale)


@pytest.mark.parametrize(("kind", "precision", "scale"), TYPES)
def test_cast_of_more_rows_than_a_step_equals_the_grammar(kind: Kind, precision: int, scale: int) -> None:
    texts = [NASTY[n % len(NASTY)] if n % 7 == 0 else f"{n % 3000:04d}-01-02 03:04:05" for n in range(70_000)]
    wanted = expected(kind, list(texts), precision, scale)
    cast = cast_texts(kind, pa.array(texts, pa.string()), precision, scale)
    assert cast.values.to_pylist() == wanted


def test_cast_leaves_bytes_behind_nulls_alone() -> None:
    texts = pa.array(["1", "22", "333"], pa.string())
    hidden = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2], pa.py_buffer(b"\x05"))
    assert cast_texts(Kind.INT64, hidden).values.to_pylist() == [1, None, 333]
    assert cast_texts(Kind.TEXT, hidden).values.to_pylist() == ["1", None, "333"]
    assert missing_texts(hidden).tolist() == [False, True, False]


@pytest.mark.parametrize("texts", [[], [None], ["", ""], [None, "", None]])
@pytest.mark.parametrize(("kind", "precision", "scale"), TYPES)
def test_cast_of_nothing_is_null_and_not_refused(
    kind: Kind, precision: int, scale: int, texts: list[str | None]
) -> None:
    check_equal(kind, texts, pa.array(texts, pa.string()), precision, scale)


PATTERNS = ["[0-9a-f]{32}", "[0-9]{5}", "[a-cx-z9]{3}", "[A-Z]{1}"]
NEAR_PATTERN = st.one_of(
    st.none(),
    st.text("0123456789abcdefxyzAZ", min_size=1, max_size=6),
    st.text("0123456789abcdef", min_size=31, max_size=33),
    st.text(max_size=5),
    st.sampled_from(
        ["12345\n", "\n2345", "1234\0", "１2345", "12é45", "", "a" * 33, "/2345", ":2345", "`" * 32, "g" * 32]
    ),
)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(st.lists(NEAR_PATTERN, max_size=30), st.integers(0, 3))
def test_fixed_pattern_equals_re2(pattern: str, texts: list[str | None], skip: int) -> None:
    array = pa.array(texts, pa.string()).slice(skip)
    fixed = FixedPattern.of(pattern)
    assert fixed is not None
    matched = pc.match_substring_regex(array, rf"\A(?:{pattern})\z").to_pylist()
    assert fixed.mismatches(array).tolist() == [
        bool(text) and not match for text, match in zip(texts[skip:], matched, strict=True)
    ]


@pytest.mark.parametrize(
    "pattern", ["[0-9]+", "[^0-9]{5}", "[0-9]{5}|x", "[0-9]{2,5}", "a{5}", r"[\d]{5}", "[z-a]{3}", "[é]{2}"]
)
def test_fixed_pattern_refuses_any_other_form(pattern: str) -> None:
    assert FixedPattern.of(pattern) is None
