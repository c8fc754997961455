"""What an account gets once: the boundary that nothing leaves, the role that the workflow deploys with."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml

from tests.stacks.conftest import ROOT, cdk_context

PATH = ROOT / "stacks" / "account.yaml"
TEMPLATE: dict[str, Any] = yaml.safe_load(PATH.read_text("utf-8"))
RESOURCES = TEMPLATE["Resources"]
BOUNDARY = RESOURCES["Boundary"]["Properties"]
DENIED = [one for one in BOUNDARY["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def denial(action: str) -> dict[str, Any]:
    """The statement that refuses this action, whatever its condition."""
    [found] = [
        one for one in DENIED if any(fnmatchcase(action, denied) for denied in listed(one.get("Action", [])))
    ]
    return dict(found)


def test_account_template_has_no_error_that_cfn_lint_knows() -> None:
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    found = lint(PATH.read_text("utf-8"), config=ManualArgs(regions=["us-east-1"]))
    assert [str(match) for match in found if match.rule.id.startswith("E")] == []


def test_boundary_is_the_one_that_every_role_of_the_application_has() -> None:
    asked = cdk_context("dev", {}, {})["@aws-cdk/core:permissionsBoundary"]
    assert asked == {"name": BOUNDARY["ManagedPolicyName"]}
    assert TEMPLATE["Outputs"]["BoundaryName"]["Value"] == BOUNDARY["ManagedPolicyName"]


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])
def test_boundary_makes_every_role_stay_within_it(action: str) -> None:
    condition = denial(action)["Condition"]["StringNotEquals"]["iam:PermissionsBoundary"]
    assert condition["Fn::Sub"].endswith(f":policy/{BOUNDARY['ManagedPolicyName']}")


@pytest.mark.parametrize(
    "action",
    [
        "iam:DeleteRolePermissionsBoundary",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
        "iam:CreateUser",
        "iam:CreateAccessKey",
        "iam:CreateOpenIDConnectProvider",
        "cloudtrail:StopLogging",
    ],
)
def test_boundary_refuses_ways_out_of_it(action: str) -> None:
    assert "Condition" not in denial(action)


def test_boundary_keeps_what_deploys_as_it_is() -> None:
    kept = [
        text["Fn::Sub"].rpartition("role/")[2] for text in denial("iam:UpdateAssumeRolePolicy")["Resource"]
    ]
    assert kept == ["nexus-deploy", "cdk-*"]


def test_boundary_stays_in_one_region_but_for_services_that_have_none() -> None:
    [found] = [one for one in DENIED if "NotAction" in one]
    assert found["Condition"] == {"StringNotEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}}
    assert set(found["NotAction"]) == {"budgets:*", "iam:*", "sts:*", "support:*"}


def test_workflow_role_is_for_one_repository_and_one_environment() -> None:
    role = RESOURCES["Deploy"]["Properties"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${Environment}"
            },
        }
    }
    assert role["PermissionsBoundary"] == {"Ref": "Boundary"}


def test_workflow_role_deploys_through_the_roles_of_cdk_alone() -> None:
    [policy] = RESOURCES["Deploy"]["Properties"]["Policies"]
    granted = {
        action: one["Resource"]
        for one in policy["PolicyDocument"]["Statement"]
        for action in listed(one["Action"])
    }
    assert set(granted) == {
        "sts:AssumeRole",
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
        "cloudwatch:DescribeAlarms",
        "lambda:InvokeFunction",
        # what `make smoke` reads back
        "acm:DescribeCertificate",
        "athena:GetWorkGroup",
        "kafka:DescribeTopic",
        "kafka:ListClustersV2",
        "rds:DescribeDBInstances",
        "sns:ListSubscriptionsByTopic",
    }
    assert all("role/cdk-hnb659fds-" in text["Fn::Sub"] for text in granted["sts:AssumeRole"])
