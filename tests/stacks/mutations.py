"""Seeds defects in synthesized templates, one by one, and shows the named test that catches each.

`python -m tests.stacks.mutations` prints the table; `test_mutations.py` runs the same within the suite, and keeps the
list in docs/generated/mutations.md. The defects are in `defects_*.py`, what they are made of in `seeding.py`.
"""

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.conftest import Golden
from tests.stacks.conftest import Compose
from tests.stacks.seeding import Change


@dataclass(frozen=True)
class Defect:
    """`change` spoils a stack's template; `caught_by` is module::test; `arguments` those of a parametrized test."""

    says: str
    stack: str
    change: Change | None
    caught_by: str
    environment: str = "dev"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """For pytest."""
        return self.says.replace(" ", "-")


def survives(defect: Defect, raw_templates: Compose) -> str:
    """Empty when the named test catches the defect, and nothing else; otherwise why it does not."""
    spoiled = _Spoiled(defect, raw_templates)
    if fails(defect, _Spoiled(replace(defect, change=None), raw_templates)):
        return f"{defect.caught_by} fails without the defect too"
    if not fails(defect, spoiled):
        return f"{defect.caught_by} does not see it"
    return "" if spoiled.asked else f"{defect.caught_by} failed without looking at {defect.stack}"


def fails(defect: Defect, raw_templates: "_Spoiled") -> bool:
    """Whether the named test fails on these templates."""
    module, _, name = defect.caught_by.partition("::")
    test = getattr(importlib.import_module(f"tests.stacks.{module}"), name)
    given: dict[str, Any] = {
        "raw_templates": raw_templates,
        "environment": defect.environment,
        "golden": Golden(write=False),
        **defect.arguments,
    }
    try:
        test(**{key: given[key] for key in inspect.signature(test).parameters})
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however a test fails, it has seen the defect
        return True
    return False


def to_page(defects: Sequence[Defect]) -> str:
    """The list for people, by the stack that is spoiled."""
    rows = []
    for one in defects:
        module, _, test = one.caught_by.partition("::")
        rows.append(
            f"| {one.says} | {one.stack}, {one.environment} "
            f"| [{module}](../../tests/stacks/{module}.py) | `{test}` |"
        )
    return "\n".join(
        [
            "# Defects that the tests of the stacks catch",
            "",
            f"{len(defects)} defects are seeded in the templates, one by one. `tests/stacks/test_mutations.py` shows",
            "for each that the named test fails with it and passes without it; `python -m tests.stacks.mutations`",
            "prints what became of each. Made by `make golden` from `tests/stacks/defects_*.py`.",
            "",
            "| defect | in | file | test that catches it |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


class _Spoiled:
    """Stands for the fixture `raw_templates`, with one stack of one environment spoiled."""

    def __init__(self, defect: Defect, raw_templates: Compose) -> None:
        self._defect, self._real, self.asked = defect, raw_templates, False

    def __call__(
        self, environment: str = "dev", context: Mapping[str, Any] | None = None, **changes: Any
    ) -> Mapping[str, Any]:
        found = self._real(environment, context, **changes)
        defect = self._defect
        if environment != defect.environment or context or changes or defect.change is None:
            return found
        self.asked = True
        spoiled = deepcopy(found[defect.stack])
        defect.change(spoiled)
        assert spoiled != found[defect.stack], f"{defect.says}: the change changes nothing"
        return {**found, defect.stack: spoiled}


class _Table:
    """Collects what became of each defect and prints it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if report.when == "call" and "defect" in told:
            self.rows.append((str(told["defect"]), str(told["caught_by"]), report.outcome))

    def __str__(self) -> str:
        lines = [
            f"{'caught' if o == 'passed' else 'SURVIVES':<9} {says:<62} {by}" for says, by, o in self.rows
        ]
        caught = sum(outcome == "passed" for _, _, outcome in self.rows)
        return "\n".join([*lines, "", f"{caught} of {len(self.rows)} seeded defects are caught"])


def main() -> int:
    """Exit code 1 when a defect survives."""
    table = _Table()
    code = pytest.main(
        ["tests/stacks/test_mutations.py", "-q", "--no-header", *sys.argv[1:]], plugins=[table]
    )
    print(table)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
