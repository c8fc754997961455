"""Waiting for a condition instead of for the clock."""

import time
from collections.abc import Callable

# Far beyond what anything here takes, so that a loaded machine fails no test; a defect shows after it.
PATIENCE_S = 30.0


def wait_until(
    condition: Callable[[], bool], what: str = "it did not come to that", patience_s: float = PATIENCE_S
) -> None:
    """Asks again and again until it is so; fails after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)  # leaves the core to those we wait for
