"""What holds for every stack of every environment."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.settings import ENVIRONMENTS
from tests.conftest import Golden
from tests.stacks.conftest import ROOT, Compose
from tests.stacks.reading import Raw, text_of

# What holds state: its logical id must never change, or CloudFormation makes a new one beside it.
STATEFUL = {
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


def test_stacks_are_called_by_product_environment_and_subject(
    raw_templates: Compose, environment: str
) -> None:
    for _, _, resource in every_resource(raw_templates(environment)):
        tags = resource.get("Properties", {}).get("Tags", [])
        if isinstance(tags, list) and tags:
            known = {tag["Key"]: tag["Value"] for tag in tags if "Key" in tag}
            assert (known["product"], known["environment"]) == ("nexus", environment)
            assert "part" in known


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


def test_stacks_with_state_are_protected(assets: Any, environment: str) -> None:
    from app import compose
    from stacks.base import App
    from stacks.settings import Settings
    from tests.stacks.conftest import cdk_context

    def protected(extra: Mapping[str, str]) -> dict[str, bool]:
        app = App(context=cdk_context(environment, {}, extra))
        settings = Settings.from_context(app.node.try_get_context, {})
        return {
            name: bool(one.termination_protection) for name, one in compose(app, settings, assets).items()
        }

    assert {"storage", "database", "catalog"} <= {name for name, on in protected({}).items() if on}
    if environment != "prod":
        assert not any(protected({"destroy": environment}).values())


def test_stacks_keep_the_ids_of_what_holds_state(raw_templates: Compose, golden: Golden) -> None:
    lines = [
        f"{environment} {stack} {resource['Type']} {name}"
        for environment in ENVIRONMENTS
        for stack, name, resource in every_resource(raw_templates(environment))
        if resource["Type"] in STATEFUL
    ]
    golden.check("stateful-ids.txt", "\n".join(sorted(lines)) + "\n")


def test_stacks_names_fit_with_the_longest_prefix(raw_templates: Compose) -> None:
    longest = "x" * 47
    checked = set()
    found = raw_templates("staging", bucket_prefix=longest)
    for stack, name, resource in every_resource(found):
        for (kind, key), most in LENGTHS.items():
            value = resource.get("Properties", {}).get(key) if resource["Type"] == kind else None
            if value is not None:
                checked.add(kind)
                assert len(text_of(value)) <= most, f"{stack}.{name}: {value} is longer than {most}"
    assert {"AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::RDS::DBProxy"} <= checked


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
            assert properties["Description"]
            assert "LogGroup" in properties["LoggingConfig"]


def test_stacks_logs_have_an_end(raw_templates: Compose, environment: str) -> None:
    for stack, name, resource in every_resource(raw_templates(environment)):
        if resource["Type"] == "AWS::Logs::LogGroup":
            assert resource["Properties"].get("RetentionInDays"), f"{stack}.{name} is kept for ever"
