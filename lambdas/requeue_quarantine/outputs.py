"""The two files of a replayed revision, written row group by row group as the rows of Quarantine are judged."""

import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.ledger import Opened
from adapters.ledger.replays import Held
from lakehouse.bronze import silver_schema
from lakehouse.errors import LakeError
from lakehouse.object_facts import find_facts
from lakehouse.rejudge import Choice, Refused, Rejudged, rejudge, stands_for_object
from lakehouse.row_check import CheckPlan, ObjectFacts
from lakehouse.text_view import Mask
from lambdas.check_rows import source
from lambdas.check_rows.bronze_file import BronzeFile
from lambdas.check_rows.confinement import make_outputs_within
from lambdas.check_rows.outputs import Outputs
from lambdas.check_rows.revision import OutputFile, Tally, add_rows, close_revision


class _Count:
    """What became of an object's rows so far."""

    def __init__(self) -> None:
        self.tally, self.judged = Tally(), 0
        self.refusals: dict[str, int] = {}
        self.refused: list[Refused] = []

    def add(self, part: Rejudged) -> None:
        """One more row group."""
        tally = self.tally
        tally.silver += part.moved
        tally.quarantine += part.held
        add_rows(tally.reasons, part.reasons)
        add_rows(tally.warnings, part.warnings)
        add_rows(tally.extras, part.extras)
        add_rows(self.refusals, part.refusals)
        self.judged += part.judged
        self.refused += part.refused


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
        self._plan, self._held, count = plan, held, _Count()
        file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
        schema = file.schema_arrow.remove_metadata()
        self._bytes = io.BytesIO(), io.BytesIO()
        self._silver = OutputFile(silver_schema(plan.entity), self._bytes[0])
        self._quarantine = OutputFile(schema, self._bytes[1])
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, use_threads=False).replace_schema_metadata(None)
            part = rejudge(plan, table, choice, found, refused - len(count.refused), facts)
            count.add(part)
            self._silver.write(part.silver)
            self._quarantine.write(part.quarantine)
        self._tally = tally = count.tally
        if tally.silver + tally.quarantine != held.quarantine:
            raise LakeError(
                f"{held.quarantine_key} does not hold the {held.quarantine.rows:,} rows that the ledger says: "
                "run `nexus ledger check`"
            )
        self.judged, self.passing = count.judged, tally.silver.rows
        self.refusals, self.refused = count.refusals, count.refused
        # whether a row moves, or one that stays has other reasons than before
        self.changes = bool(tally.silver.rows) or tally.reasons != held.reasons

    def close(self, opened: Opened) -> Outputs:
        """The files of the revision that was opened for it, and what to tell the ledger then."""
        quarantine = self._quarantine if self._tally.quarantine.rows else None
        size = self._held.size
        outcome = close_revision(self._plan.entity, opened, size, self._tally, self._silver, quarantine)
        silver, held = (file.getvalue() for file in self._bytes)
        return Outputs(silver, held or None, outcome)


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
