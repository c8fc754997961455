"""Judges Bronze rows by their entity's contract, a table at a time. Pure: the same rows, the same verdicts.

Each row by the rules of the contract version it was written with; by the newest where that version is not known.
What each rule means stands in `docs/rules.md`; the naive row-by-row twin lives in the tests.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Entity, Field, Rule
from lakehouse.cells import Cells, read_cells
from lakehouse.envelope import DELETE, envelope_fields, envelope_rules
from lakehouse.paths import is_load
from lakehouse.rules.conditions import compile_condition
from lakehouse.rules.kind import Scope, Test
from lakehouse.rules.registry import columns_of, compile_test, kind_of
from lakehouse.text_view import Mask

_JUDGED_BY = ("raw_reason", "raw", "op", "contract_version")


@dataclass(frozen=True)
class ObjectFacts:
    """What `object_facts` found out about a whole object, by a step's number in its plan.

    `rows`: the rows of the object that break a load rule. `observed`: what is wrong with the object as a whole.
    """

    rows: Mapping[int, Mask] = field(default_factory=dict)
    observed: Mapping[int, str] = field(default_factory=dict)

    def of(self, rows: npt.NDArray[np.int64]) -> Self:
        """The same of some rows of the object, in this order."""
        return replace(self, rows={number: mask[rows] for number, mask in self.rows.items()})


@dataclass(frozen=True)
class Broken:
    """A rule and the rows that break it; `observed` instead of a cell where it is the object that does."""

    rule: Rule
    rows: Mask
    observed: str | None = None


@dataclass(frozen=True)
class Judgement:
    """The verdict on every row of a table.

    `undecodable` rows have no columns to judge. `former_version` names the contract version that a row is judged by,
    null for the newest. `broken` holds the rules that some row breaks, in contract order (envelope first, then the
    newest version's, then what only former ones have).
    """

    cells: Mapping[str, Cells]
    undecodable: Mask
    former_version: pa.StringArray
    broken: tuple[Broken, ...]

    @cached_property
    def rejected(self) -> Mask:
        """Rows for Quarantine: undecodable, or breaking a rule of severity error."""
        found = self.undecodable.copy()
        for one in self.broken:
            if one.rule.severity == "error":
                found |= one.rows
        return found


@dataclass(frozen=True)
class Step:
    """A rule, its test, whether it also concerns rows that delete their key, and the versions that have it.

    A load or object rule has its condition for a test. `versions` is None for a rule that all versions have.
    """

    rule: Rule
    test: Test | None
    for_deletes: bool
    versions: Collection[str] | None = None
    scope: Scope = Scope.ROW


class CheckPlan:
    """An entity's rules compiled for whole columns; make it once per process. ContractError for an unknown kind."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.fields: Mapping[str, Field] = {**{f.name: f for f in entity.fields}, **envelope_fields()}
        self._steps = (
            *(Step(rule, test, for_deletes=True) for rule, test in envelope_rules(entity)),
            *(self._step(rule, versions) for rule, versions in rules_of_versions(entity)),
        )

    def _step(self, rule: Rule, versions: Collection[str] | None) -> Step:
        for_deletes, scope = columns_of(rule) <= set(self.entity.key), kind_of(rule).scope
        if scope is Scope.ROW:
            return Step(rule, compile_test(rule, self.fields), for_deletes, versions)
        when = None if rule.when is None else compile_condition(rule.id, rule.when, self.fields)
        return Step(rule, when, for_deletes, versions, scope)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule in the order in which reasons are given."""
        return tuple(step.rule for step in self._steps)

    @cached_property
    def wide_steps(self) -> Mapping[int, Step]:
        """Those of load and object rules, by their number."""
        return {number: step for number, step in enumerate(self._steps) if step.scope is not Scope.ROW}

    def needs_facts(self, log: str) -> bool:
        """Whether an object of this log must be looked at as a whole before its rows are judged."""
        return bool(self.wide_steps) and is_load(log)

    @property
    def fact_columns(self) -> tuple[str, ...]:
        """What `object_facts` needs of the object, as far as it has them."""
        rules = [step.rule for step in self.wide_steps.values() if step.rule.kind != "columns_present"]
        return (*_JUDGED_BY, *sorted({name for rule in rules for name in columns_of(rule)}))

    def judge(self, table: pa.Table, facts: ObjectFacts | None = None, first_row: int = 0) -> Judgement:
        """The verdicts. The table's schema must be one in which `cells.schema_problem` found nothing.

        Args:
            facts: of the whole object; needed where `needs_facts` says so.
            first_row: number of the table's first row in the object.
        """
        assert facts is not None or not len(table) or not self.needs_facts(table.column("pos_log")[0].as_py())
        rows = BronzeRows.of(self, table, self.fields)
        broken = []
        for number, step in enumerate(self._steps):
            if step.versions is not None and not rows.versions.any_of(step.versions):
                continue
            observed = None
            if step.scope is Scope.ROW:
                assert step.test is not None
                mask = step.test(rows.cells)
            elif facts is not None and number in facts.rows:
                mask = facts.rows[number][first_row : first_row + rows.count]
            elif facts is not None and number in facts.observed:
                mask, observed = np.ones(rows.count, bool), facts.observed[number]
            else:
                continue
            if mask.any():
                mask = mask & rows.concerned(step)
            if mask.any():
                broken.append(Broken(step.rule, mask, observed))
        return Judgement(rows.cells, rows.undecodable, rows.versions.former_version(), tuple(broken))


@dataclass(frozen=True)
class BronzeRows:
    """The rows of one table as rules see them: the cells of those columns that it was asked for."""

    count: int
    cells: Mapping[str, Cells]
    undecodable: Mask
    deletes: Mask
    versions: "RowVersions"

    @classmethod
    def of(cls, plan: CheckPlan, table: pa.Table, names: Collection[str]) -> Self:
        """With the cells of these columns, op and contract version among them."""
        fields = {name: plan.fields[name] for name in names if name in plan.fields}
        cells = {name: read_cells(f, _column(table, name), len(table)) for name, f in fields.items()}
        return cls(
            count=len(table),
            cells=cells,
            undecodable=_present(table, "raw_reason") | _present(table, "raw"),
            deletes=pc.equal(cells["op"].values, DELETE).fill_null(False).to_numpy(zero_copy_only=False),
            versions=RowVersions(plan.entity, cells["contract_version"].values),
        )

    def concerned(self, step: Step) -> Mask:
        """Rows that a rule can hold for: decoded, no deletes unless it is about the key alone, of its versions."""
        found = ~self.undecodable if step.for_deletes else ~(self.undecodable | self.deletes)
        if step.versions is not None:
            found &= self.versions.rows_of(step.versions)
        return found

    def about(self, step: Step) -> Mask:
        """Those of them for which a load or object rule's condition holds."""
        found = self.concerned(step)
        return found if step.test is None else found & step.test(self.cells)


class RowVersions:
    """Which rows are judged by which contract version."""

    def __init__(self, entity: Entity, written_with: pa.Array) -> None:
        former = {
            one.version: pc.equal(written_with, one.version).fill_null(False).to_numpy(zero_copy_only=False)
            for one in entity.former
        }
        self._written_with = written_with
        self._older: Mask = np.logical_or.reduce([np.zeros(len(written_with), bool), *former.values()])
        self._masks: Mapping[str, Mask] = {**former, entity.version: ~self._older}

    def former_version(self) -> pa.StringArray:
        """Each row's, null for the newest."""
        return pc.if_else(pa.array(self._older), self._written_with, pa.scalar(None, pa.string()))

    def any_of(self, versions: Collection[str]) -> bool:
        """Whether any row is of one of them."""
        return any(self._masks[version].any() for version in versions)

    def rows_of(self, versions: Collection[str]) -> Mask:
        """Which rows are of one of them."""
        found: Mask = np.logical_or.reduce([self._masks[version] for version in versions])
        return found


def rules_of_versions(entity: Entity) -> Iterator[tuple[Rule, Collection[str] | None]]:
    """Every rule that differs, once, with the versions that have it (None: all): the newest's, then older ones'."""
    seen: list[Rule] = []
    for version in reversed(entity.versions):
        for rule in version.rules:
            if rule in seen:
                continue
            seen.append(rule)
            having = [one.version for one in entity.versions if rule in one.rules]
            yield rule, None if len(having) == len(entity.versions) else having


def _column(table: pa.Table, name: str) -> pa.Array | None:
    if name not in table.column_names:
        return None
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _present(table: pa.Table, name: str) -> Mask:
    column = table.column(name)
    if column.null_count == len(table):
        return np.zeros(len(table), bool)
    found: Mask = column.is_valid().to_numpy()
    return found
