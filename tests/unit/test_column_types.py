"""Faults 33 and 36: columns of another physical type, and values that no type should hold."""

import math
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.catalog import Field, Kind, load_entities
from lakehouse.cells import read_cells
from lakehouse.physical import FITS, Family, misfit
from lakehouse.shape import readable_rows, schema_problem
from tests.builders.every_kind import EVERY_KIND, EVERYTHING
from tests.builders.rows import a_row, an_item, an_order, bronze_table
from tests.builders.shapes import ITEMS, items, judged, reasons, with_column

ENTITIES = load_entities()
ORDERS, PRODUCTS = ENTITIES["orders"], ENTITIES["products"]


# --- 33: another type


@pytest.mark.parametrize(
    ("column", "type_", "wanted"),
    [
        (
            "price",
            pa.float64(),
            "column price is double, but decimal128(10, 2) or text is wanted: floating point",
        ),
        (
            "shipping_limit_date",
            pa.timestamp("us", "UTC"),
            "timestamp[us, tz=UTC], but .* civil time has no zone",
        ),
        ("shipping_limit_date", pa.int64(), "int64, but .* does not say its unit"),
        ("order_id", pa.float64(), "column order_id is double, but text is wanted"),
        ("order_item_id", pa.bool_(), "column order_item_id is bool, but int64 or text is wanted"),
        ("order_item_id", pa.list_(pa.int64()), "order_item_id is list"),
        ("order_item_id", pa.dictionary(pa.int8(), pa.bool_()), "is dictionary<values=bool"),
        ("row_hash", pa.float64(), "column row_hash is double, but int64 is wanted"),
        ("pos_log", pa.int64(), "column pos_log is int64, but string is wanted"),
        ("raw", pa.string(), "column raw is string, but binary is wanted"),
    ],
)
def test_fault_33_type_that_could_lose_something_is_named_with_what_is_wanted(
    column: str, type_: pa.DataType, wanted: str
) -> None:
    schema = bronze_table(ITEMS, [an_item()]).schema
    changed = schema.set(schema.get_field_index(column), pa.field(column, type_))
    problem = schema_problem(ITEMS, changed)
    assert problem is not None
    for part in wanted.split(" .* "):
        assert part in problem


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([1, -1], pa.int8()), [1, None]),
        (pa.array([1, 2**64 - 1], pa.uint64()), [1, None]),
        (pa.array([2.0, 2.5]), [2, None]),
        (pa.array([2.0**53, 2.0**63, float("nan")]), [2**53, None, None]),
        (pa.array([Decimal("2.00"), Decimal("2.50"), Decimal(2**63)], pa.decimal128(38, 2)), [2, None, None]),
        (pa.array([b"2", b"two"]), [2, None]),
    ],
)
def test_fault_33_whole_number_of_any_width_is_never_wrapped_or_rounded(
    array: pa.Array, values: list[Any]
) -> None:
    made = judged(ITEMS, items(order_item_id=array))
    assert made.silver.column("order_item_id").to_pylist() == [v for v in values if v is not None]
    assert made.held.rows == values.count(None)


@pytest.mark.parametrize(
    ("array", "refused"),
    [
        (pa.array([5, 10**8, -(10**8) + 1]), [False, True, False]),
        (pa.array([Decimal("5.000"), Decimal("5.005")], pa.decimal128(38, 3)), [False, True]),
        (pa.array([Decimal(10**37)], pa.decimal128(38, 0)), [True]),
        (pa.array([Decimal("99999999.99"), Decimal(100000000)], pa.decimal256(50, 9)), [False, True]),
    ],
)
def test_fault_33_amount_of_another_scale_is_taken_when_it_is_exact(
    array: pa.Array, refused: list[bool]
) -> None:
    cells = read_cells(ITEMS.field("price"), array, len(array))
    assert cells.unreadable.tolist() == refused
    kept = [None if no else value for no, value in zip(refused, array.to_pylist(), strict=True)]
    assert cells.values.to_pylist() == kept


