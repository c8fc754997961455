"""`when`: which rows a rule is about, by one column of theirs."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Condition, Field, Kind
from lakehouse.place import Place
from lakehouse.rules.bounds import BOUND_KEYS, outside, read_bounds
from lakehouse.rules.kind import (
    NUMBERS,
    Columns,
    Test,
    TypedColumn,
    as_mask,
    each_once,
    exact_text,
    is_true,
)
from lakehouse.rules.patterns import read_pattern, whole_match
from lakehouse.text_view import Mask

_SAID = ("in", "present", "between", "pattern")


def read_condition(place: Place, columns: Mapping[str, TypedColumn]) -> Condition:
    """The condition at this place."""
    place.only(f"column {' '.join(_SAID)}")
    column = columns[place.at("column").one_of(list(columns))]
    said = [name for name in _SAID if name in place.value]
    if len(said) != 1:
        place.fail(
            f"says {' and '.join(said) or 'nothing'} of {column.name}", f"Say one of: {', '.join(_SAID)}."
        )
    body = place.at(said[0])
    match said[0]:
        case "in":
            _require(place, column, Kind.TEXT, Kind.INT64)
            return Condition(column.name, tuple(each_once(body, [exact_text(item) for item in body.items()])))
        case "present":
            return Condition(column.name, absent=not place.flag("present"))
        case "between":
            _require(place, column, *NUMBERS, Kind.TIMESTAMP)
            body.only(BOUND_KEYS)
            return Condition(column.name, bounds=read_bounds(body, column))
        case _:
            _require(place, column, Kind.TEXT)
            return Condition(column.name, pattern=read_pattern(body))


def _require(place: Place, column: TypedColumn, *kinds: Kind) -> None:
    if column.kind not in kinds:
        place.at("column").fail(
            f"{column.name} is {column.kind}", f"This condition is for columns of type {', '.join(kinds)}."
        )


def compile_condition(name: str, when: Condition, fields: Mapping[str, Field]) -> Test:
    """True where the condition holds. ContractError, with the rule's name, when its pattern is refused."""
    column = when.column
    if when.absent:
        return lambda columns: columns[column].missing
    if when.values is not None:
        values = pa.array(when.values, pa.string())
        return lambda columns: as_mask(pc.is_in(columns[column].texts, value_set=values))
    if when.pattern is not None:
        matches = whole_match(name, [when.pattern])
        return lambda columns: is_true(matches(columns[column].values))
    if when.bounds is None:
        return lambda columns: ~columns[column].missing
    beyond = outside(fields[column], when.bounds)

    def test(columns: Columns) -> Mask:
        found: Mask = ~beyond(columns[column].values) & columns[column].known
        return found

    return test
