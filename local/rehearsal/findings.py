"""What the rehearsal found, and the table that it prints."""

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from lakehouse.errors import NexusError

State = Literal["proven", "not proven here", "failed"]
STATES: tuple[State, ...] = ("proven", "not proven here", "failed")
_WIDTH = 118
_LEAST = 40  # for what was found, however long the subjects are


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
    """What a look gives; `failed` with the reason when it is not as promised, or what it looks for is not there."""
    started = time.monotonic()
    state: State = "proven"
    try:
        detail = look()
    except NexusError as error:
        state, detail = "failed", str(error)
    except (BotoCoreError, ClientError, LookupError, ValueError) as error:
        # what an API does not tell, or tells of another number of things than there must be
        state, detail = "failed", f"{type(error).__name__}: {error}"
    return Finding(subject, state, detail, time.monotonic() - started)


def require(condition: object, what: str) -> None:
    """NotAsPromised unless it is so."""
    if not condition:
        raise NotAsPromised(what)


def to_text(title: str, findings: Sequence[Finding], seconds: float) -> str:
    """Plain text of at most 118 columns, those that are proven first and those that failed last.

    Of a detail of several lines (another program's own words) the first stands in the table, the rest behind it.
    """
    first = max(len(finding.subject) for finding in findings)
    before = f"{{:{first}}}  {{:15}}  {{:>7}}  "
    indent = " " * len(before.format("", "", ""))
    lines = [before.format("what", "state", "seconds") + "found, or proven by"]
    behind: list[str] = []
    for finding in sorted(findings, key=lambda f: STATES.index(f.state)):
        took = "" if finding.seconds is None else f"{finding.seconds:.1f}"
        said, _, more = finding.detail.partition("\n")
        told = textwrap.wrap(said, max(_WIDTH - len(indent), _LEAST)) or [""]
        lines.append(before.format(finding.subject, finding.state, took) + told[0])
        lines += [indent + line for line in told[1:]]
        behind += ["", f"{finding.subject}:", more] if more else []
    counts = Counter(finding.state for finding in findings)
    summary = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return "\n".join([*lines, *behind, "", f"{title}: {summary}; {seconds:.0f} seconds"])
