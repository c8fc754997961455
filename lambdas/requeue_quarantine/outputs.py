"""The two files of a replayed revision, written row group by row group as the rows of Quarantine are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.ledger import Opened, Outcome
from adapters.ledger.replays import Held
from lakehouse.balance import Amount
from lakehouse.bronze import silver_schema
from lakehouse.errors import LakeError
from lakehouse.footer import OutputFooter
from lakehouse.object_facts import find_facts
from lakehouse.rejudge import Choice, Refused, Rejudged, rejudge, stands_for_object
from lakehouse.row_check import CheckPlan, ObjectFacts
from lakehouse.text_view import Mask
from lambdas.check_rows import source
from lambdas.check_rows.bronze_file import BronzeFile
from lambdas.check_rows.confinement import make_outputs_within
from lambdas.check_rows.outputs import Outputs

# Columns of ids and of texts that hardly repeat: a dictionary would only cost. Fixed, so that attempts write alike.
_UNIQUE = frozenset({"event_id", "pos_offset", "row_hash", "raw", "bronze_row"})


@dataclass
class _Count:
    """What became of an object's rows so far."""

    moved: Amount = field(default_factory=Amount)
    held: Amount = field(default_factory=Amount)
    judged: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    extras: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def add(self, part: Rejudged) -> None:
        """One more row group."""
        self.moved += part.moved
        self.held += part.held
        self.judged += part.judged
        self.refused += part.refused
        for name in ("reasons", "warnings", "refusals", "extras"):
            counts = getattr(self, name)
            for rule, rows in getattr(part, name).items():
                counts[rule] = counts.get(rule, 0) + rows


class Replay:
    """A held object's rows, judged once more. None of it depends on when or by whom."""

    def __init__(
        self,
        plan: CheckPlan,
        held: Held,
        choice: Choice,
        data: bytes,
        found: Mask,
        refused: int,
        facts: ObjectFacts | None,
    ) -> None:
        self._plan, self._held, self._count = plan, held, _Count()
        file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
        schema = file.schema_arrow.remove_metadata()
        self._silver, self._quarantine = _File(silver_schema(plan.entity)), _File(schema)
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, use_threads=False).replace_schema_metadata(None)
            part = rejudge(plan, table, choice, found, refused - len(self._count.refused), facts)
            self._count.add(part)
            self._silver.write(part.silver)
            self._quarantine.write(part.quarantine)
        if self._count.moved + self._count.held != held.quarantine:
            raise LakeError(
                f"{held.quarantine_key} does not hold the {held.quarantine.rows:,} rows that the ledger says: "
                "run `nexus ledger check`"
            )
        count = self._count
        self.judged, self.passing = count.judged, count.moved.rows
        self.refusals, self.refused = count.refusals, count.refused
        # whether a row moves, or one that stays has other reasons than before
        self.changes = bool(count.moved.rows) or count.reasons != held.reasons

    def close(self, opened: Opened) -> Outputs:
        """The files of the revision that was opened for it, and what to tell the ledger then."""
        result, key, major = self._count, opened.metadata.key, self._plan.entity.major
        footer = OutputFooter(
            bronze=opened.metadata,
            bronze_etag=opened.etag,
            bronze_size=self._held.size,
            revision=opened.revision,
            contract_version=opened.contract_version,
            rules_hash=opened.rules_hash,
            silver_key=key.silver(major, opened.revision),
            silver=result.moved,
            quarantine_key=key.quarantine(major, opened.revision) if result.held.rows else "",
            quarantine=result.held,
            reasons=result.reasons,
            warnings=result.warnings,
            extras=result.extras,
            follows=opened.follows,
        )
        outcome = Outcome(
            silver_key=footer.silver_key,
            silver_rows=result.moved.rows,
            silver_hash_sum=result.moved.hash_sum,
            quarantine_key=footer.quarantine_key or None,
            quarantine_rows=result.held.rows,
            quarantine_hash_sum=result.held.hash_sum,
            reasons=result.reasons,
            warnings=result.warnings,
            extras=result.extras,
        )
        quarantine = self._quarantine.close(footer) if footer.quarantine_key else None
        return Outputs(self._silver.close(footer), quarantine, outcome)


def facts_of_bronze(plan: CheckPlan, held: Held, bronze: bytes) -> ObjectFacts:
    """What rules of loads and objects say of the Bronze object: its rows in Quarantine alone do not tell."""
    file = BronzeFile(source.WholeObject(bronze), plan.entity, held.metadata, confined=True)
    return find_facts(plan, file.column_names, file.columns)


def holds_whole_object(data: bytes) -> bool:
    """Whether a Quarantine object is the one row of a Bronze object that could not be read."""
    file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
    if file.metadata.num_rows != 1:
        return False
    return stands_for_object(file.read_row_group(0, use_threads=False))


class WholeObject:
    """A Bronze object that could not be read, checked once more: all of its rows are held, so all are judged anew."""

    def __init__(self, plan: CheckPlan, held: Held, data: bytes, environment: Mapping[str, str]) -> None:
        self._plan, self._held, self._data = plan, held, data
        self._environment = environment
        next_one = Opened(
            held.object_id,
            held.metadata,
            held.etag,
            plan.entity.version,
            "",
            held.revision + 1,
            1,
            held.revision,
        )
        outcome = self.close(next_one).outcome  # thrown away: only its counts are wanted
        self.judged, self.passing = held.metadata.rows, outcome.silver_rows
        self.refusals: Mapping[str, int] = outcome.reasons
        self.refused: Sequence[Refused] = ()
        self.changes = bool(outcome.silver_rows) or outcome.reasons != held.reasons

    def close(self, opened: Opened) -> Outputs:
        """The files that a check would write, as the revision that was opened."""
        return make_outputs_within(self._plan, opened, self._data, self._environment)


class _File:
    """A Parquet file in memory. Its options are fixed: two attempts make equal bytes."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = pa.BufferOutputStream()
        names = [f.name for f in schema if not pa.types.is_nested(f.type) and f.name not in _UNIQUE]
        # snappy: the Lambda layer's Arrow has no zstd
        self._writer = pq.ParquetWriter(
            self._sink, schema, version="2.6", compression="snappy", use_dictionary=names
        )

    def write(self, table: pa.Table) -> None:
        """One more row group, unless it is empty."""
        if len(table):
            self._writer.write_table(table, row_group_size=len(table))

    def close(self, footer: OutputFooter) -> bytes:
        """The file's bytes."""
        self._writer.add_key_value_metadata(footer.to_parquet())
        self._writer.close()
        data: bytes = self._sink.getvalue().to_pybytes()
        return data
