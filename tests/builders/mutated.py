"""Broken Parquet files by number: the same number, the same file."""

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow.parquet as pq

from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import load_entities
from tests.builders import crafted
from tests.builders.crafted import BINARY, I16, I32, I64, LIST, STRUCT, Struct
from tests.builders.rows import a_raw_row, an_order, bronze_table, metadata_of

ORDERS = load_entities()["orders"]
_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    2**15,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**62,
    2**63 - 1,
    -(2**63),
)


@dataclass(frozen=True)
class Mutated:
    """A file, what its writer would have said of it, and what was done to it."""

    name: str
    data: bytes
    metadata: BronzeMetadata


@cache
def _bases() -> tuple[tuple[bytes, BronzeMetadata], ...]:
    rows = [an_order(), an_order(order_id="x"), an_order(order_approved_at=None), a_raw_row("orders")] * 8
    tables = [bronze_table(ORDERS, rows), bronze_table(ORDERS, rows[:3], all_text=True)]
    layouts: tuple[dict[str, Any], ...] = (
        {"compression": "snappy"},
        {"compression": "none"},
        {"compression": "none", "use_dictionary": False},
        {"compression": "snappy", "row_group_size": 5, "write_page_checksum": True},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"compression": "none", "data_page_version": "2.0", "row_group_size": 11},
        {"compression": "none", "use_dictionary": False, "column_encoding": {"order_id": "DELTA_BYTE_ARRAY"}},
        {
            "compression": "snappy",
            "use_dictionary": False,
            "column_encoding": {"pos_offset": "DELTA_BINARY_PACKED"},
        },
    )
    made = []
    for table in tables:
        for layout in layouts:
            file = io.BytesIO()
            pq.write_table(table, file, **layout)
            made.append((file.getvalue(), metadata_of(table)))
    return tuple(made)


def mutated(number: int) -> Mutated:
    """The file of a number."""
    dice = random.Random(number)
    data, metadata = dice.choice(_bases())
    name, change = dice.choice(_KINDS)
    return Mutated(f"{number}: {name}", change(dice, data), metadata)


def _footer_field(dice: random.Random, data: bytes) -> bytes:
    footer = crafted.footer_of(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        _change(dice, dice.choice([*_fields(footer)]))
    return crafted.with_footer(data, footer)


def _footer_tree(dice: random.Random, data: bytes) -> bytes:
    """A field or an entry of a list is left out, doubled, or moved."""
    footer = crafted.footer_of(data)
    listed = [f[2][1] for f in _fields(footer) if f[1] == LIST and f[2][1]]
    place = dice.choice(
        [footer, *listed, *(one for values in listed for one in values if isinstance(one, list))]
    )
    if place:
        at = dice.randrange(len(place))
        match dice.randrange(3):
            case 0:
                del place[at]
            case 1:
                place.insert(at, place[at])
            case _:
                place[at], place[-1] = place[-1], place[at]
    return crafted.with_footer(data, footer)


def _footer_length(dice: random.Random, data: bytes) -> bytes:
    said = dice.choice((*_NUMBERS, len(data), len(data) - 12, dice.randrange(len(data))))
    return crafted.with_footer(data, crafted.footer_of(data), length=said % 2**32)


def _page_header(dice: random.Random, data: bytes) -> bytes:
    group, column = _place(dice, data)

    def change(header: Struct) -> None:
        _change(dice, dice.choice([*_fields(header)]))

    if dice.random() < 0.7:
        return crafted.forged_page(data, group, column, change)
    start = crafted.chunk_start(data, group, column)
    header, end = crafted.parse(data, start)
    change(header)
    return data[:start] + crafted.serialize(header) + data[end:]


def _page_body(dice: random.Random, data: bytes) -> bytes:
    """Levels, lengths, dictionaries and indices stand at the beginning of a page's bytes."""
    start = crafted.chunk_start(data, *_place(dice, data))
    header, begin = crafted.parse(data, start)
    if dice.random() < 0.5:  # the page behind: of data, if this one is a dictionary
        start = begin + next(f[2] for f in header if f[0] == 3)
        try:
            _, begin = crafted.parse(data, start)
        except (IndexError, TypeError):
            return _flips(dice, data)
    out = bytearray(data)
    for _ in range(dice.choice((1, 2, 8))):
        at = begin + min(int(dice.expovariate(0.1)), 200)
        if at < len(out) - 8:
            out[at] = dice.choice((0, 1, 2, 32, 64, 127, 128, 254, 255, dice.randrange(256)))
    return bytes(out)


def _flips(dice: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def _footer_flips(dice: random.Random, data: bytes) -> bytes:
    length = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - length
    return data[:start] + _flips(dice, data[start:-8]) + data[-8:]


def _cut(dice: random.Random, data: bytes) -> bytes:
    at = dice.randrange(len(data))
    return dice.choice((data[:at], data[at:], data[:at] + data[-dice.randrange(1, 300) :]))


def _pieces(dice: random.Random, data: bytes) -> bytes:
    """A piece is lost, doubled, filled with one byte, or comes from another file."""
    at = dice.randrange(len(data))
    size = dice.choice((1, 4, 8, 64, 1000))
    other = dice.choice(_bases())[0]
    start = dice.randrange(len(other))
    new = dice.choice(
        (b"", data[at : at + size] * 2, bytes([dice.randrange(256)]) * size, other[start : start + size])
    )
    return data[:at] + new + data[at + size :]


def _grafted(dice: random.Random, data: bytes) -> bytes:
    """The footer of one file on the pages of another."""
    return crafted.with_footer(data, crafted.footer_of(dice.choice(_bases())[0]))


_KINDS: tuple[tuple[str, Callable[[random.Random, bytes], bytes]], ...] = (
    ("a field of the footer", _footer_field),
    ("a field of the footer", _footer_field),
    ("the footer's tree", _footer_tree),
    ("the footer's length", _footer_length),
    ("bits of the footer", _footer_flips),
    ("a page's header", _page_header),
    ("a page's header", _page_header),
    ("a page's bytes", _page_body),
    ("a page's bytes", _page_body),
    ("bits", _flips),
    ("a cut", _cut),
    ("pieces", _pieces),
    ("another's footer", _grafted),
)


def _place(dice: random.Random, data: bytes) -> tuple[int, int]:
    groups = crafted.field(crafted.footer_of(data), 4)[2][1]
    group = dice.randrange(len(groups))
    return group, dice.randrange(len(crafted.field(groups[group], 1)[2][1]))


def _fields(struct: Struct) -> Iterator[list[Any]]:
    """Every field, at any depth."""
    for found in struct:
        yield found
        inside = [found[2]] if found[1] == STRUCT else found[2][1] if found[1] == LIST else ()
        for one in inside:
            if isinstance(one, list):
                yield from _fields(one)


def _change(dice: random.Random, found: list[Any]) -> None:
    number, type_, value = found
    if dice.random() < 0.05:
        found[0] = number + dice.choice((1, 2, 16, 1000))
    elif type_ in (I16, I32, I64):
        found[2] = dice.choice((*_NUMBERS, value + 1, value - 1, value * 2, value * 1000))
        found[1] = type_ if dice.random() < 0.9 else dice.choice((I16, I32, I64))
    elif type_ == BINARY:
        found[2] = dice.choice(
            (b"", value * 2, value[:-1], b"\xff" + value, bytes(dice.randrange(256) for _ in value))
        )
    elif type_ == LIST:
        of, values = value[:2]
        found[2] = of, values, dice.choice((0, 1, 15, 1000, 10**6, 2**31 - 1, 2**62))
