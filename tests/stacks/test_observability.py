"""Alarms that somebody hears, each with its runbook; the dashboard; the budget."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lakehouse.catalog import load_entities
from stacks.alarms import all_alarms
from stacks.settings import Settings
from tests.stacks.conftest import ROOT, Compose, cdk_context
from tests.stacks.reading import Raw, only, resources, text_of

RUNBOOKS = ROOT / "docs" / "runbooks"
NOT_OF_AN_ALARM = {"README", "budget"}


def settings_of(environment: str) -> Settings:
    return Settings.from_context(cdk_context(environment, {}, {}).get, {})


def observability(raw_templates: Compose, environment: str) -> Raw:
    template: Raw = raw_templates(environment)["observability"]
    return template


def alarms(raw_templates: Compose, environment: str) -> dict[str, Any]:
    """Every alarm of every stack that is for people, by name; not those that only move a scaling policy."""
    return {
        alarm["AlarmName"]: alarm
        for template in raw_templates(environment).values()
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
        if not {text_of(one) for one in alarm.get("AlarmActions", [])}
        & set(resources(template, "AWS::AutoScaling::ScalingPolicy"))
    }


def measured(alarm: Raw) -> Iterator[Raw]:
    """Metrics that an alarm reads: namespace, name, dimensions."""
    if "MetricName" in alarm:
        yield alarm
    for query in alarm.get("Metrics", []):
        if "MetricStat" in query:
            yield query["MetricStat"]["Metric"]


def watching(raw_templates: Compose, environment: str, dimension: str, value: str) -> list[Raw]:
    """Alarms on a metric with this dimension."""
    wanted = {"Name": dimension, "Value": value}
    found = alarms(raw_templates, environment).values()
    return [
        alarm for alarm in found if any(wanted in metric.get("Dimensions", []) for metric in measured(alarm))
    ]


def test_alarms_have_a_runbook_with_its_address(raw_templates: Compose, environment: str) -> None:
    base = settings_of(environment).observability.runbooks
    for name, alarm in alarms(raw_templates, environment).items():
        found = re.fullmatch(rf"(.+) What to do: {re.escape(base)}/([a-z-]+)\.md", alarm["AlarmDescription"])
        assert found, f"{name} has no runbook's address"
        assert (RUNBOOKS / f"{found[2]}.md").is_file(), f"{name}: there is no docs/runbooks/{found[2]}.md"


def test_runbooks_belong_to_an_alarm(environment: str) -> None:
    told = {spec.runbook for spec in all_alarms(settings_of(environment))} | {"check-deployment"}
    # which alarms there are depends on settings: who lands, which brokers
    for variant in ({"land": {"by": "connect"}}, {"streaming": {"broker": "express.m7g.large"}}):
        context = cdk_context(environment, variant, {})
        told |= {spec.runbook for spec in all_alarms(Settings.from_context(context.get, {}))}
    written = {path.stem for path in RUNBOOKS.glob("*.md")} - NOT_OF_AN_ALARM
    assert written == told


def test_runbooks_say_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for path in sorted(RUNBOOKS.glob("*.md")):
        text = path.read_text("utf-8")
        if path.stem != "README":
            assert re.search(r"^# .+\n\n\S.*?\n\n## Look at\n\n.+\n\n## Do\n\n", text, re.DOTALL), path.name
            assert f"({path.name})" in (RUNBOOKS / "README.md").read_text("utf-8"), path.name


def test_alarms_tell_when_they_begin_and_when_they_are_over(raw_templates: Compose, environment: str) -> None:
    template = observability(raw_templates, environment)
    [topic] = resources(template, "AWS::SNS::Topic")
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        assert [text_of(one) for one in alarm["AlarmActions"]] == [topic], name
        assert [text_of(one) for one in alarm["OKActions"]] == [topic], name
        assert alarm.get("ActionsEnabled", True), name
        assert alarm["TreatMissingData"] in ("breaching", "notBreaching"), name


def test_alarms_reach_the_address_of_the_environment(raw_templates: Compose, environment: str) -> None:
    subscription = only(resources(observability(raw_templates, environment), "AWS::SNS::Subscription"))
    assert subscription["Protocol"] == "email"
    assert subscription["Endpoint"] == settings_of(environment).observability.alarm_address


@pytest.mark.parametrize("service", ["cloudwatch", "budgets"])
def test_alarms_are_encrypted_with_a_key_that_their_sender_may_use(
    raw_templates: Compose, environment: str, service: str
) -> None:
    template = observability(raw_templates, environment)
    [key] = resources(template, "AWS::KMS::Key")
    assert text_of(only(resources(template, "AWS::SNS::Topic"))["KmsMasterKeyId"]).startswith(key)
    settings = settings_of(environment)
    for policy in ("AWS::KMS::Key", "AWS::SNS::TopicPolicy"):
        found = only(resources(template, policy))
        document = found.get("KeyPolicy") or found["PolicyDocument"]
        [granted] = [
            one
            for one in document["Statement"]
            if one["Effect"] == "Allow" and one["Principal"] == {"Service": f"{service}.amazonaws.com"}
        ]
        wanted = ["kms:Decrypt", "kms:GenerateDataKey"] if "KMS" in policy else "sns:Publish"
        assert granted["Action"] == wanted
        assert granted["Condition"]["StringEquals"] == {"aws:SourceAccount": settings.account}


def test_alarms_topic_refuses_anything_but_tls(raw_templates: Compose, environment: str) -> None:
    policy = only(resources(observability(raw_templates, environment), "AWS::SNS::TopicPolicy"))
    denied = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_alarms_watch_every_dead_letter_queue(raw_templates: Compose, environment: str) -> None:
    for template in raw_templates(environment).values():
        for id_, queue in resources(template, "AWS::SQS::Queue").items():
            text = json.dumps(template)
            if (
                f'"deadLetterTargetArn": {{"Fn::GetAtt": ["{id_}"' in text
                or f'DeadLetterConfig": {{"Arn": {{"Fn::GetAtt": ["{id_}"' in text
            ):
                [alarm] = watching(raw_templates, environment, "QueueName", queue["QueueName"])
                assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0, 1)


def test_alarms_watch_the_lag_of_every_topic_well_before_its_end(
    raw_templates: Compose, environment: str
) -> None:
    retention_s = settings_of(environment).streaming.retention_hours * 3600
    topics = resources(raw_templates(environment)["streaming"], "AWS::MSK::Topic").values()
    assert len(topics) == len(load_entities())
    for topic in topics:
        [alarm] = watching(raw_templates, environment, "Topic", topic["TopicName"])
        [metric] = measured(alarm)
        assert {d["Name"] for d in metric["Dimensions"]} == {"Cluster Name", "Consumer Group", "Topic"}
        assert alarm["Threshold"] <= retention_s / 4


def test_alarms_watch_what_is_deployed_by_its_name(raw_templates: Compose, environment: str) -> None:
    """A renamed queue, function, database or group would leave its alarm without data, and silent for ever."""
    text = json.dumps({name: t for name, t in raw_templates(environment).items() if name != "observability"})
    for name, alarm in alarms(raw_templates, environment).items():
        for metric in measured(alarm):
            for dimension in metric.get("Dimensions", []):
                if dimension["Name"] not in (
                    "service",
                    "Broker ID",
                    "Consumer Group",
                    "Function",
                    "Resource",
                    "ExecutedVersion",
                ):
                    assert f'"{text_of(dimension["Value"])}"' in text, f"{name} watches {dimension['Value']}"


def test_alarms_read_metrics_that_our_code_emits(raw_templates: Compose, environment: str) -> None:
    code = {path.parent.name: path.read_text("utf-8") for path in (ROOT / "lambdas").glob("*/handler.py")}
    for name, alarm in alarms(raw_templates, environment).items():
        for metric in measured(alarm):
            if metric["Namespace"] == "KeystoneNexus":
                [service] = [d["Value"] for d in metric["Dimensions"] if d["Name"] == "service"]
                wanted = re.sub("^Messages", "", metric["MetricName"]).lower()
                assert metric["MetricName"] in code[service] or f'"{wanted}"' in code[service], name


def test_dashboard_answers_every_question(raw_templates: Compose, environment: str) -> None:
    dashboard = only(resources(observability(raw_templates, environment), "AWS::CloudWatch::Dashboard"))
    body = text_of(dashboard["DashboardBody"])
    questions = (
        *("Ingest: events accepted", "Land: rows to Bronze", "oldest unlanded record, against retention"),
        *("Check: rows to Silver and Quarantine", "Lake: bytes", "Ledger balance", "Cost: "),
    )
    assert [question for question in questions if question not in body] == []
    assert "retention ends" in body


def test_budget_warns_before_it_is_spent(raw_templates: Compose, environment: str) -> None:
    template = observability(raw_templates, environment)
    [topic] = resources(template, "AWS::SNS::Topic")
    budget = only(resources(template, "AWS::Budgets::Budget"))
    limit = budget["Budget"]["BudgetLimit"]
    assert (limit["Amount"], limit["Unit"]) == (
        settings_of(environment).observability.monthly_budget_usd,
        "USD",
    )
    warned = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"])
        for one in budget["NotificationsWithSubscribers"]
        if [text_of(s["Address"]) for s in one["Subscribers"]] == [topic]
    }
    assert warned == {("ACTUAL", 80), ("FORECASTED", 100)}


def test_logs_are_kept_as_long_as_the_environment_says(raw_templates: Compose, environment: str) -> None:
    days = settings_of(environment).observability.log_days
    for name, template in raw_templates(environment).items():
        for id_, group in resources(template, "AWS::Logs::LogGroup").items():
            assert group.get("RetentionInDays") == days, f"{name}.{id_}"


def test_dashboard_and_alarms_grow_with_what_is_deployed() -> None:
    """What comes later is watched from its first deployment on: nobody has to think of it then."""
    from aws_cdk.assertions import Template

    from stacks.base import App
    from stacks.observability import ObservabilityStack

    settings = settings_of("prod")
    stack = ObservabilityStack(App(), settings, deployed={spec.watches for spec in all_alarms(settings)})
    template = Template.from_stack(stack).to_json()
    named = {alarm["AlarmName"] for alarm in resources(template, "AWS::CloudWatch::Alarm").values()}
    assert named == {f"nexus-prod-{spec.name}" for spec in all_alarms(settings)}
    body = text_of(only(resources(template, "AWS::CloudWatch::Dashboard"))["DashboardBody"])
    assert "Gold: seconds behind Silver" in body


def test_dashboard_shows_each_step_by_what_its_own_process_counts(
    raw_templates: Compose, environment: str
) -> None:
    dashboard = only(resources(observability(raw_templates, environment), "AWS::CloudWatch::Dashboard"))
    body = text_of(dashboard["DashboardBody"])
    for metric in (
        *("nexus_events_acknowledged_total", "nexus_landed_rows_total", "EstimatedMaxTimeLag"),
        *("RowsToSilver", "RowsToQuarantine", "BucketSizeBytes", "ObjectsMissing", "LoadsUncovered"),
        *("ProcessedBytes", "DatabaseConnections", "EndToEndSeconds"),
    ):
        assert metric in body, metric
