"""Walks the pages of a row group and proves that they hold what the footer says, before any of them is unpacked."""

from typing import Any

import numpy as np
import pyarrow as pa

from lakehouse.envelope import CODEC, RESOURCE
from lambdas.check_rows.limits import Limits
from lambdas.check_rows.parquet_footer import BYTE_ARRAY, Chunk, RowGroup, UnreadableObject
from lambdas.check_rows.thrift import I32, STRUCT, Struct, ThriftError, key, read_struct

_DATA, _INDEX, _DICTIONARY, _DATA_V2 = range(4)
_PLAIN, _PLAIN_DICTIONARY, _RLE, _RLE_DICTIONARY = 0, 2, 3, 8
# Each value of its encoding stands in the page with all its bytes, so that the page's size bounds them.
_BOUNDED = frozenset(
    {_PLAIN, _RLE, 5, 6, 9}
)  # 5 DELTA_BINARY_PACKED, 6 DELTA_LENGTH_BYTE_ARRAY, 9 BYTE_STREAM_SPLIT
_DICTIONARIES = frozenset({_PLAIN_DICTIONARY, _RLE_DICTIONARY})
_DELTA_BYTE_ARRAY = 7  # a value may repeat the one before: what it unpacks to is known only afterwards


def unpacked_bytes(group: RowGroup, window: memoryview, start: int, limits: Limits) -> int:
    """The most that the row group's values can take in memory; UnreadableObject when its pages are not what it says.

    Args:
        window: the bytes of the file from `start` on, with all the row group's pages in them.
    """
    pages = total = 0
    for chunk in group.chunks:
        data = window[chunk.start - start : chunk.end - start]
        try:
            found, most = _walk(chunk, data, limits.pages - pages)
        except ThriftError as error:
            raise UnreadableObject(f"The pages of its column {chunk.name} are broken: {error}.") from error
        pages += found
        total += most
    return total


def _walk(chunk: Chunk, data: memoryview, most_pages: int) -> tuple[int, int]:
    """Number of pages, and the most bytes of their values."""
    at = pages = values = unpacked = repeated = bounded = longest = 0
    while values < chunk.values:
        if at >= len(data):
            raise ThriftError(f"they end after {values} of {chunk.values} values")
        if pages == most_pages:
            raise UnreadableObject("Reading it would ask for too much: it has too many pages.", RESOURCE)
        header, begin = read_struct(data, at)
        kind, full, size = (_need(header, number, I32) for number in (1, 2, 3))
        end = begin + size
        if full < 0 or size < 0 or end > len(data) or (chunk.codec is None and full != size):
            raise ThriftError(f"a page claims {size} bytes, {full} unpacked")
        unpacked += full + begin - at
        if unpacked > chunk.unpacked:
            raise ThriftError(f"they unpack to more than {chunk.unpacked} bytes")
        if kind == _DICTIONARY:
            longest = _longest_entry(chunk, header, data[begin:end], full, pages)
        elif kind != _INDEX:
            count, encoding = _data_page(header, kind)
            values += count
            if encoding in _DICTIONARIES:
                repeated += count
            elif encoding in _BOUNDED:
                bounded += full
            elif encoding == _DELTA_BYTE_ARRAY:
                bounded += count * max(full, 1)
            else:
                raise UnreadableObject(f"It is encoded in a way that is not known here ({encoding}).", CODEC)
        pages, at = pages + 1, end
    if values > chunk.values:
        raise ThriftError(f"they hold {values} values instead of {chunk.values}")
    return pages, bounded + repeated * longest + chunk.values * (chunk.width or 1)


def _data_page(header: Struct, kind: int) -> tuple[int, int]:
    """Number of values and their encoding."""
    places = {_DATA: (5, 1, 2), _DATA_V2: (8, 1, 4)}
    if kind not in places:
        raise ThriftError(f"a page is of kind {kind}")
    where, values, encoding = places[kind]
    facts = _need(header, where, STRUCT)
    count = int(_need(facts, values, I32))
    if count < 0:
        raise ThriftError(f"a page claims {count} values")
    return count, int(_need(facts, encoding, I32))


def _longest_entry(chunk: Chunk, header: Struct, data: memoryview, full: int, pages: int) -> int:
    """Bytes of the longest value of a dictionary, which every row may repeat."""
    facts = _need(header, 7, STRUCT)
    entries, encoding = _need(facts, 1, I32), _need(facts, 2, I32)
    if pages or entries < 0 or entries * max(chunk.width, 1) > full or encoding not in (_PLAIN, 2):
        raise ThriftError(f"a dictionary claims {entries} values in {full} bytes")
    if chunk.type != BYTE_ARRAY or not entries:
        return chunk.width
    try:
        plain = pa.Codec(chunk.codec).decompress(data, full) if chunk.codec else data
    except (pa.ArrowException, OSError) as error:
        raise ThriftError("a dictionary cannot be unpacked") from error
    return _longest_text(memoryview(plain), entries)


def _longest_text(plain: memoryview, entries: int) -> int:
    first = int.from_bytes(plain[:4], "little")
    if entries * (4 + first) == len(plain):  # ids, which are all of one length
        lengths = np.frombuffer(plain, np.uint8).reshape(entries, 4 + first)[:, :4].copy().view("<u4")
        if (lengths == first).all():
            return first
    at = longest = 0
    for _ in range(entries):
        length = int.from_bytes(plain[at : at + 4], "little")
        longest = max(longest, length)
        at += 4 + length
    if at > len(plain):
        raise ThriftError("a dictionary's values stand beyond its end")
    return longest


def _need(found: Struct, number: int, type_: int) -> Any:
    value = found.get(key(number, type_))
    if value is None:
        raise ThriftError(f"field {number} of a page is missing")
    return value