@pytest.mark.parametrize(
    ("array", "moments"),
    [
        (pa.array([0], pa.timestamp("s")), [datetime(1970, 1, 1)]),
        (pa.array([1, 2**62], pa.timestamp("ms")), [datetime(1970, 1, 1, 0, 0, 0, 1000), None]),
        (pa.array([1000, 1001], pa.timestamp("ns")), [datetime(1970, 1, 1, 0, 0, 0, 1), None]),
        (pa.array([date(2018, 5, 1), None], pa.date32()), [datetime(2018, 5, 1), None]),
        (pa.array([2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32()), [None, None]),
    ],
)
def test_fault_33_moment_in_another_unit_is_taken_when_nothing_is_lost(
    array: pa.Array, moments: list[Any]
) -> None:
    cells = read_cells(ITEMS.field("shipping_limit_date"), array, len(array))
    assert cells.values.to_pylist() == moments
    assert cells.unreadable.tolist() == [
        moment is None and valid for moment, valid in zip(moments, array.is_valid().to_pylist(), strict=True)
    ]


def test_fault_33_double_takes_what_it_gives_back() -> None:
    lat = ENTITIES["geolocation"].field("geolocation_lat")
    for array, values in (
        (pa.array([1, 2**53 + 1, 2**62]), [1.0, None, 2.0**62]),
        (pa.array([0.5, 0.1], pa.float32()), [0.5, 0.10000000149011612]),
        (
            pa.array([Decimal("-23.54562128115268"), Decimal("0.12345678901234567")], pa.decimal128(38, 17)),
            None,
        ),
    ):
        found = read_cells(lat, array, len(array)).values.to_pylist()
        assert found == (values or [-23.54562128115268, None])


def test_fault_33_columns_of_the_lake_itself_may_be_of_another_width() -> None:
    table = bronze_table(ITEMS, [an_item(), an_item(order_id="x")])
    wanted = judged(ITEMS, table)
    for name, type_ in (
        ("pos_partition", pa.int64()),
        ("pos_offset", pa.uint16()),
        ("occurred_at", pa.uint64()),
        ("op", pa.null()),
        ("event_id", pa.dictionary(pa.int8(), pa.string())),
        ("source", pa.large_string()),
        ("raw", pa.large_binary()),
        ("pos_log", pa.string_view()),
    ):
        array = pa.array(table.column(name).to_pylist(), type_)
        made = judged(ITEMS, with_column(table, name, array))
        assert (made.silver, made.quarantine) == (wanted.silver, wanted.quarantine), name
    wide = with_column(table, "row_hash", pa.array([1, 2**63], pa.uint64()))
    assert "column row_hash cannot be read as int64" in str(readable_rows(ITEMS, wide))
    beyond = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int8()), pa.array(["shop"]), safe=False)
    assert "points outside" in str(readable_rows(ITEMS, with_column(table, "source", beyond)))


# --- 36: values


def test_fault_36_not_a_number_and_infinity_are_held_and_negative_zero_is_kept() -> None:
    places = bronze_table(ENTITIES["geolocation"], [a_row("geolocation") for _ in range(4)])
    lat = pa.array([float("nan"), float("inf"), float("-inf"), -0.0])
    made = judged(ENTITIES["geolocation"], with_column(places, "geolocation_lat", lat))
    assert [[rule for rule, _ in row] for row in reasons(made)] == [["geolocation_lat_readable"]] * 3
    assert [str(v) for v in made.silver.column("geolocation_lat").to_pylist()] == ["-0.0"]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_fault_36_moment_outside_the_years_1_to_9999_is_held(unit: str) -> None:
    """Athena and DuckDB cannot show it; Python cannot even read it."""
    per_second = {"s": 1, "ms": 1000, "us": 10**6}[unit]
    first, end = -62_135_596_800 * per_second, 253_402_300_800 * per_second
    moments = pa.array([first - 1, first, end - 1, end, 2**63 - 1], pa.timestamp(unit))
    made = judged(ITEMS, items(shipping_limit_date=moments))
    assert [row[0][0] for row in reasons(made)] == ["shipping_limit_date_readable"] * 3
    assert [m.year for m in made.silver.column("shipping_limit_date").to_pylist()] == [1, 9999]


