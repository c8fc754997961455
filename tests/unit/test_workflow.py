"""The deployment workflow: its steps are make targets, in the order that was promised, without a key anywhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.templates import read_settings

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8"))
JOBS = WORKFLOW["jobs"]


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job["steps"]


def test_workflow_steps_are_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for job in JOBS:
        for command in commands(job):
            found = re.fullmatch(
                r"make ([a-z-]+)( ENV=(dev|staging|prod|\$\{\{ matrix\.environment \}\}))?", command
            )
            assert found, command
            assert found[1] in targets, command


def test_workflow_uses_only_these_actions() -> None:
    used = {step["uses"].partition("@")[0] for step in steps() if "uses" in step}
    assert used == {"actions/checkout", "actions/setup-python", "aws-actions/configure-aws-credentials"}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_workflow_looks_deploys_and_proves(environment: str) -> None:
    verbs = ("diff", "deploy", "smoke")
    assert commands(environment) == [f"make {verb} ENV={environment}" for verb in verbs]


def test_workflow_goes_to_prod_by_way_of_tests_and_dev() -> None:
    assert set(JOBS["dev"]["needs"]) == {"test", "synth"}
    assert JOBS["prod"]["needs"] == "dev"
    assert [JOBS[name]["environment"] for name in ("dev", "prod")] == ["dev", "prod"]
    assert {"make check", "make test"} <= set(commands("test"))


def test_workflow_deploys_nothing_of_a_pull_request() -> None:
    assert JOBS["dev"]["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"


def test_workflow_holds_no_key_and_asks_for_a_token_only_where_it_deploys() -> None:
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
    assert "secrets." not in text
    assert "aws-access-key" not in text
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for name, job in JOBS.items():
        assert ("id-token" in job.get("permissions", {})) == (name in ("dev", "prod"))


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_workflow_signs_in_where_the_environment_lives(environment: str) -> None:
    [signs_in] = [step for step in JOBS[environment]["steps"] if "aws-actions" in step.get("uses", "")]
    assert signs_in["with"]["aws-region"] == read_settings(environment).region
    assert signs_in["with"]["role-to-assume"] == "${{ vars.DEPLOY_ROLE }}"
