"""Seeds defects in synthesized templates, one by one, and shows the named test that catches each.

`python -m tests.stacks.mutations` prints the table; `test_mutations.py` runs the same within the suite. The defects
are in `defects.py`.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.stacks.conftest import Compose

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Defect:
    """`change` spoils a stack's template; `caught_by` is module::test; `arguments` those of a parametrized test."""

    says: str
    stack: str
    change: Change
    caught_by: str
    environment: str = "dev"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """For pytest."""
        return self.says.replace(" ", "-")


def properties(template: dict[str, Any], kind: str, **where: Any) -> Iterator[dict[str, Any]]:
    """Properties of the resources of a type, to be changed in place; `where` holds what some of them must be."""
    for resource in template["Resources"].values():
        held = resource.setdefault("Properties", {})
        if resource["Type"] == kind and all(held.get(key) == value for key, value in where.items()):
            yield held


def put(kind: str, path: str, value: Any, **where: Any) -> Change:
    """Sets what lies under a dotted path, in the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held: Any = next(properties(template, kind, **where))
        *way, last = path.split(".")
        for step in way:
            held = held[int(step)] if isinstance(held, list) else held.setdefault(step, {})
        if isinstance(held, list):
            held[int(last)] = value
        else:
            held[last] = value

    return change


def drop(kind: str, path: str, **where: Any) -> Change:
    """Removes what lies under a dotted path, in the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held: Any = next(properties(template, kind, **where))
        *way, last = path.split(".")
        for step in way:
            held = held[int(step)] if isinstance(held, list) else held[step]
        del held[int(last) if isinstance(held, list) else last]

    return change


def remove(kind: str, **where: Any) -> Change:
    """Removes the first resource of the type."""

    def change(template: dict[str, Any]) -> None:
        held = next(properties(template, kind, **where))
        resources = template["Resources"]
        del resources[next(name for name, one in resources.items() if one.get("Properties") is held)]

    return change


def statement_of(template: dict[str, Any], sid: str, owner: str = "") -> dict[str, Any]:
    """The first statement with this Sid in any policy of the template, of a resource whose id begins with `owner`."""
    for name, resource in template["Resources"].items():
        for key in ("PolicyDocument", "KeyPolicy"):
            for one in resource.get("Properties", {}).get(key, {}).get("Statement", []):
                if one.get("Sid") == sid and name.startswith(owner):
                    found: dict[str, Any] = one
                    return found
    raise KeyError(f"no statement {sid} of {owner or 'anything'}")


def allow(sid: str, *, owner: str = "", actions: list[str] | None = None, resource: Any = None) -> Change:
    """Widens a statement: more actions, another resource."""

    def change(template: dict[str, Any]) -> None:
        found = statement_of(template, sid, owner)
        known = found["Action"] if isinstance(found["Action"], list) else [found["Action"]]
        found["Action"] = [*known, *(actions or [])]
        if resource is not None:
            found["Resource"] = resource

    return change


def survives(defect: Defect, raw_templates: Compose) -> str:
    """Empty when the named test catches the defect; otherwise why it does not."""
    spoiled = _Spoiled(defect, raw_templates)
    module, _, name = defect.caught_by.partition("::")
    test = getattr(importlib.import_module(f"tests.stacks.{module}"), name)
    given: dict[str, Any] = {
        "raw_templates": spoiled,
        "templates": spoiled.as_templates,
        "environment": defect.environment,
        **defect.arguments,
    }
    try:
        test(**{key: given[key] for key in inspect.signature(test).parameters})
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however a test fails, it has seen the defect
        return "" if spoiled.asked else f"{defect.caught_by} failed without looking at {defect.stack}"
    return f"{defect.caught_by} does not see it"


class _Spoiled:
    """Stands for the fixture `raw_templates`, with one stack of one environment spoiled."""

    def __init__(self, defect: Defect, raw_templates: Compose) -> None:
        self._defect, self._real, self.asked = defect, raw_templates, False

    def __call__(
        self, environment: str = "dev", context: Mapping[str, Any] | None = None, **changes: Any
    ) -> Mapping[str, Any]:
        found = self._real(environment, context, **changes)
        defect = self._defect
        if environment != defect.environment or context or changes:
            return found
        self.asked = True
        spoiled = deepcopy(found[defect.stack])
        defect.change(spoiled)
        assert spoiled != found[defect.stack], f"{defect.says}: the change changes nothing"
        return {**found, defect.stack: spoiled}

    def as_templates(self, *arguments: Any, **changes: Any) -> Mapping[str, Any]:
        """Stands for the fixture `templates`."""
        from aws_cdk.assertions import Template

        return {name: Template.from_json(dict(t)) for name, t in self(*arguments, **changes).items()}


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
