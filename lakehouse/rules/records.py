"""Several columns of one row together: their sum, and that they all differ."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.place import Place
from lakehouse.rules.kind import (
    Args,
    Columns,
    RuleKind,
    Scope,
    Takes,
    Test,
    TypedColumn,
    is_true,
    require_kind,
)
from lakehouse.text_view import Ints, Mask

_DECIMAL = r"-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,38})?"
_EXACT_DIGITS = 120  # more than 20 columns of 38 digits, a total and a tolerance can need


def same_kind(body: Place, columns: Mapping[str, TypedColumn], least: int = 1) -> list[str]:
    """`columns`: names of columns of one kind."""
    place = body.at("columns")
    names = [item.one_of(list(columns)) for item in place.items()]
    if not least <= len(names) <= 20 or len(set(names)) != len(names):
        place.fail(f"holds {len(names)} columns, or one twice", f"Name {least} to 20 columns, each once.")
    kinds = {name: columns[name].kind for name in names}
    if least > 1 and len(set(kinds.values())) > 1:
        place.fail("are of different types", "Take columns of one type.")
    return names


def _read_distinct(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    return {"columns": same_kind(body, columns, 2)}


def _distinct(rule: Rule, fields: Mapping[str, Field]) -> Test:
    pairs = list(combinations(rule.args["columns"], 2))

    def test(columns: Columns) -> Mask:
        same = (is_true(pc.equal(columns[one].values, columns[two].values)) for one, two in pairs)
        found: Mask = np.logical_or.reduce(list(same))
        return found

    return test


def _read_sum(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    names = same_kind(body, columns, 2)
    require_kind(body, column, Kind.INT64, Kind.DECIMAL)
    found: Args = {"columns": names, "total": _number(body.at("total"))}
    if "tolerance" in body.value:
        place = body.at("tolerance")
        found["tolerance"] = _number(place)
        if Decimal(found["tolerance"]) < 0:
            place.fail(f"is {place.value!r}", "Write how far the sum may be off: 0 or more.")
    return found


def _number(place: Place) -> str:
    return Place(place.file, place.path, str(place.value)).text(_DECIMAL, "a number such as 4 or 12.50")


def _sum(rule: Rule, fields: Mapping[str, Field]) -> Test:
    """Exact: all are whole numbers of the smallest unit that any of them has."""
    names, total = rule.args["columns"], Decimal(rule.args["total"])
    tolerance = Decimal(rule.args.get("tolerance", "0"))
    scales = [fields[name].scale for name in names]
    unit = max(*scales, _decimals(total), _decimals(tolerance))
    wanted, off = (int(Fraction(number) * 10**unit) for number in (total, tolerance))

    factors = [10 ** (unit - scale) for scale in scales]

    def test(columns: Columns) -> Mask:
        known: Mask = np.logical_and.reduce([columns[name].known for name in names])
        parts = [columns[name].values for name in names]
        small = _small_sums(parts, factors, abs(wanted) + off)
        if small is None:
            return _one_by_one(parts, known, unit, wanted, off)
        sums, exact = small
        found: Mask = (np.abs(sums - wanted) > off) & known
        if not exact.all():
            found[~exact] = _one_by_one(parts, known & ~exact, unit, wanted, off)[~exact]
        return found

    return test


def _decimals(number: Decimal) -> int:
    return max(0, -int(number.as_tuple().exponent))


def _small_sums(parts: Sequence[pa.Array], factors: Sequence[int], more: int) -> tuple[Ints, Mask] | None:
    """The sums in 64 bits, and for which rows they are exact; None where `more` or a sum of others might not fit."""
    room, sums, exact = 2**63 - 1 - more, np.zeros(len(parts[0]), np.int64), np.ones(len(parts[0]), bool)
    columns = []
    for part, factor in zip(parts, factors, strict=True):
        units, fits = _units(part)
        exact &= fits
        room -= max(abs(int(units.max(initial=0))), abs(int(units.min(initial=0)))) * factor
        columns.append(units)
    if room < 0:
        return None
    for units, factor in zip(columns, factors, strict=True):
        sums += units * min(factor, 2**63 - 1)  # more only where all are 0
    return sums, exact


def _units(values: pa.Array) -> tuple[Ints, Mask]:
    """Whole numbers of the column's smallest unit, and whether each fits 64 bits; 0 for null and what does not."""
    if not pa.types.is_decimal(values.type):
        found: Ints = values.fill_null(0).to_numpy()
        return found, np.ones(len(found), bool)
    if values.null_count == len(values):  # such an array may have no memory of its own
        return np.zeros(len(values), np.int64), np.ones(len(values), bool)
    filled = pa.concat_arrays([pc.fill_null(values, pa.scalar(Decimal(0), values.type))])
    words = np.frombuffer(filled.buffers()[1], np.int64)[2 * filled.offset :][: 2 * len(values)]
    low, high = words[0::2], words[1::2]
    fits: Mask = high == low >> 63
    return np.where(fits, low, 0), fits


def _one_by_one(parts: Sequence[pa.Array], rows: Mask, unit: int, wanted: int, off: int) -> Mask:
    """For these rows, however many digits they have."""
    found, places = np.zeros(len(rows), bool), np.flatnonzero(rows)
    columns: list[list[Any]] = [part.take(pa.array(places)).to_pylist() for part in parts]
    with localcontext() as context:
        context.prec = _EXACT_DIGITS
        for row, values in zip(places, zip(*columns, strict=True), strict=True):
            total = sum(int(Decimal(value).scaleb(unit)) for value in values)
            found[row] = abs(total - wanted) > off
    return found


KINDS = (
    RuleKind("sum", "total tolerance", _read_sum, _sum, takes=Takes.COLUMNS, column_args=("columns",)),
    RuleKind("distinct", "", _read_distinct, _distinct, Scope.ROW, Takes.COLUMNS, ("columns",)),
)
