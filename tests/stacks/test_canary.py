"""The canary's stack: it can reach what it follows, waits long enough, and its alarms read what it counts."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import InputError, SettingsError
from lambdas.canary.events import ENTITY
from lambdas.canary.settings import Settings as CanarySettings
from local.layer import LAMBDA, LAYERS, MOST_MB, build_layers
from local.lock_file import needed_by, read_lock
from stacks import canary as subject
from stacks.assets import Assets
from stacks.layers import UNPACKED_MB
from tests.stacks.conftest import ROOT, Assembly, Compose, cdk_context
from tests.stacks.reading import Raw, named, only, resources, statements, text_of

LAMBDA_MB = 250  # AWS: a function and its layers, unpacked


def canary(raw_templates: Compose, environment: str) -> Raw:
    template: Raw = raw_templates(environment)["canary"]
    return template


def function(template: Raw) -> Any:
    return only(resources(template, "AWS::Lambda::Function"))


def variables(template: Raw) -> dict[str, str]:
    given = function(template)["Environment"]["Variables"]
    return {name: text_of(value) for name, value in given.items()}


def test_canary_is_given_what_it_reads(raw_templates: Compose, environment: str) -> None:
    found = CanarySettings.from_env(
        {**variables(canary(raw_templates, environment)), "AWS_REGION": "us-east-1"}
    )
    assert found.ingest_address.endswith(":443")
    assert found.certificate_name == cdk_context(environment, {}, {})[environment]["ingest"]["domain"]
    assert found.alarm_prefix == f"nexus-{environment}-"
    assert found.ledger_url.startswith("postgresql://canary@")
    assert "sslmode=verify-full" in found.ledger_url
    assert found.connector == ""


def test_canary_names_the_connector_where_one_lands(undeployed: Callable[[str], Assembly]) -> None:
    assert variables(undeployed("dev").templates["canary"])["NEXUS_CONNECTOR"] == "nexus-dev-bronze-sink"


def test_canary_waits_for_landing_and_ends_before_lambda_ends_it(
    raw_templates: Compose, environment: str
) -> None:
    template = canary(raw_templates, environment)
    flush_s = cdk_context(environment, {}, {})[environment]["land"]["flush_seconds"]
    patience_s = int(variables(template)["NEXUS_CANARY_PATIENCE_S"])
    late = named(
        resources(raw_templates(environment)["observability"], "AWS::CloudWatch::Alarm"),
        "AlarmName",
        f"nexus-{environment}-canary-late",
    )
    assert flush_s < late["Threshold"] < patience_s, "who waits in vain must set off the alarm"
    assert patience_s + 120 <= function(template)["Timeout"] <= 900


def test_canary_that_could_not_wait_is_no_deployment() -> None:
    from stacks.settings import Settings

    def patience_s(flush_seconds: int) -> int:
        context = cdk_context("dev", {"land": {"flush_seconds": flush_seconds}}, {})
        return subject._patience_s(Settings.from_context(context.get, {}))

    assert patience_s(420) == 780
    with pytest.raises(SettingsError, match=r"dev\.land\.flush_seconds is 421: .* give 420 or less"):
        patience_s(421)


def test_canary_runs_every_quarter_of_an_hour(raw_templates: Compose, environment: str) -> None:
    template = canary(raw_templates, environment)
    rule = only(resources(template, "AWS::Events::Rule"))
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(15 minutes)", "ENABLED")
    assert text_of(rule["Targets"][0]["Arn"]).split(".")[0] in resources(template, "AWS::Lambda::Function")
    allowed = only(resources(template, "AWS::Lambda::Permission"))
    assert (allowed["Principal"], allowed["Action"]) == ("events.amazonaws.com", "lambda:InvokeFunction")


def test_canary_reads_its_own_entity_alone_and_writes_nothing(
    raw_templates: Compose, environment: str
) -> None:
    found = statements(canary(raw_templates, environment))
    objects = {r for one in found for r in one.resources if "s3:GetObject" in one.actions}
    assert {resource.split(":::")[1].split("/", 1)[1] for resource in objects} == {f"{ENTITY}/*"}
    assert not {a for one in found for a in one.actions if a.startswith(("s3:Put", "s3:Delete", "sqs:"))}
    assert subject.ENTITY == ENTITY


def test_canary_lives_in_a_group_of_its_own(raw_templates: Compose, environment: str) -> None:
    [group] = function(canary(raw_templates, environment))["VpcConfig"]["SecurityGroupIds"]
    assert "CanaryGroup" in text_of(group)


def test_canarys_alarms_read_what_it_counts(raw_templates: Compose, environment: str) -> None:
    """Over periods that hold a run: one of five minutes would be empty two times in three."""
    every_s = 900
    alarms = resources(raw_templates(environment)["observability"], "AWS::CloudWatch::Alarm")
    late = named(alarms, "AlarmName", f"nexus-{environment}-canary-late")
    failed = named(alarms, "AlarmName", f"nexus-{environment}-canary-failed")
    for alarm, name, statistic in ((late, "EndToEndSeconds", "Maximum"), (failed, "ChecksFailed", "Minimum")):
        assert (alarm["Namespace"], alarm["MetricName"]) == ("KeystoneNexus", name)
        assert alarm["Dimensions"] == [{"Name": "service", "Value": "canary"}]
        assert alarm["Statistic"] == statistic
        assert alarm["Period"] >= 2 * every_s
        assert alarm["EvaluationPeriods"] == 1
    assert (late["TreatMissingData"], failed["Threshold"]) == ("breaching", 0)


def test_grpc_layer_is_for_the_canarys_python_and_processor(raw_templates: Compose) -> None:
    template = canary(raw_templates, "dev")
    layer = only(resources(template, "AWS::Lambda::LayerVersion"))
    assert layer["CompatibleRuntimes"] == [function(template)["Runtime"]] == [f"python{LAMBDA.python}"]
    assert layer["CompatibleArchitectures"] == function(template)["Architectures"] == ["arm64"]
    assert LAMBDA.platform.startswith("aarch64-")


def test_grpc_layer_holds_what_grpc_needs() -> None:
    lock = read_lock((ROOT / "requirements.txt").read_text("utf-8"))
    found = {one.name for one in needed_by(lock, LAYERS["grpc-layer"], LAMBDA.markers)}
    assert found == {"grpcio", "protobuf", "typing-extensions"}


def test_grpc_layer_is_where_lambda_looks(assets: Assets) -> None:
    with zipfile.ZipFile(assets.file(subject.LAYER)) as layer:
        assert {name.split("/")[0] for name in layer.namelist()} == {"python"}


def test_grpc_layer_pandas_and_the_package_fit_together(assets: Assets) -> None:
    with zipfile.ZipFile(assets.file("canary.zip")) as package:
        unpacked = sum(entry.file_size for entry in package.infolist()) / 1e6
    assert unpacked + MOST_MB + UNPACKED_MB <= LAMBDA_MB


def test_grpc_layer_that_has_grown_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="grpc-layer would be 25 MB unpacked"):
        build_layers(tmp_path, fetch=lambda _lock: {"fast.so": bytes(25_000_000)})
