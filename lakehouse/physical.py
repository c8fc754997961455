"""Physical types of a file's columns: which of them hold which kind, and their values in Silver's type, exactly.

A value is taken when Silver's type holds it as it is; one that does not fit is told, not raised. `docs/columns.md` is
the table for people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from lakehouse.bronze import silver_type
from lakehouse.catalog import Field, Kind
from lakehouse.grammar import parse_value
from lakehouse.text_view import Ints, Mask, valid_mask


class Family(StrEnum):
    """Physical types that are read alike, whatever their width and layout."""

    TEXT = "text"
    BYTES = "bytes"
    WHOLE = "whole numbers"
    FLOATING = "floating point"
    DECIMAL = "decimal"
    MOMENT = "timestamp without zone"
    ZONED = "timestamp with zone"
    DATE = "date"
    BOOL = "bool"
    NOTHING = "null"
    OTHER = "nested and others"


FITS: Mapping[Kind, frozenset[Family]] = {
    Kind.TEXT: frozenset({Family.TEXT, Family.BYTES, Family.WHOLE, Family.NOTHING}),
    Kind.INT64: frozenset(
        {Family.TEXT, Family.BYTES, Family.WHOLE, Family.FLOATING, Family.DECIMAL, Family.NOTHING}
    ),
    Kind.DECIMAL: frozenset({Family.TEXT, Family.BYTES, Family.WHOLE, Family.DECIMAL, Family.NOTHING}),
    Kind.DOUBLE: frozenset(
        {Family.TEXT, Family.BYTES, Family.WHOLE, Family.FLOATING, Family.DECIMAL, Family.NOTHING}
    ),
    Kind.TIMESTAMP: frozenset({Family.TEXT, Family.BYTES, Family.MOMENT, Family.DATE, Family.NOTHING}),
}
_WHY: Mapping[tuple[Kind, Family], str] = {
    (Kind.DECIMAL, Family.FLOATING): "floating point does not hold amounts exactly",
    (Kind.TEXT, Family.FLOATING): "floating point has no one spelling",
    (Kind.TEXT, Family.DECIMAL): "a decimal has no one spelling",
    (Kind.TIMESTAMP, Family.ZONED): "civil time has no zone, and which hour is meant cannot be told",
    (Kind.TIMESTAMP, Family.WHOLE): "a number does not say its unit",
}
_PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
# Seconds of the years 1 to 9999: what the grammar takes, and what every engine that reads Silver can show.
_FIRST_S, _END_S = -62_135_596_800, 253_402_300_800
_DAY_S = 86_400
# Arrow writes decimals with more places than this with an exponent when they are small.
_PLAIN_SCALE = 6


@dataclass(frozen=True)
class Typed:
    """`values`: in Silver's type, null where nothing is or what is does not fit. `refused`: is, but does not fit."""

    values: pa.Array
    refused: Mask


def family_of(type_: pa.DataType) -> Family:
    """The family of a type; a dictionary's is that of its values."""
    if pt.is_dictionary(type_):
        return family_of(type_.value_type)
    if pt.is_timestamp(type_):
        return Family.ZONED if type_.tz is not None else Family.MOMENT
    for family, tests in _TESTS.items():
        if any(test(type_) for test in tests):
            return family
    return Family.OTHER


_TESTS = {
    Family.TEXT: (pt.is_string, pt.is_large_string, pt.is_string_view),
    Family.BYTES: (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary),
    Family.WHOLE: (pt.is_integer,),
    Family.FLOATING: (pt.is_floating,),
    Family.DECIMAL: (pt.is_decimal,),
    Family.DATE: (pt.is_date,),
    Family.BOOL: (pt.is_boolean,),
    Family.NOTHING: (pt.is_null,),
}


def misfit(column: Field, type_: pa.DataType) -> str | None:
    """Why a column of this type cannot be read as the contract's; None when it can, value by value."""
    family = family_of(type_)
    if family in FITS[column.kind]:
        return None
    wanted = "text" if column.kind is Kind.TEXT else f"{silver_type(column)} or text"
    why = _WHY.get((column.kind, family))
    return f"column {column.name} is {type_}, but {wanted} is wanted" + (f": {why}" if why else "")


def as_plain(array: pa.Array) -> pa.Array:
    """The column without its layout: no dictionary, and texts of every width as `string`. Bytes must be UTF-8."""
    if pt.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type != pa.string() and family_of(array.type) in (Family.TEXT, Family.BYTES):
        return array.cast(pa.string())
    return array


def read_typed(column: Field, array: pa.Array) -> Typed:
    """The values of a column that is no text, and whose type `misfit` let pass."""
    wanted = silver_type(column)
    if pt.is_null(array.type):
        return Typed(pa.nulls(len(array), wanted), np.zeros(len(array), bool))
    if column.kind is Kind.TIMESTAMP:
        return _moments(array)
    if pt.is_floating(array.type):
        return _floating(array.cast(pa.float64()), wanted)
    if array.type == wanted:
        return Typed(array, np.zeros(len(array), bool))
    if column.kind is Kind.DOUBLE:
        return _decimal_as_double(array) if pt.is_decimal(array.type) else _whole_as_double(array)
    if column.kind is Kind.TEXT:
        return Typed(array.cast(wanted), np.zeros(len(array), bool))
    return _numbers(column, array, wanted)


