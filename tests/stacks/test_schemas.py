"""Every resource against the schema that CloudFormation publishes for its type: known, complete, and nothing else."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from tests.stacks.conftest import Compose
from tests.stacks.reading import Raw

REGION = "us-east-1"


@cache
def schema_of(kind: str) -> Mapping[str, Any]:
    """As cfn-lint brings it along; fails for a type that CloudFormation does not have."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    found: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    return found


def problems(template: Raw) -> Iterator[str]:
    """Properties that are unknown or missing, at every depth where the template holds plain objects."""
    for id_, resource in template["Resources"].items():
        kind = resource["Type"]
        if not kind.startswith("Custom::"):
            schema = schema_of(kind)
            for path, problem in _problems(resource.get("Properties", {}), schema, schema):
                yield f"{id_} ({kind}){path}: {problem}"


def _problems(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    schema = _resolved(schema, root)
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            for path, problem in _problems(one, schema["items"], root):
                yield f"[{number}]{path}", problem
    if not isinstance(value, Mapping) or _is_function(value) or "properties" not in schema:
        return
    known = schema["properties"]
    for name in value:
        if (
            name not in known
            and not schema.get("patternProperties")
            and schema.get("additionalProperties") is False
        ):
            yield "", f"{name} is not known"
    for name in schema.get("required", ()):
        if name not in value and f"/properties/{name}" not in root.get("readOnlyProperties", ()):
            yield "", f"{name} is missing"
    for name, one in value.items():
        if name in known:
            for path, problem in _problems(one, known[name], root):
                yield f".{name}{path}", problem


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def test_schemas_of_all_resources_are_kept(raw_templates: Compose, environment: str) -> None:
    found = [
        f"{name}: {problem}"
        for name, template in raw_templates(environment).items()
        for problem in problems(template)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("properties", "finds"),
    [
        ({"BucketName": "b"}, []),
        ({"BucketNam": "b"}, ["B (AWS::S3::Bucket): BucketNam is not known"]),
        (
            {"VersioningConfiguration": {}},
            ["B (AWS::S3::Bucket).VersioningConfiguration: Status is missing"],
        ),
        (
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Expires": 1}]}},
            ["B (AWS::S3::Bucket).LifecycleConfiguration.Rules[0]: Expires is not known"],
        ),
        ({"VersioningConfiguration": {"Ref": "Somewhere"}}, []),
    ],
)
def test_schemas_that_are_not_kept_are_found(properties: dict[str, Any], finds: list[str]) -> None:
    template = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}}
    assert list(problems(template)) == finds
