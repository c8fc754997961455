"""Kafka: the cluster by moto, its configurations and topics by an API of our own."""

from local.rehearsal.wanted import Made, Wanted, model


@model("AWS::MSK::Configuration")
def make_configuration(wanted: Wanted) -> Made:
    """Server properties, in revisions."""
    made = wanted.client("kafka").create_configuration(
        ServerProperties=wanted["ServerProperties"].encode(), **wanted.pick("Name", "Description")
    )
    return Made(
        made["Arn"], {"Arn": made["Arn"], "LatestRevision.Revision": made["LatestRevision"]["Revision"]}
    )


@model("AWS::MSK::Cluster")
def make_cluster(wanted: Wanted) -> Made:
    """No broker runs here."""
    provisioned = wanted.pick(
        "BrokerNodeGroupInfo",
        "ClientAuthentication",
        "ConfigurationInfo",
        "EncryptionInfo",
        "EnhancedMonitoring",
        "KafkaVersion",
        "LoggingInfo",
        "OpenMonitoring",
        "StorageMode",
    )
    nodes = dict(provisioned["BrokerNodeGroupInfo"])
    if storage := nodes.get("StorageInfo"):
        nodes["StorageInfo"] = {"EbsStorageInfo": storage["EBSStorageInfo"]}  # the API spells it otherwise
    provisioned |= {"BrokerNodeGroupInfo": nodes} | wanted.integers("NumberOfBrokerNodes")
    made = wanted.client("kafka").create_cluster_v2(
        ClusterName=wanted["ClusterName"],
        Provisioned=provisioned,
        Tags=wanted.get("Tags", {}),  # a map, in this type alone
    )
    return Made(made["ClusterArn"], {"Arn": made["ClusterArn"]})


@model("AWS::MSK::Topic")
def make_topic(wanted: Wanted) -> Made:
    """In the cluster, as far as it is one."""
    made = wanted.client("kafka").create_topic(
        **wanted.pick("ClusterArn", "TopicName", "Configs"),
        **wanted.integers("PartitionCount", "ReplicationFactor"),
    )
    return Made(made["TopicArn"], {"TopicArn": made["TopicArn"]})
