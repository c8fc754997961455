"""Values that engines disagree on, by what they pretend to be."""

from collections.abc import Mapping, Sequence
from random import Random

from lakehouse.catalog import Kind

# Few, so that rows, columns and sets meet; each column of a kind draws from the same ones.
PLAIN: Mapping[Kind, Sequence[str]] = {
    Kind.TEXT: ["a", "b", "ab12", "x", "xyz", "SP", "RJ", "01310", "20040", "2018-03-01", "a b", "hat"],
    Kind.INT64: ["0", "1", "2", "3", "-1", "7", "12"],
    Kind.DECIMAL: ["0", "0.5", "1", "1.0", "1.00", "1.5", "2.50", "-1", "12.25"],
    Kind.DOUBLE: ["0", "-0.0", "0.0", "0.1", "0.10", "1", "1.0", "1e0", "2.5", "-1.5"],
    Kind.TIMESTAMP: [
        "2018-01-01 00:00:00",
        "2018-01-01 00:00:00.0",
        "2018-03-01 12:30:00",
        "2018-03-01 12:30:00.000001",
        "2019-01-01 00:00:00",
    ],
}
# Nobody's type, or nearly somebody's.
NASTY: Sequence[str] = [
    *("", " ", "\t", "\n", "\x00", "\u00a0", "\ufeff", "\u200b", "null", "None", "NULL", "NA", "true"),
    *(
        "é",
        "e\u0301",
        "É",
        "ß",
        "İ",
        "ı",
        "😀",
        "👩‍👩‍👧",
        "\U0010ffff",
        "漢字",
        "a\n",
        "\na",
        "a\r\n",
        "a$",
        "^a",
        "a\x00b",
        "A",
    ),
    *("'", '"', "\\", "a'b", "--", "%", "_", "{{ x }}", "$1", "`", ";", "a,b", "a|b"),
    *(
        "-0",
        "+1",
        "00",
        "007",
        "-07",
        "1.",
        ".5",
        "-.",
        "-",
        "1 ",
        " 1",
        "1\n",
        "1_000",
        "1,5",
        "0x1F",
        "1e5",
        "1E-5",
    ),
    *(
        "１２",
        "٣",
        "१२",
        "²",
        "½",
        "Ⅷ",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
    ),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "9" * 38, "-" + "9" * 38, "9" * 39, "1" * 400, "0." + "1" * 400),
    *("9" * 36 + ".99", "9" * 37 + ".9", "0.005", "0.123", "99999999.99", "100000000.00", "-99999999.99"),
    *("9007199254740993", "0.1", "0.30000000000000004", "1.7976931348623157e308", "5e-324", "4.35"),
    *("2018-02-29 00:00:00", "2016-02-29 00:00:00", "1900-02-29 00:00:00", "2000-02-29 23:59:59"),
    *("0000-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "10000-01-01 00:00:00"),
    *("1677-09-21 00:12:43", "2262-04-12 00:00:00", "2018-01-01 24:00:00", "2018-01-01 23:59:60"),
    *(
        "2018-01-01T00:00:00",
        "2018-01-01 00:00:00Z",
        "2018-01-01 00:00:00+00:00",
        "2018-1-1 0:0:0",
        "2018-01-01",
    ),
    *("2018-01-01 00:00:00.", "2018-01-01 00:00:00.1234567", " 2018-01-01 00:00:00", "２018-01-01 00:00:00"),
    *(
        "2018-13-01",
        "2018-02-30",
        "02-29",
        "29/02/2018 10:00",
        "28/02/2018 24:00",
        "235959.999999",
        "2018%01",
        "é2018",
    ),
    *(
        "{}",
        "[]",
        "{",
        '{"a":1,"a":2}',
        "[1,]",
        "[NaN]",
        "Infinity",
        '"\\ud800"',
        "'a'",
        '"a\nb"',
        "\ufeff{}",
        " [1] ",
    ),
    *(
        "[" * 100 + "]" * 100,
        "[" * 101 + "]" * 101,
        "[" * 5000,
        '{"a":[' * 60 + "]}" * 60,
        "1" * 5000,
        "01",
        '"' + "[" * 200 + '"',
    ),
    *("01000", "19999", "20000", "00999", "77999", "0131", "013100", "01310\n", "１9999", "SC", "XX", "sp"),
]


def a_text(random: Random, kind: Kind) -> str | None:
    """A cell of a column of this kind as it travels: missing, plain, nasty or made up."""
    draw = random.random()
    if draw < 0.14:
        return None
    if draw < 0.60:
        return random.choice(PLAIN[kind])
    if draw < 0.75:
        return random.choice(NASTY)
    return _MADE[kind](random)


def _word(random: Random) -> str:
    return "".join(random.choice("ab1xé.-\n$ 😀") for _ in range(random.randrange(1, 6)))


def _integer(random: Random) -> str:
    return str(random.randrange(-20, 20) if random.random() < 0.8 else random.randrange(-(2**63), 2**63))


def _decimal(random: Random) -> str:
    digits = random.choice((1, 2, 5, 8, 18, 30, 36))
    sign = random.choice(("", "", "-"))
    return f"{sign}{random.randrange(10**digits)}" + random.choice(("", ".5", ".25", ".01", ".100"))


def _double(random: Random) -> str:
    if random.random() < 0.5:
        return repr(round(random.uniform(-3, 3), random.randrange(4)))
    return repr(random.uniform(-1, 1) * 10.0 ** random.randrange(-300, 300))


def _timestamp(random: Random) -> str:
    year = random.choice((1, 1600, 1970, 2018, 2018, 2100, 9999))
    clock = f"{random.randrange(24):02}:{random.randrange(60):02}:{random.randrange(60):02}"
    fraction = random.choice(("", "", ".5", ".123456"))
    return f"{year:04}-{random.randrange(1, 13):02}-{random.randrange(1, 32):02} {clock}{fraction}"


_MADE = {
    Kind.TEXT: _word,
    Kind.INT64: _integer,
    Kind.DECIMAL: _decimal,
    Kind.DOUBLE: _double,
    Kind.TIMESTAMP: _timestamp,
}
