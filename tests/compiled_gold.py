"""Builds of Gold as the SQL that one `dbt compile` gives, run in DuckDB: a build in a fraction of dbt's time.

The steps of the materialization `increment` are written out once more here; histories that run through dbt itself
(tests/flow/test_gold_histories.py) hold them together. The real code says what changed and adds it to what is kept.

python -m tests.compiled_gold 2000 [FIRST SEED]    so many histories, on two cores
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.bronze import silver_schema
from lakehouse.catalog import load_entities
from local.dbt_build import BuiltModel, DbtOutcome, built_models, cleaned_up, dbt_arguments
from local.gold_files import WHOLE, changed_parts
from local.kept_gold import add_increment
from tests.builders.gold_history import Arrival, History, a_history

Tables = dict[str, list[tuple[Any, ...]]]
_READ = re.compile(r"read_parquet\(\s*\[\s*'<(\w+)>'\s*\],[^)]*\)")


class Step(NamedTuple):
    """A model, its SQL, and what its touched units come from: a model that names them, or the rows of an entity."""

    model: BuiltModel
    sql: str
    touched: str | None
    entity: str | None


@dataclass(frozen=True)
class CompiledGold:
    """The models in an order that can be run, as increments and in full."""

    increment: Sequence[Step]
    full: Sequence[Step]

    def tables_of_increments(self, history: History) -> Tables:
        """Every table after the last build: the first one is full, each later one adds what it finds new."""
        with _database() as db:
            waiting: list[Arrival] = []
            published: dict[str, dict[str, Any]] = {}
            begun = False
            for build in range(history.builds):
                waiting += [a for a in history.arrivals if a.build == build]
                steps = self.increment if begun else self.full
                if build < history.builds - 1:  # the last build makes what is not kept from what is
                    steps = [s for s in steps if s.model.unit or s.model.name.startswith("touched_")]
                _run(db, steps, waiting, adds=begun)
                if build not in history.failed:
                    built = DbtOutcome(db, tuple(step.model for step in steps), ())
                    _publish(built, published, adds=begun)
                    if begun:
                        add_increment(built)
                    else:
                        for model in built.models:
                            if model.unit:
                                db.execute(f"create table kept.{model.name} as from {model.name}")
                    begun, waiting = True, []
                _forget(db)
            tables = {
                name: sorted((row for rows in parts.values() for row in rows), key=repr)
                for name, parts in published.items()
            }
            kept = [step.model.name for step in self.increment if step.model.unit and begun]
            return tables | {f"kept {name}": _rows(db, f"kept.{name}") for name in kept}

    def tables_in_full(self, history: History) -> Tables:
        """The same tables, built at once from all that has arrived."""
        with _database() as db:
            _run(db, self.full, history.arrivals, adds=False)
            models = [step.model for step in self.full]
            tables = {m.name: _rows(db, m.name) for m in models if m.published}
            return tables | {f"kept {m.name}": _rows(db, m.name) for m in models if m.unit}

    def differing_tables(self, history: History) -> list[str]:
        """Names of tables that increments make otherwise than a full build."""
        ours, theirs = self.tables_of_increments(history), self.tables_in_full(history)
        return sorted(name for name in theirs if ours.get(name) != theirs[name])


def compile_gold(work_dir: Path) -> CompiledGold:
    """Runs `dbt compile`; in place of Silver's files stand names that the runs replace."""
    work_dir.mkdir(parents=True, exist_ok=True)
    rows = [{"entity": name, "path": f"<{name}>"} for name in load_entities()]
    pq.write_table(pa.Table.from_pylist(rows), work_dir / "silver_files.parquet")
    return CompiledGold(_compile(work_dir, full=False), _compile(work_dir, full=True))


def require_equal(compiled: CompiledGold, history: History) -> None:
    """AssertionError with the smallest history found, and its seed, when increments make another Gold."""
    differing = compiled.differing_tables(history)
    if differing:
        smallest = shrunk(history, lambda smaller: bool(compiled.differing_tables(smaller)))
        raise AssertionError(f"{differing} differ; the smallest such history:\n{smallest.told()}")


def shrunk(history: History, fails: Callable[[History], bool]) -> History:
    """A history that still fails, of which no row can be left out."""
    size = len(history.arrivals) // 2
    while size:
        start = 0
        while start < len(history.arrivals):
            rest = history.arrivals[:start] + history.arrivals[start + size :]
            smaller = history.with_arrivals(rest)
            if fails(smaller):
                history = smaller
            else:
                start += size
        size //= 2
    return history


