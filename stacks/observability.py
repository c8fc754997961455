"""Who is told when something goes wrong: alarms with their runbooks, one dashboard, a budget.

It knows names only: no stack waits for this one, and this one waits for none.
"""

from collections.abc import Iterable

from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.alarm_spec import AlarmSpec, described
from stacks.alarms import all_alarms
from stacks.base import NexusStack
from stacks.dashboard import add_dashboard
from stacks.settings import Settings

# Percent of the month's budget: spent, and foreseen for its end.
_SPENT, _FORESEEN = 80, 100


class ObservabilityStack(NexusStack):
    """`deployed`: names of the stacks there are; nothing watches what is not there."""

    def __init__(self, scope: Construct, settings: Settings, *, deployed: Iterable[str]) -> None:
        super().__init__(
            scope,
            settings,
            "observability",
            "alarms with their runbooks, the pipeline's dashboard, the budget",
        )
        there = frozenset(deployed)
        self.topic = self._add_topic()
        alarms = [self._add_alarm(spec) for spec in all_alarms(settings) if spec.watches in there]
        self.dashboard = add_dashboard(self, settings, there, alarms)
        self._add_budget()
        self.add_output("AlarmTopicArn", self.topic.topic_arn, "Subscribe whoever is on call")
        self.add_output(
            "Dashboard",
            f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"
            f"#dashboards:name={self.names.of('pipeline')}",
            "The pipeline on one page",
        )

    def _add_topic(self) -> sns.Topic:
        key = kms.Key(
            self,
            "AlarmKey",
            alias=f"alias/{self.names.alarm_topic}",
            description=f"Encrypts the alarms of {self.settings.environment} on their way",
            enable_key_rotation=True,
            removal_policy=self.removal,
        )
        topic = sns.Topic(self, "Alarms", topic_name=self.names.alarm_topic, master_key=key, enforce_ssl=True)
        alarms = f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.names.of('*')}"
        self._let_publish(topic, key, "Alarms", "cloudwatch.amazonaws.com", alarms)
        budget = f"arn:aws:budgets::{self.account}:*"
        self._let_publish(topic, key, "Budgets", "budgets.amazonaws.com", budget)
        topic.add_subscription(subscriptions.EmailSubscription(self.settings.observability.alarm_address))
        return topic

    def _let_publish(self, topic: sns.Topic, key: kms.Key, sid: str, service: str, source: str) -> None:
        """To the topic and with its key, for this account's own sources. Without the key alarms vanish silently."""
        principal = iam.ServicePrincipal(service)
        conditions = {
            "StringEquals": {"aws:SourceAccount": self.account},
            "ArnLike": {"aws:SourceArn": source},
        }
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"{sid}MayPublish",
                principals=[principal],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions=conditions,
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"{sid}MayEncrypt",
                principals=[principal],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],  # in a key's policy: this key
                conditions=conditions,
            )
        )

    def _add_alarm(self, spec: AlarmSpec) -> cloudwatch.Alarm:
        """Tells when it fires and when it is over. The description is what stands in the mail."""
        alarm = cloudwatch.Alarm(
            self,
            "".join(part.capitalize() for part in spec.name.split("-")),
            alarm_name=self.names.of(spec.name),
            alarm_description=described(self.settings, spec.says, spec.runbook),
            metric=spec.metric,
            threshold=spec.limit,
            comparison_operator=spec.beyond,
            evaluation_periods=spec.times,
            datapoints_to_alarm=spec.times,
            treat_missing_data=spec.silent,
        )
        tell = actions.SnsAction(self.topic)
        alarm.add_alarm_action(tell)
        alarm.add_ok_action(tell)
        return alarm

    def _add_budget(self) -> None:
        """Of the whole account: an environment has one of its own."""
        subscriber = budgets.CfnBudget.SubscriberProperty(
            subscription_type="SNS", address=self.topic.topic_arn
        )
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=self.names.of("monthly"),
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=self.settings.observability.monthly_budget_usd, unit="USD"
                ),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in (("ACTUAL", _SPENT), ("FORECASTED", _FORESEEN))
            ],
        )
