"""Runs the dbt project of this repository in this process: no telemetry, nothing on stdout, files only where told."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse.errors import RuntimeFault
from local.gold import Finding, ModelDoc

PROJECT = Path(__file__).resolve().parent.parent / "dbt"

# Steps done, steps in all (0 until dbt has counted them), what has just been done. Never called by two threads at once.
Progress = Callable[[int, int, str], None]

_FINISHED = {
    "LogModelResult": "total",
    "LogTestResult": "num_models",
}  # dbt's event → where it counts all steps
_BAD = ("error", "fail", "runtime error")
_MESSAGE_LINES = 8  # of a database's complaint: enough for the error and where it points


class ModelFailed(RuntimeFault):
    """Models or tests failed, so nothing is published; `problems` has one text for each."""

    def __init__(self, problems: Sequence[str], log: Path) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Gold was not built; what is published stays as it was.\n{listed}\nMore in {log}")
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


@dataclass(frozen=True)
class DbtOutcome:
    """What a successful run says: the published models, and the findings (tests of severity warn that found rows)."""

    published: tuple[ModelDoc, ...]
    findings: tuple[Finding, ...]


def run_dbt(work_dir: Path, progress: Progress) -> DbtOutcome:
    """`dbt build` of the local target; `work_dir` (absolute) takes all that dbt writes.

    The file list of Silver must stand in it. Not for two threads at once: dbt changes the working directory while it
    runs. Raises ModelFailed naming every model and test that failed.
    """
    progress(0, 0, "reading the models")
    from dbt.cli.main import dbtRunner

    with _cleaned_up():
        answer = dbtRunner(callbacks=[_Steps(progress)]).invoke(_arguments(work_dir))
    if isinstance(answer.exception, KeyboardInterrupt):
        raise answer.exception
    results = list(getattr(answer.result, "results", None) or ())
    problems = [_problem(result) for result in results if str(result.status) in _BAD]
    if answer.exception is not None:
        problems.append(_trimmed(str(answer.exception)))
    if problems or not answer.success:
        raise ModelFailed(problems or ["dbt gave no reason"], work_dir / "logs" / "dbt.log")
    return DbtOutcome(_published(results), _findings(results))


def _arguments(work_dir: Path) -> list[str]:
    return [
        "build",
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "local"),
        *("--target-path", str(work_dir / "target"), "--log-path", str(work_dir / "logs")),
        # The same text in every build of a lake: another one would make dbt parse the whole project again.
        *("--vars", json.dumps({"work_dir": str(work_dir)})),
        *("--log-level", "none", "--log-level-file", "warn", "--quiet", "--no-print", "--no-use-colors"),
        *("--no-send-anonymous-usage-stats", "--no-version-check"),
        # 2 of 12 CPU seconds: nobody reads the JSON, and a database made a moment ago has nothing to list.
        *("--no-write-json", "--no-populate-cache"),
    ]


@contextmanager
def _cleaned_up() -> Iterator[None]:
    """Takes from dbt what it keeps for the next run of the process: the in-memory database, and its open log file."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    folder = Path.cwd()
    try:
        yield
    finally:
        DuckDBConnectionManager.close_all_connections()
        for handler in logging.getLogger("file_log").handlers[:]:
            logging.getLogger("file_log").removeHandler(handler)
            handler.close()
        os.chdir(folder)


def _problem(result: Any) -> str:
    kind = str(getattr(result.node, "resource_type", "step"))
    name = result.node.name
    if str(result.status) == "fail":
        about = f" ({result.node.description})" if getattr(result.node, "description", "") else ""
        rows = "1 row breaks" if result.failures == 1 else f"{result.failures} rows break"
        return f"test {name}: {rows} it{about}"
    return f"{kind} {name}: {_trimmed(result.message or '')}"


def _trimmed(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Runtime Error in "):  # names the model once more
        del lines[0]
    return "\n    ".join(lines[:_MESSAGE_LINES])


def _published(results: list[Any]) -> tuple[ModelDoc, ...]:
    models = [
        r.node for r in results if r.node.resource_type == "model" and r.node.config.meta.get("published")
    ]
    return tuple(
        ModelDoc(m.name, m.description, {name: column.description for name, column in m.columns.items()})
        for m in sorted(models, key=lambda m: m.name)
    )


def _findings(results: list[Any]) -> tuple[Finding, ...]:
    warned = [r for r in results if str(r.status) == "warn"]
    found = (Finding(r.node.name, r.node.description, int(r.failures or 0)) for r in warned)
    return tuple(sorted(found, key=lambda f: f.test))