def _compile(work_dir: Path, *, full: bool) -> list[Step]:
    from dbt.cli.main import dbtRunner

    with cleaned_up():
        answer = dbtRunner().invoke(dbt_arguments("compile", work_dir, full=full))
    assert answer.success, answer.exception
    nodes = {r.node.name: r.node for r in answer.result.results if r.node.resource_type == "model"}
    models = {model.name: model for model in built_models(nodes.values())}
    steps: list[Step] = []
    for name in _in_order(nodes):
        node = nodes[name]
        if node.config.materialized != "ephemeral":
            sql = _READ.sub(r"arrived_\1", node.compiled_code)
            assert "read_parquet" not in sql, name
            steps.append(
                Step(models[name], sql, node.config.extra.get("touched"), node.config.extra.get("entity"))
            )
    return steps


def _in_order(nodes: Mapping[str, Any]) -> Iterator[str]:
    by_id = {node.unique_id: name for name, node in nodes.items()}
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name not in done:
            done.add(name)
            for parent in nodes[name].depends_on.nodes:
                if parent in by_id:
                    yield from visit(by_id[parent])
            yield name

    for name in sorted(nodes):
        yield from visit(name)


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    # One thread: tables of a few rows, and the machine has other tests to run.
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("attach ':memory:' as kept")
        yield db


def _run(
    db: duckdb.DuckDBPyConnection, steps: Sequence[Step], arrivals: Sequence[Arrival], *, adds: bool
) -> None:
    for name, entity in load_entities().items():
        rows = [{"pos_topic": entity.topic, **a.row} for a in arrivals if a.entity == name]
        table = pa.Table.from_pylist(rows, silver_schema(entity))
        db.register("rows_that_arrived", table)
        db.execute(f"create table arrived_{name} as from rows_that_arrived")
        db.unregister("rows_that_arrived")
    for step in steps:
        name, unit = step.model.name, step.model.unit
        if not (adds and unit):
            db.execute(f"create table {name} as ({step.sql})")
            continue
        touched = (
            f"unit from {step.touched}" if step.touched else f"distinct {unit} from arrived_{step.entity}"
        )
        db.execute(f"create table {name}__touched(unit) as select {touched}")
        db.execute(
            f"create table {name}__before as from kept.{name} where {unit} in (select unit from {name}__touched)"
        )
        db.execute(f"create table {name}__after as ({step.sql})")
        db.execute(
            f"""create view {name} as
                select k.* from kept.{name} k anti join {name}__touched t on t.unit = k.{unit}
                union all from {name}__after"""
        )


def _publish(built: DbtOutcome, published: dict[str, dict[str, Any]], *, adds: bool) -> None:
    """Takes from the tables only the parts that are said to have changed."""
    for model in built.models:
        if not model.published:
            continue
        parts = published.setdefault(model.name, {})
        there = {WHOLE}
        if model.partition:
            there = {
                p
                for (p,) in built.database.execute(
                    f"select distinct {model.partition} from {model.name}"
                ).fetchall()
            }
        changed = changed_parts(built, model) if adds and model.unit else there
        for part in set(parts) - there:
            assert part in changed or part == WHOLE, (
                f"{model.name}: {part} is gone, and nothing has changed there"
            )
            del parts[part]
        for part in there & changed:
            only = f"where {model.partition} = '{part}'" if model.partition else ""
            parts[part] = _rows(built.database, f"{model.name} {only}")
        assert set(parts) == there, f"{model.name}: a part has come, and nothing has changed there"


def _rows(db: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    return sorted(db.execute(f"from {table}").fetchall(), key=repr)


def _forget(db: duckdb.DuckDBPyConnection) -> None:
    """What was built goes; what is kept stays."""
    for kind in ("view", "table"):
        sql = f"select {kind}_name from duckdb_{kind}s() where database_name = 'memory' and not internal"
        for (name,) in db.execute(sql).fetchall():
            db.execute(f"drop {kind} {name}")


def _told_difference(compiled: CompiledGold, seed: int) -> str | None:
    try:
        require_equal(compiled, a_history(seed))
    except AssertionError as error:
        return str(error)
    return None


def main(count: int, first: int) -> int:
    """Runs histories of the seeds from `first` on; 1 when one of them makes a difference, which is printed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        compiled = compile_gold(Path(folder))
        seeds = range(first, first + count)
        differences = [d for d in pool.map(partial(_told_difference, compiled), seeds, chunksize=10) if d]
    print(
        "\n".join(
            [
                *differences,
                f"{count:,} histories, {len(differences)} differ, {time.monotonic() - began:.0f} s",
            ]
        )
    )
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
