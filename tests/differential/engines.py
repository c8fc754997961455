"""Who judges: each engine names, table by table, the rows that break each rule.

An engine of its own: a function of an entity and its tables, registered in `ENGINES`; rules that it cannot express are
not in its answer. `plan` and `oracle` know all.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from lakehouse.catalog import Entity
from lakehouse.object_facts import find_facts
from lakehouse.row_check import CheckPlan, ObjectFacts
from lakehouse.split import Origin, split_rows
from tests.oracle import RowVerdict, judge_rows, quantized

Answer = Mapping[str, Collection[int]]
"""By a rule's id the rows that break it, from 0; rules of severity warn are told of rejected rows too."""

Engine = Callable[[Entity, Sequence[pa.Table]], Sequence[Answer]]


def plan_answers(entity: Entity, tables: Sequence[pa.Table]) -> list[Answer]:
    """What runs in the check hop, cut into row groups of sixteen."""
    plan = CheckPlan(entity)
    return [_plan_answer(plan, table) for table in tables]


def _plan_answer(plan: CheckPlan, table: pa.Table) -> Answer:
    found: dict[str, set[int]] = {rule.id: set() for rule in plan.rules}
    facts = facts_of(plan, table)
    for first, part in _row_groups(table):
        for broken in plan.judge(part, facts, first).broken:
            found[broken.rule.id] |= {first + int(row) for row in broken.rows.nonzero()[0]}
    return found


def facts_of(plan: CheckPlan, table: pa.Table) -> ObjectFacts | None:
    """The facts of the table as an object, read in row groups as the check hop does."""
    if not len(table) or not plan.needs_facts(table.column("pos_log")[0].as_py()):
        return None

    def read(names: Collection[str]) -> Iterable[pa.Table]:
        kept = [name for name in table.column_names if name in names]
        return (part.select(kept) for _, part in _row_groups(table))

    return find_facts(plan, table.column_names, read)


def _row_groups(table: pa.Table) -> Iterable[tuple[int, pa.Table]]:
    return ((first, table.slice(first, 16).combine_chunks()) for first in range(0, len(table), 16))


def oracle_answers(entity: Entity, tables: Sequence[pa.Table]) -> list[Answer]:
    """The plain loop."""
    return [answer_of(entity, judge_rows(entity, table.to_pylist())) for table in tables]


def answer_of(entity: Entity, verdicts: Sequence[RowVerdict]) -> Answer:
    """The oracle's verdicts turned round: by rule."""
    found: dict[str, set[int]] = defaultdict(set, {rule.id: set() for rule in entity.rules})
    for row, verdict in enumerate(verdicts):
        for id_ in (*(rule for rule, *_ in verdict.reasons), *verdict.warnings):
            found[id_].add(row)
    return found


ENGINES: dict[str, Engine] = {"plan": plan_answers, "oracle": oracle_answers}


def differences(entity: Entity, one: Answer, two: Answer) -> list[str]:
    """Rule by rule, those that both engines express and whose rows differ."""
    told = []
    for rule in entity.rules:
        mine, yours = one.get(rule.id), two.get(rule.id)
        if mine is not None and yours is not None and set(mine) != set(yours):
            only = sorted(set(mine) - set(yours)), sorted(set(yours) - set(mine))
            told.append(
                f"{rule.id} {dict(rule.args)} of {rule.column} when {rule.when}: rows {only[0]} | {only[1]}"
            )
    return told


def split_differences(plan: CheckPlan, table: pa.Table, verdicts: Sequence[RowVerdict]) -> list[str]:
    """The plan's two outputs against the oracle's verdicts: the reasons, warnings and values of each row."""
    entity = plan.entity
    split = split_rows(plan, table, Origin("some/key", 0, entity.version), facts_of(plan, table))
    rows = list(enumerate(zip(table.to_pylist(), verdicts, strict=True)))
    silver, quarantine = split.silver.to_pylist(), split.quarantine.to_pylist()
    passed = [
        {f.name: quantized(f, verdict.values[f.name]) for f in entity.fields}
        | {"row_hash": row["row_hash"], "warnings": verdict.warnings}
        for _, (row, verdict) in rows
        if not verdict.reasons
    ]
    # Cells of other types have another text in Arrow than in Python.
    as_text = all(
        table.schema.field(f.name).type == pa.string() for f in entity.fields if f.name in table.schema.names
    )
    held = [
        (n, [(rule, name, value if as_text else None, text) for rule, name, value, text in verdict.reasons])
        for n, (_, verdict) in rows
        if verdict.reasons
    ]
    made = [
        (
            row["bronze_row"],
            [(r["rule"], r["column"], r["value"] if as_text else None, r["message"]) for r in row["reasons"]],
        )
        for row in quarantine
    ]
    told = [
        f"Silver: {mine} | {yours}"
        for mine, yours in zip(silver, passed, strict=False)
        if not yours.items() <= mine.items()
    ]
    told += [
        f"Quarantine: {mine} | {yours}" for mine, yours in zip(made, held, strict=False) if mine != yours
    ]
    return told + (
        []
        if (len(silver), len(made)) == (len(passed), len(held))
        else [f"{len(made)} | {len(held)} rows held"]
    )
