"""What the commands print: tables and lines for people, JSON for scripts; and the exit codes."""

import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Table
from rich.text import Text

from local.run_events import Event

OK, NO, USAGE, TROUBLE, INTERRUPTED = 0, 1, 2, 3, 130

# Where the output is no terminal nobody sees an edge: nothing is folded to fit one.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 400)
errors = Console(stderr=True, highlight=False)


class DoneColumn(ProgressColumn):
    """`12,345 of 411,041`; nothing for tasks that are not counted."""

    def render(self, task: Task) -> Text:
        """As above."""
        if task.total is None or task.total <= 1:
            return Text("")
        of = "" if task.finished else f" of {task.total:,.0f}"
        return Text(f"{task.completed:,.0f}{of}", style="cyan")


class PaceColumn(ProgressColumn):
    """`17,476/s`, once there is a rate worth telling."""

    def render(self, task: Task) -> Text:
        """As above."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed and task.total and task.total > _FEW else "", style="dim")


class ClockColumn(ProgressColumn):
    """Time left while that can be told, else time passed."""

    def render(self, task: Task) -> Text:
        """As above."""
        if task.finished or not task.time_remaining:
            passed = task.finished_time if task.finished else task.elapsed
            return Text(f"{passed or 0:.1f} s", style="dim")
        return Text(f"{task.time_remaining:.0f} s left", style="yellow")


_FEW = 100  # below this, a rate says nothing


def progress(quiet: bool = False) -> Progress:
    """Bars with count, rate and time left; fits 80 columns."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        DoneColumn(),
        PaceColumn(),
        ClockColumn(),
        console=errors,
        disable=quiet,
    )


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()
) -> Table:
    """A plain table; numbers get thousands separators, `right` names the columns set to the right."""
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for column in columns:
        number = column in right  # numbers are never cut or folded, texts fold
        made.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number)
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def print_result(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows of a query: a table where it fits the screen, else one column a line. Nothing is cut or dressed up."""
    first = rows[0] if rows else ()
    right = [n for n, value in zip(columns, first, strict=False) if isinstance(value, int | float | Decimal)]
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    made = table("", columns, texts, right)
    if Measurement.get(console, console.options.update(max_width=10_000), made).maximum <= console.width:
        console.print(made)
        return
    wide = max(len(column) for column in columns)
    for row in texts:
        for column, text in zip(columns, row, strict=True):
            console.print(
                Text(f"{column:<{wide}}  ", style="dim").append(text, style="default"), soft_wrap=True
            )
        console.print()


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, default=str, indent=2))


def _cell(value: Any) -> str | Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


class Lines:
    """Tasks one after the other, as bars: `local.demo.Stages` for a terminal."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def task(self, text: str, total: int | None = None) -> "Line":
        """Ends the task before, begins this one."""
        self.end()
        self._task = self._bars.add_task(text, total=total)
        return Line(self._bars, self._task)

    def tell(self, event: Event) -> None:
        """Shows what the start or stop is at; what a person must know stays on a line of its own."""
        if self._task is not None and event.kind in ("starting", "ready", "stopping", "stopped"):
            self._bars.update(self._task, completed=event.done, total=event.of or None)
        elif event.kind in ("note", "died", "lost", "failed"):
            self._bars.console.print(f"[yellow]{escape(event.text)}")

    def broke(self) -> None:
        """Leaves the task at hand as it is, unfinished."""
        if self._task is not None:
            self._bars.stop_task(self._task)
            self._task = None

    def end(self) -> None:
        """Ends the task at hand."""
        if self._task is not None:
            task = next(t for t in self._bars.tasks if t.id == self._task)
            total = task.total if task.total is not None else 1
            self._bars.update(self._task, total=total, completed=total)
            self._task = None


class Line:
    """One bar."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def at(self, done: int, total: int | None = None) -> None:
        """So much is done."""
        self._bars.update(self._task, completed=done, total=total)

    def say(self, text: str) -> None:
        """What is being done right now."""
        self._bars.update(self._task, description=text)
