"""The cluster and its topics, as its API tells of them: no broker runs here."""

import base64

from lakehouse.catalog import load_entities
from local.rehearsal.findings import require
from local.rehearsal.scene import Scene
from local.smoke.proofs import topics as smoke_topics

_CONFIGURATION = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
}


def cluster(scene: Scene) -> str:
    """A broker in every zone, IAM and TLS only, a configuration that loses nothing."""
    kafka = scene.client("kafka")
    [entry] = scene.of_type("AWS::MSK::Cluster")
    found = kafka.describe_cluster_v2(ClusterArn=entry.physical_id)["ClusterInfo"]
    nodes, told = found["Provisioned"], entry.physical_id
    brokers = 3 * scene.settings.streaming.brokers_per_zone
    require(nodes["NumberOfBrokerNodes"] == brokers, f"{told} has {nodes['NumberOfBrokerNodes']} brokers")
    zones = nodes["BrokerNodeGroupInfo"]["ClientSubnets"]
    require(len(set(zones)) == 3, f"{told} lies in {zones}")
    transit = nodes["EncryptionInfo"]["EncryptionInTransit"]
    require(transit == {"ClientBroker": "TLS", "InCluster": True}, f"{told} encrypts {transit}")
    for configuration in scene.of_type("AWS::MSK::Configuration"):
        revision = kafka.describe_configuration_revision(Arn=configuration.physical_id, Revision=1)
        lines = dict(line.split("=", 1) for line in revision["ServerProperties"].decode().splitlines())
        wrong = {name: lines.get(name) for name, value in _CONFIGURATION.items() if lines.get(name) != value}
        require(not wrong, f"its configuration says {wrong}")
    return (
        f"{brokers} brokers in 3 subnets, TLS only; configuration: 3 replicas, 2 in sync, no unclean election"
    )


def topics(scene: Scene) -> str:
    """By the proof of `make smoke`, and as many partitions and as long as the settings say."""
    found = smoke_topics(scene.client("kafka"), scene.names.cluster)
    require(found.state == "ok", found.detail)
    kafka, wanted = scene.client("kafka"), scene.settings.streaming
    [entry] = scene.of_type("AWS::MSK::Cluster")
    for entity in load_entities().values():
        topic = kafka.describe_topic(ClusterArn=entry.physical_id, TopicName=entity.topic)
        count = topic["PartitionCount"]
        require(count == wanted.partitions, f"{entity.topic} has {count} partitions, not {wanted.partitions}")
        kept = f"retention.ms={wanted.retention_hours * 3_600_000}"
        require(
            kept in base64.b64decode(topic["Configs"]).decode().splitlines(), f"{entity.topic} has no {kept}"
        )
    return f"{found.detail}, {wanted.partitions} partitions, kept {wanted.retention_hours} hours"
