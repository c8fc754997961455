"""What a kind of rule is made of, and what the reading of contracts and the tests of all kinds share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.cells import Cells
from lakehouse.grammar import parse_value
from lakehouse.place import Place
from lakehouse.text_view import Mask

Columns = Mapping[str, Cells]
Test = Callable[[Columns], Mask]
"""True where the rule is broken. May answer for rows that the rule does not concern: the plan leaves those out."""

Args = dict[str, Any]
_T = TypeVar("_T")
NUMBERS = (Kind.INT64, Kind.DECIMAL, Kind.DOUBLE)


class TypedColumn(Protocol):
    """What a rule needs to know of a column."""

    @property
    def name(self) -> str:
        """Column name."""

    @property
    def kind(self) -> Kind:
        """What the column holds."""

    @property
    def precision(self) -> int:
        """Digits of a decimal."""

    @property
    def scale(self) -> int:
        """Decimals of a decimal."""


Reader = Callable[[Place, Mapping[str, TypedColumn], TypedColumn], Args]
Maker = Callable[[Rule, Mapping[str, Field]], Test]


class Scope(StrEnum):
    """What a rule looks at. Load and object rules hold for the Bronze objects of loads only."""

    ROW = "row"  # a row at a time
    LOAD = "load"  # a row beside all others of its object
    OBJECT = "object"  # the object as a whole


class Takes(StrEnum):
    """How a contract says which columns a rule is about."""

    COLUMN = "column"  # by the property it stands under, or `column`
    COLUMNS = "columns"  # by `columns`; the first is the rule's column
    OBJECT = "object"  # by none: it stands under the object, and the rule's column is empty


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule.

    `keys` are those of `implementation` besides rule, version, when, column and columns; `read` gives the args they
    make. `make` compiles the test of a row rule; load and object rules are tested in `object_facts`. `column_args`
    name the args that hold further columns. A kind that is not `written` comes from a column's type.
    """

    name: str
    keys: str
    read: Reader
    make: Maker | None
    scope: Scope = Scope.ROW
    takes: Takes = Takes.COLUMN
    column_args: tuple[str, ...] = ()
    written: bool = True


def no_args(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    """For kinds that say all by their name."""
    return {}


def require_kind(body: Place, column: TypedColumn, *kinds: Kind) -> None:
    """ContractError when the rule cannot be about such a column."""
    if column.kind not in kinds:
        body.at("rule").fail(
            f"does not fit {column.name}, which is {column.kind}",
            f"It is for columns of type {', '.join(kinds)}.",
        )


def exact_text(place: Place) -> str:
    """The text here with its blanks: a value to compare with, not words for a person."""
    if not isinstance(place.value, str) or not place.value:
        place.fail(f"is {place.value!r}", "Write a text in quotes.")
    return str(place.value)


def each_once(place: Place, found: Sequence[_T]) -> list[_T]:
    """What was found, when it is something and nothing in it stands twice."""
    if not found or len(set(found)) != len(found):
        place.fail("is empty or holds a value twice", "Write each value once.")
    return list(found)


def typed_text(place: Place, column: TypedColumn) -> str:
    """A value of a column's type as text in its grammar; a YAML number is taken for its text."""
    text = str(place.value)
    if parse_value(column.kind, text, column.precision, column.scale) is None:
        place.fail(f"is {place.value!r}", f"Write a value of the column's type, {column.kind}.")
    return text


def set_value(place: Place, column: TypedColumn) -> str | int:
    """A value to compare a column's with: a whole number of an int64 column, else a text of its grammar."""
    match column.kind:
        case Kind.TEXT:
            return exact_text(place)
        case Kind.INT64:
            return place.integer(-(2**63), 2**63 - 1)
        case _:
            return typed_text(place, column)


def parsed(value: str | int, column: TypedColumn) -> Any:
    """A `set_value` as Silver has it; negative zero is zero."""
    found = parse_value(column.kind, str(value), column.precision, column.scale)
    return found + 0 if isinstance(found, float) else found


def as_mask(answers: pa.BooleanArray) -> Mask:
    """A boolean array without nulls as numpy sees it."""
    found: Mask = answers.to_numpy(zero_copy_only=False)
    return found


def is_true(answers: pa.BooleanArray) -> Mask:
    """True where the answer is yes; null is neither yes nor no."""
    return as_mask(pc.fill_null(answers, fill_value=False))


def is_false(answers: pa.BooleanArray) -> Mask:
    """True where the answer is no."""
    return is_true(pc.invert(answers))


def without_negative_zero(values: pa.Array) -> pa.Array:
    """Doubles with 0.0 for -0.0, which hashing kernels tell apart; anything else as it is."""
    return pc.add(values, 0.0) if pa.types.is_floating(values.type) else values
