"""The check hop as deployed: it loses no announcement, runs no more than the ledger takes, and bad versions go back."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from lakehouse.errors import SettingsError
from lakehouse.paths import BronzeKey, LoadManifestKey, schema_definition_key
from lambdas.check_rows.limits import LIMITS
from lambdas.check_rows.object_check import FAILED_ATTEMPTS
from lambdas.check_rows.settings import Settings as CheckSettings
from lambdas.sweep_bronze.settings import Settings as SweepSettings
from lambdas.sweep_bronze.sweep import LONGEST_ATTEMPT
from stacks.ledger_capacity import most_checks, most_connections
from stacks.settings import ENVIRONMENTS, Settings
from tests.stacks.conftest import Compose, cdk_context
from tests.stacks.reading import Raw, Statement, named, only, resources, statements, text_of, whole

FOURTEEN_DAYS = 14 * 24 * 3600


def processing(raw_templates: Compose, environment: str, **changes: Any) -> Raw:
    template: Raw = raw_templates(environment, **changes)["processing"]
    return template


def settings_of(environment: str, **changes: Any) -> Settings:
    context = cdk_context(environment, changes, {})
    return Settings.from_context(context.get, {})


def queues(template: Raw, environment: str) -> dict[str, tuple[str, Raw]]:
    """Logical id and properties by the name's last part."""
    start = f"nexus-{environment}-"
    return {
        found["QueueName"].removeprefix(start): (id_, found)
        for id_, found in resources(template, "AWS::SQS::Queue").items()
    }


def rule(template: Raw) -> Raw:
    [found] = [r for r in resources(template, "AWS::Events::Rule").values() if "EventPattern" in r]
    return dict(found)


def function(template: Raw, environment: str, package: str) -> Raw:
    found = resources(template, "AWS::Lambda::Function")
    return dict(named(found, "FunctionName", f"nexus-{environment}-{package}"))


def rights(template: Raw, role: str) -> list[Statement]:
    return [one for one in statements(template) if one.owner.startswith(role)]


def test_every_queue_keeps_messages_for_fourteen_days_and_encrypts_them(
    raw_templates: Compose, environment: str
) -> None:
    found = queues(processing(raw_templates, environment), environment)
    assert set(found) == {"check-rows", "check-rows-dead", "bronze-events-dead"}
    for _id, queue in found.values():
        assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS
        assert queue["SqsManagedSseEnabled"] is True


