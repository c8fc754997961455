"""A Bronze column as the rules see it: what is missing, what cannot be read, and the rest in Silver's type."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from lakehouse.bronze import ENVELOPE_FIELDS, POSITION_FIELDS, TAIL_FIELDS, silver_type
from lakehouse.catalog import Entity, Field, Kind
from lakehouse.kernels import cast_texts
from lakehouse.text_view import Mask, missing_texts, valid_mask

_OURS = {f.name: f.type for f in (*ENVELOPE_FIELDS, *POSITION_FIELDS, *TAIL_FIELDS)}


@dataclass(frozen=True)
class Cells:
    """One column, row by row.

    `original` is the column as it was. `values` has Silver's type and is null where the cell is missing (null or
    empty text) or unreadable (present, but not of its type's grammar).
    """

    original: pa.Array
    values: pa.Array
    missing: Mask
    unreadable: Mask

    @cached_property
    def known(self) -> Mask:
        """True where there is a value."""
        return ~(self.missing | self.unreadable)

    @cached_property
    def texts(self) -> pa.StringArray:
        """The cells as text, as they were."""
        return as_texts(self.original)


def read_cells(column: Field, original: pa.Array | None, rows: int) -> Cells:
    """The cells of a column whose type `schema_problem` let pass; None: the object does not have the column."""
    type_ = silver_type(column)
    if original is None:
        nothing = pa.nulls(rows, type_)
        return Cells(nothing, nothing, np.ones(rows, bool), np.zeros(rows, bool))
    if pt.is_dictionary(original.type):
        original = original.dictionary_decode()
    if original.type != pa.string() and original.type == type_:
        return _typed(original)
    texts = as_texts(original)
    cast = cast_texts(column.kind, texts, column.precision, column.scale)
    return Cells(original, cast.values, missing_texts(texts), cast.refused)


def as_texts(array: pa.Array) -> pa.StringArray:
    """Any column of text or numbers as text."""
    return array if array.type == pa.string() else array.cast(pa.string())


def _typed(original: pa.Array) -> Cells:
    """Already of Silver's type; a double that is not finite is no number here."""
    missing = ~valid_mask(original)
    if not pt.is_floating(original.type):
        return Cells(original, original, missing, np.zeros(len(original), bool))
    finite = pc.fill_null(pc.is_finite(original), fill_value=False)
    values = pc.if_else(finite, original, pa.scalar(None, original.type))
    return Cells(original, values, missing, ~finite.to_numpy(zero_copy_only=False) & ~missing)


def schema_problem(entity: Entity, schema: pa.Schema) -> str | None:
    """What keeps a file of this schema from being read as Bronze of the entity; None when nothing does."""
    names = list(schema.names)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        return f"column {', '.join(doubled)} stands in it twice"
    columns = {f.name: f for f in entity.fields}
    # A file may be older than a column that a later version asks for: its rows are then judged one by one.
    required = [{f.name for f in version.fields if f.required} for version in entity.versions]
    needed = [*_OURS, *(f.name for f in entity.fields if all(f.name in names for names in required))]
    lacking = [name for name in needed if name not in names]
    if lacking:
        return f"column {', '.join(lacking)} is missing"
    unknown = [name for name in names if name not in columns and name not in _OURS]
    if unknown:
        return f"column {', '.join(unknown)} is not in the contract"
    for field in schema:
        fits = (
            field.type == _OURS[field.name] if field.name in _OURS else _fits(columns[field.name], field.type)
        )
        if not fits and not (_OURS.get(field.name) == pa.string() and is_text(field.type)):
            return f"column {field.name} is {field.type}"
    return None


def is_text(type_: pa.DataType) -> bool:
    """Whether a column of this type holds text, however it is laid out."""
    if pt.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(pt.is_string(type_) or pt.is_large_string(type_))


def _fits(column: Field, type_: pa.DataType) -> bool:
    """Text fits every column, whole numbers all but timestamps; the rest must be of Silver's own type."""
    if is_text(type_) or type_ == silver_type(column):
        return True
    return bool(pt.is_integer(type_)) and column.kind is not Kind.TIMESTAMP
