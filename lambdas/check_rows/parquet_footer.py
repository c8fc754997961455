"""A Parquet file's figures, read from its footer by ourselves: before Arrow sees the file, and without believing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakehouse.envelope import CODEC, ENCRYPTED, RESOURCE, UNREADABLE
from lakehouse.errors import LakeError
from lambdas.check_rows.limits import Limits
from lambdas.check_rows.source import Source
from lambdas.check_rows.thrift import BINARY, I32, I64, LIST, STRUCT, Struct, ThriftError, key, read_struct

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_TAIL = 64 * 1024  # holds the footer of most objects; one read instead of two
# Those that the Lambda layer's Arrow has. Others are refused everywhere, so that a verdict depends on no machine.
CODECS = {0: None, 1: "snappy", 2: "gzip"}
_CODEC_NAMES = {3: "LZO", 4: "BROTLI", 5: "LZ4", 6: "ZSTD", 7: "LZ4_RAW"}
BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY = 6, 7
_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, BYTE_ARRAY: 4}  # least bytes of a value in a dictionary
_REPEATED = 2


class UnreadableObject(LakeError):
    """The object as a whole cannot be taken for Bronze rows: the reason that a person reads, `code` its rule."""

    def __init__(self, problem: str, code: str = UNREADABLE) -> None:
        super().__init__(problem)
        self.code = code


@dataclass(frozen=True)
class Chunk:
    """A column of a row group: where its pages stand, and what they are said to hold. `width`: bytes of a value."""

    name: str
    type: int
    width: int
    codec: str | None
    values: int
    start: int
    size: int
    unpacked: int

    @property
    def end(self) -> int:
        """Behind its last byte."""
        return self.start + self.size


@dataclass(frozen=True)
class RowGroup:
    """Its columns in the schema's order."""

    rows: int
    chunks: tuple[Chunk, ...]

    @property
    def size(self) -> int:
        """Bytes of its pages as they are."""
        return sum(chunk.size for chunk in self.chunks)

    @property
    def unpacked(self) -> int:
        """Bytes of its pages, uncompressed."""
        return sum(chunk.unpacked for chunk in self.chunks)


@dataclass(frozen=True)
class Footer:
    """What the file says of itself. `data` is the footer as it stands; `nested`: not every column is a plain one."""

    data: bytes
    rows: int
    row_groups: tuple[RowGroup, ...]
    nested: bool

    @property
    def file(self) -> bytes:
        """A file of this footer alone, for whoever reads footers from files."""
        return _MAGIC + self.data + len(self.data).to_bytes(4, "little") + _MAGIC


def read_footer(source: Source, limits: Limits) -> Footer:
    """The figures, proven against each other and against the limits. UnreadableObject says what is wrong."""
    if source.size > limits.object_bytes:
        raise _too_much(f"it has {source.size} bytes", limits.object_bytes)
    data = _footer_bytes(source, limits)
    try:
        found, end = read_struct(data)
        if end != len(data):
            raise ThriftError(f"{len(data) - end} bytes stand behind it")
        return _footer(found, source.size, data, limits)
    except ThriftError as error:
        raise _no_parquet(f"its footer is broken: {error}") from error


def _footer_bytes(source: Source, limits: Limits) -> bytes:
    if not source.size:
        raise UnreadableObject("It is empty: not a single byte.")
    tail = source.read(max(0, source.size - _TAIL), min(source.size, _TAIL))
    if tail[-4:] == _ENCRYPTED:
        raise UnreadableObject("It is encrypted (PARE), and no key is known here.", ENCRYPTED)
    if source.size < 12 or tail[-4:] != _MAGIC or source.read(0, 4) != _MAGIC:
        raise _no_parquet("it does not begin and end with PAR1")
    length = int.from_bytes(tail[-8:-4], "little")
    if length > source.size - 12:
        raise _no_parquet(f"its footer claims {length} bytes of {source.size}")
    if length > limits.footer_bytes:
        raise _too_much(f"its footer has {length} bytes", limits.footer_bytes)
    if length > len(tail) - 8:
        return source.read(source.size - 8 - length, length)
    return tail[-8 - length : -8]


def _footer(found: Struct, size: int, data: bytes, limits: Limits) -> Footer:
    if key(8, STRUCT) in found:
        raise UnreadableObject("Its columns are encrypted, and no key is known here.", ENCRYPTED)
    leaves, depth = _leaves(_need(found, 2, LIST), limits)
    rows, groups = _need(found, 3, I64), _need(found, 4, LIST)
    for name, figure, most in (
        ("columns", len(leaves), limits.columns),
        ("levels of nesting", depth, limits.depth),
        ("row groups", len(groups), limits.row_groups),
        ("rows", rows, limits.rows),
    ):
        if figure > most:
            raise _too_much(f"it has {figure} {name}", most)
    made = tuple(_row_group(group, leaves, len(data) + 8, size, limits) for group in groups)
    if rows != sum(group.rows for group in made):
        raise _no_parquet(f"its row groups do not hold its {rows} rows")
    if sum(group.size for group in made) > size:
        raise _no_parquet("its columns overlap")
    if (unpacked := sum(group.unpacked for group in made)) > limits.object_unpacked:
        raise _too_much(f"it unpacks to {unpacked} bytes", limits.object_unpacked)
    return Footer(data, rows, made, depth > 1)