def texts_of(array: pa.Array, typed: Typed) -> pa.StringArray:
    """The cells of a column that is no text, spelt as the grammar would; those that were refused as they are."""
    spelt = _spelt(typed.values)
    if not typed.refused.any():
        return spelt
    return pc.if_else(pa.array(typed.refused), _spelt(array), spelt)


def _spelt(values: pa.Array) -> pa.StringArray:
    if pt.is_decimal(values.type) and values.type.scale > _PLAIN_SCALE:
        return pa.array([None if v is None else f"{v:f}" for v in values.to_pylist()], pa.string())
    texts = values.cast(pa.string())
    if pt.is_timestamp(values.type):
        return pc.replace_substring_regex(texts, r"\.0+\z", "")
    return texts


def _told(array: pa.Array, values: pa.Array) -> Typed:
    return Typed(values, valid_mask(array) & ~valid_mask(values))


def _numbers(column: Field, array: pa.Array, wanted: pa.DataType) -> Typed:
    """Whole numbers and decimals as whole numbers or decimals: each that the wanted type holds exactly."""
    wide = array
    if pt.is_decimal(wanted) and not pt.is_decimal(array.type):
        wide = array.cast(pa.decimal128(20, 0))  # Arrow casts no other way
    try:
        return Typed(wide.cast(wanted), np.zeros(len(array), bool))
    except pa.ArrowInvalid:
        texts = [None if v is None else _shortest(v) for v in array.to_pylist()]
        values = [t and parse_value(column.kind, t, column.precision, column.scale) for t in texts]
        return _told(array, pa.array(values, wanted))


def _shortest(number: int | Decimal) -> str:
    """Without an exponent, and without zeros at the end that say nothing."""
    text = f"{number:f}" if isinstance(number, Decimal) else str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal_as_double(array: pa.Array) -> Typed:
    """Those whose digits the double gives back."""
    doubles = [None if v is None else float(v) for v in array.to_pylist()]
    held = [
        d if d is not None and Decimal(repr(d)) == v else None
        for d, v in zip(doubles, array.to_pylist(), strict=True)
    ]
    return _told(array, pa.array(held, pa.float64()))


def _floating(array: pa.Array, wanted: pa.DataType) -> Typed:
    """What is not finite is no number here; as a whole number only what is one."""
    numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
    fits: Mask = np.isfinite(numbers)
    if wanted == pa.int64():
        with np.errstate(invalid="ignore"):
            fits &= (numbers == np.floor(numbers)) & (numbers >= -(2.0**63)) & (numbers < 2.0**63)
    elif fits.all():
        return Typed(array, ~fits)
    known = fits & valid_mask(array)
    values = np.where(known, numbers, 0).astype(wanted.to_pandas_dtype())
    return Typed(pa.array(values, wanted, mask=~known), ~fits)


def _whole_as_double(array: pa.Array) -> Typed:
    """Beyond 2^53 not every whole number is a double."""
    numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
    doubles = numbers.astype(np.float64)
    least, end = (0.0, 2.0**64) if numbers.dtype == np.uint64 else (-(2.0**63), 2.0**63)
    inside = (doubles >= least) & (doubles < end)
    back = np.where(inside, doubles, 0).astype(numbers.dtype)
    exact: Mask = inside & (back == numbers)
    known = exact & valid_mask(array)
    return Typed(pa.array(doubles, pa.float64(), mask=~known), ~exact)


def _moments(array: pa.Array) -> Typed:
    """Microseconds of the years 1 to 9999; finer ones and others do not fit."""
    wanted = pa.timestamp("us")
    if pt.is_date32(array.type):
        return _scaled(array, array.cast(pa.int32()).cast(pa.int64()), 1, _DAY_S)
    if pt.is_date64(array.type):
        return _scaled(array, array.cast(pa.int64()), _PER_SECOND["ms"], 1)
    per_second = _PER_SECOND[array.type.unit]
    if array.type == wanted:
        span = pc.min_max(array)
        least, most = span["min"].value, span["max"].value
        if least is None or (least >= _FIRST_S * per_second and most < _END_S * per_second):
            return Typed(array, np.zeros(len(array), bool))
    return _scaled(array, array.cast(pa.int64()), per_second, 1)


def _scaled(array: pa.Array, numbers: pa.Array, per_second: int, seconds: int) -> Typed:
    """`numbers` count units of `seconds` / `per_second`."""
    units: Ints = numbers.fill_null(0).to_numpy()
    micro = _PER_SECOND["us"]
    if per_second > micro:
        finer = per_second // micro
        fits: Mask = units % finer == 0  # all of them lie within the years 1677 to 2262
        values = units // finer
    else:
        least, end = _FIRST_S * per_second // seconds, _END_S * per_second // seconds
        fits = (units >= least) & (units < end)
        values = np.where(fits, units, 0) * (micro // per_second * seconds)
    known = fits & valid_mask(array)
    return Typed(pa.array(values, mask=~known).cast(pa.timestamp("us")), ~fits)
