"""A revision's two files, as a pure function of the Bronze bytes and the pins: any attempt makes the same ones."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.ledger import Opened, Outcome
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata, bronze_schema, quarantine_schema, silver_schema
from lakehouse.catalog import Entity
from lakehouse.envelope import UNREADABLE
from lakehouse.footer import OutputFooter
from lakehouse.identity import event_id_of_position
from lakehouse.paths import is_load
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, first_seen, split_rows
from lambdas.check_rows.bronze_file import UnreadableObject, read_row_groups

_NONE = Amount()
_SAMPLE_ROWS = 1000  # enough to tell ids from words, cheap beside the 100,000 rows of a row group


@dataclass(frozen=True)
class Outputs:
    """What to write, Quarantine first (None: no row is held), and what to tell the ledger then."""

    silver: bytes
    quarantine: bytes | None
    outcome: Outcome


def make_outputs(plan: CheckPlan, opened: Opened, size: int, data: bytes | None) -> Outputs:
    """The files of an object's rows; of an object that cannot be read (data None: it was given up) of one row.

    Args:
        size: bytes of the Bronze object, for the footer.
    """
    if data is None:
        return _unreadable(
            plan.entity, opened, size, "Every attempt to check it failed; its bytes were not read again."
        )
    try:
        return _checked(plan, opened, size, data)
    except UnreadableObject as unreadable:
        return _unreadable(plan.entity, opened, size, str(unreadable))


@dataclass
class _Count:
    """What has gone where so far."""

    silver: Amount = _NONE
    quarantine: Amount = _NONE
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)


def _checked(plan: CheckPlan, opened: Opened, size: int, data: bytes) -> Outputs:
    count, row = _Count(), 0
    silver, quarantine = _File(silver_schema(plan.entity)), None
    for table in read_row_groups(data, plan.entity, opened.metadata):
        split = split_rows(plan, table, Origin(str(opened.metadata.key), row, opened.contract_version))
        row += len(table)
        count.silver += split.passed
        count.quarantine += split.held
        for total, part in ((count.reasons, split.reasons), (count.warnings, split.warnings)):
            for rule, rows in part.items():
                total[rule] = total.get(rule, 0) + rows
        silver.write(split.silver)
        if split.held.rows:
            quarantine = quarantine or _File(split.quarantine.schema)
            quarantine.write(split.quarantine)
    return _close(plan.entity, opened, size, count, silver, quarantine)


def _unreadable(entity: Entity, opened: Opened, size: int, problem: str) -> Outputs:
    """The object as one row: its hash is the sum of all it stands for, so that sums over the file still close."""
    metadata = opened.metadata
    bronze = bronze_schema(entity, all_text=is_load(metadata.log))
    last = metadata.end_offset - 1
    message = (
        f"{metadata.rows} rows at offsets {metadata.first_offset} to {last} could not be read. {problem}"
    )
    reason = {"rule": UNREADABLE, "column": None, "value": None, "message": message}
    row = _standing_for(metadata) | {
        "raw_reason": problem,
        "reasons": [reason],
        "judged_by": opened.contract_version,
        "bronze_key": str(metadata.key),
        "first_seen": first_seen(pa.array([metadata.first_broker_time]))[0].as_py(),
    }
    quarantine = _File(quarantine_schema(bronze))
    quarantine.write(pa.Table.from_pylist([row], quarantine.schema))
    held = Amount(metadata.rows, metadata.hash_sum)
    count = _Count(quarantine=held, reasons={UNREADABLE: metadata.rows})
    return _close(entity, opened, size, count, _File(silver_schema(entity)), quarantine)


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
) -> Outputs:
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
        follows=opened.follows,
    )
    outcome = Outcome(
        silver_key=footer.silver_key,
        silver_rows=count.silver.rows,
        silver_hash_sum=count.silver.hash_sum,
        quarantine_key=footer.quarantine_key or None,
        quarantine_rows=count.quarantine.rows,
        quarantine_hash_sum=count.quarantine.hash_sum,
        reasons=count.reasons,
        warnings=count.warnings,
    )
    return Outputs(silver.close(footer), quarantine.close(footer) if quarantine else None, outcome)


class _File:
    """A Parquet file in memory. Its options are fixed or follow from its rows: two attempts make equal bytes."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._sink = pa.BufferOutputStream()
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """One more row group, unless it is empty."""
        if len(table):
            self._writer = self._writer or self._open(_repeating_columns(table))
            self._writer.write_table(table, row_group_size=len(table))

    def close(self, footer: OutputFooter) -> bytes:
        """The file's bytes."""
        writer = self._writer or self._open([])
        writer.add_key_value_metadata(footer.to_parquet())
        writer.close()
        data: bytes = self._sink.getvalue().to_pybytes()
        return data

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
