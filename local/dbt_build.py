"""Runs the dbt project of this repository in this process: no telemetry, nothing on stdout, files only where told."""

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import duckdb

from lakehouse.errors import RuntimeFault
from local.gold import Finding, ModelDoc

log = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent / "dbt"

# Steps done, steps in all (0 until dbt has counted them), what has just been done. Never called by two threads at once.
Progress = Callable[[int, int, str], None]

CONTRACT_TESTS = "tag:contract"  # in dbt/: the rules of the contracts as tests over all of Silver

_FINISHED = {
    "LogModelResult": "total",
    "LogTestResult": "num_models",
}  # dbt's event → where it counts all steps
_BAD = ("error", "fail", "runtime error")
_MESSAGE_LINES = 8  # of a database's complaint: enough for the error and where it points
_ROWS_SHOWN = (
    1_000  # of each test that found rows: enough to see the pattern, and no file that fills the disk
)


class ModelFailed(RuntimeFault):
    """Models or tests failed, so nothing is published; `problems` has one text for each."""

    def __init__(self, problems: Sequence[str], log: Path) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Gold was not built; what is published stays as it was.\n{listed}\nMore in {log}")
        self.problems = tuple(problems)


class SilverBroken(RuntimeFault):
    """Rows of Silver break rules of severity error, which the check hop lets nothing pass; one text for each rule."""

    def __init__(self, problems: Sequence[str], log: Path) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"Silver holds what its contracts do not allow, or could not be tested.\n{listed}\nMore in {log}"
        )
        self.problems = tuple(problems)


@dataclass
class _Steps:
    """Counts finished models and tests; dbt reports them from its worker threads."""

    progress: Progress
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Any) -> None:
        if event.info.name not in _FINISHED:
            return
        total = getattr(event.data, _FINISHED[event.info.name])
        with self.lock:
            self.done += 1
            self.progress(self.done, total, event.data.node_info.node_name)


@dataclass
class _Troubles:
    """Writes what dbt warns of, from whichever thread."""

    file: TextIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Any) -> None:
        if event.info.level in ("warn", "error"):
            with self.lock:
                self.file.write(f"{event.info.ts.ToJsonString()} [{event.info.level}] {event.info.msg}\n")


@dataclass(frozen=True)
class BuiltModel:
    """A table in the database of the build. `unit` is set when it is kept, `partition` when its files are split."""

    doc: ModelDoc
    published: bool
    unit: str | None = None
    partition: str | None = None

    @property
    def name(self) -> str:
        """Name of model and table."""
        return self.doc.name


@dataclass(frozen=True)
class DbtOutcome:
    """What a successful run leaves: its in-memory database, its models by name, and what tests of severity warn found.

    Of a kept model of an increment there are also <name>__touched (units), <name>__before and <name>__after.
    """

    database: duckdb.DuckDBPyConnection
    models: tuple[BuiltModel, ...]
    findings: tuple[Finding, ...]


@contextmanager
def dbt_built(
    work_dir: Path, progress: Progress, *, full: bool, leave_out: Sequence[str] = ()
) -> Iterator[DbtOutcome]:
    """`dbt build` of the local target; `work_dir` (absolute) takes all that dbt writes. The tables live in the block.

    The file list of Silver must stand in it, and unless `full` what earlier builds have kept. `leave_out` names dbt
    selectors. Not for two threads at once: dbt changes the working directory while it runs. Raises ModelFailed naming
    every model and test that failed; rows that tests found are kept in `found/`.
    """
    with _ran(dbt_arguments("build", work_dir, full=full, leave_out=leave_out), work_dir, progress) as ran:
        if ran.problems:
            raise ModelFailed(ran.problems, _log_of(work_dir))
        nodes = [result.node for result in ran.results]
        yield DbtOutcome(ran.database, built_models(nodes), _findings(ran.results))


def contract_findings(work_dir: Path, progress: Progress) -> tuple[Finding, ...]:
    """The rules of the contracts as tests over all of Silver: what rules of severity warn find.

    As for `dbt_built`, the file list of Silver must stand in `work_dir`. SilverBroken for rules of severity error.
    """
    arguments = [*dbt_arguments("test", work_dir, full=False, contracts=True), "--select", CONTRACT_TESTS]
    with _ran(arguments, work_dir, progress) as ran:
        if ran.problems:
            raise SilverBroken(ran.problems, _log_of(work_dir))
        return _findings(ran.results)


class _Run(NamedTuple):
    results: list[Any]
    problems: Sequence[str]
    database: duckdb.DuckDBPyConnection


@contextmanager
def _ran(arguments: Sequence[str], work_dir: Path, progress: Progress) -> Iterator[_Run]:
    """What dbt did, with its database; rows that tests found are kept in `found/`."""
    progress(0, 0, "reading the models")
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    shutil.rmtree(work_dir / "found", ignore_errors=True)
    with cleaned_up(), _troubles_in(_log_of(work_dir)) as troubles:
        models = _parsed(work_dir, troubles)
        answer = dbtRunner(models, [_Steps(progress), troubles]).invoke(list(arguments))
        if isinstance(answer.exception, KeyboardInterrupt):
            raise answer.exception
        results = list(getattr(answer.result, "results", None) or ())
        found = [result for result in results if str(result.status) in ("fail", "warn")]
        if found:
            _keep_rows(DuckDBConnectionManager.env().handle().cursor(), found, work_dir / "found")
        problems = [_problem(result, work_dir) for result in results if str(result.status) in _BAD]
        if answer.exception is not None:
            problems.append(_trimmed(str(answer.exception)))
        if not problems and not answer.success:
            problems.append("dbt gave no reason")
        if not results:
            yield _Run([], problems or ["dbt found nothing to do"], duckdb.connect(":memory:"))
            return
        yield _Run(results, problems, DuckDBConnectionManager.env().handle().cursor())


