"""Parquet files with forged figures: a footer or a page header is read, changed, and written back.

A structure is a list of `[field, type, value]`, of a list `(type, values)`.
"""

from collections.abc import Callable, Sequence
from typing import Any

BOOLEANS, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = (
    (1, 2),
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
)
Struct = list[list[Any]]


def parse(data: bytes, at: int = 0) -> tuple[Struct, int]:
    """The structure that begins there, and where it ends."""
    found: Struct = []
    number = 0
    while data[at]:
        head = data[at]
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        value, at = _parse_value(data, at, head & 15, field=True)
        found.append([number, head & 15, value])
    return found, at + 1


def _parse_value(data: bytes, at: int, type_: int, field: bool = False) -> tuple[Any, int]:
    if type_ in BOOLEANS:
        return (None, at) if field else (data[at], at + 1)
    if type_ in (I16, I32, I64):
        return _zigzag(data, at)
    if type_ == BINARY:
        length, at = _varint(data, at)
        return data[at : at + length], at + length
    if type_ == STRUCT:
        return parse(data, at)
    if type_ in (LIST, SET):
        head, at = data[at], at + 1
        length = head >> 4
        if length == 15:
            length, at = _varint(data, at)
        values = []
        for _ in range(length):
            value, at = _parse_value(data, at, head & 15)
            values.append(value)
        return (head & 15, values), at
    size = 8 if type_ == DOUBLE else 1
    return data[at : at + size], at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def serialize(struct: Struct) -> bytes:
    """The structure's bytes; field numbers as they are, in the order given."""
    out, last = bytearray(), 0
    for number, type_, value in struct:
        if 0 < number - last < 16:
            out.append((number - last) << 4 | type_)
        else:
            out.append(type_)
            out += _signed(number)
        last = number
        if type_ not in BOOLEANS:
            out += _serialize_value(type_, value)
    return bytes(out) + b"\0"


def _serialize_value(type_: int, value: Any) -> bytes:
    if type_ in (I16, I32, I64):
        return _signed(value)
    if type_ == BINARY:
        return _unsigned(len(value)) + bytes(value)
    if type_ == STRUCT:
        return serialize(value)
    if type_ in (LIST, SET):
        of, values = value[0], value[1]
        length = value[2] if len(value) > 2 else len(values)  # a third: a length that is not so
        head = bytes([length << 4 | of]) if length < 15 else bytes([0xF0 | of]) + _unsigned(length)
        return head + b"".join(_serialize_value(of, one) for one in values)
    plain: bytes = bytes([value]) if isinstance(value, int) else bytes(value)
    return plain


def _unsigned(value: int) -> bytes:
    out = bytearray()
    value &= 2**70 - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _signed(value: int) -> bytes:
    return _unsigned((value << 1 ^ value >> 63) & 2**64 - 1)


def field(struct: Struct, *path: int) -> list[Any]:
    """The `[field, type, value]` at a path: numbers of fields, and between them places in lists."""
    place: Any = struct
    found: list[Any] = []
    numbers = list(path)
    while numbers:
        found = next(one for one in place if one[0] == numbers[0])
        numbers.pop(0)
        place = found[2]
        if found[1] == LIST and numbers:
            place = place[1][numbers.pop(0)]
    return found


def footer_of(data: bytes) -> Struct:
    """A file's footer."""
    length = int.from_bytes(data[-8:-4], "little")
    return parse(data[-8 - length : -8])[0]


def with_footer(
    data: bytes, footer: Struct | bytes, length: int | None = None, magic: bytes = b"PAR1"
) -> bytes:
    """The file with another footer, which may claim another length."""
    old = int.from_bytes(data[-8:-4], "little")
    new = footer if isinstance(footer, bytes) else serialize(footer)
    said = len(new) if length is None else length
    return data[: -8 - old] + new + (said & 2**32 - 1).to_bytes(4, "little") + magic


def forged(data: bytes, path: Sequence[int], value: Any) -> bytes:
    """The file whose footer says something else in one place."""
    footer = footer_of(data)
    field(footer, *path)[2] = value
    return with_footer(data, footer)


def chunk_start(data: bytes, group: int, column: int) -> int:
    """Where the first page of a column stands."""
    facts = [f for f in field(footer_of(data), 4, group, 1, column, 3)[2] if f[0] in (9, 11)]
    return min(int(f[2]) for f in facts)


def forged_page(data: bytes, group: int, column: int, change: Callable[[Struct], None]) -> bytes:
    """The file whose first page of a column has another header; all that stands behind it moves on."""
    start = chunk_start(data, group, column)
    header, end = parse(data, start)
    change(header)
    new = serialize(header)
    grown = len(new) - (end - start)
    footer = footer_of(data)
    for g, one in enumerate(field(footer, 4)[2][1]):
        for c in range(len(field(one, 1)[2][1])):
            facts = field(one, 1, c, 3)[2]
            for found in facts:
                if found[0] in (9, 11) and found[2] > start:
                    found[2] += grown
                if found[0] in (6, 7) and (g, c) == (group, column):
                    found[2] += grown
    length = int.from_bytes(data[-8:-4], "little")
    moved = data[:start] + new + data[end : -8 - length] + data[-8 - length :]
    return with_footer(moved, footer)
