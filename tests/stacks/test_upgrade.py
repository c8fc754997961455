"""A deployment over what is deployed already keeps what holds state: the guard, and every release against today."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import InputError
from local.released_templates import RELEASED, kept_of, write_release
from local.stateful_diff import by_schema, losses
from stacks.settings import ENVIRONMENTS
from tests.stacks.conftest import ROOT, Compose

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


def a_reader_and_its_giver() -> dict[str, Any]:
    """`network` gives the VPC's id, `database` reads it."""
    read = {"Fn::GetStackOutput": {"StackName": "nexus-dev-network", "OutputName": "PublishVpc"}}
    group = {"Type": "AWS::RDS::DBSubnetGroup", "Properties": {"VpcId": read}}
    return {
        "network": {"Resources": {}, "Outputs": {"PublishVpc": {}, "Unread": {}}},
        "database": {"Resources": {"Group": group}},
    }


def test_upgrade_that_drops_an_output_in_use_is_seen() -> None:
    old, new = a_reader_and_its_giver(), a_reader_and_its_giver()
    del new["network"]["Outputs"]["Unread"]
    assert losses(old, new, CREATE_ONLY) == []
    del new["network"]["Outputs"]["PublishVpc"]
    assert losses(old, new, CREATE_ONLY) == [
        "network: output PublishVpc would be dropped, and database reads it"
    ]


def test_upgrade_sees_in_what_is_kept_of_a_release_what_it_sees_in_the_whole(
    raw_templates: Compose,
) -> None:
    whole = raw_templates("dev")
    kept = {stack: kept_of(dict(template), CREATE_ONLY) for stack, template in whole.items()}
    assert losses(kept, whole, CREATE_ONLY) == []
    gone: dict[str, Any] = {stack: {"Resources": {}} for stack in whole}
    assert sorted(losses(kept, gone, CREATE_ONLY)) == sorted(losses(whole, gone, CREATE_ONLY))
    _, changed, id_ = spoiled(raw_templates, "storage", "AWS::S3::Bucket", BucketName="another")
    [found] = losses(kept, changed, CREATE_ONLY)
    assert found.startswith(f"storage: {id_} ")


def test_release_is_kept_once(tmp_path: Path) -> None:
    apps = {"dev": a_reader_and_its_giver()}
    [path] = write_release("1.2.3", apps, tmp_path)
    assert losses(json.loads(path.read_text("utf-8")), apps["dev"], CREATE_ONLY) == []
    with pytest.raises(InputError, match=r"1\.2\.3 is kept already"):
        write_release("1.2.3", apps, tmp_path)


def test_releases_in_the_changelog_are_those_that_are_kept() -> None:
    said = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert said, "CHANGELOG.md names no release"
    kept = {path.parent.name: {one.stem for one in path.parent.iterdir()} for path in RELEASED.glob("*/*")}
    assert kept == {version: set(ENVIRONMENTS) for version in said}, "run `make released-templates`"


def test_upgrade_from_every_release_loses_nothing(raw_templates: Compose) -> None:
    for path in RELEASED.glob("*/*.json"):
        released = json.loads(path.read_text("utf-8"))
        assert released["storage"]["Resources"], path
        assert losses(released, raw_templates(path.stem), CREATE_ONLY) == [], path
