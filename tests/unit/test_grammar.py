"""The strict grammars: what a text means, and what it does not."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.catalog import Kind
from lakehouse.grammar import Value, parse_value

YES: list[tuple[Kind, str, Value]] = [
    (Kind.TEXT, "", ""),
    (Kind.INT64, "0", 0),
    (Kind.INT64, "-0", 0),
    (Kind.INT64, "9223372036854775807", 2**63 - 1),
    (Kind.INT64, "-9223372036854775808", -(2**63)),
    (Kind.DECIMAL, "12.50", Decimal("12.50")),
    (Kind.DECIMAL, "-0.01", Decimal("-0.01")),
    (Kind.DECIMAL, "12345678", Decimal(12345678)),
    (Kind.DECIMAL, "12345678.99", Decimal("12345678.99")),
    (Kind.DOUBLE, "-33.76", -33.76),
    (Kind.DOUBLE, "1e5", 1e5),
    (Kind.DOUBLE, "-1.5E-3", -0.0015),
    (Kind.TIMESTAMP, "2018-05-01 13:45:00", datetime(2018, 5, 1, 13, 45)),
    (Kind.TIMESTAMP, "2018-05-01 13:45:00.5", datetime(2018, 5, 1, 13, 45, 0, 500_000)),
    (Kind.TIMESTAMP, "2018-05-01 13:45:00.000001", datetime(2018, 5, 1, 13, 45, 0, 1)),
    (Kind.TIMESTAMP, "0001-01-01 00:00:00", datetime(1, 1, 1)),
    (Kind.TIMESTAMP, "9999-12-31 23:59:59.999999", datetime.max),
    (Kind.TIMESTAMP, "2000-02-29 00:00:00", datetime(2000, 2, 29)),
]
NO = {
    Kind.INT64: [
        *("", "+1", "01", "-01", "1.0", "1e3", " 1", "1 ", "1\n", "1_000", "0x1", "--1", "-"),
        *("٣", "１", "9223372036854775808", "-9223372036854775809", "1" * 5000),
    ],
    Kind.DECIMAL: [
        *("", ".5", "5.", "1.234", "1.000", "+1", "01.50", "1,50", "1e2", "NaN", "Infinity", " 1.5", "1.5\n"),
        *("123456789", "123456789.99", "--1", "1.5.0", "٣.٥", "R$ 1.50", "-"),
    ],
    Kind.DOUBLE: [
        *(
            "",
            "nan",
            "NaN",
            "inf",
            "-Infinity",
            "1e400",
            ".5",
            "5.",
            "+1",
            "01",
            "1,5",
            "0x1p3",
            "1e",
            "1e5.0",
        ),
        *(" 1", "1\n", "1_0", "٣"),
    ],
    Kind.TIMESTAMP: [
        *(
            "",
            "now",
            "infinity",
            "2018-05-01",
            "2018-05-01T13:45:00",
            "2018-05-01 13:45",
            "2018-5-1 13:45:00",
        ),
        *("2018-02-30 00:00:00", "2018-13-01 00:00:00", "2018-00-01 00:00:00", "0000-01-01 00:00:00"),
        *("2018-05-01 24:00:00", "2018-05-01 23:60:00", "2018-05-01 23:59:60", "1900-02-29 00:00:00"),
        *(
            "2018-05-01 13:45:00Z",
            "2018-05-01 13:45:00+00:00",
            "2018-05-01 13:45:00.",
            "2018-05-01 13:45:00,5",
        ),
        *(" 2018-05-01 13:45:00", "2018-05-01 13:45:00 ", "2018-05-01 13:45:00\n", "2018-05-01  13:45:00"),
        *("2018-05-01 13:45:00.1234567", "٢٠١٨-05-01 13:45:00", "12018-05-01 13:45:00", "1525182300"),
    ],
}


def parse(kind: Kind, text: str) -> Value | None:
    return parse_value(kind, text, precision=10, scale=2)


@pytest.mark.parametrize(("kind", "text", "value"), YES)
def test_grammar_reads(kind: Kind, text: str, value: Value) -> None:
    found = parse(kind, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NO.items() for text in texts])
def test_grammar_refuses(kind: Kind, text: str) -> None:
    assert parse(kind, text) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_round_trip(number: int) -> None:
    assert parse(Kind.INT64, str(number)) == number


@given(st.decimals(-99_999_999, 99_999_999, places=2))
def test_decimals_round_trip_exactly(number: Decimal) -> None:
    found = parse(Kind.DECIMAL, f"{number:f}")
    assert isinstance(found, Decimal)
    assert (found, found.as_tuple().exponent) == (number, number.as_tuple().exponent)


@given(st.integers(0, 38), st.integers(0, 38), st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_never_need_more_digits_than_their_type_has(
    precision: int, scale: int, number: Decimal
) -> None:
    precision = max(precision, scale, 1)
    found = parse_value(Kind.DECIMAL, f"{number:f}", precision, scale)
    if isinstance(found, Decimal):
        assert found == number
        assert found.scaleb(scale) == int(found.scaleb(scale))
        assert abs(found.scaleb(scale)) < 10**precision


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_round_trip_exactly(number: float) -> None:
    assert parse(Kind.DOUBLE, repr(number)) == number


@given(st.datetimes())
def test_timestamps_round_trip(moment: datetime) -> None:
    assert parse(Kind.TIMESTAMP, str(moment)) == moment


@given(st.sampled_from(list(NO)), st.text(max_size=30))
def test_grammar_gives_a_value_or_none_for_any_text(kind: Kind, text: str) -> None:
    found = parse(kind, text)
    assert found is None or text.isascii()
