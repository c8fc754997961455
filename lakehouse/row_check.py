"""Judges Bronze rows by their entity's contract, a table at a time. Pure: the same rows, the same verdicts.

Each row by the rules of the contract version it was written with; by the newest where that version is not known.
What each rule means stands in `docs/rules.md`; the naive row-by-row twin lives in the tests.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Entity, Field, Rule
from lakehouse.cells import Cells, read_cells
from lakehouse.envelope import DELETE, envelope_fields, envelope_rules
from lakehouse.rules.kind import Test
from lakehouse.rules.registry import columns_of, compile_test
from lakehouse.text_view import Mask


@dataclass(frozen=True)
class Judgement:
    """The verdict on every row of a table.

    `undecodable` rows have no columns to judge. `former_version` names the contract version that a row is judged by,
    null for the newest. `broken` holds the rules that some row breaks, in contract order (envelope first, then the
    newest version's, then what only former ones have), each with a mask of its rows.
    """

    cells: Mapping[str, Cells]
    undecodable: Mask
    former_version: pa.StringArray
    broken: tuple[tuple[Rule, Mask], ...]

    @cached_property
    def rejected(self) -> Mask:
        """Rows for Quarantine: undecodable, or breaking a rule of severity error."""
        found = self.undecodable.copy()
        for rule, mask in self.broken:
            if rule.severity == "error":
                found |= mask
        return found


@dataclass(frozen=True)
class _Step:
    """A rule, its test, whether it also concerns rows that delete their key, and the versions that have it.

    `versions` is None for a rule that all versions have.
    """

    rule: Rule
    test: Test
    for_deletes: bool
    versions: Collection[str] | None = None


class CheckPlan:
    """An entity's rules compiled for whole columns; make it once per process. ContractError for an unknown kind."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self._fields: Mapping[str, Field] = {**{f.name: f for f in entity.fields}, **envelope_fields()}
        self._steps = (
            *(_Step(rule, test, for_deletes=True) for rule, test in envelope_rules(entity)),
            *(
                _Step(rule, compile_test(rule, self._fields), columns_of(rule) <= set(entity.key), versions)
                for rule, versions in rules_of_versions(entity)
            ),
        )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule in the order in which reasons are given."""
        return tuple(step.rule for step in self._steps)

    def judge(self, table: pa.Table) -> Judgement:
        """The verdicts. The table's schema must be one in which `cells.schema_problem` found nothing."""
        cells = {
            name: read_cells(field, _column(table, name), len(table)) for name, field in self._fields.items()
        }
        undecodable = _present(table, "raw_reason") | _present(table, "raw")
        deletes = pc.equal(cells["op"].values, DELETE).fill_null(False).to_numpy(zero_copy_only=False)
        judged_by = _RowVersions(self.entity, cells["contract_version"].values)
        broken = []
        for step in self._steps:
            if step.versions is not None and not judged_by.any_of(step.versions):
                continue
            mask = step.test(cells)
            if not mask.any():
                continue
            mask = mask & ~undecodable if step.for_deletes else mask & ~(undecodable | deletes)
            if step.versions is not None:
                mask &= judged_by.rows_of(step.versions)
            if mask.any():
                broken.append((step.rule, mask))
        return Judgement(cells, undecodable, judged_by.former_version(), tuple(broken))


class _RowVersions:
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
        return pc.if_else(pa.array(self._older), self._written_with, pa.scalar(None, pa.string()))

    def any_of(self, versions: Collection[str]) -> bool:
        return any(self._masks[version].any() for version in versions)

    def rows_of(self, versions: Collection[str]) -> Mask:
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