def test_every_queue_refuses_anything_but_tls(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    closed = {
        text_of(policy["Queues"][0])
        for policy in resources(template, "AWS::SQS::QueuePolicy").values()
        for one in policy["PolicyDocument"]["Statement"]
        if one["Effect"] == "Deny" and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    assert closed == set(resources(template, "AWS::SQS::Queue"))


def test_message_that_fails_is_set_aside_after_the_check_could_give_it_up(
    raw_templates: Compose, environment: str
) -> None:
    found = queues(processing(raw_templates, environment), environment)
    policy = found["check-rows"][1]["RedrivePolicy"]
    assert text_of(policy["deadLetterTargetArn"]) == f"{found['check-rows-dead'][0]}.Arn"
    assert policy["maxReceiveCount"] >= FAILED_ATTEMPTS + 2


def test_event_that_cannot_be_delivered_is_kept(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    found = queues(template, environment)
    [target] = rule(template)["Targets"]
    assert text_of(target["Arn"]) == f"{found['check-rows'][0]}.Arn"
    assert text_of(target["DeadLetterConfig"]["Arn"]) == f"{found['bronze-events-dead'][0]}.Arn"


def test_fault_48_only_this_rule_may_send_to_its_queues(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    [id_] = [i for i, r in resources(template, "AWS::Events::Rule").items() if "EventPattern" in r]
    allowed = [
        one
        for policy in resources(template, "AWS::SQS::QueuePolicy").values()
        for one in policy["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow"
    ]
    assert len(allowed) == 2
    for one in allowed:
        assert one["Principal"] == {"Service": "events.amazonaws.com"}
        assert text_of(one["Condition"]["ArnEquals"]["aws:SourceArn"]) == f"{id_}.Arn"


def test_fault_50_rule_takes_data_objects_of_bronze_and_nothing_else(
    raw_templates: Compose, environment: str
) -> None:
    pattern = rule(processing(raw_templates, environment))["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["bucket"] == {"name": [settings_of(environment).buckets.bronze]}
    [[(how, what)]] = [list(matcher.items()) for matcher in pattern["detail"]["object"]["key"]]
    assert how == "suffix"
    assert str(BronzeKey("orders", date(2018, 1, 1), "dev-1", 0, 0)).endswith(what)
    assert not str(LoadManifestKey("orders", "a" * 64)).endswith(what)
    assert not schema_definition_key("00000000-0000-0000-0000-000000000000").endswith(what)


def test_queue_feeds_the_alias_and_takes_back_single_messages(
    raw_templates: Compose, environment: str
) -> None:
    template = processing(raw_templates, environment)
    mapping = only(resources(template, "AWS::Lambda::EventSourceMapping"))
    [alias] = resources(template, "AWS::Lambda::Alias").values()
    assert json.dumps(mapping["FunctionName"]).endswith(f'":{alias["Name"]}"]]}}')
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert text_of(mapping["EventSourceArn"]) == f"{queues(template, environment)['check-rows'][0]}.Arn"


def test_message_stays_hidden_longer_than_any_attempt_at_it(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    timeout = function(template, environment, "check-rows")["Timeout"]
    assert queues(template, environment)["check-rows"][1]["VisibilityTimeout"] >= 6 * timeout
    assert timeout < LONGEST_ATTEMPT.total_seconds(), "the sweep counts on it"


def test_checks_at_once_are_bounded_by_what_the_ledger_takes(
    raw_templates: Compose, environment: str
) -> None:
    mapping = only(resources(processing(raw_templates, environment), "AWS::Lambda::EventSourceMapping"))
    most = mapping["ScalingConfig"]["MaximumConcurrency"]
    settings = settings_of(environment)
    assert most == settings.processing.concurrency
    assert most <= most_checks(settings)


def test_more_checks_than_the_ledger_takes_stop_the_synthesis(raw_templates: Compose) -> None:
    with pytest.raises(SettingsError, match=r"dev\.processing\.concurrency is 500: t4g\.micro takes 64"):
        processing(raw_templates, "dev", processing={"concurrency": 500})


def test_proxy_lets_checks_share_connections() -> None:
    alone, shared = (settings_of("staging", database={"proxy": proxy}) for proxy in (False, True))
    assert most_checks(shared) > 2 * most_checks(alone)


def test_connections_grow_with_the_instance_and_unknown_sizes_are_refused() -> None:
    sizes = [most_connections(i) for i in ("t4g.micro", "t4g.small", "m7g.large", "r7g.large", "m7g.8xlarge")]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 5000
    with pytest.raises(SettingsError, match=r"database\.instance is t4g\.nano"):
        most_connections("t4g.nano")


def test_version_that_fails_goes_back(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    [(alarm_id, alarm)] = resources(template, "AWS::CloudWatch::Alarm").items()
    deployment = only(resources(template, "AWS::CodeDeploy::DeploymentGroup"))
    assert deployment["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    assert deployment["AlarmConfiguration"]["Enabled"] is True
    assert [text_of(a["Name"]) for a in deployment["AlarmConfiguration"]["Alarms"]] == [alarm_id]
    assert "Canary" in deployment["DeploymentConfigName"]
    [alias] = whole(template, "AWS::Lambda::Alias").values()
    [group_id] = resources(template, "AWS::CodeDeploy::DeploymentGroup")
    update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert text_of(update["DeploymentGroupName"]) == group_id
    watched = {
        (m["MetricStat"]["Metric"]["Namespace"], m["MetricStat"]["Metric"]["MetricName"])
        for m in alarm["Metrics"]
        if "MetricStat" in m
    }
    # a batch of which every message is handed back is a success of the function
    assert watched == {("AWS/Lambda", "Errors"), ("KeystoneNexus", "MessagesFailed")}
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0, 1)


def test_functions_are_given_what_their_settings_ask_for(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    asked: tuple[tuple[str, Any], ...] = (
        ("check-rows", CheckSettings),
        ("sweep-bronze", SweepSettings),
        ("requeue-quarantine", CheckSettings),
    )
    for package, settings in asked:
        given = function(template, environment, package)["Environment"]["Variables"]
        variables = {name: text_of(value) for name, value in given.items()}
        found = settings.from_env(variables | {"AWS_REGION": "us-east-1"})
        assert found.buckets == settings_of(environment).buckets
        assert package.replace("-", "_") in found.ledger_url
        assert "auth=iam" in found.ledger_url
        assert "sslmode=verify-full" in found.ledger_url
    queue = queues(template, environment)["check-rows"][0]
    sweep = function(template, environment, "sweep-bronze")["Environment"]["Variables"]
    assert text_of(sweep["NEXUS_CHECK_QUEUE_URL"]) == queue


def test_functions_run_beside_the_ledger_on_arm_with_the_managed_layer(
    raw_templates: Compose, environment: str
) -> None:
    template = processing(raw_templates, environment)
    for package in ("check-rows", "sweep-bronze", "requeue-quarantine"):
        found = function(template, environment, package)
        assert found["Architectures"] == ["arm64"]
        assert "AWSSDKPandas" in found["Layers"][0]
        assert len(found["VpcConfig"]["SubnetIds"]) == 3
        assert all("private" in text_of(subnet) for subnet in found["VpcConfig"]["SubnetIds"])
        [group] = found["VpcConfig"]["SecurityGroupIds"]
        assert "FunctionsGroup" in text_of(group)
    check, settings = function(template, environment, "check-rows"), settings_of(environment).processing
    assert check["MemorySize"] == settings.memory_mib
    whole = int(check["Environment"]["Variables"]["NEXUS_WHOLE_OBJECT_BYTES"])
    assert whole == settings.whole_object_mib * 2**20


def test_check_asks_s3_for_buckets_of_its_own_account(raw_templates: Compose, environment: str) -> None:
    """Fault 48: whoever makes a bucket of that name elsewhere is not read from, and not written to."""
    check = function(processing(raw_templates, environment), environment, "check-rows")
    owner = check["Environment"]["Variables"]["NEXUS_BUCKET_OWNER"]
    assert owner == settings_of(environment).account


def test_memory_holds_the_check_and_its_child(environment: str) -> None:
    """A bomb reaches the limit of the child that reads it before it reaches the function's own."""
    most_of_the_check_mib, of_python_and_arrow_mib = 400, 130
    child_mib = LIMITS.child_bytes // 2**20 + of_python_and_arrow_mib
    assert most_of_the_check_mib + child_mib <= settings_of(environment).processing.memory_mib


def test_sweep_runs_several_times_an_hour(raw_templates: Compose, environment: str) -> None:
    template = processing(raw_templates, environment)
    [schedule] = [r for r in resources(template, "AWS::Events::Rule").values() if "ScheduleExpression" in r]
    assert schedule["ScheduleExpression"] == "rate(15 minutes)"
    assert schedule["State"] == "ENABLED"
    [permission] = resources(template, "AWS::Lambda::Permission").values()
    assert permission["Principal"] == "events.amazonaws.com"
    assert "SweepSchedule" in text_of(permission["SourceArn"])


def s3_rights(found: list[Statement]) -> Mapping[str, set[str]]:
    """S3 actions by the layer at the end of the bucket's name."""
    by_layer: dict[str, set[str]] = {}
    for one in found:
        for resource in one.resources:
            if resource.startswith("arn:aws:s3:::"):
                layer = resource.removeprefix("arn:aws:s3:::").split("/")[0].rsplit("-", 1)[1]
                by_layer.setdefault(layer, set()).update(one.actions)
    return by_layer


READS = {"s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"}
WRITES = {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"}


def test_fault_50_check_reads_bronze_and_writes_silver_and_quarantine_and_no_more(
    raw_templates: Compose, environment: str
) -> None:
    found = rights(processing(raw_templates, environment), "CheckRowsRole")
    assert s3_rights(found) == {"bronze": READS, "silver": WRITES, "quarantine": WRITES}
    [ledger] = [one for one in found if "rds-db:connect" in one.actions]
    assert [resource.rsplit("/", 1)[1] for resource in ledger.resources] == ["check_rows"]
    [queue] = [one for one in found if "sqs:ReceiveMessage" in one.actions]
    assert [resource.startswith("CheckQueue") for resource in queue.resources] == [True]


def test_sweep_reads_bronze_and_removes_outputs_and_no_more(raw_templates: Compose, environment: str) -> None:
    found = rights(processing(raw_templates, environment), "SweepBronzeRole")
    removes = {"s3:DeleteObject"}
    assert s3_rights(found) == {"bronze": READS, "silver": removes, "quarantine": removes}
    [ledger] = [one for one in found if "rds-db:connect" in one.actions]
    assert [resource.rsplit("/", 1)[1] for resource in ledger.resources] == ["sweep_bronze"]
    assert [one.actions for one in found if any(a.startswith("sqs:") for a in one.actions)] == [
        ("sqs:GetQueueAttributes", "sqs:SendMessage")
    ]


def test_requeue_reads_what_it_judges_and_writes_outputs_and_no_more(
    raw_templates: Compose, environment: str
) -> None:
    found = rights(processing(raw_templates, environment), "RequeueQuarantineRole")
    assert s3_rights(found) == {"bronze": READS, "silver": WRITES, "quarantine": READS | WRITES}
    [ledger] = [one for one in found if "rds-db:connect" in one.actions]
    assert [resource.rsplit("/", 1)[1] for resource in ledger.resources] == ["requeue_quarantine"]


def test_requeue_has_the_longest_time_there_is(raw_templates: Compose, environment: str) -> None:
    """And the sweep gives up what nobody went on with for longer."""
    found = function(processing(raw_templates, environment), environment, "requeue-quarantine")
    assert found["Timeout"] == 15 * 60 < LONGEST_ATTEMPT.total_seconds()


def test_statements_of_a_policy_have_names_of_their_own(raw_templates: Compose) -> None:
    for environment in ENVIRONMENTS:
        for policy in resources(processing(raw_templates, environment), "AWS::IAM::Policy").values():
            sids = [one.get("Sid") for one in policy["PolicyDocument"]["Statement"]]
            assert len(sids) == len(set(sids)), "IAM refuses a policy with the same Sid twice"
