"""How long to wait before something is tried again: twice as long each time, up to a limit, with jitter."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Backoff:
    """`random` gives numbers from 0 to 1. Not safe for threads.

    Between half and the whole of the step: clients that lost one host together do not come back together, and none
    comes back at once.
    """

    random: Callable[[], float]
    first_s: float = 0.1
    longest_s: float = 5.0
    failures: int = 0

    def next_pause(self) -> float:
        """Seconds to wait after one more failure."""
        step: float = min(self.longest_s, self.first_s * 2.0 ** min(self.failures, 16))
        self.failures += 1
        return step * (0.5 + 0.5 * self.random())

    def reset(self) -> None:
        """Something went well."""
        self.failures = 0
