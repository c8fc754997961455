"""Roles, policies, keys: IAM and KMS."""

import json
from typing import Any

from local.rehearsal.wanted import Made, Wanted, model


@model("AWS::IAM::Role")
def make_role(wanted: Wanted) -> Made:
    """With its inline and managed policies."""
    iam = wanted.client("iam")
    name = wanted.get("RoleName") or wanted.given_name(64)
    more: dict[str, Any] = wanted.pick("Description", "MaxSessionDuration", "PermissionsBoundary", "Path")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=wanted.document("AssumeRolePolicyDocument"),
        Tags=wanted.tags(),
        **more,
    )["Role"]
    for policy in wanted.get("Policies", []):
        document = json.dumps(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    for arn in wanted.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})


@model("AWS::IAM::Policy")
def make_policy(wanted: Wanted) -> Made:
    """Inline, in each of its roles."""
    for role in wanted["Roles"]:
        wanted.client("iam").put_role_policy(
            RoleName=role,
            PolicyName=wanted["PolicyName"],
            PolicyDocument=wanted.document("PolicyDocument"),
        )
    return Made(wanted["PolicyName"])


@model("AWS::IAM::ManagedPolicy")
def make_managed_policy(wanted: Wanted) -> Made:
    """For a permissions boundary."""
    policy = wanted.client("iam").create_policy(
        PolicyName=wanted.get("ManagedPolicyName") or wanted.given_name(128),
        PolicyDocument=wanted.document("PolicyDocument"),
        **wanted.pick("Description", "Path"),
    )["Policy"]
    return Made(policy["Arn"], {"PolicyArn": policy["Arn"]})


@model("AWS::IAM::OIDCProvider")
def make_oidc_provider(wanted: Wanted) -> Made:
    """Whose tokens the workflow signs in with."""
    arn = wanted.client("iam").create_open_id_connect_provider(
        Url=wanted["Url"], ClientIDList=wanted.get("ClientIdList", [])
    )["OpenIDConnectProviderArn"]
    return Made(arn, {"Arn": arn})


@model("AWS::IAM::InstanceProfile")
def make_instance_profile(wanted: Wanted) -> Made:
    """What gives hosts their role."""
    iam, name = wanted.client("iam"), wanted.get("InstanceProfileName") or wanted.given_name(128)
    profile = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in wanted["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return Made(name, {"Arn": profile["Arn"]})


@model("AWS::KMS::Key")
def make_key(wanted: Wanted) -> Made:
    """With its policy, and rotation where it is wanted."""
    kms = wanted.client("kms")
    key = kms.create_key(
        Policy=wanted.document("KeyPolicy"),
        Tags=wanted.tags("TagKey", "TagValue"),
        **wanted.pick("Description"),
    )["KeyMetadata"]
    if wanted.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key["KeyId"])
    wanted.note("PendingWindowInDays")
    return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})


@model("AWS::KMS::Alias")
def make_alias(wanted: Wanted) -> Made:
    """A name for a key."""
    wanted.client("kms").create_alias(AliasName=wanted["AliasName"], TargetKeyId=wanted["TargetKeyId"])
    return Made(wanted["AliasName"])
