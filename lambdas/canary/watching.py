"""What else must be well: schema versions, the connector, alarms. Each gives its state and a sentence."""

from datetime import datetime, timedelta
from typing import Any

from adapters.registry import SchemaRegistry
from lakehouse.catalog import load_entities
from lakehouse.errors import RegistryError
from lambdas.canary.checks import Found

# MSK Connect publishes once a minute, and some minutes late.
_CONNECTOR_WINDOW = timedelta(minutes=15)


def look_at_schemas(registry: SchemaRegistry) -> Found:
    """Every definition that events of this version are written with must be AVAILABLE."""
    entities = load_entities().values()
    refused = []
    for entity in entities:
        try:
            registry.version_id(entity)
        except RegistryError as error:
            refused.append(str(error))
    if refused:
        return Found("failed", f"{len(refused)} of {len(entities)} are not available: {refused[0]}")
    return Found("ok", f"{len(entities)} definitions are AVAILABLE")


def look_at_connector(cloudwatch: Any, name: str, now: datetime) -> Found:
    """By its metrics: the API of MSK Connect would need a way out of the network."""
    if not name:
        return Found("not checked", "this environment lands by the writer")
    queries = [
        {
            "Id": metric.lower(),
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/KafkaConnect",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "ConnectorName", "Value": name}],
                },
                "Period": 300,
                "Stat": "Maximum",
            },
        }
        for metric in ("RunningTaskCount", "ErroredTaskCount")
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=now - _CONNECTOR_WINDOW,
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    newest = {one["Id"]: one["Values"][0] for one in answer["MetricDataResults"] if one["Values"]}
    running, errored = newest.get("runningtaskcount", 0), newest.get("erroredtaskcount", 0)
    said = f"{name} has {running:.0f} running and {errored:.0f} failed tasks"
    return Found("ok" if running and not errored else "failed", said)


def look_at_alarms(cloudwatch: Any, prefix: str) -> Found:
    """None may be in ALARM, but for the canary's own, which this run may be about to end."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    states = {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["MetricAlarms"]}
    if not states:
        return Found(
            "failed", f"there is no alarm whose name begins with {prefix}: deploy the stack observability"
        )
    own = f"{prefix}canary-"
    firing = sorted(name for name, state in states.items() if state == "ALARM" and not name.startswith(own))
    if firing:
        return Found("failed", f"in ALARM: {', '.join(firing)}; their descriptions name a runbook")
    return Found("ok", f"none of {len(states)} is in ALARM")
