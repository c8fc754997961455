"""`make diff ENV=dev` stops here when a deployment would replace or drop something that holds state.

It compares the templates that CloudFormation holds with those just synthesized; which properties cannot be changed in
place is what AWS's own resource schemas say.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import boto3

from lakehouse.errors import NexusError
from local.account import deployed, in_words, require_account
from local.templates import Template, read_settings, read_templates
from stacks.naming import Names
from stacks.settings import ENVIRONMENTS

# What cannot be made again with what was in it, or whose replacement stops everything that uses it.
STATEFUL = frozenset(
    {
        "AWS::EC2::Subnet",
        "AWS::EC2::VPC",
        "AWS::Glue::Registry",
        "AWS::Glue::Schema",
        "AWS::Glue::SchemaVersion",
        "AWS::KMS::Key",
        "AWS::MSK::Cluster",
        "AWS::MSK::Topic",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
    }
)
# Of a resource type: paths such as BrokerNodeGroupInfo/ClientSubnets.
CreateOnly = Callable[[str], frozenset[str]]


def losses(
    before: Mapping[str, Template], wanted: Mapping[str, Template], create_only: CreateOnly
) -> list[str]:
    """One line for each thing that a deployment of `wanted` over `before` would replace or drop, by stack.

    An output that a deployed stack reads is such a thing: a stack that rolls back reads it again.
    """
    nothing: Template = {"Resources": {}}
    found = [
        f"{stack}: {line}"
        for stack, old in before.items()
        for line in _losses(old, wanted.get(stack, nothing), create_only)
    ]
    for reader, old in before.items():
        for stack, output in sorted(set(outputs_read(old))):
            giver = stack.rpartition("-")[2]
            if giver in before and output not in wanted.get(giver, nothing).get("Outputs", {}):
                found.append(f"{giver}: output {output} would be dropped, and {reader} reads it")
    return found


def outputs_read(part: Any) -> Iterator[tuple[str, str]]:
    """Stack and output of every reference to another stack."""
    if isinstance(part, Mapping):
        for key, inner in part.items():
            if key == "Fn::GetStackOutput":
                yield inner["StackName"], inner["OutputName"]
            else:
                yield from outputs_read(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from outputs_read(inner)


def _losses(old: Template, new: Template, create_only: CreateOnly) -> Iterator[str]:
    for id_, resource in old["Resources"].items():
        kind = resource["Type"]
        if kind not in STATEFUL:
            continue
        after = new["Resources"].get(id_)
        if after is None or after["Type"] != kind:
            yield f"{id_} ({kind}) would be dropped"
            continue
        before, held = resource.get("Properties", {}), after.get("Properties", {})
        changed = sorted(path for path in create_only(kind) if _at(before, path) != _at(held, path))
        if changed:
            yield f"{id_} ({kind}) would be replaced, for {', '.join(changed)} cannot be changed in place"


def _at(properties: Any, path: str) -> str:
    """What lies under a path, as text; lists on the way are looked through."""
    found = [properties]
    for step in path.split("/"):
        if step == "*":
            found = [one for held in found if isinstance(held, list) for one in held]
        else:
            found = [held[step] for held in found if isinstance(held, Mapping) and step in held]
    return json.dumps(found, sort_keys=True)


def by_schema(region: str) -> CreateOnly:
    """From the schemas of CloudFormation's registry, as cfn-lint brings them along."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    def create_only(kind: str) -> frozenset[str]:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema
        return frozenset(path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", ()))

    return create_only


def read_deployed(cloudformation: Any, names: Names, stacks: Sequence[str]) -> dict[str, Template]:
    """Templates that CloudFormation holds, of those stacks that are deployed at all."""
    found = {}
    for stack in deployed(cloudformation, names, stacks):
        answer = cloudformation.get_template(StackName=names.stack(stack), TemplateStage="Original")
        body = answer["TemplateBody"]
        found[stack] = json.loads(body) if isinstance(body, str) else body
    return found


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 when something would be lost, 3 when it cannot be told."""
    parser = argparse.ArgumentParser(prog="python -m local.stateful_diff", description=__doc__)
    parser.add_argument("environment", choices=ENVIRONMENTS)
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(given.environment)
        wanted = read_templates(given.environment)
        names = Names(settings.environment, settings.bucket_prefix)
        with in_words():
            require_account(boto3.client("sts", region_name=settings.region), settings)
            client = boto3.client("cloudformation", region_name=settings.region)
            before = read_deployed(client, names, list(wanted))
    except NexusError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    found = losses(before, wanted, by_schema(settings.region))
    if found:
        sys.stderr.write(
            "\n".join(found)
            + "\nStopped: these hold state, or a stack that is deployed reads them. Undo the change, or move "
            "the data first and say so in docs/decisions.\n"
        )
        return 1
    sys.stdout.write("nothing that holds state would be replaced or dropped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
