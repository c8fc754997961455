"""Reads a Bronze file row group by row group and proves that it is what its metadata says."""

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.shape import readable_rows, schema_problem
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.pages import unpacked_bytes
from lambdas.check_rows.parquet_footer import RowGroup, UnreadableObject, read_footer
from lambdas.check_rows.source import Source, WholeObject, Window

_NEVER_NULL = ("pos_log", "pos_topic", "pos_partition", "pos_offset", "broker_time", "row_hash")
# What Arrow says of a broken file. Memory that runs out and threads that do not start are no verdict on a file.
_BROKEN = (
    pa.ArrowInvalid,
    pa.ArrowNotImplementedError,
    pa.ArrowTypeError,
    pa.ArrowKeyError,
    pa.ArrowCapacityError,
    pa.ArrowIndexError,
    OSError,
    UnicodeDecodeError,
)


class SuspiciousObject(Exception):
    """Reading on may take more memory than this process can spare; a child's death would harm nobody."""


class BronzeFile:
    """An object's rows. What is made of some of them must be thrown away when reading the rest raises.

    Args:
        confined: this process may die of it; otherwise SuspiciousObject says that it should be read in one that may.
    """

    def __init__(
        self,
        source: Source,
        entity: Entity,
        metadata: BronzeMetadata,
        limits: Limits = LIMITS,
        confined: bool = False,
    ) -> None:
        self._source, self._entity, self._metadata = source, entity, metadata
        self._limits, self._confined = limits, confined
        self._footer = read_footer(source, limits)
        rows = self._footer.rows
        if rows != metadata.rows:
            raise UnreadableObject(f"It holds {rows} rows, its metadata says {metadata.rows}.")
        if not confined:
            self._require_plain()
        self._window = Window(source)
        self._file = self._open()
        problem = schema_problem(entity, self._file.schema_arrow)
        if problem is not None:
            raise UnreadableObject(f"It does not have the columns of {entity.name}: {problem}.")

    @property
    def column_names(self) -> list[str]:
        """Its columns, in its own order."""
        return list(self._file.schema_arrow.names)

    def columns(self, names: Collection[str]) -> Iterator[pa.Table]:
        """Those of the named columns that it has, as `tables` gives them; nothing of their rows is proven."""
        wanted = [name for name in self.column_names if name in names]
        for number, group in enumerate(self._footer.row_groups):
            yield from self._tables_of(number, group, wanted)

    def tables(self) -> Iterator[pa.Table]:
        """All rows in order, at most `batch_rows` at once; may be asked for again. Raises as the class does."""
        total, next_offset = 0, self._metadata.first_offset
        for number, group in enumerate(self._footer.row_groups):
            for table in self._tables_of(number, group, None):
                next_offset = _prove_positions(table, self._metadata, next_offset)
                total += int(table.column("row_hash").to_numpy().view(np.uint64).sum(dtype=np.uint64))
                yield table
                del table  # or it would live until the next one is decoded
        if total % 2**64 != self._metadata.hash_sum:
            raise UnreadableObject(
                f"Its row hashes sum to {total % 2**64}, its metadata says {self._metadata.hash_sum}."
            )

    def _require_plain(self) -> None:
        footer, limits = self._footer, self._limits
        if footer.nested:
            raise SuspiciousObject("it has nested columns")
        for group in footer.row_groups:
            if group.unpacked > limits.suspicious_bytes:
                raise SuspiciousObject(f"a row group unpacks to {group.unpacked} bytes")
            # what is small stays small, however often it is repeated
            if group.unpacked > max(limits.suspicious_bytes // 16, group.size * limits.suspicious_ratio):
                raise SuspiciousObject(f"a row group of {group.size} bytes unpacks to {group.unpacked}")

    def _open(self) -> pq.ParquetFile:
        source, footer = self._source, self._footer
        file = (
            pa.BufferReader(source.data) if isinstance(source, WholeObject) else pa.PythonFile(self._window)
        )
        try:
            metadata = pq.read_metadata(pa.BufferReader(footer.file))
            opened = pq.ParquetFile(file, metadata=metadata, page_checksum_verification=True)
            opened.schema_arrow  # noqa: B018 - converting the schema can fail too
        except _BROKEN as error:
            raise UnreadableObject(
                f"It is no Parquet file that can be opened: {_first_line(error)}"
            ) from error
        return opened

    def _tables_of(self, number: int, group: RowGroup, columns: list[str] | None) -> Iterator[pa.Table]:
        if not group.rows:
            return
        start, end = min(c.start for c in group.chunks), max(c.end for c in group.chunks)
        if end - start > self._limits.row_group_bytes:
            raise UnreadableObject(f"The columns of its row group {number} stand far apart.")
        most = unpacked_bytes(group, self._window.hold(start, end), start, self._limits)
        if most > self._limits.suspicious_bytes and not self._confined:
            raise SuspiciousObject(f"row group {number} may take {most} bytes")
        for table in _decoded(self._file, number, group.rows, self._limits.batch_rows, columns):
            rows = readable_rows(self._entity, table)
            if isinstance(rows, str):
                raise UnreadableObject(f"Its row group {number} cannot be read: {rows}.")
            del table
            yield rows
            del rows  # or it would live until the next ones are decoded


def _decoded(
    file: pq.ParquetFile, number: int, rows: int, at_once: int, columns: list[str] | None
) -> Iterator[pa.Table]:
    """A row group, in parts."""
    try:
        if rows <= at_once:
            yield file.read_row_group(number, columns, use_threads=False)
            return
        for batch in file.iter_batches(at_once, [number], columns, use_threads=False):
            yield pa.Table.from_batches([batch])
    except _BROKEN as error:
        raise UnreadableObject(f"Its row group {number} cannot be decoded: {_first_line(error)}") from error


def _prove_positions(table: pa.Table, metadata: BronzeMetadata, at_least: int) -> int:
    """The rows are of this partition, in order, within the object's offsets; the offset behind the last of them."""
    nulls = [name for name in _NEVER_NULL if table.column(name).null_count]
    if nulls:
        raise UnreadableObject(f"Column {', '.join(nulls)} lacks values that every row must have.")
    for name in ("log", "topic", "partition"):
        column, wanted = table.column(f"pos_{name}"), getattr(metadata, name)
        if not pc.all(pc.equal(column, pa.scalar(wanted, column.type)), min_count=0).as_py():
            raise UnreadableObject(f"It holds rows of another {name} than {wanted}.")
    offsets = table.column("pos_offset").to_numpy()
    if not len(offsets):
        return at_least
    rising = bool((np.diff(offsets) > 0).all())
    if not rising or offsets[0] < at_least or offsets[-1] >= metadata.end_offset:
        wanted = f"{metadata.first_offset} to {metadata.end_offset - 1}"
        raise UnreadableObject(f"Its offsets do not rise within {wanted}, as its metadata says.")
    return int(offsets[-1]) + 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") + "."
