"""Casts whole text columns by the grammars of `lakehouse.grammar`: its exact twin, by numpy on the columns' bytes.

Texts of one length lie side by side, place by place, so each test and each sum is one operation per place.
Nothing is rounded, trimmed or guessed; a text that the grammar refuses is told, not raised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Kind
from lakehouse.grammar import parse_value
from lakehouse.text_view import Bytes, Ints, Mask, TextView, missing_texts, valid_mask

_Magnitudes = npt.NDArray[np.uint64]
_Kernel = Callable[[Bytes], tuple[Ints, Mask]]

_LONGEST_INTEGER = 20  # sign and 19 digits
_LONGEST_TIMESTAMP = 26
_SEPARATORS = {4: "-", 7: "-", 10: " ", 13: ":", 16: ":", 19: "."}
_INT64_DIGITS = 18  # decimals of up to 18 digits are whole numbers of 64 bits, scaled
_PLAIN_DOUBLE = r"\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\z"
_ANY_DOUBLE = r"\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\z"
# Without exponent and below 300 characters no text leaves the range of a double, so Arrow's parser (correctly
# rounded) may have it; the rest goes through the reference.
_LONGEST_PLAIN_DOUBLE = 300


@dataclass(frozen=True)
class Cast:
    """`values`: null where the text is missing, empty or refused. `refused`: present, but not of the grammar."""

    values: pa.Array
    refused: Mask


def cast_texts(kind: Kind, texts: pa.StringArray, precision: int = 0, scale: int = 0) -> Cast:
    """The texts as their kind's Silver type. Empty text is null. Same verdict and value as `parse_value` each."""
    view = TextView.of(texts)
    match kind:
        case Kind.INT64:
            return _cast(view, pa.int64(), *_in_steps(view, _LONGEST_INTEGER, _integers))
        case Kind.TIMESTAMP:
            return _cast(view, pa.timestamp("us"), *_in_steps(view, _LONGEST_TIMESTAMP, _timestamps))
        case Kind.DECIMAL if precision <= _INT64_DIGITS:
            kernel = partial(_decimals, precision=precision, scale=scale)
            values, known = _in_steps(view, precision + 3, kernel)  # sign, point, and a 0 before it
            return _cast(view, pa.decimal128(precision, scale), _as_128_bits(values), known)
        case Kind.DECIMAL:
            return _one_by_one(kind, texts, pa.decimal128(precision, scale), precision, scale)
        case Kind.DOUBLE:
            return _doubles(texts, view.lengths)
        case Kind.TEXT:
            return Cast(_without(texts, view.lengths == 0), np.zeros(len(texts), bool))


def _in_steps(view: TextView, longest: int, kernel: _Kernel) -> tuple[Ints, Mask]:
    values, known = np.zeros(len(view.lengths), np.int64), np.zeros(len(view.lengths), bool)
    for rows, part in view.steps():
        for places, columns in part.columns(longest):
            values[rows][places], known[rows][places] = kernel(columns)
    return values, known


def _cast(view: TextView, type_: pa.DataType, values: Ints, known: Mask) -> Cast:
    validity = None if known.all() else _bitmap(known)
    array = pa.Array.from_buffers(type_, len(known), [validity, pa.py_buffer(values)])
    return Cast(array, ~known & (view.lengths > 0))


def _bitmap(mask: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(mask, bitorder="little"))


def _without(texts: pa.StringArray, missing: Mask) -> pa.StringArray:
    """The texts with null for those that are missing; shares their memory."""
    if int(np.count_nonzero(missing)) == texts.null_count:
        return texts
    if texts.offset:
        texts = pa.concat_arrays([texts, pa.array([], pa.string())])
    _, offsets, data = texts.buffers()
    return pa.StringArray.from_buffers(len(texts), offsets, data, _bitmap(~missing))


def _digit(column: Bytes) -> Bytes:
    return column - np.uint8(48)  # wraps around: whatever is no digit becomes more than 9


def _digits(columns: Bytes) -> tuple[_Magnitudes, Mask, Mask]:
    """Numbers of up to 19 digits written `-?(0|[1-9][0-9]*)`: magnitude, whether negative, whether well formed."""
    negative: Mask = columns[0] == ord("-")
    first = _digit(columns[0]) * ~negative
    formed: Mask = first <= 9
    if len(columns) == 1:
        return first.astype(np.uint64), negative, formed & ~negative
    formed &= negative | (first > 0)
    if len(columns) > 2:
        formed &= ~negative | (columns[1] != ord("0"))
    return _append(first.astype(np.uint64), columns[1:], formed), negative, formed


def _append(magnitude: _Magnitudes, columns: Bytes, formed: Mask) -> _Magnitudes:
    """The magnitude with more digits behind; `formed` turns false where one is no digit."""
    for column in columns:
        digit = _digit(column)
        formed &= digit <= 9
        magnitude *= np.uint64(10)
        magnitude += digit
    return magnitude


def _signed(magnitude: _Magnitudes, negative: Mask) -> Ints:
    values = magnitude.view(np.int64)  # -2^63 has its own magnitude's bits
    values *= 1 - 2 * negative.view(np.int8)
    return values


