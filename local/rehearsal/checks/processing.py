"""Queues, the rule that fills them, the functions that empty them."""

import json
from typing import Any

from local.rehearsal.findings import require
from local.rehearsal.scene import Scene

_FORTNIGHT_S = str(14 * 24 * 3600)  # the longest that SQS offers
_OF_THE_CHECK = ("check_rows", "sweep_bronze", "requeue_quarantine")


def queues(scene: Scene) -> str:
    """All keep what they hold for 14 days, encrypted; what fails too often goes aside."""
    sqs, names = scene.client("sqs"), scene.names
    for name in (names.check_queue, names.check_dead_letters, names.rule_dead_letters):
        found = _attributes(sqs, name)
        kept = found["MessageRetentionPeriod"]
        require(kept == _FORTNIGHT_S, f"{name} forgets after {kept} seconds")
        require(found.get("SqsManagedSseEnabled") == "true", f"{name} is not encrypted")
        require("aws:SecureTransport" in found.get("Policy", ""), f"{name} takes requests without TLS")
    check = _attributes(sqs, names.check_queue)
    redrive = json.loads(check["RedrivePolicy"])
    require(
        redrive["deadLetterTargetArn"].endswith(f":{names.check_dead_letters}"), f"dead letters: {redrive}"
    )
    timeout = scene.function(names.function("check_rows")).timeout_s
    hidden = int(check["VisibilityTimeout"])
    require(hidden >= 6 * timeout, f"a message comes again after {hidden} s, the function may take {timeout}")
    return f"14 days, encrypted, TLS; {redrive['maxReceiveCount']} receives, hidden for {hidden} s"


def _attributes(sqs: Any, name: str) -> dict[str, str]:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def rule(scene: Scene) -> str:
    """Data objects of Bronze alone, to the check queue, and what cannot be delivered to a queue of its own."""
    events, names = scene.client("events"), scene.names
    feeding = []
    for entry in scene.of_type("AWS::Events::Rule"):
        targets = events.list_targets_by_rule(Rule=entry.physical_id)["Targets"]
        feeding += [(entry, target) for target in targets if target["Arn"].endswith(f":{names.check_queue}")]
    require(len(feeding) == 1, f"{len(feeding)} rules feed the check queue")
    [(entry, target)] = feeding
    found = events.describe_rule(Name=entry.physical_id)
    require(found["State"] == "ENABLED", f"{entry.physical_id} is {found['State']}")
    detail = json.loads(found["EventPattern"])["detail"]
    require(detail["bucket"]["name"] == [names.buckets.bronze], f"it announces {detail}")
    dead = target.get("DeadLetterConfig", {}).get("Arn", "nowhere")
    require(dead.endswith(f":{names.rule_dead_letters}"), f"what cannot be delivered goes to {dead}")
    return f"{entry.physical_id} feeds {names.check_queue}; what it cannot deliver goes to {names.rule_dead_letters}"


def functions(scene: Scene) -> str:
    """Each has the code that its stack names, a log group that forgets, and settings that it can start with."""
    logs, found = scene.client("logs"), scene.of_type("AWS::Lambda::Function")
    for entry in found:
        function = scene.function(entry.physical_id)  # refuses other code than the stack's
        [group] = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function.name}")["logGroups"]
        require(group.get("retentionInDays"), f"{group['logGroupName']} keeps everything for ever")
    for package in _OF_THE_CHECK:
        environment = scene.function(scene.names.function(package)).environment
        prefix = environment.get("NEXUS_BUCKET_PREFIX")
        require(prefix == scene.settings.bucket_prefix, f"{package} is told of the buckets {prefix}-…")
        require("auth=iam" in environment.get("NEXUS_LEDGER_URL", ""), f"{package} signs in without a token")
    return (
        f"{len(found)} with the code of their assets, logs kept {scene.settings.observability.log_days} days"
    )


def alias(scene: Scene) -> str:
    """The queue feeds a version, not what is being deployed."""
    functions_, name = scene.client("lambda"), scene.names.function("check_rows")
    found = functions_.get_alias(FunctionName=name, Name=scene.names.check_alias)
    version = found["FunctionVersion"]
    require(version != "$LATEST", f"{scene.names.check_alias} is no version")
    [entry] = scene.of_type("AWS::Lambda::EventSourceMapping")
    mapping = functions_.get_event_source_mapping(UUID=entry.physical_id)
    most = mapping["ScalingConfig"]["MaximumConcurrency"]
    require(most == scene.settings.processing.concurrency, f"{most} at once, not what the settings say")
    return f"{scene.names.check_alias} is version {version}, at most {most} of it at once"
