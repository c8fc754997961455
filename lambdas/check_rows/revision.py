"""A revision as it is written: what has gone where, its two files, and what footers and ledger are told at the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.ledger import Opened, Outcome
from lakehouse.balance import Amount
from lakehouse.catalog import Entity
from lakehouse.footer import OutputFooter
from lakehouse.split import Split

_SAMPLE_ROWS = 1000  # enough to tell ids from words, cheap beside the 100,000 rows of a row group


class Sink(Protocol):
    """A file as Arrow takes it: where bytes go, in order."""

    def write(self, data: bytes, /) -> int:
        """How many were taken: all."""


@dataclass
class Tally:
    """What has gone where so far: rows with their hash sums, then rows by rule, and by unknown column."""

    silver: Amount = field(default_factory=Amount)
    quarantine: Amount = field(default_factory=Amount)
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    extras: dict[str, int] = field(default_factory=dict)

    def add(self, split: Split) -> None:
        """Counts what a table became."""
        self.silver += split.passed
        self.quarantine += split.held
        add_rows(self.reasons, split.reasons)
        add_rows(self.warnings, split.warnings)
        add_rows(self.extras, split.extras)


def add_rows(total: dict[str, int], part: Mapping[str, int]) -> None:
    """Adds rows by name to those counted before."""
    for name, rows in part.items():
        total[name] = total.get(name, 0) + rows


def close_revision(
    entity: Entity,
    opened: Opened,
    size: int,
    tally: Tally,
    silver: "OutputFile",
    quarantine: "OutputFile | None",
) -> Outcome:
    """Ends both files (quarantine None: no row is held) with their footer; what to tell the ledger.

    Args:
        size: bytes of the Bronze object, for the footer.
    """
    key = opened.metadata.key
    footer = OutputFooter(
        bronze=opened.metadata,
        bronze_etag=opened.etag,
        bronze_size=size,
        revision=opened.revision,
        contract_version=opened.contract_version,
        rules_hash=opened.rules_hash,
        silver_key=key.silver(entity.major, opened.revision),
        silver=tally.silver,
        quarantine_key=key.quarantine(entity.major, opened.revision) if quarantine else "",
        quarantine=tally.quarantine,
        reasons=tally.reasons,
        warnings=tally.warnings,
        extras=tally.extras,
        follows=opened.follows,
    )
    silver.close(footer)
    if quarantine:
        quarantine.close(footer)
    return Outcome(
        silver_key=footer.silver_key,
        silver_rows=tally.silver.rows,
        silver_hash_sum=tally.silver.hash_sum,
        quarantine_key=footer.quarantine_key or None,
        quarantine_rows=tally.quarantine.rows,
        quarantine_hash_sum=tally.quarantine.hash_sum,
        reasons=tally.reasons,
        warnings=tally.warnings,
        extras=tally.extras,
    )


class OutputFile:
    """A Parquet file that grows. Its options are fixed or follow from its rows: two attempts make equal bytes."""

    def __init__(self, schema: pa.Schema, sink: Sink) -> None:
        self.schema, self._sink = schema, sink
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """One more row group, unless it is empty."""
        if len(table):
            self._writer = self._writer or self._open(_repeating_columns(table))
            self._writer.write_table(table, row_group_size=len(table))

    def close(self, footer: OutputFooter) -> None:
        """The file is whole then."""
        writer = self._writer or self._open([])
        writer.add_key_value_metadata(footer.to_parquet())
        writer.close()

    def _open(self, dictionary: list[str]) -> pq.ParquetWriter:
        # snappy: the Lambda layer's Arrow has no zstd
        return pq.ParquetWriter(
            self._sink, self.schema, version="2.6", compression="snappy", use_dictionary=dictionary
        )


def _repeating_columns(table: pa.Table) -> list[str]:
    """Columns worth a dictionary, judged by the first rows. Ids do not repeat: trying costs a third of the write."""
    sample = table.slice(0, _SAMPLE_ROWS)
    found = []
    for column in table.schema:
        if pa.types.is_nested(column.type):
            found += _leaves(column)
        elif pa.types.is_dictionary(column.type) or _repeats(sample.column(column.name)):
            found.append(column.name)
    return found


def _repeats(sample: pa.ChunkedArray) -> bool:
    return int(pc.count_distinct(sample).as_py()) * 2 <= len(sample)


def _leaves(column: pa.Field) -> list[str]:
    """Parquet's names of the values in a list of texts or of structs of texts."""
    element = column.type.value_type
    path = f"{column.name}.list.element"
    return [f"{path}.{part.name}" for part in element] if pa.types.is_struct(element) else [path]