def test_fault_36_text_that_is_not_utf8_is_undecodable_and_its_bytes_are_shown() -> None:
    wrong = [b"shipped", b"caf\xe9", b"\xed\xa0\x80", b"delivered"]
    cells = pa.array(wrong)
    wanted = [
        [("UNDECODABLE", None)],
        [("UNDECODABLE", None)],
    ]
    for array in (cells, cells.view(pa.string()), cells.cast(pa.large_binary()).view(pa.large_string())):
        table = with_column(bronze_table(ORDERS, [an_order() for _ in wrong]), "order_status", array)
        made = judged(ORDERS, table)
        assert (made.passed.rows, reasons(made)) == (2, wanted)
        held = made.quarantine.to_pylist()
        assert [row["order_status"] for row in held] == ["caf\\xe9", "\\xed\\xa0\\x80"]
        assert held[0]["reasons"][0]["message"] == "byte 4 of order_status (0xe9) is not UTF-8"
    table = bronze_table(ORDERS, [an_order(), an_order()]).append_column("note", cells.view(pa.string())[:2])
    assert (judged(ORDERS, table).held.rows, judged(ORDERS, table).extras) == (1, {"note": 2})


def test_fault_36_zero_byte_is_a_letter_like_any_other() -> None:
    made = judged(ORDERS, bronze_table(ORDERS, [an_order(order_status="\0"), an_order(order_id="\0" * 32)]))
    assert reasons(made) == [[("order_status_known", "\0")], [("order_id_is_id", "\0" * 32)]]
    reviews = bronze_table(ENTITIES["reviews"], [a_row("reviews", review_comment_title="a\0b")])
    assert judged(ENTITIES["reviews"], reviews).silver.column("review_comment_title").to_pylist() == ["a\0b"]


def test_fault_36_decimal_of_38_digits_is_held_where_the_contract_asks_for_fewer() -> None:
    big = Decimal("9" * 36 + ".99")
    made = judged(ITEMS, items(price=pa.array([big, Decimal("1.00")], pa.decimal128(38, 2))))
    assert reasons(made) == [[("price_readable", "9" * 36 + ".99")]]
    wide = replace(
        ITEMS,
        rules=(),
        fields=tuple(replace(f, precision=38) if f.name == "price" else f for f in ITEMS.fields),
    )
    assert judged(wide, items(price=pa.array([big]))).silver.column("price").to_pylist() == [big]


# --- any mix of types: the verdicts of the all-text file

PHYSICAL = {
    Kind.TEXT: [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.dictionary(pa.int16(), pa.binary()),
    ],
    Kind.INT64: [pa.int64(), pa.int8(), pa.uint64(), pa.float64(), pa.decimal128(38, 4), pa.large_binary()],
    Kind.DECIMAL: [
        pa.decimal128(10, 2),
        pa.decimal128(38, 9),
        pa.decimal256(60, 4),
        pa.int32(),
        pa.string_view(),
    ],
    Kind.DOUBLE: [pa.float64(), pa.float32(), pa.decimal128(20, 6), pa.int16(), pa.large_string()],
    Kind.TIMESTAMP: [
        pa.timestamp("us"),
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.date32(),
        pa.date64(),
        pa.string(),
    ],
}
VALUES = {
    Kind.TEXT: st.sampled_from(["", "a", "x y", "bad", "xyz", "é", "ab12", "7"]),
    Kind.INT64: st.integers(-128, 127),
    Kind.DECIMAL: st.decimals(-200, 200, places=3)
    | st.decimals(-200, 200, places=2)
    | st.just(Decimal("99.990")),
    Kind.DOUBLE: st.floats(-4, 4, width=16) | st.sampled_from([float("nan"), -0.0]),
    Kind.TIMESTAMP: st.datetimes(datetime(2016, 1, 1), datetime(2021, 1, 1)),
}


