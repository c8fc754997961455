"""Defects in what watches, and in how stacks hang together."""

from tests.stacks.mutations import Defect
from tests.stacks.seeding import drop, put, remove, without_statement

ALARM = "AWS::CloudWatch::Alarm"

OBSERVABILITY = [
    Defect(
        "CloudWatch may not use the key of the topic",
        "observability",
        without_statement("AlarmsMayEncrypt"),
        "test_observability::test_alarms_are_encrypted_with_a_key_that_their_sender_may_use",
        arguments={"service": "cloudwatch"},
    ),
    Defect(
        "an alarm tells nobody",
        "observability",
        put(ALARM, "AlarmActions", []),
        "test_observability::test_alarms_tell_when_they_begin_and_when_they_are_over",
    ),
    Defect(
        "an alarm has no runbook",
        "observability",
        put(ALARM, "AlarmDescription", "Something is wrong."),
        "test_observability::test_alarms_have_a_runbook_with_its_address",
    ),
    Defect(
        "dead letters are not watched",
        "observability",
        remove(ALARM, AlarmName="nexus-dev-check-dead-letters"),
        "test_observability::test_alarms_watch_every_dead_letter_queue",
    ),
    Defect(
        "an alarm watches a queue that is not there",
        "observability",
        put(ALARM, "Dimensions.0.Value", "nexus-dev-old", AlarmName="nexus-dev-check-queue-late"),
        "test_observability::test_alarms_watch_what_is_deployed_by_its_name",
    ),
    Defect(
        "the lag of a topic is not watched",
        "observability",
        remove(ALARM, AlarmName="nexus-dev-landing-behind-orders-v1"),
        "test_observability::test_alarms_watch_the_lag_of_every_topic_well_before_its_end",
    ),
    Defect(
        "an alarm reads a metric that nobody emits",
        "observability",
        put(ALARM, "MetricName", "MessagesOverlapping", AlarmName="nexus-dev-objects-overlap"),
        "test_observability::test_alarms_read_metrics_that_our_code_emits",
    ),
    Defect(
        "the budget warns nobody",
        "observability",
        drop("AWS::Budgets::Budget", "NotificationsWithSubscribers"),
        "test_observability::test_budget_warns_before_it_is_spent",
    ),
    Defect(
        "a stack takes from one that comes after it",
        "network",
        lambda t: t["Outputs"].update(
            Late={
                "Value": {
                    "Fn::GetStackOutput": {
                        "StackName": "nexus-dev-database",
                        "Region": "us-east-1",
                        "OutputName": "LedgerHost",
                    }
                },
                "Description": "x",
            }
        ),
        "test_graph::test_graph_has_no_edge_but_the_allowed",
    ),
    Defect(
        "an output is exported",
        "network",
        lambda t: t["Outputs"]["VpcId"].update(Export={"Name": "vpc"}),
        "test_graph::test_graph_uses_no_exports",
    ),
]
