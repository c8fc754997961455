"""A Bronze column as the rules see it: what is missing, what cannot be read, and the rest in Silver's type."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse.bronze import silver_type
from lakehouse.catalog import Field
from lakehouse.kernels import cast_texts
from lakehouse.physical import Typed, as_plain, read_typed, texts_of
from lakehouse.text_view import Mask, missing_texts, valid_mask


@dataclass(frozen=True)
class Cells:
    """One column, row by row.

    `original` is the column as it was. `values` has Silver's type and is null where the cell is missing (null or
    empty text) or unreadable (present, but not of its type's grammar, or no value that Silver's type holds exactly).
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
        """The cells as text: as they were, or as the grammar spells what came typed."""
        if self.original.type == pa.string():
            return self.original
        return texts_of(self.original, Typed(self.values, self.unreadable))

    def texts_at(self, rows: npt.NDArray[np.int64]) -> pa.StringArray:
        """The texts of some rows."""
        places = pa.array(rows)
        original = self.original.take(places)
        if original.type == pa.string():
            return original
        return texts_of(original, Typed(self.values.take(places), self.unreadable[rows]))


def read_cells(column: Field, original: pa.Array | None, rows: int) -> Cells:
    """The cells of a column whose type `schema_problem` let pass; None: the object does not have the column."""
    if original is None:
        nothing = pa.nulls(rows, silver_type(column))
        return Cells(nothing, nothing, np.ones(rows, bool), np.zeros(rows, bool))
    original = as_plain(original)
    if original.type == pa.string():
        cast = cast_texts(column.kind, original, column.precision, column.scale)
        return Cells(original, cast.values, missing_texts(original), cast.refused)
    typed = read_typed(column, original)
    return Cells(original, typed.values, ~valid_mask(original), typed.refused)
