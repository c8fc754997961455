"""The memory of an Arrow text column as numpy sees it, so that kernels can work on bytes of many rows at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64] | slice

# Rows per step: 20 bytes x 64k rows and the intermediate columns stay in the processor's second cache.
_STEP = 1 << 16


@dataclass(frozen=True)
class TextView:
    """Bytes of all texts, and where each starts and how long it is; a null has length 0, like an empty text."""

    data: Bytes
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, texts: pa.StringArray) -> Self:
        """Of an array, also one that is a slice."""
        if len(texts) == 0:
            return cls(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
        _, offsets_buffer, data_buffer = texts.buffers()
        offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset :][: len(texts) + 1].astype(np.int64)
        data = np.zeros(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
        lengths = np.diff(offsets)
        if texts.null_count:
            lengths *= valid_mask(texts)
        return cls(data, offsets[:-1], lengths)

    def steps(self) -> Iterator[tuple[slice, "TextView"]]:
        """The same in steps of rows that fit the processor's cache."""
        for first in range(0, len(self.lengths), _STEP):
            rows = slice(first, first + _STEP)
            yield rows, TextView(self.data, self.starts[rows], self.lengths[rows])

    def columns(self, longest: int) -> Iterator[tuple[Rows, Bytes]]:
        """For each length from 1 to `longest`: its rows, and their bytes by place (length, rows)."""
        for rows, matrix in self.matrices(1, longest):
            yield rows, np.ascontiguousarray(matrix.T)

    def matrices(self, shortest: int, longest: int) -> Iterator[tuple[Rows, Bytes]]:
        """For each length within these: its rows, and their bytes (rows, length)."""
        alike = bool((self.lengths == self.lengths[0]).all())
        for length in self._known_lengths(shortest, longest):
            rows: Rows = slice(None) if alike else np.flatnonzero(self.lengths == length)
            starts = self.starts[rows]
            first, size = int(starts[0]), len(starts) * length
            if int(starts[-1]) - first == size - length:  # nothing lies between them
                matrix = self.data[first : first + size].reshape(-1, length)
            else:
                matrix = np.lib.stride_tricks.sliding_window_view(self.data, length)[starts]
            yield rows, matrix

    def _known_lengths(self, shortest: int, longest: int) -> list[int]:
        counts = np.bincount(np.minimum(self.lengths, longest + 1), minlength=longest + 2)
        return [length for length in range(shortest, longest + 1) if counts[length]]


def missing_texts(texts: pa.StringArray) -> Mask:
    """True where a text is null or empty."""
    missing: Mask = TextView.of(texts).lengths == 0
    return missing


def valid_mask(array: pa.Array) -> Mask:
    """True where a value is not null."""
    found: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return found
