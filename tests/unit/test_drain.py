"""Waiting for the check: a ledger that is started again is waited for, one that stays away is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.ledger import Ledger
from lakehouse.errors import LedgerError, RuntimeFault
from local import drain

PLACE = ("emb-1", "orders.v1", 0)


class LedgerThatIsAwayFirst:
    """Nothing is known to it; the first `failures` questions are refused."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def read(self, work: Callable[[Any], Any]) -> Any:
        self.failures -= 1
        if self.failures >= 0:
            raise LedgerError("the database system is starting up")
        return []


def wait(failures: int, ends: drain.Ends) -> list[int]:
    told: list[int] = []
    drain.wait_until_checked(cast(Ledger, LedgerThatIsAwayFirst(failures)), ends, Path("logs"), told.append)
    return told


def test_wait_outlasts_a_ledger_that_is_started_again() -> None:
    assert wait(2, {}) == [0]


def test_wait_ends_with_a_ledger_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_STANDSTILL_S", 0.0)
    with pytest.raises(LedgerError, match="starting up"):
        wait(100, {})


def test_wait_ends_when_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_STANDSTILL_S", 0.0)
    with pytest.raises(RuntimeFault, match="7 acknowledged rows"):
        wait(0, {PLACE: 7})
