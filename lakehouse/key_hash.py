"""64-bit hashes of whole columns: equal values have equal hashes; the other way round only nearly always."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse.rules.kind import without_negative_zero
from lakehouse.text_view import TextView

Hashes = npt.NDArray[np.uint64]

# Odd 64-bit constants of xxHash: multiplying by them spreads every bit upwards.
_PRIME, _SEED = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(29)
# Longer texts are few and of many lengths: one by one they cost less than a numpy pass for each length.
_LONGEST = 256


def hash_keys(columns: list[pa.Array]) -> Hashes:
    """One hash per row over all columns, in their order."""
    found = np.full(len(columns[0]), _SEED, np.uint64)
    for column in columns:
        found = _mix(found, _hash_column(column))
    return found


def _mix(found: Hashes, words: Hashes) -> Hashes:
    mixed = (found ^ words) * _PRIME
    mixed ^= mixed >> _SHIFT
    return mixed


def _hash_column(values: pa.Array) -> Hashes:
    """Of null anything."""
    if pa.types.is_string(values.type):
        return _hash_texts(values)
    if values.null_count == len(values):  # such an array may have no memory of its own
        return np.zeros(len(values), np.uint64)
    values = pa.concat_arrays([without_negative_zero(values)])
    words = np.frombuffer(values.buffers()[1], np.uint64)
    each = 2 if pa.types.is_decimal(values.type) else 1
    own = words[values.offset * each : (values.offset + len(values)) * each].reshape(-1, each)
    return own[:, 0].copy() if each == 1 else _mix(own[:, 0] * _PRIME, own[:, 1])


def _hash_texts(texts: pa.StringArray) -> Hashes:
    view = TextView.of(texts)
    found = np.zeros(len(texts), np.uint64)
    for rows, part in view.steps():
        for places, matrix in part.matrices(1, _LONGEST):
            count, length = matrix.shape
            padded = np.zeros((count, -(-length // 8) * 8), np.uint8)
            padded[:, :length] = matrix
            # spread by itself, else another length and another byte would cancel each other
            hashes = np.full(count, length, np.uint64) * _PRIME
            for word in padded.view(np.uint64).T:
                hashes = _mix(hashes, word)
            found[rows][places] = hashes
    for row in np.flatnonzero(view.lengths > _LONGEST):
        start = int(view.starts[row])
        text = view.data[start : start + int(view.lengths[row])].tobytes()
        found[row] = int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
    return found
