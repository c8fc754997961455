"""Rows of Quarantine judged once more, by the rules of now or with edits over them: which move, which stay and why.

Pure: the same rows, rules and edits, the same answer. A row that stays is as it came; it has the reasons of now where
it was judged without an edit, else those it had.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.balance import Amount
from lakehouse.bronze import CHECK_FIELDS
from lakehouse.edits import Edited, Edits
from lakehouse.envelope import UNDECODABLE
from lakehouse.row_check import CheckPlan, ObjectFacts
from lakehouse.split import Origin, split_rows
from lakehouse.text_view import Mask

_CHECKS = [field.name for field in CHECK_FIELDS]


@dataclass(frozen=True)
class Refused:
    """A row that was judged once more and stays. `reasons` are those of the row as edited."""

    event_id: str
    position: str
    reasons: Sequence[Mapping[str, str | None]]


@dataclass(frozen=True)
class Rejudged:
    """`silver` holds the rows that move, `quarantine` those that stay: both together the rows given.

    `judged` rows were looked at. `reasons` counts the staying rows by rule, `warnings` the moving ones, `refusals` by
    rule those that were judged and stay, as edited; `extras` counts judged rows by unknown column.
    """

    silver: pa.Table
    quarantine: pa.Table
    moved: Amount
    held: Amount
    judged: int
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]
    refusals: Mapping[str, int]
    refused: Sequence[Refused]
    extras: Mapping[str, int]


@dataclass(frozen=True)
class Choice:
    """Which rows of Quarantine are meant: all, those that break a rule, of an event, or that an edit names."""

    rule: str = ""
    event: str = ""
    edits: Edits | None = None

    def of(self, held: pa.Table, edited: Edited | None) -> Mask:
        """The rows meant."""
        chosen: Mask = np.ones(len(held), bool) if edited is None else edited.named.copy()
        if self.rule:
            chosen &= _breaking(held, self.rule)
        if self.event:
            chosen &= pc.equal(held.column("event_id"), self.event).fill_null(False).to_numpy()
        return chosen


def stands_for_object(held: pa.Table) -> bool:
    """Whether this is the one row of an object that could not be read: to be read again, not judged.

    Reasons of ours are in capitals, a contract's rules are not.
    """
    rules = pc.unique(
        pc.struct_field(pc.list_flatten(held.column("reasons").combine_chunks()), "rule")
    ).to_pylist()
    return any(rule != UNDECODABLE and rule.isupper() for rule in rules)


def rejudge(
    plan: CheckPlan,
    held: pa.Table,
    choice: Choice,
    found: Mask,
    most_refused: int = 0,
    facts: ObjectFacts | None = None,
) -> Rejudged:
    """Judges the rows meant.

    Args:
        held: rows of a Quarantine object.
        facts: of the whole Bronze object, where `plan.needs_facts` says so: as it came, without edits.
        found: a place for each row of the edits, set to true for those that are among `held`.
        most_refused: how many refused rows to tell of, at most.
    """
    bronze = held.drop_columns([name for name in _CHECKS if name in held.column_names])
    edited = choice.edits.apply(bronze, found) if choice.edits else None
    chosen = choice.of(held, edited)
    places = np.flatnonzero(chosen)
    subject = (edited.table if edited else bronze).filter(pa.array(chosen))
    if facts is not None:
        facts = facts.of(held.column("bronze_row").to_numpy()[places])
    split = split_rows(plan, subject, Origin("", 0, plan.entity.version), facts)
    stays_at = split.quarantine.column("bronze_row").to_numpy()  # places in the subject
    moves = chosen.copy()
    moves[places[stays_at]] = False
    silver = _with_edits(split.silver, edited, moves, choice.edits)
    quarantine = _staying(held, split.quarantine, places[stays_at], moves, edited)
    everything = _amount(held)
    return Rejudged(
        silver=silver,
        quarantine=quarantine,
        moved=split.passed,
        held=everything - split.passed,
        judged=len(places),
        reasons=count_reasons(quarantine),
        warnings=split.warnings,
        refusals=split.reasons,
        refused=_refused(split.quarantine.slice(0, most_refused)),
        extras=split.extras,
    )


def count_reasons(quarantine: pa.Table) -> dict[str, int]:
    """Rows by rule; no rule stands twice in a row's reasons."""
    reasons = quarantine.column("reasons").combine_chunks()
    return dict(Counter(pc.struct_field(pc.list_flatten(reasons), "rule").to_pylist()))


def _breaking(held: pa.Table, rule: str) -> Mask:
    reasons = held.column("reasons").combine_chunks()
    rows = pc.list_parent_indices(reasons).to_numpy()
    same = pc.equal(pc.struct_field(pc.list_flatten(reasons), "rule"), rule).to_numpy(zero_copy_only=False)
    found = np.zeros(len(held), bool)
    found[rows[same]] = True
    return found


def _with_edits(silver: pa.Table, edited: Edited | None, moves: Mask, edits: Edits | None) -> pa.Table:
    if edited is None or edits is None:
        return silver
    changed = [edited.changed[place] for place in np.flatnonzero(moves).tolist()]
    notes = [edits.note.of(columns) if columns else None for columns in changed]
    return silver.set_column(
        silver.schema.get_field_index("edit"), silver.schema.field("edit"), pa.array(notes, pa.string())
    )


def _staying(
    held: pa.Table, judged: pa.Table, places: np.ndarray, moves: Mask, edited: Edited | None
) -> pa.Table:
    """Rows that do not move; reasons and version of judged ones are new, unless it was an edit that was judged."""
    source = np.arange(len(held))
    fresh = np.ones(len(places), bool)
    if edited is not None:
        fresh = np.array([not edited.changed[place] for place in places.tolist()], bool)
    source[places[fresh]] = len(held) + np.flatnonzero(fresh)
    made = held
    for name in ("reasons", "judged_by"):
        both = pa.concat_arrays([held.column(name).combine_chunks(), judged.column(name).combine_chunks()])
        made = made.set_column(
            made.schema.get_field_index(name), made.schema.field(name), both.take(pa.array(source))
        )
    return made.filter(pa.array(~moves))


def _refused(judged: pa.Table) -> list[Refused]:
    names = ("event_id", "pos_log", "pos_topic", "pos_partition", "pos_offset", "reasons")
    rows = judged.select(names).to_pylist()
    return [
        Refused(row["event_id"], "/".join(str(row[name]) for name in names[1:5]), row["reasons"])
        for row in rows
    ]


def _amount(table: pa.Table) -> Amount:
    hashes = table.column("row_hash").to_numpy().view(np.uint64)
    return Amount(len(table), int(hashes.sum(dtype=np.uint64)))
