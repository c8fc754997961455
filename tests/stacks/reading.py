"""Reads templates: resources by type, statements with their resources as text, references resolved to names."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Raw = Mapping[str, Any]


def resources(template: Raw, kind: str) -> dict[str, Any]:
    """Properties of all resources of a CloudFormation type, by logical id."""
    return {
        name: found.get("Properties", {})
        for name, found in template["Resources"].items()
        if found["Type"] == kind
    }


def whole(template: Raw, kind: str) -> dict[str, Any]:
    """Resources of a type with their policies and dependencies, by logical id."""
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}


def only(found: Mapping[str, Any]) -> Any:
    """The one thing in it."""
    [one] = found.values()
    return one


def named(found: Mapping[str, Any], key: str, value: str) -> Any:
    """The one among them whose property has this value."""
    [one] = [properties for properties in found.values() if properties.get(key) == value]
    return one


@dataclass(frozen=True)
class Statement:
    """One statement of a role's or a bucket's policy; actions and resources always as sorted texts."""

    owner: str  # logical id of the role, user or bucket
    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: str
    principal: str


def statements(template: Raw) -> list[Statement]:
    """Every statement that a role has, inline or by a policy of the template."""
    found = []
    for name, properties in resources(template, "AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            found += list(_statements(name, policy["PolicyDocument"]))
    for properties in resources(template, "AWS::IAM::Policy").values():
        for role in properties.get("Roles", []):
            found += list(_statements(text_of(role), properties["PolicyDocument"]))
    return found


def bucket_statements(template: Raw, bucket: str) -> list[Statement]:
    """Statements of the policies of the bucket with this name."""
    ids = [name for name, p in resources(template, "AWS::S3::Bucket").items() if p["BucketName"] == bucket]
    return [
        one
        for properties in resources(template, "AWS::S3::BucketPolicy").values()
        if text_of(properties["Bucket"]) in ids
        for one in _statements(bucket, properties["PolicyDocument"])
    ]


def text_of(value: Any) -> str:
    """A value as one readable text: references as their logical ids, outputs of other stacks as stack/output."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        [(function, argument)] = value.items()
        match function:
            case "Ref":
                return str(argument)
            case "Fn::GetAtt":
                return ".".join(argument)
            case "Fn::Join":
                return str(argument[0]).join(text_of(part) for part in argument[1])
            case "Fn::GetStackOutput":
                return f"{argument['StackName']}/{argument['OutputName']}"
    return json.dumps(value, sort_keys=True)


def _statements(owner: str, document: Raw) -> Iterator[Statement]:
    for one in document["Statement"]:
        yield Statement(
            owner=owner,
            sid=one.get("Sid", ""),
            effect=one["Effect"],
            actions=_texts(one.get("Action", [])),
            resources=_texts(one.get("Resource", [])),
            conditions=json.dumps(one.get("Condition", {}), sort_keys=True),
            principal=_principal(one.get("Principal", "")),
        )


def _principal(value: Any) -> str:
    return "*" if value in ("*", {"AWS": "*"}) else text_of(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(sorted(text_of(one) for one in (value if isinstance(value, list) else [value])))
