"""Functions that CloudFormation asks while it deploys Kafka: addresses of brokers, and changes it must not try."""

from typing import Any

import pytest

from lakehouse.errors import BrokerError, SettingsError
from lambdas.find_brokers import handler as find_brokers
from lambdas.find_brokers.handler import brokers
from lambdas.guard_change import handler
from lambdas.guard_change.rules import refusals

TOPIC = {"partitions": "3", "configuration": "retention.ms=1"}


class Kafka:
    def __init__(self, **answer: str) -> None:
        self.answer = answer

    def get_bootstrap_brokers(self, **asked: str) -> dict[str, str]:
        assert asked == {"ClusterArn": "arn:c"}
        return self.answer


class Stacks:
    def __init__(self, status: str) -> None:
        self.status = status

    def describe_stacks(self, **asked: str) -> Any:
        assert asked == {"StackName": "arn:s"}
        return {"Stacks": [{"StackStatus": self.status}]}


def an_update(after: Any, before: Any, kind: str = "Update") -> dict[str, Any]:
    return {
        "RequestType": kind,
        "StackId": "arn:s",
        "RequestId": "r",
        "LogicalResourceId": "Guard",
        "ResponseURL": "none",
        "ResourceProperties": {"Things": after, "GrowOnly": ["partitions"]},
        "OldResourceProperties": {"Things": before, "GrowOnly": ["partitions"]},
    }


def test_brokers_come_in_one_order_however_msk_tells_them() -> None:
    one = brokers(
        Kafka(BootstrapBrokerStringSaslIam="b-2:9098,b-1:9098", BootstrapBrokerStringTls="t"), "arn:c"
    )
    assert one == "b-1:9098,b-2:9098"


def test_cluster_without_iam_fails_the_deployment() -> None:
    with pytest.raises(BrokerError, match="IAM"):
        brokers(Kafka(BootstrapBrokerStringTls="b-1:9094"), "arn:c")


def test_other_stacks_are_told_which_incarnation_of_the_cluster_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn = "arn:aws:kafka:us-east-1:123456789012:cluster/nexus-dev-kafka/abcd1234-ab12-cd34-2"
    kafka = Kafka(BootstrapBrokerStringSaslIam="b-1:9098")
    monkeypatch.setattr(kafka, "get_bootstrap_brokers", lambda **_: kafka.answer)
    monkeypatch.setattr(find_brokers.boto3, "client", lambda _name: kafka)
    found = find_brokers.find("Create", {"ClusterArn": arn})
    assert found == {"Brokers": "b-1:9098", "Incarnation": "abcd1234-ab12-cd34-2"}
    assert find_brokers.find("Delete", {"ClusterArn": arn}) == {}


@pytest.mark.parametrize("change", [{"partitions": "6"}, {"configuration": "retention.ms=2"}, {}])
def test_one_side_of_a_topic_may_change(change: dict[str, str]) -> None:
    assert refusals({"a.v1": TOPIC}, {"a.v1": {**TOPIC, **change}}, ["partitions"]) == []


def test_both_sides_at_once_are_refused_with_what_to_do() -> None:
    after = {"partitions": "6", "configuration": "retention.ms=2"}
    [said] = refusals({"a.v1": TOPIC}, {"a.v1": after}, ["partitions"])
    assert (
        said
        == "configuration and partitions of a.v1 cannot change in one deployment: deploy configuration first"
    )


def test_partitions_never_get_less_and_are_compared_as_numbers() -> None:
    [said] = refusals({"a.v1": {"partitions": "12"}}, {"a.v1": {"partitions": "9"}}, ["partitions"])
    assert "12 to 9" in said
    assert refusals({"a.v1": {"partitions": "9"}}, {"a.v1": {"partitions": "12"}}, ["partitions"]) == []


def test_topics_may_come_and_go() -> None:
    assert refusals({"a.v1": TOPIC}, {"b.v1": TOPIC}, ["partitions"]) == []


def test_every_refused_topic_is_named() -> None:
    less = {**TOPIC, "partitions": "1"}
    said = refusals({"a.v1": TOPIC, "b.v1": TOPIC}, {"a.v1": less, "b.v1": less}, ["partitions"])
    assert ["a.v1" in said[0], "b.v1" in said[1]] == [True, True]


def test_guard_fails_an_update_and_lets_its_rollback_through() -> None:
    event = an_update({"a.v1": {**TOPIC, "partitions": "1"}}, {"a.v1": TOPIC})
    with pytest.raises(SettingsError, match=r"partitions of a\.v1 cannot go from 3 to 1"):
        handler.guard(event, Stacks("UPDATE_IN_PROGRESS"))
    assert handler.guard(event, Stacks("UPDATE_ROLLBACK_IN_PROGRESS")) == {"Things": "1"}


@pytest.mark.parametrize("kind", ["Create", "Delete"])
def test_guard_has_nothing_to_say_when_things_are_made_or_go(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[bytes] = []
    monkeypatch.setattr("adapters.custom_resource._put", lambda _url, body: answers.append(body))
    monkeypatch.setattr(handler.boto3, "client", lambda _name: pytest.fail("nothing is to be asked"))
    handler.lambda_handler(an_update({"a.v1": {**TOPIC, "partitions": "1"}}, {"a.v1": TOPIC}, kind), None)
    assert b'"SUCCESS"' in answers[0]


def test_guard_answers_cloudformation_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = []
    monkeypatch.setattr("adapters.custom_resource._put", lambda _url, body: answers.append(body))
    monkeypatch.setattr(handler.boto3, "client", lambda _name: Stacks("UPDATE_IN_PROGRESS"))
    handler.lambda_handler(an_update({"a.v1": {**TOPIC, "partitions": "1"}}, {"a.v1": TOPIC}), None)
    assert b'"FAILED"' in answers[0]
    assert b"they only grow" in answers[0]
