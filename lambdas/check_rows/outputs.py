"""A revision's two files, as a pure function of the Bronze bytes and the pins: any attempt makes the same ones."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.ledger import Opened, Outcome
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata, quarantine_schema, silver_schema
from lakehouse.catalog import Entity
from lakehouse.footer import OutputFooter
from lakehouse.identity import event_id_of_position
from lakehouse.object_facts import find_facts
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, Split, first_seen, split_rows
from lambdas.check_rows.bronze_file import BronzeFile
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.source import Source, WholeObject

_NONE = Amount()
_SAMPLE_ROWS = 1000  # enough to tell ids from words, cheap beside the 100,000 rows of a row group


class Sink(Protocol):
    """A file as Arrow takes it: where bytes go, in order."""

    def write(self, data: bytes, /) -> int:
        """How many were taken: all."""


@dataclass(frozen=True)
class Outputs:
    """What to write, Quarantine first (None: no row is held), and what to tell the ledger then."""

    silver: bytes
    quarantine: bytes | None
    outcome: Outcome


def make_outputs(plan: CheckPlan, opened: Opened, size: int, data: bytes | None) -> Outputs:
    """The files of an object's rows, in memory; of an object that cannot be read (data None: given up) of one row.

    Args:
        size: bytes of the Bronze object, for the footer.
    """
    try:
        if data is None:
            raise UnreadableObject("Every attempt to check it failed; its bytes were not read again.")
        source = WholeObject(data)
        return collect(lambda silver, held: write_rows(plan, opened, source, silver, held, confined=True))
    except UnreadableObject as error:
        unreadable = error
    return collect(lambda silver, held: write_unreadable(plan.entity, opened, size, unreadable, silver, held))


def collect(write: Callable[[Sink, Sink], Outcome]) -> Outputs:
    """What `write` writes into the files that it is given, Silver's and Quarantine's, in memory."""
    silver, quarantine = io.BytesIO(), io.BytesIO()
    outcome = write(silver, quarantine)
    return Outputs(silver.getvalue(), quarantine.getvalue() or None, outcome)


@dataclass
class _Count:
    """What has gone where so far."""

    silver: Amount = _NONE
    quarantine: Amount = _NONE
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    extras: dict[str, int] = field(default_factory=dict)

    def add(self, split: Split) -> None:
        """Counts what a table became."""
        self.silver += split.passed
        self.quarantine += split.held
        for total, part in (
            (self.reasons, split.reasons),
            (self.warnings, split.warnings),
            (self.extras, split.extras),
        ):
            for name, rows in part.items():
                total[name] = total.get(name, 0) + rows


def write_rows(
    plan: CheckPlan,
    opened: Opened,
    source: Source,
    silver: Sink,
    quarantine: Sink,
    limits: Limits = LIMITS,
    confined: bool = False,
) -> Outcome:
    """Writes an object's rows into two files; nothing at all into the second when no row is held.

    UnreadableObject or SuspiciousObject, as of `BronzeFile`: then what was written counts for nothing.
    """
    count, row = _Count(), 0
    passed, held = _File(silver_schema(plan.entity), silver), None
    file = BronzeFile(source, plan.entity, opened.metadata, limits, confined)
    wide = plan.needs_facts(opened.metadata.log)
    facts = find_facts(plan, file.column_names, file.columns) if wide else None
    for table in file.tables():
        origin = Origin(str(opened.metadata.key), row, opened.contract_version)
        split = split_rows(plan, table, origin, facts)
        row += len(table)
        del table  # what is written next needs the room
        count.add(split)
        passed.write(split.silver)
        if split.held.rows:
            held = held or _File(split.quarantine.schema, quarantine)
            held.write(split.quarantine)
        del split
    return _close(plan.entity, opened, source.size, count, passed, held)


def write_unreadable(
    entity: Entity,
    opened: Opened,
    size: int,
    unreadable: UnreadableObject,
    silver: Sink,
    quarantine: Sink,
) -> Outcome:
    """The object as one row: its hash is the sum of all it stands for, so that sums over the file still close."""
    metadata, problem = opened.metadata, str(unreadable)
    last = metadata.end_offset - 1
    message = (
        f"{metadata.rows} rows at offsets {metadata.first_offset} to {last} could not be read. {problem}"
    )
    reason = {"rule": unreadable.code, "column": None, "value": None, "message": message}
    row = _standing_for(metadata) | {
        "raw_reason": problem,
        "reasons": [reason],
        "judged_by": opened.contract_version,
        "bronze_key": str(metadata.key),
        "first_seen": first_seen(pa.array([metadata.first_broker_time]))[0].as_py(),
    }
    file = _File(quarantine_schema(entity), quarantine)
    file.write(pa.Table.from_pylist([row], file.schema))
    held = Amount(metadata.rows, metadata.hash_sum)
    count = _Count(quarantine=held, reasons={unreadable.code: metadata.rows})
    return _close(entity, opened, size, count, _File(silver_schema(entity), silver), file)


def _standing_for(metadata: BronzeMetadata) -> dict[str, object]:
    position = metadata.position
    return {
        "event_id": event_id_of_position(position),
        "pos_log": position.log,
        "pos_topic": position.topic,
        "pos_partition": position.partition,
        "pos_offset": position.offset,
        "broker_time": metadata.first_broker_time,
        "row_hash": metadata.hash_sum - (2**64 if metadata.hash_sum >= 2**63 else 0),
    }


def _close(
    entity: Entity, opened: Opened, size: int, count: _Count, silver: "_File", quarantine: "_File | None"
) -> Outcome:
    key = opened.metadata.key
    footer = OutputFooter(
        bronze=opened.metadata,
        bronze_etag=opened.etag,
        bronze_size=size,
        revision=opened.revision,
        contract_version=opened.contract_version,
        rules_hash=opened.rules_hash,
        silver_key=key.silver(entity.major, opened.revision),
        silver=count.silver,
        quarantine_key=key.quarantine(entity.major, opened.revision) if quarantine else "",
        quarantine=count.quarantine,
        reasons=count.reasons,
        warnings=count.warnings,
        extras=count.extras,
        follows=opened.follows,
    )
    silver.close(footer)
    if quarantine:
        quarantine.close(footer)
    return Outcome(
        silver_key=footer.silver_key,
        silver_rows=count.silver.rows,
        silver_hash_sum=count.silver.hash_sum,
        quarantine_key=footer.quarantine_key or None,
        quarantine_rows=count.quarantine.rows,
        quarantine_hash_sum=count.quarantine.hash_sum,
        reasons=count.reasons,
        warnings=count.warnings,
        extras=count.extras,
    )


class _File:
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