def held_by(kind: Kind, type_: pa.DataType, value: Any) -> Any:
    """The value, or one near it that the type can hold."""
    if value is None or kind is Kind.TEXT or pa.types.is_nested(type_):
        return value.encode() if value is not None and "binary" in str(type_) else value
    if kind is Kind.DOUBLE and not pa.types.is_floating(type_):
        value = 1.5 if math.isnan(value) else value
    if pa.types.is_integer(type_):
        return int(value) % 128 if "u" in str(type_) else int(value)
    if pa.types.is_decimal(type_):
        return (
            Decimal(str(value)).quantize(Decimal("0.001"))
            if type_.scale > 2
            else Decimal(str(value)).quantize(Decimal("0.01"))
        )
    if pa.types.is_floating(type_):
        return float(value)
    if pa.types.is_date(type_):
        return value.date()
    if pa.types.is_timestamp(type_):
        return value.replace(microsecond=0) if type_.unit == "s" else value
    if kind is Kind.TIMESTAMP:
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = str(value)
    return text.encode() if "binary" in str(type_) else text


@st.composite
def any_layout(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    """A table of some types, and the same in text alone."""
    count = draw(st.integers(1, 6))
    typed = spelt = bronze_table(EVERY_KIND, [EVERYTHING for _ in range(count)])
    for field in EVERY_KIND.fields:
        type_ = draw(st.sampled_from(PHYSICAL[field.kind]))
        drawn = draw(st.lists(st.none() | VALUES[field.kind], min_size=count, max_size=count))
        array = pa.array([held_by(field.kind, type_, v) for v in drawn], type_)
        typed = with_column(typed, field.name, array)
        spelt = with_column(spelt, field.name, in_text(field, array))
    names = draw(st.permutations(typed.column_names))
    return typed.select(names), spelt


def in_text(field: Field, array: pa.Array) -> pa.Array:
    """What a CSV file would hold: plain digits, no zeros that the contract has no place for, no zone."""
    return pa.array([spelt(field, v) for v in array.to_pylist()], pa.string())


def spelt(field: Field, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    if isinstance(value, date):
        return f"{value} 00:00:00"
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float) and field.kind is Kind.INT64:
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


@given(any_layout())
def test_fault_33_any_mix_of_types_gives_the_verdicts_of_the_file_in_text(
    tables: tuple[pa.Table, pa.Table],
) -> None:
    typed, text = (judged(EVERY_KIND, table) for table in tables)
    assert str(typed.silver.to_pylist()) == str(text.silver.to_pylist())
    assert (typed.passed, typed.held) == (text.passed, text.held)
    assert (typed.reasons, typed.warnings) == (text.reasons, text.warnings)
    assert typed.quarantine.column("bronze_row") == text.quarantine.column("bronze_row")
    for one, other in zip(reasons(typed), reasons(text), strict=True):
        assert [rule for rule, _ in one] == [rule for rule, _ in other]
    own = tables[0]
    for field in EVERY_KIND.fields:
        own = with_column(
            own, field.name, read_cells(field, own.column(field.name).combine_chunks(), len(own)).texts
        )
    assert judged(EVERY_KIND, own).quarantine == typed.quarantine, "as it is spelt in reasons"


def test_misfit_answers_for_every_kind_and_type() -> None:
    """No type makes it stumble, whatever a file brings."""
    types = [
        pa.null(),
        pa.bool_(),
        pa.int8(),
        pa.float16(),
        pa.time64("us"),
        pa.duration("s"),
        pa.map_(pa.string(), pa.int8()),
    ]
    for kind in Kind:
        field = Field("c", 10, kind, False, None, "c", "c", precision=5, scale=2)
        assert [misfit(field, t) is None for t in types[:2]] == [True, False]
        assert all(isinstance(misfit(field, t), str | None) for t in types)


def test_table_in_the_documents_is_what_is_done() -> None:
    lines = (Path(__file__).parents[2] / "docs/columns.md").read_text().splitlines()
    table = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    head, families = table[0], {row[0]: row[1:] for row in table[2 : 2 + len(Family)]}
    assert list(families) == list(Family)
    for family, cells in families.items():
        for kind, cell in zip(head[1:], cells, strict=True):
            fits = family in FITS[Kind(kind)]
            always = family == Family.NOTHING or kind == Kind.TEXT
            assert cell == ("no" if not fits else "yes" if always else "by value"), (family, kind)
