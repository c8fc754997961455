"""Broken files without end: `python -m tests.fuzz [--seconds 600] [--first NUMBER]`; `make fuzz`.

A worker process takes numbers one by one, makes the file of each and checks it as the Lambda does. No file may bring it
down, hold it up, raise what is no verdict, or lose a row; the number of one that does is printed.
"""

import argparse
import io
import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa

from adapters.ledger import Opened
from lakehouse.row_check import CheckPlan
from lambdas.check_rows.bronze_file import SuspiciousObject
from lambdas.check_rows.outputs import make_outputs, write_rows
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.source import WholeObject
from tests.builders.mutated import ORDERS, Mutated, mutated

ROOT = Path(__file__).parents[1]
_PLAN = CheckPlan(ORDERS)
_LONGEST_S = 20  # of a file of 20 kB, on a machine that is busy with other things
_MEMORY = 1536 * 2**20  # above this a worker has no business: the files have kilobytes


def verdict(one: Mutated) -> str:
    """What became of the file: `rows` or the code of the whole object. AssertionError when a row is lost."""
    opened = Opened(1, one.metadata, "e", ORDERS.version, ORDERS.rules_hash, 0, 1)
    suspicious = ""
    try:
        write_rows(_PLAN, opened, WholeObject(one.data), io.BytesIO(), io.BytesIO())
    except SuspiciousObject:
        suspicious = ", suspicious"
    except UnreadableObject:
        suspicious = ""
    try:
        outcome = make_outputs(_PLAN, opened, len(one.data), one.data).outcome
    except MemoryError:
        return "RESOURCE (memory)" + suspicious
    rows = outcome.silver_rows + outcome.quarantine_rows
    total = (outcome.silver_hash_sum + outcome.quarantine_hash_sum) % 2**64
    assert (rows, total) == (one.metadata.rows, one.metadata.hash_sum), "a row is lost"
    codes = {"UNREADABLE", "ENCRYPTED", "CODEC", "RESOURCE"}.intersection(outcome.reasons)
    return (codes.pop() if codes else "rows") + suspicious


def work(first: int, count: int) -> None:
    """A worker: a line of JSON per file."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def too_long(_signum: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"longer than {_LONGEST_S} s")

    signal.signal(signal.SIGALRM, too_long)
    for number in range(first, first + count):
        one = mutated(number)
        print(json.dumps([number, None, one.name]), flush=True)
        signal.alarm(_LONGEST_S)
        try:
            found = verdict(one)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            found = f"DEFECT {type(error).__name__}: {error}"
        signal.alarm(0)
        print(json.dumps([number, found, one.name]), flush=True)


def fuzz(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """Verdicts of so many files, and what is wrong with the hop. A worker that died is followed by another."""
    counts: Counter[str] = Counter()
    defects = []
    end = first + count
    while first < end:
        command = [sys.executable, "-m", "tests.fuzz", "--work", str(first), str(end - first)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False, env=_environment())
        last: list[Any] = [first, None, "not begun"]
        for line in done.stdout.splitlines():
            last = json.loads(line)
            _, found, name = last
            if found is None:
                continue
            counts[found.partition(":")[0]] += 1
            if found.startswith("DEFECT"):
                defects.append(f"{name}: {found}")
        if last[1] is None:
            counts["DEFECT died"] += 1
            defects.append(f"{last[2]}: the worker ended with {done.returncode}")
        first = int(last[0]) + 1
    return counts, defects


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}


def main() -> int:
    """Prints counts by verdict; 1 when there is a defect."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--first", type=int, default=1_000_000, help="number of the first file")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.work:
        work(*wish.work)
        return 0
    until, first = time.monotonic() + wish.seconds, wish.first
    counts: Counter[str] = Counter()
    defects: list[str] = []
    while time.monotonic() < until:
        found, wrong = fuzz(first, 500)
        counts, defects, first = counts + found, defects + wrong, first + 500
    print(f"{counts.total():,} files, numbers {wish.first} to {first - 1}")
    for name, number in counts.most_common():
        print(f"{number:9,}  {name}")
    for defect in defects:
        print(f"  {defect}")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
