"""The page of faults tells the truth of `make faults` and of the tests it names; histories are drawn as they should."""

import re
from pathlib import Path

import pytest

from faults import waiting
from faults.auditor import Finding
from faults.history import NOT_SETTLED, Plan, Verdict, brokers_of, deal, shrink
from faults.kinds import KINDS, fitting
from faults.waiting import NotSettled, wait_while_moving

ROOT = Path(__file__).parents[2]
ROWS = [
    line.strip("| ").split(" | ")
    for line in (ROOT / "docs" / "faults.md").read_text("utf-8").splitlines()
    if re.match(r"\| [0-9]", line)
]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}
CHECK_HOP = {*range(11, 37), 40, *range(48, 53), 61, 63, 72}


def test_page_has_every_fault_of_the_catalogue_once() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 73))
    assert all(len(row) == 5 and row[4] for row in ROWS)


def test_page_names_every_kind_under_its_number_and_no_other() -> None:
    told = {(int(row[0]), name) for row in ROWS for name in re.findall(r"faults: ([^;]+)", row[4])}
    assert told == {(kind.number, kind.name) for kind in KINDS}


def test_page_names_tests_that_exist() -> None:
    named = {name for row in ROWS for name in re.findall(r"test_\w+", row[4])}
    assert named <= TESTS, named - TESTS
    assert len(named) > 30


def test_page_tells_which_faults_have_tests_by_their_number() -> None:
    numbers = [re.match(r"test_faults?_((?:[0-9]+_)+)", name) for name in TESTS]
    numbered = {int(number) for found in numbers if found for number in found[1].rstrip("_").split("_")}
    assert numbered == {int(row[0]) for row in ROWS if "by number" in row[4].split("; ")}
    assert numbered >= CHECK_HOP


def test_histories_of_ci_have_every_kind() -> None:
    """Each kind strikes once for sure in the histories that CI runs."""
    [(histories, faults)] = re.findall(
        r"make faults N=(\d+) FAULTS=(\d+)", (ROOT / ".ci" / "run").read_text("utf-8")
    )
    dealt = deal(range(1, 1 + int(histories)), int(faults))
    assert {place for places in dealt.values() for place in places} == {*fitting(1), *fitting(3)}
    assert {brokers_of(1), brokers_of(2)} == {1, 3}


@pytest.mark.parametrize("seed", range(1, 9))
def test_history_of_a_seed_is_always_the_same_and_fits_its_brokers(seed: int) -> None:
    plan = Plan.draw(seed, 21)
    assert plan == Plan.draw(seed, 21)
    assert {place for place, _ in plan.strikes} <= set(fitting(plan.brokers))
    assert len(plan.strikes) == 21


def test_history_that_fails_is_made_shorter_down_to_what_makes_it_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two faults together lose something; each alone does not, and one more comes with another finding."""
    guilty = {8, 11}

    def run(plan: Plan, _tell: object) -> Verdict:
        struck = {place for place, _ in plan.strikes}
        findings = (Finding("not in Gold", "x"),) if guilty <= struck else ()
        return Verdict(plan, (), 0, 0, 0, 0.0, findings)

    monkeypatch.setattr("faults.history.run", run)
    plan = Plan(1, tuple((place, place) for place in (3, 8, 1, 11, 8, 4)))
    short = shrink(run(plan, None), lambda _text: None)
    assert sorted(place for place, _ in short.plan.strikes) == [8, 11]
    assert short.findings


class Clock:
    """Time that passes by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 10


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_wait_goes_on_as_long_as_something_moves(clock: Clock) -> None:
    assert wait_while_moving("it", lambda: clock.now >= 1000, lambda: int(clock.now) // 100)
    assert clock.now > waiting.STILL_S


def test_wait_ends_when_nothing_moves_and_tells_the_last_figures(clock: Clock) -> None:
    with pytest.raises(NotSettled, match=r"for it; for .* nothing moved, 7 of 9 at the end"):
        wait_while_moving("it", lambda: None, lambda: "7 of 9")


def test_wait_ends_when_it_never_comes_to_an_end(clock: Clock) -> None:
    with pytest.raises(NotSettled):
        wait_while_moving("it", lambda: None, lambda: clock.now)
    assert clock.now >= waiting.LONGEST_S


def test_wait_outlasts_what_cannot_be_asked_and_tells_why_it_could_not(clock: Clock) -> None:
    def ask() -> bool:
        raise ConnectionError("down")

    with pytest.raises(NotSettled, match="ConnectionError\\('down'\\)"):
        wait_while_moving("it", ask, lambda: 1)
    assert NOT_SETTLED == "did not settle"