def dbt_arguments(
    command: str, work_dir: Path, *, full: bool, leave_out: Sequence[str] = (), contracts: bool = False
) -> list[str]:
    """The words of `dbt <command>` for the local target; `contracts`: with the rules of the contracts over Silver."""
    # The check hop has judged each row of Silver. In a full build nobody asks what is touched.
    judged = () if contracts else (CONTRACT_TESTS,)
    left_out = [*leave_out, *judged, *(("path:models/touched",) if full else ())]
    return [
        command,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "local"),
        *("--target-path", str(work_dir / "target"), "--log-path", str(work_dir / "logs")),
        # The same text in every build of a lake: another one would make dbt parse the whole project again.
        *("--vars", json.dumps({"work_dir": str(work_dir)})),
        # Nor its own log: it would put every event into words, and then drop all but the warnings.
        *("--log-level", "none", "--log-level-file", "none", "--quiet", "--no-print", "--no-use-colors"),
        *("--no-send-anonymous-usage-stats", "--no-version-check"),
        # 2 of 12 CPU seconds: nobody reads the JSON, and a database made a moment ago has nothing to list.
        *("--no-write-json", "--no-populate-cache"),
        *(("--full-refresh",) if full else ()),
        # Without those tests too that read what is left out.
        *(("--exclude", *left_out) if left_out and command != "parse" else ()),
    ]


@contextmanager
def cleaned_up() -> Iterator[None]:
    """Takes from dbt what it keeps for the next run of the process: the in-memory database."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    folder = Path.cwd()
    try:
        yield
    finally:
        DuckDBConnectionManager.close_all_connections()
        os.chdir(folder)


def _log_of(work_dir: Path) -> Path:
    return work_dir / "logs" / "dbt.log"


@contextmanager
def _troubles_in(log: Path) -> Iterator[_Troubles]:
    """The file has those of the last build alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        yield _Troubles(file)


# What this process has parsed: models of one lake, as they were. A process that builds again does not parse again.
_models: dict[tuple[Path, str], Any] = {}


def _parsed(work_dir: Path, troubles: _Troubles) -> Any:
    """The project's models as they are now; a copy, as dbt notes in it what it has compiled, and takes it for new."""
    from dbt.cli.main import dbtRunner

    digest = models_digest()
    if (work_dir, digest) not in _models:
        _models.clear()
        _forget_other_models(work_dir / "target", digest)
        answer = dbtRunner(callbacks=[troubles]).invoke(dbt_arguments("parse", work_dir, full=False))
        if isinstance(answer.exception, KeyboardInterrupt):
            raise answer.exception
        if not answer.success:
            raise ModelFailed([_trimmed(str(answer.exception))], _log_of(work_dir))
        _models[work_dir, digest] = answer.result
    return _models[work_dir, digest].deepcopy()


def _keep_rows(database: Any, results: Sequence[Any], folder: Path) -> None:
    """One CSV file per test that found rows. Best effort: without them the test has still said how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        path = str(folder / f"{result.node.name}.csv").replace("'", "''")
        try:
            database.execute(
                f"copy (from ({result.node.compiled_code}) limit {_ROWS_SHOWN}) to '{path}' (format csv, header)"
            )
        except (duckdb.Error, RuntimeError) as error:
            log.warning("the rows of %s are not kept: %s", result.node.name, error)


def _problem(result: Any, work_dir: Path) -> str:
    kind = str(getattr(result.node, "resource_type", "step"))
    name = result.node.name
    if str(result.status) == "fail":
        about = f" ({result.node.description})" if getattr(result.node, "description", "") else ""
        rows = "1 row breaks" if result.failures == 1 else f"{result.failures} rows break"
        return f"test {name}: {rows} it{about}; see {work_dir / 'found' / name}.csv"
    return f"{kind} {name}: {_trimmed(result.message or '')}"


def _trimmed(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Runtime Error in "):  # names the model once more
        del lines[0]
    return "\n    ".join(lines[:_MESSAGE_LINES])


def built_models(nodes: Iterable[Any]) -> tuple[BuiltModel, ...]:
    """The models among dbt's nodes, by name."""
    models = [node for node in nodes if node.resource_type == "model"]
    return tuple(
        BuiltModel(
            ModelDoc(n.name, n.description, {name: column.description for name, column in n.columns.items()}),
            published=bool(n.config.meta.get("published")),
            unit=n.config.extra["unit"] if n.config.materialized == "increment" else None,
            partition=n.config.meta.get("partition"),
        )
        for n in sorted(models, key=lambda n: n.name)
    )


def _findings(results: list[Any]) -> tuple[Finding, ...]:
    warned = [r for r in results if str(r.status) == "warn"]
    found = (Finding(r.node.name, r.node.description, int(r.failures or 0)) for r in warned)
    return tuple(sorted(found, key=lambda f: f.test))


def models_digest() -> str:
    """SHA-256 over the dbt project: what other models have made is not added to."""
    digest = hashlib.sha256()
    for path in sorted(p for suffix in ("sql", "yml") for p in PROJECT.rglob(f"*.{suffix}")):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _forget_other_models(target: Path, models: str) -> None:
    """Drops what dbt has parsed of other models.

    Of a project that has changed since it was parsed, dbt 1.11 may read findings without their severity.
    """
    known = target / "models.sha256"
    if not known.exists() or known.read_text() != models:
        (target / "partial_parse.msgpack").unlink(missing_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        known.write_text(models)