def _integers(columns: Bytes) -> tuple[Ints, Mask]:
    magnitude, negative, formed = _digits(columns)
    if len(columns) == _LONGEST_INTEGER:
        formed &= negative  # 20 digits do not fit
    if len(columns) >= _LONGEST_INTEGER - 1:
        formed &= magnitude <= np.uint64(2**63 - 1) + negative.astype(np.uint64)
    return _signed(magnitude, negative), formed


def _decimals(columns: Bytes, precision: int, scale: int) -> tuple[Ints, Mask]:
    """Whole numbers of units of 10^-scale."""
    length, rows = columns.shape
    values, known = np.zeros(rows, np.int64), np.zeros(rows, bool)
    unpointed = np.ones(rows, bool)
    for decimals in range(max(0, min(scale, length - 2)), -1, -1):
        point = length - 1 - decimals
        pointed = columns[point] == ord(".") if decimals else unpointed
        places = np.flatnonzero(pointed)
        if not len(places):
            continue
        unpointed &= ~pointed
        part = columns if len(places) == rows else columns[:, places]
        whole, fraction = (part[:point], part[point + 1 :]) if decimals else (part, part[:0])
        values[places], known[places] = _scaled(whole, fraction, precision, scale)
    return values, known


def _scaled(whole: Bytes, fraction: Bytes, precision: int, scale: int) -> tuple[Ints, Mask]:
    if len(whole) > _LONGEST_INTEGER - 1:
        return np.zeros(whole.shape[1], np.int64), np.zeros(whole.shape[1], bool)
    magnitude, negative, formed = _digits(whole)
    if len(whole) > precision - scale:
        digits = len(whole) - negative.astype(np.int64)
        formed &= (digits <= precision - scale) | ((digits == 1) & (magnitude == 0))
    magnitude = _append(magnitude, fraction, formed)
    magnitude *= np.uint64(10 ** (scale - len(fraction)))
    return _signed(magnitude, negative), formed


def _as_128_bits(values: Ints) -> Ints:
    wide = np.empty((len(values), 2), np.int64)
    wide[:, 0], wide[:, 1] = values, values >> 63
    return wide


@cache
def _months() -> tuple[Ints, Ints]:
    """Of month 12 x year + month - 1, years 0 to 9999: its first day since 1970, and its length."""
    months = np.arange(-1970 * 12, (10_000 - 1970) * 12 + 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64)
    return days[:-1], np.diff(days)


def _timestamps(columns: Bytes) -> tuple[Ints, Mask]:
    """Microseconds since 1970 of `YYYY-MM-DD HH:MM:SS[.f{1,6}]`."""
    length, rows = columns.shape
    known = np.full(rows, length == 19 or length > 20)
    if not known.all():
        return np.zeros(rows, np.int64), known
    for place, sign in _SEPARATORS.items():
        if place < length:
            known &= columns[place] == ord(sign)
    columns = _digit(columns)
    for place in range(length):
        if place not in _SEPARATORS:
            known &= columns[place] <= 9
    hour, minute, second = _pair(columns, 11), _pair(columns, 14), _pair(columns, 17)
    known &= (hour < 24) & (minute < 60) & (second < 60)
    month, day = _pair(columns, 5), _pair(columns, 8)
    year = _pair(columns, 0) * np.int64(100) + _pair(columns, 2)
    known &= (year > 0) & (month >= 1) & (month <= 12)
    first_days, lengths = _months()
    index = (year * 12 + month - 1) * known
    known &= (day >= 1) & (day <= lengths[index])
    seconds = hour * np.int32(3600) + minute * np.int32(60) + second
    moment = (first_days[index] + day - 1) * 86_400 + seconds
    moment *= 1_000_000
    for place in range(20, length):
        moment += columns[place] * np.int64(10 ** (25 - place))
    return moment, known


def _pair(columns: Bytes, place: int) -> Bytes:
    number: Bytes = columns[place] * np.uint8(10) + columns[place + 1]
    return number


def _doubles(texts: pa.StringArray, lengths: Ints) -> Cast:
    matched = pc.fill_null(pc.match_substring_regex(texts, _PLAIN_DOUBLE), fill_value=False)
    plain = matched.to_numpy(zero_copy_only=False) & (lengths < _LONGEST_PLAIN_DOUBLE)
    if plain.all():
        return Cast(texts.cast(pa.float64()), ~plain)
    values = pc.if_else(pa.array(plain), texts, pa.scalar(None, pa.string())).cast(pa.float64())
    other = np.flatnonzero(~plain & (lengths > 0))
    rest = texts.take(pa.array(other))
    formed = pc.match_substring_regex(rest, _ANY_DOUBLE)  # what is not needs no closer look
    other, rest = other[formed.to_numpy(zero_copy_only=False)], rest.filter(formed)
    parsed = _one_by_one(Kind.DOUBLE, rest, pa.float64())
    refused = ~plain & (lengths > 0)
    refused[other] = parsed.refused
    mask = np.zeros(len(texts), bool)
    mask[other] = True
    return Cast(pc.replace_with_mask(values, pa.array(mask), parsed.values), refused)


def _one_by_one(
    kind: Kind, texts: pa.StringArray, type_: pa.DataType, precision: int = 0, scale: int = 0
) -> Cast:
    parsed = [parse_value(kind, text, precision, scale) if text else None for text in texts.to_pylist()]
    values = pa.array(parsed, type_)
    return Cast(values, ~valid_mask(values) & ~missing_texts(texts))
