"""A deployment over what is deployed already keeps what holds state: the guard, and every release against today."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from local.stateful_diff import STATEFUL, by_schema, losses
from tests.stacks.conftest import ROOT, Compose
from tests.stacks.test_app import STATEFUL as WITH_STABLE_IDS

RELEASED = Path(__file__).parent / "released"  # <version>/<environment>/<stack>.json
CREATE_ONLY = by_schema("us-east-1")


def spoiled(raw_templates: Compose, stack: str, kind: str, **changes: Any) -> tuple[Any, Any, str]:
    """Templates, the same with a resource of this type changed, and its id."""
    old = raw_templates("dev")
    new = {name: deepcopy(dict(template)) for name, template in old.items()}
    resources = new[stack]["Resources"]
    id_ = next(name for name, found in resources.items() if found["Type"] == kind)
    if changes:
        resources[id_]["Properties"].update(changes)
    else:
        del resources[id_]
    return old, new, id_


def test_upgrade_to_the_same_loses_nothing(raw_templates: Compose, environment: str) -> None:
    templates = raw_templates(environment)
    assert losses(templates, templates, CREATE_ONLY) == []


@pytest.mark.parametrize(
    ("stack", "kind", "changes"),
    [
        ("storage", "AWS::S3::Bucket", {"BucketName": "another"}),
        ("database", "AWS::RDS::DBInstance", {"StorageEncrypted": False}),
        ("network", "AWS::EC2::Subnet", {"AvailabilityZone": "us-east-1f"}),
        ("network", "AWS::EC2::VPC", {"CidrBlock": "10.99.0.0/16"}),
        ("catalog", "AWS::Glue::Registry", {"Name": "another"}),
    ],
)
def test_upgrade_that_replaces_what_holds_state_is_seen(
    raw_templates: Compose, stack: str, kind: str, changes: dict[str, Any]
) -> None:
    old, new, id_ = spoiled(raw_templates, stack, kind, **changes)
    assert losses(old, new, CREATE_ONLY) == [
        f"{stack}: {id_} ({kind}) would be replaced, for {next(iter(changes))} cannot be changed in place"
    ]


@pytest.mark.parametrize(
    ("stack", "kind"), [("storage", "AWS::KMS::Key"), ("database", "AWS::RDS::DBInstance")]
)
def test_upgrade_that_drops_what_holds_state_is_seen(raw_templates: Compose, stack: str, kind: str) -> None:
    old, new, id_ = spoiled(raw_templates, stack, kind)
    assert losses(old, new, CREATE_ONLY) == [f"{stack}: {id_} ({kind}) would be dropped"]


def test_upgrade_that_changes_in_place_is_let_through(raw_templates: Compose) -> None:
    old, new, _ = spoiled(raw_templates, "database", "AWS::RDS::DBInstance", AllocatedStorage="500")
    assert losses(old, new, CREATE_ONLY) == []


def test_upgrade_guards_everything_whose_id_must_stay() -> None:
    assert STATEFUL == WITH_STABLE_IDS


def test_upgrade_from_every_release_loses_nothing(raw_templates: Compose) -> None:
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    kept = sorted(path.name for path in RELEASED.glob("*")) if RELEASED.is_dir() else []
    assert kept == sorted(released), "keep the templates of every release: tests/stacks/released/<version>/"
    for version in released:
        for folder in (RELEASED / version).iterdir():
            deployed = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
            assert losses(deployed, raw_templates(folder.name), CREATE_ONLY) == []
