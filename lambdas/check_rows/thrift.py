"""Thrift's compact protocol, as far as Parquet's footers and page headers use it. Nothing it reads is believed.

Values come with their type as part of the key, because Arrow passes over a field whose type is not the expected one:
`found.get(key(3, I64))` sees what Arrow sees.
"""

from collections.abc import Mapping
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
Struct = Mapping[int, Any]

_DEEPEST = 16  # Parquet's own structures are 6 deep
# Of one list: the longest that a writer of ours makes has one entry per column of a row group.
_LONGEST = 20_000


class ThriftError(ValueError):
    """The bytes are no such structure."""


def key(number: int, type_: int) -> int:
    """Of a field in a structure."""
    return number << 4 | type_


def read_struct(data: bytes | memoryview, at: int = 0) -> tuple[Struct, int]:
    """The structure that begins there, and where it ends. ThriftError, never more work than the bytes are long."""
    try:
        return _struct(data, at, 0)
    except IndexError:
        raise ThriftError("it ends too early") from None


def _struct(data: bytes | memoryview, at: int, depth: int) -> tuple[dict[int, Any], int]:
    found: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if not head:
            return found, at
        type_ = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        place = number << 4 | type_
        if place in found:
            raise ThriftError(f"field {number} stands in it twice")
        if type_ <= FALSE:
            if not type_:
                raise ThriftError(f"field {number} has a type that does not exist")
            found[place] = type_ == TRUE
        else:
            found[place], at = _value(data, at, type_, depth)


def _value(data: bytes | memoryview, at: int, type_: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise ThriftError(f"it is nested deeper than {_DEEPEST}")
    if type_ in (I32, I64, I16):
        return _zigzag(data, at)
    if type_ == BINARY:
        length, at = _varint(data, at)
        return _take(data, at, length)
    if type_ == STRUCT:
        return _struct(data, at, depth + 1)
    if type_ in (LIST, SET):
        return _list(data, at, depth + 1)
    if type_ in (TRUE, FALSE, BYTE):  # in a list, where a boolean is a byte of its own
        return data[at], at + 1
    if type_ == DOUBLE:
        return _take(data, at, 8)
    raise ThriftError(f"type {type_} does not occur in Parquet")


def _list(data: bytes | memoryview, at: int, depth: int) -> tuple[list[Any], int]:
    head = data[at]
    at += 1
    length, type_ = head >> 4, head & 15
    if length == 15:
        length, at = _varint(data, at)
    if length > min(_LONGEST, len(data) - at):
        raise ThriftError(f"a list claims {length} entries")
    found = []
    for _ in range(length):
        value, at = _value(data, at, type_, depth)
        found.append(value)
    return found, at


def _take(data: bytes | memoryview, at: int, length: int) -> tuple[bytes, int]:
    if length > len(data) - at:
        raise ThriftError(f"a text claims {length} bytes of {len(data) - at}")
    return bytes(data[at : at + length]), at + length


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7
        if shift > 63:
            raise ThriftError("a number is longer than 64 bits")


def _zigzag(data: bytes | memoryview, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
