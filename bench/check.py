"""The check beside the floor: the same file read and the same typed columns written to two files, without any rule.

    python -m bench.check [--rows 1000000] [--large 5000000] [--rules 14] [--pairs 5]

Each run is a process of its own, on one thread, and its CPU seconds decide: the wall clock also measures what else runs
here. Memory is the most that the process ever held. Exit code 1 when a promise is broken.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adapters.ledger import Opened
from bench._check_file import orders, write_orders
from bench._peers import PEERS, PeerRun
from lakehouse.bronze import BronzeMetadata, silver_schema
from lakehouse.catalog import Entity
from lakehouse.cells import read_cells
from lakehouse.envelope import envelope_fields, envelope_rules
from lakehouse.row_check import CheckPlan
from lakehouse.rules.registry import compile_test
from lambdas.check_rows.outputs import write_rows
from lambdas.check_rows.source import RangedObject

MOST_TIMES, MOST_MB, MOST_MB_LARGE, MOST_IMPORT_S = 1.3, 400, 512, 0.4
ROOT = Path(__file__).parents[1]


def run_check(file: Path, metadata: BronzeMetadata, rules: int) -> dict[str, Any]:
    """What the Lambda does between two calls of S3."""
    entity = orders(rules)
    plan = CheckPlan(entity)
    opened = Opened(1, metadata, "e", entity.version, entity.rules_hash, 0, 1)
    with file.open("rb") as data:

        def fetch(start: int, length: int) -> bytes:
            data.seek(start)
            return data.read(length)

        source = RangedObject(file.stat().st_size, fetch)
        with file.with_suffix(".silver").open("wb") as silver, file.with_suffix(".held").open("wb") as held:
            start = time.process_time()
            outcome = write_rows(plan, opened, source, silver, held)
    return {
        "cpu_s": time.process_time() - start,
        "passed": outcome.silver_rows,
        "held": outcome.quarantine_rows,
    }


def run_floor(file: Path, metadata: BronzeMetadata, rules: int) -> dict[str, Any]:
    """Arrow alone: a row group at a time, its own casts, one row in fifty to the other file."""
    schema = silver_schema(orders(rules))
    rows = {"passed": 0, "held": 0}
    start = time.process_time()
    source = pq.ParquetFile(file)
    names = [name for name in schema.names if name in source.schema_arrow.names]
    wanted = pa.schema([schema.field(name) for name in names])
    repeating = [
        n for n in names if n not in ("event_id", "order_id", "customer_id", "pos_offset", "row_hash")
    ]
    options: dict[str, Any] = {"compression": "snappy", "version": "2.6", "use_dictionary": repeating}
    with (
        pq.ParquetWriter(file.with_suffix(".silver"), wanted, **options) as passed,
        pq.ParquetWriter(file.with_suffix(".held"), source.schema_arrow, **options) as held,
    ):
        for number in range(source.num_row_groups):
            table = source.read_row_group(number, use_threads=False)
            mask = np.zeros(len(table), bool)
            mask[::50] = True
            bad = table.filter(pa.array(mask))
            good = table.filter(pa.array(~mask))
            columns = [_cast(good.column(f.name), f.type) for f in wanted]
            passed.write_table(pa.table(columns, schema=wanted), row_group_size=len(good))
            held.write_table(bad, row_group_size=len(bad))
            rows["passed"] += len(good)
            rows["held"] += len(bad)
    return {"cpu_s": time.process_time() - start, **rows}


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type == wanted:
        return column
    if pa.types.is_timestamp(wanted) and pa.types.is_string(column.type):
        return pc.strptime(column, "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
    if pa.types.is_timestamp(wanted):
        return column.cast(pa.int64()).cast(wanted)
    return column.cast(wanted)


def run_rules(file: Path, metadata: BronzeMetadata, rules: int) -> dict[str, Any]:
    """Nanoseconds per row of every cast and every rule, alone, over a row group."""
    entity = orders(rules)
    table = pq.ParquetFile(file).read_row_group(0, use_threads=False)
    fields = {**{f.name: f for f in entity.fields}, **envelope_fields()}
    rows, cells, casts = len(table), {}, {}
    for name, field in fields.items():
        column = table.column(name).combine_chunks()
        cells[name] = read_cells(field, column, rows)
        casts[f"{name} ({field.kind.value})"] = _ns(partial(read_cells, field, column, rows), rows)
    tests = [*envelope_rules(entity), *((rule, compile_test(rule, fields)) for rule in entity.rules)]
    found = {f"{rule.id} ({rule.kind})": _ns(partial(test, cells), rows) for rule, test in tests}
    return {"casts": casts, "rules": found}


def _ns(work: Callable[[], object], rows: int) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.process_time_ns()
        work()
        best = min(best, time.process_time_ns() - start)
    return best / rows


def run_peer(peer: Callable[[Path, Entity, Path], PeerRun]) -> "Run":
    """Another engine over the same file and rules."""

    def run(file: Path, metadata: BronzeMetadata, rules: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            found = peer(file, orders(rules), Path(folder))
        return asdict(found) | {"cpu_s": found.cpu_seconds}

    return run


Run = Callable[[Path, BronzeMetadata, int], dict[str, Any]]
RUNS: Mapping[str, Run] = {
    "check": run_check,
    "floor": run_floor,
    "rules": run_rules,
    **{peer.__name__: run_peer(peer) for peer in PEERS},
}


def in_process(what: str, file: Path, rules: int) -> dict[str, Any]:
    """One of RUNS in a process of its own."""
    command = [sys.executable, "-m", "bench.check", "--run", what, "--file", str(file), "--rules", str(rules)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def import_seconds() -> float:
    """CPU seconds of importing the handler in a fresh process on one processor, as the function has; the least of some.

    With more of them numpy starts threads, whose seconds count and which Lambda does not start.
    """
    command = (
        "import os, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import lambdas.check_rows.handler; "
        "print(time.process_time())"
    )
    environment = {"PATH": os.defpath, "AWS_REGION": "us-east-1"}
    bare = [sys.executable, "-c", "import time; print(time.process_time())"]
    whole, none = (
        min(float(subprocess.check_output(one, cwd=ROOT, env=environment)) for _ in range(5))
        for one in ([sys.executable, "-c", command], bare)
    )
    return whole - none


def main() -> int:
    """Prints ratios, what each rule costs, and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=5_000_000)
    parser.add_argument(
        "--rules", type=int, default=14, help="of the contract, beside the eight of every envelope"
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--run", choices=[*RUNS, "write"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.run:
        return run_one(wish.run, wish.file, wish.rows, wish.rules)
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), wish)


