"""What the rehearsal found, and the table that it prints."""

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lakehouse.errors import NexusError

State = Literal["proven", "not proven here", "failed"]
STATES: tuple[State, ...] = ("proven", "not proven here", "failed")
_WIDTH = 118


class NotAsPromised(NexusError):
    """Something that was deployed is not what it must be."""


@dataclass(frozen=True)
class Finding:
    """`detail` says what was seen, or who proves it; seconds are those that it took."""

    subject: str
    state: State
    detail: str
    seconds: float | None = None


def examine(subject: str, look: Callable[[], str]) -> Finding:
    """What a look gives; `failed` with the reason when it raises NexusError. Anything else is a defect of ours."""
    started = time.monotonic()
    state: State = "proven"
    try:
        detail = look()
    except NexusError as error:
        state, detail = "failed", str(error)
    return Finding(subject, state, detail, time.monotonic() - started)


def require(condition: object, what: str) -> None:
    """NotAsPromised unless it is so."""
    if not condition:
        raise NotAsPromised(what)


def to_text(title: str, findings: Sequence[Finding], seconds: float) -> str:
    """Plain text of at most 118 columns, those that are proven first and those that failed last."""
    first = max(len(finding.subject) for finding in findings)
    before = f"{{:{first}}}  {{:15}}  {{:>7}}  "
    indent = " " * len(before.format("", "", ""))
    lines = [before.format("what", "state", "seconds") + "found, or proven by"]
    for finding in sorted(findings, key=lambda f: STATES.index(f.state)):
        took = "" if finding.seconds is None else f"{finding.seconds:.1f}"
        told = _wrapped(finding.detail, _WIDTH - len(indent))
        lines.append(before.format(finding.subject, finding.state, took) + told[0])
        lines += [indent + more for more in told[1:]]
    counts = Counter(finding.state for finding in findings)
    summary = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return "\n".join([*lines, "", f"{title}: {summary}; {seconds:.0f} seconds"])


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that stand in the text stay lines: the command line's own words are read as it said them."""
    lines: Iterable[str] = text.splitlines() or [""]
    return [piece for line in lines for piece in textwrap.wrap(line, max(width, 40)) or [""]]
