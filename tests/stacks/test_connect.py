"""The sink connector as a template: what cannot change is named by its content, workers are told what MSK takes."""

import json
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, SettingsError
from stacks.assets import Assets
from stacks.connect import PLUGIN
from stacks.connect_properties import checked_worker_properties, worker_properties
from tests.stacks.conftest import Assembly, Compose, cdk_context, synthesize
from tests.stacks.reading import Raw, only, resources, statements, text_of, whole

TOPICS = [entity.topic for entity in load_entities().values()]
Templates = Callable[..., Mapping[str, Raw]]


@pytest.fixture(scope="module")
def with_connector(
    undeployed: Callable[[str], Assembly], all_assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> Templates:
    """Templates of an environment in which the connector lands; `plugin` are the bytes of its file."""
    known: dict[str, Mapping[str, Raw]] = {}

    def compose(environment: str = "dev", plugin: bytes = b"", **land: Any) -> Mapping[str, Raw]:
        if not plugin and not land:
            return undeployed(environment).templates
        asked = json.dumps([environment, plugin.decode(), land], sort_keys=True)
        if asked not in known:
            folder = tmp_path_factory.mktemp("assets")
            shutil.copytree(all_assets.folder, folder, dirs_exist_ok=True)
            if plugin:
                (folder / PLUGIN).write_bytes(plugin)
            context = cdk_context(environment, {"land": {"by": "connect", **land}}, {})
            known[asked] = synthesize(context, Assets(folder), tmp_path_factory.mktemp("out")).templates
        return known[asked]

    return compose


def connector(template: Raw) -> Raw:
    found: Raw = only(resources(template, "AWS::KafkaConnect::Connector"))
    return found


def test_connector_is_deployed_only_where_it_lands(raw_templates: Compose, with_connector: Templates) -> None:
    assert "connect" not in raw_templates("dev")
    deployed = with_connector()
    assert "connect" in deployed
    assert "WriterHosts" not in deployed["ingest"]["Resources"], "one of both, not both"


def test_plugin_that_is_not_built_stops_the_synthesis(raw_templates: Compose) -> None:
    with pytest.raises(InputError, match=r"bronze-sink\.zip is not built"):
        raw_templates("dev", land={"by": "connect"})


def test_plugin_is_named_by_its_content(with_connector: Templates) -> None:
    one, same, other = (
        only(resources(with_connector(plugin=data)["connect"], "AWS::KafkaConnect::CustomPlugin"))
        for data in (b"plugin", b"plugin", b"another")
    )
    assert one["Name"] == same["Name"] != other["Name"]
    assert one["Location"]["S3Location"]["FileKey"] != other["Location"]["S3Location"]["FileKey"]
    assert one["ContentType"] == "ZIP"


def test_worker_configuration_is_named_by_its_content(
    with_connector: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "AWS::KafkaConnect::WorkerConfiguration"
    before = only(resources(with_connector()["connect"], kind))
    changed = {**worker_properties(), "offset.flush.interval.ms": "20000"}
    monkeypatch.setattr("stacks.connect.worker_properties", lambda: changed)
    after = only(resources(with_connector(plugin=b"third")["connect"], kind))
    assert before["Name"] != after["Name"]
    assert "offset.flush.interval.ms=20000" in text_of(after["PropertiesFileContent"]["Fn::Base64"])


def test_workers_are_told_to_pass_bytes(with_connector: Templates) -> None:
    told = only(resources(with_connector()["connect"], "AWS::KafkaConnect::WorkerConfiguration"))
    lines = dict(line.split("=", 1) for line in told["PropertiesFileContent"]["Fn::Base64"].splitlines())
    assert {lines["key.converter"], lines["value.converter"]} == {
        "org.apache.kafka.connect.converters.ByteArrayConverter"
    }
    assert lines == dict(worker_properties())


@pytest.mark.parametrize(
    "name",
    [
        "consumer.group.id",
        "consumer.isolation.level",
        "producer.acks.all",
        "metrics.num.samples",
        "rest.port",
        "connect.protocol",
        "security.protocol",
        "group.id",
        "plugin.path",
    ],
)
def test_property_that_msk_connect_refuses_stops_the_synthesis(name: str) -> None:
    with pytest.raises(SettingsError, match="MSK Connect takes no"):
        checked_worker_properties({**worker_properties(), name: "x"})


@pytest.mark.parametrize("name", ["key.converter", "value.converter"])
def test_property_that_msk_connect_needs_is_missed(name: str) -> None:
    given = {key: value for key, value in worker_properties().items() if key != name}
    with pytest.raises(SettingsError, match=name.replace(".", r"\.")):
        checked_worker_properties(given)


@pytest.mark.parametrize("name", ["connector.anything", "offset.storage.topic", "consumer.max.poll.records"])
def test_property_that_msk_connect_takes_passes(name: str) -> None:
    assert checked_worker_properties({**worker_properties(), name: "x"})[name] == "x"


def test_connector_reaches_the_cluster_by_iam_and_tls_in_three_zones(
    with_connector: Templates, environment: str
) -> None:
    found = connector(with_connector(environment)["connect"])
    assert found["KafkaClusterClientAuthentication"] == {"AuthenticationType": "IAM"}
    assert found["KafkaClusterEncryptionInTransit"] == {"EncryptionType": "TLS"}
    kafka = found["KafkaCluster"]["ApacheKafkaCluster"]
    assert "Brokers" in text_of(kafka["BootstrapServers"])
    assert len({text_of(subnet) for subnet in kafka["Vpc"]["Subnets"]}) == 3
    [group] = kafka["Vpc"]["SecurityGroups"]
    assert "ConnectGroup" in text_of(group)


def test_connector_lands_every_topic_and_drops_no_record(with_connector: Templates, environment: str) -> None:
    templates = with_connector(environment)
    told = connector(templates["connect"])["ConnectorConfiguration"]
    assert told["topics"].split(",") == TOPICS
    assert told["errors.tolerance"] == "none"
    assert not [name for name in told if "deadletterqueue" in name]
    assert all(isinstance(value, str) for value in told.values()), "MSK Connect takes texts only"
    partitions = sum(
        topic["PartitionCount"] for topic in resources(templates["streaming"], "AWS::MSK::Topic").values()
    )
    assert int(told["tasks.max"]) == partitions


def test_connector_scales_between_the_settings_and_never_beyond_its_partitions(
    with_connector: Templates, environment: str
) -> None:
    found = connector(with_connector(environment)["connect"])["Capacity"]["AutoScaling"]
    land = cdk_context(environment, {}, {})[environment]["land"]
    assert (found["MinWorkerCount"], found["MaxWorkerCount"]) == (land["least"], land["most"])
    assert (
        found["ScaleInPolicy"]["CpuUtilizationPercentage"]
        < found["ScaleOutPolicy"]["CpuUtilizationPercentage"]
    )


def test_capacity_and_configuration_are_watched_by_the_guard(with_connector: Templates) -> None:
    one, more, faster = (
        with_connector(**land)["connect"] for land in ({}, {"most": 3}, {"flush_seconds": 30})
    )
    [name] = resources(one, "Custom::ChangeGuard")
    [found] = whole(one, "AWS::KafkaConnect::Connector").values()
    assert name in found["DependsOn"]

    def sides(template: Raw) -> Raw:
        watched: Raw = only(only(resources(template, "Custom::ChangeGuard"))["Things"])
        return watched

    assert set(sides(one)) == {"capacity", "configuration"}
    assert sides(one)["capacity"] != sides(more)["capacity"]
    assert sides(one)["configuration"] == sides(more)["configuration"]
    assert sides(one)["configuration"] != sides(faster)["configuration"]
    assert sides(one)["capacity"] == sides(faster)["capacity"]


def test_connector_keeps_logs_with_an_end(with_connector: Templates, environment: str) -> None:
    template = with_connector(environment)["connect"]
    to = connector(template)["LogDelivery"]["WorkerLogDelivery"]["CloudWatchLogs"]
    assert to["Enabled"]
    groups = resources(template, "AWS::Logs::LogGroup")
    assert groups[text_of(to["LogGroup"])]["RetentionInDays"] >= 7


def test_connector_may_read_topics_and_write_bronze_and_no_more(
    with_connector: Templates, environment: str
) -> None:
    template = with_connector(environment)["connect"]
    role = only(resources(template, "AWS::IAM::Role"))
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "kafkaconnect.amazonaws.com"}
    assert "aws:SourceAccount" in json.dumps(trust["Condition"])
    found = statements(template)
    actions = {action for one in found for action in one.actions}
    assert {a for a in actions if a.startswith("s3:")} == {
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    }
    assert all("-bronze" in r for one in found if one.actions[0].startswith("s3:") for r in one.resources)
    writes = [r for one in found if "kafka-cluster:WriteData" in one.actions for r in one.resources]
    assert writes
    assert all(r.endswith("/__amazon_msk_connect_*") for r in writes), "only what Connect keeps for itself"
    reads = [one for one in found if one.sid == "ReadTopics"]
    assert [len(one.resources) for one in reads] == [len(TOPICS)]
    assert not [a for a in actions if a.split(":")[0] in ("iam", "sts", "rds-db", "secretsmanager", "logs")]
