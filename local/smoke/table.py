"""The table of `make smoke`: a line per check, and what it comes to."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from lambdas.canary.checks import Check, State
from stacks.settings import Settings

_WIDTH = 118
STATES: tuple[State, ...] = ("ok", "failed", "not checked")
_HEAD = ("check", "state", "seconds", "found")


def to_text(settings: Settings, checks: Sequence[Check]) -> str:
    """Plain text of at most 118 columns: a workflow's log shows it as well as a terminal."""
    first = max(len(check.name) for check in checks)
    before = f"{{:{first}}}  {{:11}}  {{:>7}}  "
    indent = " " * len(before.format("", "", ""))
    lines = [before.format(*_HEAD[:3]) + _HEAD[3]]
    for check in checks:
        # names of alarms have hyphens, and are searched for
        told = textwrap.wrap(check.detail, _WIDTH - len(indent), break_on_hyphens=False) or [""]
        lines.append(before.format(check.name, check.state, f"{check.seconds:.1f}") + told[0])
        lines += [indent + more for more in told[1:]]
    counts = Counter(check.state for check in checks)
    summary = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return "\n".join([*lines, "", f"{settings.environment} in {settings.account}: {summary}", ""])