@dataclass(frozen=True)
class _Leaf:
    name: str
    type: int
    width: int
    repeated: bool


def _leaves(elements: Sequence[object], limits: Limits) -> tuple[list[_Leaf], int]:
    """The schema's columns in order, and how deep the deepest is: 1 in a flat table."""
    found: list[_Leaf] = []
    open_: list[tuple[int, bool]] = []  # of each group around: children to come, and whether it repeats
    deepest = 0
    for number, element in enumerate(elements):
        if not isinstance(element, dict):
            raise ThriftError("its schema is no list of structures")
        name = element.get(key(4, BINARY))
        children, repeated = element.get(key(5, I32), 0), element.get(key(3, I32), 0) == _REPEATED
        if name is None or children < 0 or (number and not open_):
            raise ThriftError("its schema is no tree")
        around = bool(open_) and open_[-1][1]
        deepest = max(deepest, len(open_))
        if number:
            left, repeats = open_[-1]
            open_[-1] = left - 1, repeats
        if children or not number:
            open_.append((children, around or repeated))
        else:
            type_ = element.get(key(1, I32), -1)
            width = element.get(key(2, I32), 0) if type_ == FIXED_LEN_BYTE_ARRAY else _WIDTHS.get(type_, 0)
            if type_ not in range(8) or width < (type_ != FIXED_LEN_BYTE_ARRAY):
                raise ThriftError("its schema has a column without a type")
            found.append(_Leaf(name.decode("utf-8", "replace"), type_, width, around or repeated))
        while open_ and not open_[-1][0]:
            open_.pop()
        if len(open_) > limits.depth + 1:
            raise _too_much(f"it has {len(open_)} levels of nesting", limits.depth)
    if open_:
        raise ThriftError("its schema is no tree")
    return found, deepest


def _row_group(found: Struct, leaves: Sequence[_Leaf], behind: int, size: int, limits: Limits) -> RowGroup:
    if not isinstance(found, dict):
        raise ThriftError("it lists row groups that are none")
    columns, rows = _need(found, 1, LIST), _need(found, 3, I64)
    if rows < 0 or len(columns) != len(leaves):
        raise ThriftError(f"a row group has {rows} rows and {len(columns)} of {len(leaves)} columns")
    chunks = tuple(_chunk(c, leaf, rows) for c, leaf in zip(columns, leaves, strict=True))
    for chunk in chunks:
        if chunk.end > size - behind:
            raise _no_parquet(f"column {chunk.name} stands beyond its end")
    group = RowGroup(rows, chunks)
    if group.size > limits.row_group_bytes:
        raise _too_much(f"a row group has {group.size} bytes", limits.row_group_bytes)
    fixed = sum(chunk.width * rows for chunk in chunks if chunk.type == FIXED_LEN_BYTE_ARRAY)
    if (unpacked := max(group.unpacked, fixed)) > limits.row_group_unpacked:
        raise _too_much(f"a row group unpacks to {unpacked} bytes", limits.row_group_unpacked)
    return group


def _chunk(found: Struct, leaf: _Leaf, rows: int) -> Chunk:
    if not isinstance(found, dict):
        raise ThriftError("a row group lists columns that are none")
    if key(8, STRUCT) in found:
        raise UnreadableObject(f"Column {leaf.name} is encrypted, and no key is known here.", ENCRYPTED)
    if found.get(key(1, BINARY)):
        raise _no_parquet(f"column {leaf.name} stands in another file")
    facts = _need(found, 3, STRUCT)
    codec = _need(facts, 4, I32)
    if codec not in CODECS:
        name = _CODEC_NAMES.get(codec, f"number {codec}")
        raise UnreadableObject(f"It is compressed with {name}: write it with snappy.", CODEC)
    values, unpacked, size = (_need(facts, number, I64) for number in (5, 6, 7))
    start, dictionary = _need(facts, 9, I64), facts.get(key(11, I64), 0)
    start = dictionary if 0 < dictionary < start else start  # as Arrow takes it
    if not rows and not values:  # nobody reads it, and writers say of its place what they like
        return Chunk(leaf.name, leaf.type, leaf.width, CODECS[codec], 0, len(_MAGIC), 0, 0)
    if _need(facts, 1, I32) != leaf.type or min(values, unpacked, size) < 0 or start < 4:
        raise ThriftError(f"column {leaf.name} has figures that cannot be")
    if values != rows and not leaf.repeated:
        raise ThriftError(f"column {leaf.name} has {values} values in {rows} rows")
    return Chunk(leaf.name, leaf.type, leaf.width, CODECS[codec], values, start, size, unpacked)


def _need(found: Struct, number: int, type_: int) -> Any:
    value = found.get(key(number, type_))
    if value is None:
        raise ThriftError(f"field {number} is missing")
    return value


def _no_parquet(problem: str) -> UnreadableObject:
    return UnreadableObject(f"It is no Parquet file that can be opened: {problem}.")


def _too_much(problem: str, most: int) -> UnreadableObject:
    return UnreadableObject(f"Reading it would ask for too much: {problem}, of {most} at most.", RESOURCE)
