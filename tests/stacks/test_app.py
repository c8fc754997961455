"""What holds for every stack of every environment."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from local.stateful_diff import STATEFUL
from stacks.settings import ENVIRONMENTS
from tests.conftest import Golden
from tests.stacks.conftest import ROOT, Assembly, Compose
from tests.stacks.reading import Raw, text_of
from tests.stacks.test_schemas import schema_of

# What loses data when it is deleted. A queue only repeats what the sweeper finds again, a network holds none.
PRECIOUS = {
    "AWS::Glue::Registry",
    "AWS::Glue::Schema",
    "AWS::Glue::SchemaVersion",
    "AWS::KMS::Key",
    "AWS::MSK::Cluster",
    "AWS::MSK::Topic",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
}
# Which function of ours stands behind a custom resource.
ANSWERS = {
    "Custom::ChangeGuard": "guard_change",
    "Custom::KafkaBrokers": "find_brokers",
    "Custom::LedgerSchema": "migrate_ledger",
    "Custom::PlacedFiles": "place_files",
    "Custom::SchemasAvailable": "check_schemas",
}
# The most characters AWS takes in a name, by type and property.
LENGTHS = {
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::Lambda::Function", "FunctionName"): 64,
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier"): 63,
    ("AWS::RDS::DBProxy", "DBProxyName"): 60,
    ("AWS::MSK::Cluster", "ClusterName"): 64,
    ("AWS::Athena::WorkGroup", "Name"): 128,
    ("AWS::Athena::NamedQuery", "Name"): 128,
    ("AWS::Glue::Registry", "Name"): 255,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::KMS::Alias", "AliasName"): 256,
    ("AWS::CloudWatch::Alarm", "AlarmName"): 255,
    ("AWS::AutoScaling::AutoScalingGroup", "AutoScalingGroupName"): 255,
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Name"): 32,
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Name"): 32,
    ("AWS::MWAA::Environment", "Name"): 80,
    ("AWS::KafkaConnect::Connector", "ConnectorName"): 128,
}


# CloudFormation's schema lets it have tags, and CloudFormation does not.
WITHOUT_TAGS = {"AWS::RDS::DBProxyTargetGroup"}


@cache
def takes_tags(kind: str) -> bool:
    """Whether it has a property `Tags`: a list of keys and values, or an object."""
    return not kind.startswith("Custom::") and "Tags" in schema_of(kind)["properties"]


def tags_of(resource: Raw) -> dict[str, str]:
    found = resource.get("Properties", {}).get("Tags", [])
    return dict(found) if isinstance(found, Mapping) else {tag["Key"]: tag["Value"] for tag in found}


def every_resource(found: Mapping[str, Raw]) -> Iterator[tuple[str, str, Raw]]:
    for stack, template in found.items():
        for name, resource in template["Resources"].items():
            yield stack, name, resource


def test_stacks_are_described_for_people(raw_templates: Compose, environment: str) -> None:
    for name, template in raw_templates(environment).items():
        assert template["Description"].startswith(f"Keystone Nexus {environment}, {name}: ")
        assert len(template["Description"]) <= 1024
        for output, found in template.get("Outputs", {}).items():
            ours = not output.startswith("PublishOutput")  # those are CDK's, for other stacks
            assert not ours or len(found.get("Description", "")) >= 20, f"{name}.{output} says nothing"


def test_stacks_are_those_whose_code_there_is(raw_templates: Compose, environment: str) -> None:
    """The connector comes with its plugin, Airflow with its DAGs: until then they are templates in tests."""
    found = set(raw_templates(environment))
    assert found >= {
        *("storage", "network", "database", "catalog"),
        *("streaming", "processing", "ingest", "observability"),
    }
    assert not found & {"connect", "orchestration"}


def test_stacks_tags_say_product_environment_and_subject(raw_templates: Compose, environment: str) -> None:
    for stack, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] in WITHOUT_TAGS or not takes_tags(resource["Type"]):
            continue
        wanted = {"product": "nexus", "environment": environment, "part": stack}
        tags = tags_of(resource)
        assert wanted.items() <= tags.items(), f"{stack}.{name} ({resource['Type']}) has the tags {tags}"


def too_long(found: Mapping[str, Raw]) -> list[str]:
    return [
        f"{stack}.{name}: {key} is longer than {most}"
        for stack, name, resource in every_resource(found)
        for (kind, key), most in LENGTHS.items()
        if resource["Type"] == kind and len(text_of(resource.get("Properties", {}).get(key, ""))) > most
    ]


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Stack and output of every weak reference inside."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Fn::GetStackOutput":
                yield inner["StackName"], inner["OutputName"]
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_stacks_find_what_they_refer_to(raw_templates: Compose, environment: str) -> None:
    found = raw_templates(environment)
    for template in found.values():
        for stack, output in references(template):
            assert output in found[stack.removeprefix(f"nexus-{environment}-")]["Outputs"]


def test_stacks_keep_what_is_precious(raw_templates: Compose, environment: str) -> None:
    for stack, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] in PRECIOUS:
            kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
            assert kept == ("Retain", "Retain"), f"{stack}.{name} is lost with its stack"


def protected(assembly: Assembly) -> set[str]:
    """Names of the stacks that CloudFormation refuses to delete."""
    return {
        name
        for name, file in assembly.files.items()
        for artifact in assembly.manifest["artifacts"].values()
        if artifact.get("properties", {}).get("templateFile") == file.name
        and artifact["properties"].get("terminationProtection")
    }


def test_stacks_with_state_are_protected(
    assemblies: Callable[..., Assembly], raw_templates: Compose, environment: str
) -> None:
    with_state = {
        stack
        for stack, _, resource in every_resource(raw_templates(environment))
        if resource["Type"] in PRECIOUS - {"AWS::KMS::Key"}  # that of the alarms encrypts mails
    }
    assert with_state == {"storage", "database", "catalog", "streaming"}
    assert protected(assemblies(environment)) == with_state


def test_stacks_are_not_protected_when_both_switches_agree(assemblies: Callable[..., Assembly]) -> None:
    assert protected(assemblies("dev", {"destroy": "dev"})) == set()


def test_stacks_keep_the_ids_of_what_holds_state(raw_templates: Compose, golden: Golden) -> None:
    lines = [
        f"{environment} {stack} {resource['Type']} {name}"
        for environment in ENVIRONMENTS
        for stack, name, resource in every_resource(raw_templates(environment))
        if resource["Type"] in STATEFUL
    ]
    golden.check("stateful-ids.txt", "\n".join(sorted(lines)) + "\n")


def test_stacks_names_fit(raw_templates: Compose, environment: str) -> None:
    assert too_long(raw_templates(environment)) == []


def test_stacks_names_fit_with_the_longest_prefix(raw_templates: Compose) -> None:
    """And the longest name of an environment."""
    found = raw_templates("staging", bucket_prefix="x" * 47)
    assert too_long(found) == []
    named = {resource["Type"] for _, _, resource in every_resource(found)} & {kind for kind, _ in LENGTHS}
    assert {"AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::RDS::DBProxy"} <= named


def test_stacks_names_that_are_too_long_are_found() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "x" * 81}}
    assert too_long({"a": {"Resources": {"Q": queue}}}) == ["a.Q: QueueName is longer than 80"]


def test_stacks_use_no_function_that_cdk_brings_along(raw_templates: Compose, environment: str) -> None:
    """Its helpers run with rights that nobody chose. Ours are all under `lambdas/`."""
    packages = {path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py")}
    for stack, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] == "AWS::Lambda::Function":
            handler = resource["Properties"]["Handler"]
            assert handler.split(".")[1] in packages, f"{stack}.{name} runs {handler}"


def test_stacks_functions_are_alike(raw_templates: Compose, environment: str) -> None:
    for _, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"]), name
            assert properties["RecursiveLoop"] == "Terminate", name  # fault 50
            assert properties["Description"]
            assert "LogGroup" in properties["LoggingConfig"]


def test_stacks_custom_resources_are_answered_in_time_by_functions_of_ours(
    raw_templates: Compose, environment: str
) -> None:
    """Without a limit CloudFormation waits an hour for a function that cannot answer."""
    found = raw_templates(environment)
    functions = {
        name: resource["Properties"]
        for _, name, resource in every_resource(found)
        if resource["Type"] == "AWS::Lambda::Function"
    }
    for stack, name, resource in every_resource(found):
        if resource["Type"].startswith("Custom::"):
            properties = resource["Properties"]
            token = text_of(properties["ServiceToken"])  # of this stack, or published by another
            [function] = [one for id_, one in functions.items() if id_ in token]
            assert function["Handler"].split(".")[1] == ANSWERS[resource["Type"]], f"{stack}.{name}"
            assert function["Timeout"] < int(properties["ServiceTimeout"]) <= 600, f"{stack}.{name}"


def test_stacks_functions_wait_for_their_rights(raw_templates: Compose, environment: str) -> None:
    """AWS refuses a function in a network whose role may not make interfaces there yet."""
    for template in raw_templates(environment).values():
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Lambda::Function":
                waits = {template["Resources"][id_]["Type"] for id_ in resource["DependsOn"]}
                assert "AWS::IAM::Policy" in waits, name


def test_stacks_logs_have_an_end(raw_templates: Compose, environment: str) -> None:
    for stack, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] == "AWS::Logs::LogGroup":
            assert resource["Properties"].get("RetentionInDays"), f"{stack}.{name} is kept for ever"


def test_stacks_hold_no_secret_but_the_one_of_the_document(raw_templates: Compose, environment: str) -> None:
    """docs/secrets.md: the password of the ledger's owner, which RDS makes, keeps and turns."""
    made, text = [], json.dumps(dict(raw_templates(environment)))
    for stack, name, resource in every_resource(raw_templates(environment)):
        properties = resource.get("Properties", {})
        if properties.get("ManageMasterUserPassword") or resource["Type"].startswith("AWS::SecretsManager::"):
            made.append((stack, name))
    assert [stack for stack, _ in made] == ["database"]
    for word in ('"MasterUserPassword"', '"SecretString"', "resolve:secretsmanager", "resolve:ssm-secure"):
        assert word not in text
    written = (ROOT / "docs" / "secrets.md").read_text("utf-8")
    assert "nexus_owner" in written
    assert "LedgerOwnerSecretArn" in written
    assert "LedgerOwnerSecretArn" in raw_templates(environment)["database"]["Outputs"]


def test_cdk_builds_what_it_deploys_before_it_synthesizes() -> None:
    told = json.loads((ROOT / "cdk.json").read_text("utf-8"))
    assert told["build"] == "make assets"
    python, script = told["app"].split()
    assert python == ".venv/bin/python"
    assert (ROOT / script).is_file()
