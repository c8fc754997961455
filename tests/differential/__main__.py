"""Judges made-up tables by two engines: `python -m tests.differential 20000 --engine plan`. 1 when they disagree."""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from lakehouse.row_check import CheckPlan
from tests.differential.contracts import a_contract_of
from tests.differential.engines import ENGINES, answer_of, differences, split_differences
from tests.differential.tables import a_table
from tests.oracle import judge_rows

# Tables of one contract: compiling rules costs more than judging a table, above all in engines that speak SQL.
TABLES_OF_A_CONTRACT = 20


def compare(engine: str, contract: int, tables: int = TABLES_OF_A_CONTRACT) -> list[str]:
    """What the engine and the oracle disagree on over tables of this contract, each with the seeds that show it."""
    entity = a_contract_of(contract)
    seeds = [contract * 1000 + number for number in range(tables)]
    made = [a_table(entity, seed, troubled=engine == "plan") for seed in seeds]
    verdicts = [judge_rows(entity, table.to_pylist()) for table in made]
    answers = ENGINES[engine](entity, made)
    plan, told = CheckPlan(entity), []
    for seed, table, verdict, answer in zip(seeds, made, verdicts, answers, strict=True):
        found = differences(entity, answer, answer_of(entity, verdict))
        if engine == "plan":
            found += split_differences(plan, table, verdict)
        told += [f"contract {contract}, table {seed}: {difference}" for difference in found]
    return told


def all_differences(engine: str, count: int, first: int, processes: int) -> Iterator[str]:
    """Over `count` tables, from the contract `first` on."""
    contracts = range(first, first + -(-count // TABLES_OF_A_CONTRACT))
    with ProcessPoolExecutor(processes) as pool:
        for told in pool.map(partial(compare, engine), contracts, chunksize=4):
            yield from told


def main() -> int:
    """Prints each difference and how many there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("count", type=int, nargs="?", default=20_000, help="tables")
    parser.add_argument("--engine", choices=[name for name in ENGINES if name != "oracle"], default="plan")
    parser.add_argument("--first", type=int, default=0, help="the contract to begin with")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    began, differing = time.monotonic(), 0
    for difference in all_differences(args.engine, args.count, args.first, args.processes):
        differing += 1
        print(difference)
    seconds = time.monotonic() - began
    print(
        f"{args.count:,} tables, {args.engine} against the oracle: {differing} differences, {seconds:.0f} s"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
