"""The loop that keeps Gold fresh: when it builds, how long it rests, what it tells of failures."""

import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.errors import LedgerError, SettingsError
from local.children import CHECK, GOLD, build_table
from local.dbt_build import ModelFailed
from local.gold import PublishedGold
from local.model import GoldBusy
from local.refresh import Refresh, rest_after_build, rest_after_failure, rest_after_look
from local.refresh_trouble import Trouble, clear_trouble, note_trouble, read_trouble
from local.run_state import Options, Site
from local.settings import RefreshSettings, Settings
from local.start_steps import STEPS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Shelf:
    """A ledger and a Gold: `silver` is committed, `gold` is shown; `fault` is raised by the next builds."""

    def __init__(self, *silver: str) -> None:
        self.silver, self.gold = list(silver), list[str]()
        self.fault: Exception | None = None
        self.builds = 0
        self.told: list[Trouble | None] = []
        self.loop = Refresh(
            committed=lambda: {"orders": self.silver},
            build=self.build,
            fails=self.told.append,
            succeeds=lambda: self.told.append(None),
            now=lambda: NOON,
        )

    def build(self) -> PublishedGold:
        self.builds += 1
        if self.fault:
            raise self.fault
        self.gold = list(self.silver)
        return PublishedGold("b1", None, NOON.isoformat(), {"orders": self.gold}, (), {})


def test_lake_without_rows_is_not_built() -> None:
    shelf = Shelf()
    shelf.loop.round()
    assert shelf.builds == 0


def test_build_when_something_is_committed_and_only_then() -> None:
    shelf = Shelf("a")
    shelf.loop.round()
    shelf.loop.round()
    assert shelf.builds == 1
    shelf.silver = ["a", "b"]
    shelf.loop.round()
    shelf.loop.round()
    assert (shelf.builds, shelf.gold) == (2, ["a", "b"])


def test_objects_that_are_no_longer_committed_are_a_reason_to_build() -> None:
    shelf = Shelf("a", "b")
    shelf.loop.round()
    shelf.silver = ["a"]
    shelf.loop.round()
    assert shelf.gold == ["a"]


def test_failures_are_told_and_retried_until_one_succeeds(tmp_path: Path) -> None:
    shelf = Shelf("a")
    shelf.fault = ModelFailed(["model fact_sales: no"], tmp_path / "dbt.log")
    assert [shelf.loop.round() for _ in range(3)] == [5, 10, 20]
    assert [t and (t.tries, t.since) for t in shelf.told] == [(n, NOON.isoformat()) for n in (1, 2, 3)]
    assert "model fact_sales: no" in str(shelf.told[-1])
    shelf.fault = None
    shelf.loop.round()
    assert (shelf.told[-1], shelf.gold) == (None, ["a"])
    shelf.fault, shelf.silver = LedgerError("away"), ["a", "b"]
    assert shelf.loop.round() == 5


def test_gold_that_another_builds_is_no_failure() -> None:
    shelf = Shelf("a")
    shelf.fault = GoldBusy("busy")
    shelf.loop.round()
    assert shelf.told == []
    shelf.fault = None
    shelf.loop.round()
    assert shelf.gold == ["a"]


def test_rests_grow_with_what_was_done() -> None:
    assert [rest_after_build(s) for s in (0.1, 40)] == [1, 40]
    assert [rest_after_look(s) for s in (0.001, 0.5)] == [1, 10]
    assert rest_after_failure(1_000) == 300


@pytest.mark.parametrize(("signals", "shown"), [(1, ["a"]), (2, [])])
def test_first_signal_leaves_time_for_a_last_build(signals: int, shown: list[str]) -> None:
    shelf = Shelf()
    for _ in range(signals):
        shelf.loop.stop(signal.SIGTERM, None)
    rounds = iter([[], ["a"]])
    shelf.loop.committed = lambda: {"orders": next(rounds)}
    shelf.silver = ["a"]
    shelf.loop.run()
    assert shelf.gold == shown


def test_trouble_is_read_as_it_was_noted(tmp_path: Path) -> None:
    trouble = Trouble(2, NOON.isoformat(), "model fact_sales: é")
    assert read_trouble(tmp_path) is None
    note_trouble(tmp_path, trouble)
    assert read_trouble(tmp_path) == trouble
    clear_trouble(tmp_path)
    clear_trouble(tmp_path)
    assert read_trouble(tmp_path) is None


def table(options: Options) -> Mapping[str, int]:
    return {plan.name: plan.stop_rank for plan in build_table(Site(Path("lake"), options), STEPS, ["orders"])}


def test_last_build_comes_when_all_is_checked_and_ledger_and_store_still_answer() -> None:
    ranks = table(Options())
    assert ranks[f"{CHECK}-1"] < ranks[GOLD] < min(ranks["postgres"], ranks["aws"])


def test_gold_can_be_left_alone() -> None:
    assert GOLD not in table(Options(refresh=False))
    assert [Settings.from_env({"NEXUS_REFRESH": word}).refresh for word in ("", "on", "off")] == [
        True,
        True,
        False,
    ]
    with pytest.raises(SettingsError, match="'no': give on or off"):
        Settings.from_env({"NEXUS_REFRESH": "no"})


def test_refresh_needs_to_know_its_lake() -> None:
    with pytest.raises(SettingsError, match="NEXUS_LAKE is not set: `nexus up` sets it"):
        RefreshSettings.from_env({})