def run_one(what: str, file: Path, rows: int, rules: int) -> int:
    """In a child: writes the file, or does what RUNS says with it; its figures as JSON."""
    facts = file.with_suffix(".json")
    if what == "write":
        facts.write_text(json.dumps(asdict(write_orders(file, rows))))
        return 0
    pa.set_cpu_count(1)
    found = RUNS[what](file, BronzeMetadata(**json.loads(facts.read_text())), rules)
    print(json.dumps(found | {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    return 0


def compare(folder: Path, wish: argparse.Namespace) -> int:
    """All figures; 1 when a promise is broken."""
    file, large = folder / "orders.parquet", folder / "large.parquet"
    for path, rows in ((file, wish.rows), (large, wish.large)):
        command = [
            sys.executable,
            "-m",
            "bench.check",
            "--run",
            "write",
            "--file",
            str(path),
            "--rows",
            str(rows),
        ]
        subprocess.run(command, cwd=ROOT, check=True)
    print(
        f"{wish.rows:,} orders, {file.stat().st_size / 1e6:.0f} MB of snappy, {wish.rules} + 8 rules, 2 % bad"
    )
    ratios, most = [], 0.0
    for number in range(wish.pairs):
        floor, check = in_process("floor", file, wish.rules), in_process("check", file, wish.rules)
        assert floor["held"] == check["held"], (floor, check)
        ratios.append(check["cpu_s"] / floor["cpu_s"])
        most = max(most, check["mb"])
        print(
            f"pair {number + 1}: floor {floor['cpu_s']:.2f} CPU s ({floor['mb']:.0f} MB)   "
            f"check {check['cpu_s']:.2f} CPU s ({check['mb']:.0f} MB)   ratio {ratios[-1]:.2f}",
            flush=True,
        )
    ratio = statistics.median(ratios)
    for peer in PEERS:
        found = in_process(peer.__name__, file, wish.rules)
        told = ["with reasons" if found["reasons"] else "without reasons"]
        told += [f"{found['lost']} rows in neither file"] if found["lost"] else []
        told += ["loses rows whose verdict is null"] if found["loses_nulls"] else []
        told += [f"cannot say {', '.join(found['left_out'])}"] if found["left_out"] else []
        print(
            f"peer {found['name']:24} {found['cpu_s']:6.2f} CPU s ({found['mb']:.0f} MB)   "
            f"{found['cpu_s'] / floor['cpu_s']:5.1f} x the floor, {found['failed']:,} rows held, {'; '.join(told)}",
            flush=True,
        )
    whole = in_process("check", large, wish.rules)
    costs = in_process("rules", file, wish.rules)
    for what in ("casts", "rules"):
        for name, ns in sorted(costs[what].items(), key=lambda item: -item[1]):
            print(f"  {what[:-1]:5} {name:60} {ns:7.1f} ns per row")
    seconds = import_seconds()
    print(f"middle ratio {ratio:.2f} (at most {MOST_TIMES})")
    print(f"most memory {most:.0f} MB at {wish.rows:,} rows (at most {MOST_MB})")
    print(
        f"most memory {whole['mb']:.0f} MB at {wish.large:,} rows (at most {MOST_MB_LARGE}), {whole['cpu_s']:.1f} CPU s"
    )
    print(f"import of the handler {seconds:.2f} CPU s (at most {MOST_IMPORT_S})")
    kept = (
        ratio <= MOST_TIMES and most <= MOST_MB and whole["mb"] <= MOST_MB_LARGE and seconds <= MOST_IMPORT_S
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
