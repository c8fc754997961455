"""What `make sleep` and `make wake` take for granted holds for the templates."""

from local.sleep import KEPT, SNAPSHOT_PARAMETER
from local.stateful_diff import outputs_read
from tests.stacks.conftest import Compose
from tests.stacks.reading import resources, whole


def test_sleep_leaves_nothing_behind_that_waking_would_stumble_over(raw_templates: Compose) -> None:
    """A bucket, key or log group that outlives its stack keeps its name, and the next deployment fails on it."""
    for stack, template in raw_templates("dev", {"destroy": "dev"}).items():
        if stack not in KEPT:
            left = [
                name
                for name, one in template["Resources"].items()
                if one.get("DeletionPolicy") in ("Retain", "Snapshot", "RetainExceptOnCreate")
            ]
            assert left == [], stack


def test_sleep_keeps_only_stacks_that_need_none_of_those_that_go(raw_templates: Compose) -> None:
    for stack in KEPT:
        read = {name.removeprefix("nexus-dev-") for name, _ in outputs_read(raw_templates("dev")[stack])}
        assert read <= set(KEPT)


def test_sleep_finds_the_lakes_key_by_its_alias(raw_templates: Compose) -> None:
    [alias] = resources(raw_templates("dev")["storage"], "AWS::KMS::Alias").values()
    assert alias["AliasName"] == "alias/nexus-dev-lake"


def test_wake_gives_the_snapshot_to_the_instance_by_a_parameter(raw_templates: Compose) -> None:
    template = raw_templates("dev")["database"]
    assert template["Parameters"][SNAPSHOT_PARAMETER]["Default"] == ""
    [instance] = whole(template, "AWS::RDS::DBInstance").values()
    assert instance["Properties"]["DBSnapshotIdentifier"]["Fn::If"][1] == {"Ref": SNAPSHOT_PARAMETER}
