"""Kafka: loses nothing it acknowledged, lets in only roles of AWS by TLS, and its topics change one way at a time."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lakehouse.catalog import load_entities
from lakehouse.errors import SettingsError
from stacks.kafka_properties import as_text, require_room, server_properties, topic_properties
from stacks.settings import StreamingSettings
from tests.stacks.conftest import ROOT, Compose
from tests.stacks.reading import Raw, only, resources, statements, text_of, whole

TOPICS = {entity.topic for entity in load_entities().values()}
EXPRESS = {"broker": "express.m7g.large"}


def streaming(raw_templates: Compose, environment: str, **changes: Any) -> Raw:
    template: Raw = raw_templates(environment, **changes)["streaming"]
    return template


def block(environment: str) -> Mapping[str, Any]:
    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    found: Mapping[str, Any] = context[environment]["streaming"]
    return found


def cluster(template: Raw) -> Raw:
    found: Raw = only(resources(template, "AWS::MSK::Cluster"))
    return found


def properties_in(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def server(template: Raw) -> dict[str, str]:
    return properties_in(only(resources(template, "AWS::MSK::Configuration"))["ServerProperties"])


def topics(template: Raw) -> dict[str, Raw]:
    return {found["TopicName"]: found for found in resources(template, "AWS::MSK::Topic").values()}


def test_streaming_has_brokers_in_three_zones(raw_templates: Compose, environment: str) -> None:
    found = cluster(streaming(raw_templates, environment))
    subnets = {text_of(subnet) for subnet in found["BrokerNodeGroupInfo"]["ClientSubnets"]}
    assert len(subnets) == 3
    assert all("private" in subnet for subnet in subnets)
    assert found["NumberOfBrokerNodes"] == 3 * block(environment)["brokers_per_zone"]
    assert found["BrokerNodeGroupInfo"]["InstanceType"] == block(environment)["broker"]
    assert found["KafkaVersion"].endswith(".kraft")


def test_streaming_lets_in_only_roles_and_only_by_tls(raw_templates: Compose, environment: str) -> None:
    found = cluster(streaming(raw_templates, environment))
    assert found["ClientAuthentication"] == {
        "Sasl": {"Iam": {"Enabled": True}},
        "Unauthenticated": {"Enabled": False},
    }
    assert found["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": "TLS", "InCluster": True}
    assert "ConnectivityInfo" not in found["BrokerNodeGroupInfo"], "no public access"
    [group] = found["BrokerNodeGroupInfo"]["SecurityGroups"]
    assert "KafkaGroup" in text_of(group)


def test_streaming_encrypts_disks_with_a_key_that_turns(raw_templates: Compose, environment: str) -> None:
    template = streaming(raw_templates, environment)
    [(name, key)] = resources(template, "AWS::KMS::Key").items()
    assert key["EnableKeyRotation"] is True
    at_rest = cluster(template)["EncryptionInfo"]["EncryptionAtRest"]["DataVolumeKMSKeyId"]
    assert text_of(at_rest) == f"{name}.Arn"


def test_streaming_configuration_loses_nothing(raw_templates: Compose, environment: str) -> None:
    template = streaming(raw_templates, environment)
    told = server(template)
    assert told["default.replication.factor"] == "3"
    assert told["min.insync.replicas"] == "2"
    assert told["unclean.leader.election.enable"] == "false"
    assert told["auto.create.topics.enable"] == "false"
    assert told["log.message.timestamp.type"] == "LogAppendTime"
    used = cluster(template)["ConfigurationInfo"]
    [name] = whole(template, "AWS::MSK::Configuration")
    assert text_of(used["Arn"]) == f"{name}.Arn"
    assert text_of(used["Revision"]) == f"{name}.LatestRevision.Revision", "a change reaches the brokers"


def test_streaming_configuration_is_for_any_version_of_kafka(raw_templates: Compose) -> None:
    found = only(resources(streaming(raw_templates, "dev"), "AWS::MSK::Configuration"))
    assert "KafkaVersionsList" not in found, "it cannot be changed later"


def test_topics_cannot_be_deleted_where_things_are_kept(raw_templates: Compose) -> None:
    assert server(streaming(raw_templates, "prod"))["delete.topic.enable"] == "false"
    assert server(streaming(raw_templates, "dev"))["delete.topic.enable"] == "true"


def test_offsets_of_a_writer_that_is_away_are_kept_as_long_as_any_record(environment: str) -> None:
    minutes = int(server_properties(block(environment)["broker"], False)["offsets.retention.minutes"])
    longest = 24 * 30  # hours: the most that the settings allow
    assert minutes >= longest * 60


def test_every_entity_has_a_topic_of_three_replicas(raw_templates: Compose, environment: str) -> None:
    found = topics(streaming(raw_templates, environment))
    assert set(found) == TOPICS
    for topic in found.values():
        assert topic["ReplicationFactor"] == 3
        assert topic["PartitionCount"] == block(environment)["partitions"]
        told = properties_in(topic["Configs"]["Fn::Base64"])
        assert told["retention.ms"] == str(block(environment)["retention_hours"] * 3600 * 1000)
        assert told["retention.bytes"] == "-1"
        assert told["cleanup.policy"] == "delete"
        assert told["message.timestamp.type"] == "LogAppendTime"
        assert told["min.insync.replicas"] == "2"
        assert told["unclean.leader.election.enable"] == "false"


def test_every_topic_waits_for_the_guard_that_sees_what_it_will_become(
    raw_templates: Compose, environment: str
) -> None:
    template = streaming(raw_templates, environment)
    [(name, guard)] = resources(template, "Custom::ChangeGuard").items()
    assert guard["GrowOnly"] == ["partitions"]
    for topic in whole(template, "AWS::MSK::Topic").values():
        assert name in topic["DependsOn"]
        seen = guard["Things"][topic["Properties"]["TopicName"]]
        assert seen == {
            "partitions": str(topic["Properties"]["PartitionCount"]),
            "configuration": topic["Properties"]["Configs"]["Fn::Base64"],
        }


def test_streaming_tells_of_itself(raw_templates: Compose, environment: str) -> None:
    template = streaming(raw_templates, environment)
    exporters = cluster(template)["OpenMonitoring"]["Prometheus"]
    assert exporters["JmxExporter"]["EnabledInBroker"]
    assert exporters["NodeExporter"]["EnabledInBroker"]
    written = cluster(template)["LoggingInfo"]["BrokerLogs"]["CloudWatchLogs"]
    assert written["Enabled"]
    groups = resources(template, "AWS::Logs::LogGroup")
    assert groups[text_of(written["LogGroup"])]["RetentionInDays"] >= 7


@pytest.mark.parametrize(
    "kind", ["AWS::MSK::Cluster", "AWS::MSK::Topic", "AWS::MSK::Configuration", "AWS::KMS::Key"]
)
def test_what_holds_events_goes_only_when_two_switches_agree(raw_templates: Compose, kind: str) -> None:
    for template, policy in (
        (streaming(raw_templates, "prod"), "Retain"),
        (streaming(raw_templates, "dev"), "Retain"),
        (streaming(raw_templates, "dev", context={"destroy": "dev"}), "Delete"),
    ):
        for found in whole(template, kind).values():
            assert found["DeletionPolicy"] == policy
            assert found["UpdateReplacePolicy"] == policy


def test_express_brokers_are_told_only_what_they_take(raw_templates: Compose) -> None:
    template = streaming(raw_templates, "prod", streaming=EXPRESS)
    refused = {"default.replication.factor", "min.insync.replicas", "unclean.leader.election.enable"}
    assert not refused & set(server(template))
    assert server(template)["auto.create.topics.enable"] == "false"
    for topic in topics(template).values():
        assert not refused & set(properties_in(topic["Configs"]["Fn::Base64"]))
        assert topic["ReplicationFactor"] == 3
    assert "StorageInfo" not in cluster(template)["BrokerNodeGroupInfo"], "they have no disk of one's own"


def test_standard_brokers_have_the_disk_of_the_settings(raw_templates: Compose, environment: str) -> None:
    disk = cluster(streaming(raw_templates, environment))["BrokerNodeGroupInfo"]["StorageInfo"]
    assert disk["EBSStorageInfo"]["VolumeSize"] == block(environment)["storage_gib"]


@pytest.mark.parametrize("broker", ["kafka.t3.small", "kafka.m7g.large", "express.m7g.large"])
def test_property_that_msk_does_not_take_stops_the_synthesis(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = f"stacks.kafka_properties.{'_EXPRESS' if broker.startswith('express') else '_STANDARD'}"
    monkeypatch.setattr(f"{known}_SERVER", frozenset({"auto.create.topics.enable"}))
    monkeypatch.setattr(f"{known}_TOPIC", frozenset({"retention.ms"}))
    with pytest.raises(SettingsError, match=r"delete\.topic\.enable"):
        server_properties(broker, True)
    with pytest.raises(SettingsError, match=r"cleanup\.policy.*of a topic on"):
        topic_properties(broker, 72)


def small(partitions: int, per_zone: int = 1) -> StreamingSettings:
    return StreamingSettings(
        broker="kafka.t3.small",
        brokers_per_zone=per_zone,
        storage_gib=50,
        retention_hours=72,
        partitions=partitions,
        log="dev-1",
    )


def test_more_partitions_than_brokers_support_stop_the_synthesis() -> None:
    topics_of = [f"entity_{number}.v1" for number in range(9)]
    require_room(small(30), topics_of)
    with pytest.raises(SettingsError, match=r"partitions: 9 topics of 40 partitions put 360 replicas"):
        require_room(small(40), topics_of)
    require_room(small(40, per_zone=2), topics_of)


def test_properties_are_written_in_one_order() -> None:
    assert as_text({"b": "2", "a": "1"}) == "a=1\nb=2"


def test_brokers_asked_for_are_those_of_this_cluster(raw_templates: Compose, environment: str) -> None:
    template = streaming(raw_templates, environment)
    [name] = resources(template, "AWS::MSK::Cluster")
    assert text_of(only(resources(template, "Custom::KafkaBrokers"))["ClusterArn"]) == f"{name}.Arn"


def test_brokers_are_asked_for_again_when_there_are_more(raw_templates: Compose) -> None:
    one, two = (
        only(
            resources(
                streaming(raw_templates, "dev", streaming={"brokers_per_zone": n}), "Custom::KafkaBrokers"
            )
        )
        for n in (1, 2)
    )
    assert one != two


def test_functions_of_the_deployment_may_do_their_one_thing(raw_templates: Compose, environment: str) -> None:
    template = streaming(raw_templates, environment)
    allowed = {
        one.actions
        for one in statements(template)
        if one.actions != ("logs:CreateLogStream", "logs:PutLogEvents")
    }
    assert allowed == {("kafka:GetBootstrapBrokers",), ("cloudformation:DescribeStacks",)}
    [asks] = [one for one in statements(template) if "kafka:GetBootstrapBrokers" in one.actions]
    assert asks.resources == ("Cluster.Arn",)
    [sees] = [one for one in statements(template) if "cloudformation:DescribeStacks" in one.actions]
    assert all(f"stack/nexus-{environment}-" in resource for resource in sees.resources)


def test_log_id_is_told_to_who_deploys(raw_templates: Compose, environment: str) -> None:
    assert streaming(raw_templates, environment)["Outputs"]["Log"]["Value"] == block(environment)["log"]


def test_brokers_are_small_in_dev_and_of_the_newest_kind_in_production() -> None:
    assert block("dev")["broker"] == "kafka.t3.small"
    assert ".m7g." in block("prod")["broker"]
