"""Templates in plain words: without environments, accounts and hashes, and without losing what is meant."""

from typing import Any

import pytest

from lakehouse.errors import InputError
from local.cost.prices import PriceList
from local.stack_docs.costs import BEGIN, END, with_costs
from local.stack_docs.page import to_markdown
from local.stack_docs.plain import plain
from local.stack_docs.policies import grants_of_roles, grants_on_resources, trusted
from local.templates import read_settings
from stacks.settings import ENVIRONMENTS

DEV = read_settings("dev")
PRICES = PriceList.load()
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [{"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
        }
    },
}


def output_of(stack: str, name: str) -> dict[str, Any]:
    return {"Fn::GetStackOutput": {"StackName": stack, "Region": "us-east-1", "OutputName": name}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (f"arn:aws:s3:::{DEV.bucket_prefix}-bronze/*", "s3:::<prefix>-bronze/*"),
        ({"Fn::GetAtt": ["LakeKey09476F72", "Arn"]}, "LakeKey"),
        ({"Ref": "AlarmsB98A0D1E"}, "Alarms"),
        (
            output_of("nexus-dev-storage", "PublishOutputFnGetAttLakeKey09476F72Arn8D223EA2"),
            "nexus-storage/LakeKey",
        ),
        (
            output_of("nexus-dev-streaming", "PublishOutputFnGetAttClusterArn8D223EA2"),
            "nexus-streaming/Cluster",
        ),
        (
            output_of("nexus-dev-database", "PublishOutputFnGetAttLedgerB7379752DbiResourceId97761B26"),
            "nexus-database/Ledger.DbiResourceId",
        ),
        (
            {"Fn::Join": ["", ["arn:aws:sns:", DEV.region, ":", DEV.account, ":nexus-dev-x"]]},
            "sns:<region>:<account>:nexus-x",
        ),
        (
            f"cdk-hnb659fds-assets-{DEV.account}-{DEV.region}/{'0' * 64}.zip",
            "<asset>",
        ),
        ("nexus_dev_gold", "nexus_gold"),
        ("keystone-nexus-dev", "keystone-nexus"),
    ],
)
def test_values_are_said_without_what_sets_environments_apart(value: Any, text: str) -> None:
    assert plain(value, DEV) == text


def a_template(**changes: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*", **changes}
    policy = {"PolicyDocument": {"Statement": [statement]}, "Roles": [{"Ref": "ReaderRole0EF169CE"}]}
    return {
        "Description": "Keystone Nexus dev, storage: buckets",
        "Resources": {
            "ReaderRole0EF169CE": ROLE,
            "ReaderPolicy0EF169CE": {"Type": "AWS::IAM::Policy", "Properties": policy},
        },
    }


def test_grants_are_one_per_action_and_resource() -> None:
    found = grants_of_roles("storage", a_template(Resource=["a", {"Ref": "B0EF169CE"}]), DEV)
    assert [(g.who, g.action, g.resource) for g in found] == [
        ("ReaderRole", action, resource)
        for action in ("s3:GetObject", "s3:PutObject")
        for resource in ("B", "a")
    ]


def test_grants_of_policies_on_resources_name_their_principal() -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"Bool": {"a": "b"}},
    }
    policy = {"Bucket": {"Ref": "Bronze0EF169CE"}, "PolicyDocument": {"Statement": [statement]}}
    template = {"Resources": {"P": {"Type": "AWS::S3::BucketPolicy", "Properties": policy}}}
    [found] = grants_on_resources("storage", template, DEV)
    assert (found.resource, found.who, found.effect, found.action) == ("Bronze", "anyone", "Deny", "s3:*")
    assert found.condition == '{"Bool": {"a": "b"}}'


def test_roles_are_listed_with_whoever_assumes_them() -> None:
    assert trusted(a_template(), DEV) == {"ReaderRole": "lambda.amazonaws.com"}


def test_page_says_where_environments_differ() -> None:
    apps = {name: {"storage": a_template()} for name in ENVIRONMENTS}
    apps["prod"] = {"storage": a_template(Action=["s3:GetObject"])}
    page = to_markdown(apps, {name: read_settings(name) for name in ENVIRONMENTS})
    assert "### ReaderRole (storage)" in page
    assert "Assumed by lambda.amazonaws.com." in page
    assert "| `*` | Allow | `s3:PutObject` | dev, staging |" in page
    assert "| `*` | Allow | `s3:GetObject` |  |" in page
    assert "| `streaming.broker` | kafka.t3.small |" in page


def test_page_lists_resources_of_the_same_permission_in_one_row() -> None:
    apps = {name: {"storage": a_template(Resource=["b", "a"])} for name in ENVIRONMENTS}
    page = to_markdown(apps, {name: read_settings(name) for name in ENVIRONMENTS})
    assert "| `a`, `b` | Allow | `s3:GetObject`, `s3:PutObject` |  |  |" in page


@pytest.mark.parametrize("place", ["", BEGIN, END])
def test_readme_without_a_place_for_costs_is_refused(place: str) -> None:
    with pytest.raises(InputError, match=r"README\.md has no place"):
        with_costs(place, {}, {}, PRICES)


def test_readme_holds_the_totals_of_the_bill_and_keeps_the_rest() -> None:
    key = {"Type": "AWS::KMS::Key"}
    apps = {name: {"storage": {"Resources": {"A": key, "B": key}}} for name in ENVIRONMENTS}
    settings = {name: read_settings(name) for name in ENVIRONMENTS}
    written = with_costs(f"before {BEGIN} old {END} after", apps, settings, PRICES)
    assert written.startswith("before ")
    assert written.endswith(" after")
    assert "old" not in written
    assert "| prod | – | 2 | 2 | 2 | 2 |" in written
    assert with_costs(written, apps, settings, PRICES) == written


def test_readme_takes_no_total_that_something_is_missing_from() -> None:
    apps = {"dev": {"storage": {"Resources": {"A": {"Type": "AWS::New::Thing"}}}}}
    with pytest.raises(InputError, match="in no bill: AWS::New::Thing"):
        with_costs(f"{BEGIN}{END}", apps, {"dev": DEV}, PRICES)


def test_page_is_the_same_for_the_same_application() -> None:
    settings = {name: read_settings(name) for name in ENVIRONMENTS}
    apps = {name: {"storage": a_template()} for name in ENVIRONMENTS}
    turned = {
        name: {"storage": {**t["storage"], "Resources": dict(reversed(t["storage"]["Resources"].items()))}}
        for name, t in apps.items()
    }
    assert to_markdown(apps, settings) == to_markdown(turned, settings)
