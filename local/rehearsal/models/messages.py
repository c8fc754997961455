"""Queues, topics, rules: SQS, SNS, EventBridge."""

import json
from typing import Any

from local.rehearsal.wanted import Made, Wanted, model

_QUEUE = (
    "DelaySeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


@model("AWS::SQS::Queue")
def make_queue(wanted: Wanted) -> Made:
    """Its properties are attributes there, all of them text."""
    sqs, name = wanted.client("sqs"), wanted.get("QueueName") or wanted.given_name(80)
    attributes = {key: _text(value) for key, value in wanted.pick(*_QUEUE).items()}
    url = sqs.create_queue(QueueName=name, Attributes=attributes, tags=wanted.tag_map())["QueueUrl"]
    return Made(url, {"Arn": wanted.home.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@model("AWS::SQS::QueuePolicy")
def make_queue_policy(wanted: Wanted) -> Made:
    """Kept; nobody is refused anything by it here."""
    for url in wanted["Queues"]:
        wanted.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": wanted.document("PolicyDocument")}
        )
    return Made(wanted.given_name())


@model("AWS::SNS::Topic")
def make_topic(wanted: Wanted) -> Made:
    """With the key that encrypts it."""
    name = wanted.get("TopicName") or wanted.given_name()
    arn = wanted.client("sns").create_topic(
        Name=name, Attributes=wanted.pick("KmsMasterKeyId", "DisplayName"), Tags=wanted.tags()
    )["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": name})


@model("AWS::SNS::TopicPolicy")
def make_topic_policy(wanted: Wanted) -> Made:
    """Kept; nobody is refused anything by it here."""
    for arn in wanted["Topics"]:
        wanted.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=wanted.document("PolicyDocument")
        )
    return Made(wanted.given_name())


@model("AWS::SNS::Subscription")
def make_subscription(wanted: Wanted) -> Made:
    """Nobody gets a mail here."""
    answer = wanted.client("sns").subscribe(
        **wanted.pick("TopicArn", "Protocol", "Endpoint"), ReturnSubscriptionArn=True
    )
    return Made(answer["SubscriptionArn"])


@model("AWS::Events::Rule")
def make_rule(wanted: Wanted) -> Made:
    """With its targets."""
    events, name = wanted.client("events"), wanted.get("Name") or wanted.given_name(64)
    more: dict[str, Any] = wanted.pick("Description", "ScheduleExpression", "State", "EventBusName")
    if wanted.get("EventPattern"):
        more["EventPattern"] = wanted.document("EventPattern")
    arn = events.put_rule(Name=name, Tags=wanted.tags(), **more)["RuleArn"]
    if targets := wanted.get("Targets"):
        events.put_targets(Rule=name, Targets=targets)
    return Made(name, {"Arn": arn})
