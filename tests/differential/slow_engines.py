"""Great Expectations and dbt against plan and oracle: `python -m tests.differential.slow_engines 300`.

Tables of one contract are stacked into one frame, judged once and told apart afterwards.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.contracts import a_contract_of
from tests.differential.dbt_engine import dbt_answers
from tests.differential.engines import oracle_answers, plan_answers
from tests.differential.expectations_engine import Found, silver_answers, text_answers
from tests.differential.silver import Stacked, stacked

TABLES_OF_A_CONTRACT = 20
# Contracts of one dbt project: compiling costs it 5 s and 40 ms for each test.
CONTRACTS_OF_A_PROJECT = 50


@dataclass
class Tally:
    """Differences in words, and how many answers (a rule over the tables of a contract) each engine gave."""

    differences: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Takes in what another process found."""
        self.differences += other.differences
        self.answers += other.answers
        self.broken += other.broken


def compare(contracts: Sequence[int], tables: int = TABLES_OF_A_CONTRACT) -> Tally:
    """What the four engines say of these contracts, over so many tables of each."""
    tally = Tally()
    entities = [(number, a_contract_of(number)) for number in contracts]
    seeds = [[number * 1000 + table for table in range(tables)] for number in contracts]
    for (number, entity), own in zip(entities, seeds, strict=True):
        raw = stacked(entity, own, readable=False)
        _hold_together(
            tally, f"contract {number}, text", raw, {"Great Expectations over text": text_answers(raw)}
        )
    silver = [stacked(entity, own, readable=True) for (_, entity), own in zip(entities, seeds, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        by_dbt = dbt_answers(silver, Path(folder) / "dbt")
        for number, made, found in zip(contracts, silver, by_dbt, strict=True):
            answers = {"Great Expectations": silver_answers(made), "dbt": found}
            _hold_together(tally, f"contract {number}, Silver", made, answers)
    return tally


def _hold_together(tally: Tally, place: str, made: Stacked, others: dict[str, Found]) -> None:
    """Each engine against the oracle, rule by rule."""
    truth = _in_one(oracle_answers(made.entity, made.bronze))
    answers = {"plan": _in_one(plan_answers(made.entity, made.bronze)), **others}
    for engine, found in answers.items():
        for rule in made.entity.rules:
            if rule.id not in found:
                continue
            tally.answers[engine] += 1
            tally.broken[engine] += len(found[rule.id])
            wrong = sorted(found[rule.id] ^ truth[rule.id])
            if wrong:
                table, row = wrong[0]
                values = made.bronze[table].slice(row, 1).to_pylist()[0]
                tally.differences.append(
                    f"{place}, {engine}: {rule.id} {dict(rule.args)} of {rule.column} when {rule.when}: "
                    f"{len(wrong)} rows, such as table {made.seeds[table]} row {row}: "
                    f"{ {f.name: values[f.name] for f in made.entity.fields} } {values['op']}"
                )


def _in_one(answers: Sequence[Mapping[str, Collection[int]]]) -> Found:
    rules = {rule for answer in answers for rule in answer}
    return {
        rule: {(table, row) for table, answer in enumerate(answers) for row in answer.get(rule, ())}
        for rule in rules
    }


def main() -> int:
    """Prints each difference, and how many answers were compared."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.slow_engines")
    parser.add_argument("count", type=int, nargs="?", default=300, help="tables")
    parser.add_argument("--first", type=int, default=0, help="the contract to begin with")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    began, total = time.monotonic(), Tally()
    last = args.first + -(-args.count // TABLES_OF_A_CONTRACT)
    parts = [
        range(first, min(first + CONTRACTS_OF_A_PROJECT, last))
        for first in range(args.first, last, CONTRACTS_OF_A_PROJECT)
    ]
    with ProcessPoolExecutor(args.processes) as pool:
        for tally in pool.map(compare, parts):
            total.add(tally)
            for difference in tally.differences:
                print(difference)
    for engine, answers in total.answers.items():
        print(f"{engine}: {answers:,} answers, {total.broken[engine]:,} rows that break a rule")
    differing, seconds = len(total.differences), time.monotonic() - began
    print(f"{args.count:,} tables, engines against the oracle: {differing} differences, {seconds:.0f} s")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
