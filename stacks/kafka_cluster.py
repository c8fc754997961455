"""The Kafka cluster itself: brokers, disks, configuration, encryption, logs, exporters."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_msk as msk

from stacks.base import NexusStack
from stacks.functions import log_retention
from stacks.kafka_properties import as_text, kind_of, server_properties
from stacks.network import NetworkStack

# The one that the tests run.
KAFKA = "3.9.x.kraft"
_ZONES = 3


def add_cluster(stack: NexusStack, network: NetworkStack) -> msk.CfnCluster:
    """The cluster, with a key, configuration and log group of its own."""
    streaming = stack.settings.streaming
    configuration = _add_configuration(stack)
    cluster = msk.CfnCluster(
        stack,
        "Cluster",
        cluster_name=stack.names.cluster,
        kafka_version=KAFKA,
        number_of_broker_nodes=_ZONES * streaming.brokers_per_zone,
        broker_node_group_info=msk.CfnCluster.BrokerNodeGroupInfoProperty(
            instance_type=streaming.broker,
            client_subnets=network.vpc.select_subnets(subnet_group_name="private").subnet_ids,
            security_groups=[network.groups.kafka.security_group_id],
            storage_info=_disk(streaming.storage_gib) if kind_of(streaming.broker).has_disk else None,
        ),
        client_authentication=msk.CfnCluster.ClientAuthenticationProperty(
            sasl=msk.CfnCluster.SaslProperty(iam=msk.CfnCluster.IamProperty(enabled=True)),
            unauthenticated=msk.CfnCluster.UnauthenticatedProperty(enabled=False),
        ),
        encryption_info=msk.CfnCluster.EncryptionInfoProperty(
            encryption_at_rest=msk.CfnCluster.EncryptionAtRestProperty(
                data_volume_kms_key_id=_add_key(stack)
            ),
            encryption_in_transit=msk.CfnCluster.EncryptionInTransitProperty(
                client_broker="TLS", in_cluster=True
            ),
        ),
        configuration_info=msk.CfnCluster.ConfigurationInfoProperty(
            arn=configuration.attr_arn, revision=configuration.attr_latest_revision_revision
        ),
        enhanced_monitoring="DEFAULT",  # lag of groups is in it; what is finer, exporters tell
        open_monitoring=_exporters(),
        logging_info=_broker_logs(stack),
    )
    cluster.apply_removal_policy(stack.removal)
    return cluster


def _add_configuration(stack: NexusStack) -> msk.CfnConfiguration:
    properties = server_properties(stack.settings.streaming.broker, stack.settings.removal == "destroy")
    configuration = msk.CfnConfiguration(
        stack,
        "Configuration",
        name=stack.names.cluster,
        description=f"Loses nothing that was acknowledged ({stack.settings.environment})",
        server_properties=as_text(properties),
    )
    configuration.apply_removal_policy(stack.removal)  # a cluster that stays needs it
    return configuration


def _add_key(stack: NexusStack) -> str:
    key = kms.Key(
        stack,
        "KafkaKey",
        alias=f"alias/{stack.names.cluster}",
        description=f"Encrypts the disks of the Kafka brokers of {stack.settings.environment}",
        enable_key_rotation=True,
        removal_policy=stack.removal,
    )
    return key.key_arn


def _broker_logs(stack: NexusStack) -> msk.CfnCluster.LoggingInfoProperty:
    group = logs.LogGroup(
        stack,
        "BrokerLogs",
        log_group_name=stack.names.cluster_logs,
        retention=log_retention(stack.settings.observability.log_days),
        removal_policy=RemovalPolicy.DESTROY,
    )
    to_group = msk.CfnCluster.CloudWatchLogsProperty(enabled=True, log_group=group.log_group_name)
    return msk.CfnCluster.LoggingInfoProperty(
        broker_logs=msk.CfnCluster.BrokerLogsProperty(cloud_watch_logs=to_group)
    )


def _disk(gib: int) -> msk.CfnCluster.StorageInfoProperty:
    return msk.CfnCluster.StorageInfoProperty(
        ebs_storage_info=msk.CfnCluster.EBSStorageInfoProperty(volume_size=gib)
    )


def _exporters() -> msk.CfnCluster.OpenMonitoringProperty:
    on = {"enabled_in_broker": True}
    return msk.CfnCluster.OpenMonitoringProperty(
        prometheus=msk.CfnCluster.PrometheusProperty(
            jmx_exporter=msk.CfnCluster.JmxExporterProperty(**on),
            node_exporter=msk.CfnCluster.NodeExporterProperty(**on),
        )
    )
