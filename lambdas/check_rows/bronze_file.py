"""Reads a Bronze file row group by row group and proves that it is what its metadata says."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError
from lakehouse.shape import readable_rows, schema_problem

_NEVER_NULL = ("pos_log", "pos_topic", "pos_partition", "pos_offset", "broker_time", "row_hash")


class UnreadableObject(LakeError):
    """The object as a whole cannot be taken for Bronze rows. The message is the reason a person reads."""


def read_row_groups(data: bytes, entity: Entity, metadata: BronzeMetadata) -> Iterator[pa.Table]:
    """Every row group in order. UnreadableObject at the first thing that is not as it should be.

    Which can be after some row groups were given: a caller must throw away what it made of those.
    """
    file = _open(data)
    rows, problem = file.metadata.num_rows, schema_problem(entity, file.schema_arrow)
    if problem is not None:
        raise UnreadableObject(f"It does not have the columns of {entity.name}: {problem}.")
    if rows != metadata.rows:
        raise UnreadableObject(f"It holds {rows} rows, its metadata says {metadata.rows}.")
    total, next_offset = 0, metadata.first_offset
    for number in range(file.num_row_groups):
        table = readable_rows(entity, _read(file, number))
        if isinstance(table, str):
            raise UnreadableObject(f"Its row group {number} cannot be read: {table}.")
        next_offset = _prove_positions(table, metadata, next_offset)
        total += int(table.column("row_hash").to_numpy().view(np.uint64).sum(dtype=np.uint64))
        yield table
    if total % 2**64 != metadata.hash_sum:
        raise UnreadableObject(
            f"Its row hashes sum to {total % 2**64}, its metadata says {metadata.hash_sum}."
        )


def _open(data: bytes) -> pq.ParquetFile:
    if not data:
        raise UnreadableObject("It is empty: not a single byte.")
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        file.schema_arrow  # noqa: B018 - converting the schema can fail too
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableObject(f"It is no Parquet file that can be opened: {_first_line(error)}") from error
    return file


def _read(file: pq.ParquetFile, number: int) -> pa.Table:
    """A row group. Memory that runs out is a failed attempt, not a verdict."""
    try:
        table = file.read_row_group(number, use_threads=False)
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UnreadableObject(f"Its row group {number} cannot be decoded: {_first_line(error)}") from error
    return table


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
