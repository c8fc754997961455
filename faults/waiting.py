"""Waiting for a pipeline to heal: as long as something moves, however slow the machine is."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Nothing moved for so long: more than a child's longest rest (30 s), the wait for a message that a killed check had
# taken (60 s), and the start of three brokers (120 s) or of a lake (90 s, tried again) on a loaded machine.
STILL_S = 300.0
# Something moves and it never ends: a message that goes round, a child that dies again and again.
LONGEST_S = 1800.0


class NotSettled(AssertionError):
    """Something did not come to its end. That is no loss yet: nobody knows what became of it."""


def wait_while_moving(what: str, ask: Callable[[], T | None], figures: Callable[[], object]) -> T:
    """Asks until it gives something. NotSettled when `figures` have stood still for STILL_S, with the last ones.

    Either may raise: what is asked may be down just now, and that is what is waited out.
    """
    began = moved = time.monotonic()
    last: object = None
    trouble: Exception | None = None
    while True:
        now = time.monotonic()
        try:
            answer = ask()
            if answer:
                return answer
            seen = figures()
            trouble = None
        except Exception as error:  # noqa: BLE001 - see above
            trouble, seen = error, last
        if seen != last:
            last, moved = seen, now
        if now - moved > STILL_S or now - began > LONGEST_S:
            raise NotSettled(
                f"waited {now - began:.0f} s for {what}; for {now - moved:.0f} s nothing moved, {last} at the end"
                + (f": {trouble!r}" if trouble else "")
            )
        time.sleep(0.05)


def wait_for(what: str, ask: Callable[[], T | None]) -> T:
    """The same of something that has no figures but being there."""
    return wait_while_moving(what, ask, lambda: "nothing")
