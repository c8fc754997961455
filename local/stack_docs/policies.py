"""Who may do what: every statement of a template's roles and of the policies on its resources, in plain words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.stack_docs.plain import plain, text_of
from local.templates import Template
from stacks.settings import Settings

_POLICIES_ON = {
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": ("Topics", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": ("Queues", "PolicyDocument"),
    "AWS::KMS::Key": ("", "KeyPolicy"),
    "AWS::MSK::ClusterPolicy": ("ClusterArn", "Policy"),
}


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource. `who` is a role, or a principal in a policy on the resource."""

    stack: str
    who: str
    action: str
    resource: str
    effect: str
    condition: str


def grants_of_roles(stack: str, template: Template, settings: Settings) -> list[Grant]:
    """What the roles of a template may do, inline or by its policies."""
    found: set[Grant] = set()
    for id_, resource in template["Resources"].items():
        held = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            for policy in held.get("Policies", []):
                found |= set(_grants(stack, plain(id_, settings), policy["PolicyDocument"], settings))
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for role in held.get("Roles", []):
                found |= set(_grants(stack, plain(role, settings), held["PolicyDocument"], settings))
    return sorted(found)


def grants_on_resources(stack: str, template: Template, settings: Settings) -> list[Grant]:
    """What policies on buckets, keys, topics and queues say, beside TLS and the account's own administration."""
    found: set[Grant] = set()
    for id_, resource in template["Resources"].items():
        if resource["Type"] not in _POLICIES_ON:
            continue
        on, key = _POLICIES_ON[resource["Type"]]
        held = resource["Properties"]
        targets = _listed(held[on]) if on else [{"Ref": id_}]
        for statement in held[key]["Statement"]:
            for target in targets:
                who = plain(_principal(statement.get("Principal", "*")), settings)
                for grant in _grants(stack, who, {"Statement": [statement]}, settings):
                    found.add(
                        Grant(
                            stack, who, grant.action, plain(target, settings), grant.effect, grant.condition
                        )
                    )
    return sorted(found)


def trusted(template: Template, settings: Settings) -> dict[str, str]:
    """Who may assume each role."""
    return {
        plain(id_, settings): ", ".join(
            plain(_principal(statement["Principal"]), settings)
            for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        )
        for id_, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def managed(template: Template, settings: Settings) -> dict[str, list[str]]:
    """Policies of AWS that roles hold."""
    return {
        plain(id_, settings): [plain(arn, settings) for arn in resource["Properties"]["ManagedPolicyArns"]]
        for id_, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role" and resource["Properties"].get("ManagedPolicyArns")
    }


def _grants(stack: str, who: str, document: Mapping[str, Any], settings: Settings) -> Iterator[Grant]:
    for statement in document["Statement"]:
        condition = plain(statement["Condition"], settings) if statement.get("Condition") else ""
        for action in _listed(statement.get("Action", statement.get("NotAction"))):
            for resource in _listed(statement.get("Resource", "*")):
                yield Grant(stack, who, action, plain(resource, settings), statement["Effect"], condition)


def _principal(principal: Any) -> str:
    if isinstance(principal, str):
        return "anyone" if principal == "*" else principal
    values = [value for held in principal.values() for value in _listed(held)]
    return ", ".join("anyone" if value == "*" else text_of(value) for value in values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
