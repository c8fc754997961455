"""What watches: CloudWatch's alarms and dashboards, and the budget."""

from typing import Any

from local.rehearsal.wanted import Made, Wanted, model

_ALARM = (
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "Dimensions",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Statistic",
    "TreatMissingData",
    "Unit",
)


@model("AWS::CloudWatch::Alarm")
def make_alarm(wanted: Wanted) -> Made:
    """Over one metric, or an expression of several."""
    name = wanted.get("AlarmName") or wanted.given_name()
    more: dict[str, Any] = (
        {"Threshold": float(wanted["Threshold"])} if "Threshold" in wanted.properties() else {}
    )
    wanted.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Tags=wanted.tags(),
        **wanted.pick(*_ALARM),
        **wanted.integers("DatapointsToAlarm", "EvaluationPeriods", "Period"),
        **more,
    )
    [told] = wanted.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    wanted.read_back(told, *_ALARM, "DatapointsToAlarm", "EvaluationPeriods", "Period", "Threshold")
    return Made(name, {"Arn": wanted.home.arn("cloudwatch", f"alarm:{name}")})


@model("AWS::CloudWatch::Dashboard")
def make_dashboard(wanted: Wanted) -> Made:
    """One page."""
    wanted.client("cloudwatch").put_dashboard(**wanted.pick("DashboardBody", "DashboardName"))
    wanted.note("Tags")
    return Made(wanted["DashboardName"])


@model("AWS::Budgets::Budget")
def make_budget(wanted: Wanted) -> Made:
    """What a month may cost, and who hears of it."""
    budget = dict(wanted["Budget"])
    limit = budget["BudgetLimit"]
    budget["BudgetLimit"] = {"Amount": str(limit["Amount"]), "Unit": limit["Unit"]}
    notifications = [
        {**one, "Notification": {**one["Notification"], "Threshold": float(one["Notification"]["Threshold"])}}
        for one in wanted.get("NotificationsWithSubscribers", [])
    ]
    wanted.client("budgets").create_budget(
        AccountId=wanted.home.account, Budget=budget, NotificationsWithSubscribers=notifications
    )
    wanted.note("ResourceTags")
    return Made(budget["BudgetName"])
