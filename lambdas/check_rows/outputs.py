"""A revision's two files, as a pure function of the Bronze bytes and the pins: any attempt makes the same ones."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from adapters.ledger import Opened, Outcome
from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata, quarantine_schema, silver_schema
from lakehouse.catalog import Entity
from lakehouse.identity import event_id_of_position
from lakehouse.object_facts import find_facts
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, first_seen, split_rows
from lambdas.check_rows.bronze_file import BronzeFile
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.revision import OutputFile, Sink, Tally, close_revision
from lambdas.check_rows.source import Source, WholeObject


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
    count, row = Tally(), 0
    passed, held = OutputFile(silver_schema(plan.entity), silver), None
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
            held = held or OutputFile(split.quarantine.schema, quarantine)
            held.write(split.quarantine)
        del split
    return close_revision(plan.entity, opened, source.size, count, passed, held)


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
    file = OutputFile(quarantine_schema(entity), quarantine)
    file.write(pa.Table.from_pylist([row], file.schema))
    held = Amount(metadata.rows, metadata.hash_sum)
    count = Tally(quarantine=held, reasons={unreadable.code: metadata.rows})
    return close_revision(entity, opened, size, count, OutputFile(silver_schema(entity), silver), file)


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
