"""Arrow columns that every Bronze row has, for stream and load alike: position, ids, hashes; and rows → Parquet."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bronze_writer.landing import Encoded, Place
from lakehouse.columns import text_from_spans
from lakehouse.identity import Position

# The check hop reads a row group at a time into a Lambda's memory.
ROW_GROUP_ROWS = 100_000

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
# Where the 32 digits of a UUID stand among its 36 characters; the rest are dashes.
_DIGIT_PLACES = np.array([i for i in range(36) if i not in (8, 13, 18, 23)])
_SAMPLE_OFFSET = 0
# Columns in which a dictionary finds nothing to share: trying costs a third of the writing.
_UNIQUE = frozenset({"event_id", "pos_offset", "row_hash", "raw"})


def position_columns(place: Place, offsets: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    """`pos_log`, `pos_topic`, `pos_partition`, `pos_offset`."""
    rows = len(offsets)
    return {
        "pos_log": pa.repeat(pa.scalar(place.log, pa.string()), rows),
        "pos_topic": pa.repeat(pa.scalar(place.topic, pa.string()), rows),
        "pos_partition": pa.repeat(pa.scalar(place.partition, pa.int32()), rows),
        "pos_offset": pa.array(offsets),
    }


def event_ids_of_positions(place: Place, offsets: Sequence[int]) -> pa.Array:
    """`identity.event_id_of_position` of many rows of one partition."""
    sample = str(Position(place.log, place.topic, place.partition, _SAMPLE_OFFSET))
    start = hashlib.sha256(b"position\0" + sample.removesuffix(str(_SAMPLE_OFFSET)).encode())
    digests = bytearray()
    for offset in offsets:
        digest = start.copy()
        digest.update(b"%d" % offset)
        digests += digest.digest()[:16]
    return _uuid8_texts(np.frombuffer(bytes(digests), np.uint8).reshape(-1, 16))


def _uuid8_texts(numbers: npt.NDArray[np.uint8]) -> pa.Array:
    """`identity.uuid8_of` of rows of 16 bytes."""
    numbers = numbers.copy()
    numbers[:, 6] = numbers[:, 6] & 0x0F | 0x80
    numbers[:, 8] = numbers[:, 8] & 0x3F | 0x80
    digits = np.empty((len(numbers), 32), np.uint8)
    digits[:, 0::2] = _HEX[numbers >> 4]
    digits[:, 1::2] = _HEX[numbers & 0x0F]
    texts = np.full((len(numbers), 36), ord("-"), np.uint8)
    texts[:, _DIGIT_PLACES] = digits
    starts = np.arange(len(numbers), dtype=np.int64) * 36
    return text_from_spans(texts.tobytes(), starts, starts + 36)


def sum_of(hashes: npt.NDArray[np.int64]) -> int:
    """Sum of signed row hashes mod 2^64, unsigned: `identity.hash_sum` of an array."""
    return int(hashes.view(np.uint64).sum(dtype=np.uint64))


def encode_table(table: pa.Table, hashes: npt.NDArray[np.int64]) -> Encoded:
    """A table as the bytes of a Bronze object. Snappy: the Lambda layer's Arrow has no zstd."""
    sink = pa.BufferOutputStream()
    repeating = [name for name in table.column_names if name not in _UNIQUE]
    pq.write_table(table, sink, compression="snappy", row_group_size=ROW_GROUP_ROWS, use_dictionary=repeating)
    body: Any = sink.getvalue().to_pybytes()
    return Encoded(body, table.num_rows, sum_of(hashes))
