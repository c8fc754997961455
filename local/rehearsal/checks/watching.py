"""Alarms, whom they tell, and the budget."""

import json

from local.rehearsal.findings import require
from local.rehearsal.scene import Scene


def alarms(scene: Scene) -> str:
    """Every alarm names its runbook; those of the pipeline tell the topic, when they fire and when it is over."""
    topic = _topic(scene)
    found = scene.client("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
    made = {e.physical_id for e in scene.of_type("AWS::CloudWatch::Alarm")}
    require({alarm["AlarmName"] for alarm in found} >= made, "alarms are missing")
    runbooks, telling = scene.settings.observability.runbooks, 0
    for alarm in found:
        name = alarm["AlarmName"]
        require(f"{runbooks}/" in alarm.get("AlarmDescription", ""), f"{name} names no runbook")
        if topic in alarm["AlarmActions"]:
            telling += 1
            require(topic in alarm["OKActions"], f"{name} does not tell when it is over")
    require(telling, "no alarm tells anybody")
    return f"{len(found)} with their runbooks, {telling} of them tell {scene.names.alarm_topic}"


def topic(scene: Scene) -> str:
    """Encrypted with a key that CloudWatch may use, read by the address of the settings."""
    sns, arn = scene.client("sns"), _topic(scene)
    key = sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId")
    require(key, "what alarms say is not encrypted")
    policy = json.loads(scene.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    require(
        "cloudwatch.amazonaws.com" in json.dumps(policy),
        "CloudWatch may not use the topic's key: alarms stay mute",
    )
    found = sns.list_subscriptions()["Subscriptions"]
    reads = [one["Endpoint"] for one in found if one["TopicArn"] == arn]
    address = scene.settings.observability.alarm_address
    require(address in reads, f"{reads} read it, not {address}")
    return f"{address} is to be asked; CloudWatch may use its key"


def budget(scene: Scene) -> str:
    """What a month may cost."""
    found = scene.client("budgets").describe_budgets(AccountId=scene.settings.account)["Budgets"]
    amounts = {one["BudgetName"]: float(one["BudgetLimit"]["Amount"]) for one in found}
    wanted = scene.settings.observability.monthly_budget_usd
    require(list(amounts.values()) == [float(wanted)], f"budgets are {amounts}, the setting says {wanted}")
    return f"{wanted:,} dollars a month"


def _topic(scene: Scene) -> str:
    return f"arn:aws:sns:{scene.settings.region}:{scene.settings.account}:{scene.names.alarm_topic}"
