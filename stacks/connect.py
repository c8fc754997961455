"""The sink connector on MSK Connect: plugin and worker configuration by the hash of their content, its role, its logs.

Nothing of a connector can be changed but its configuration and its capacity, and those not both at once: everything
else makes a new one, which reads all that Kafka has and lands what is not in S3 yet.
"""

import hashlib
import json

from aws_cdk import Fn, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kafkaconnect as connect
from aws_cdk import aws_logs as logs
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from stacks.assets import Assets
from stacks.base import NexusStack, give, statement
from stacks.catalog import CatalogStack
from stacks.connect_properties import connector_properties, most_tasks, worker_properties
from stacks.functions import log_retention
from stacks.kafka_properties import as_text
from stacks.network import NetworkStack
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.streaming import StreamingStack

PLUGIN = "bronze-sink.zip"
KAFKA_CONNECT = "3.7.x"
_MCU = 1  # one vCPU and 4 GiB per worker: more workers rather than larger ones
_LESS_BELOW, _MORE_ABOVE = 20, 80  # percent of CPU
_HASH = 12  # digits: enough for a name
# What MSK Connect keeps in the cluster for itself, under a name with an id that nobody knows before it is there.
_INTERNAL = "__amazon_msk_connect_*"
_WIDE = (
    "MSK Connect names its own topics and groups with an id that is known only when the connector is there; schema "
    "versions have no ARN."
)


class ConnectStack(NexusStack):
    """Deployed only where `land.by` is connect."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        assets: Assets,
        *,
        network: NetworkStack,
        storage: StorageStack,
        catalog: CatalogStack,
        streaming: StreamingStack,
    ) -> None:
        super().__init__(scope, settings, "connect", "the sink connector that lands Kafka's topics in Bronze")
        self._storage, self._catalog, self._streaming = storage, catalog, streaming
        self._logs = logs.LogGroup(
            self,
            "WorkerLogs",
            log_group_name=self.names.connector_logs,
            retention=log_retention(settings.observability.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.connector = self._add_connector(network, assets)
        self.add_output(
            "ConnectorArn",
            self.connector.attr_connector_arn,
            "The sink connector that lands topics in Bronze",
        )

    def _add_connector(self, network: NetworkStack, assets: Assets) -> connect.CfnConnector:
        land, topics = self.settings.land, self._streaming.topics
        configuration = dict(connector_properties(self.settings, self.names, topics))
        capacity = connect.CfnConnector.AutoScalingProperty(
            min_worker_count=land.least,
            max_worker_count=land.most,
            mcu_count=_MCU,
            max_autoscaling_task_count=most_tasks(self.settings, topics),
            scale_in_policy=connect.CfnConnector.ScaleInPolicyProperty(
                cpu_utilization_percentage=_LESS_BELOW
            ),
            scale_out_policy=connect.CfnConnector.ScaleOutPolicyProperty(
                cpu_utilization_percentage=_MORE_ABOVE
            ),
        )
        role = self._add_role()
        connector = connect.CfnConnector(
            self,
            "Connector",
            connector_name=self.names.connector,
            connector_description=f"Lands every topic in Bronze ({self.settings.environment})",
            kafka_connect_version=KAFKA_CONNECT,
            connector_configuration=configuration,
            capacity=connect.CfnConnector.CapacityProperty(auto_scaling=capacity),
            kafka_cluster=self._cluster(network),
            kafka_cluster_client_authentication=connect.CfnConnector.KafkaClusterClientAuthenticationProperty(
                authentication_type="IAM"
            ),
            kafka_cluster_encryption_in_transit=connect.CfnConnector.KafkaClusterEncryptionInTransitProperty(
                encryption_type="TLS"
            ),
            plugins=[connect.CfnConnector.PluginProperty(custom_plugin=self._add_plugin(assets))],
            worker_configuration=self._add_worker_configuration(),
            service_execution_role_arn=role.role_arn,
            log_delivery=self._log_delivery(),
        )
        sides = {
            "capacity": f"{land.least} to {land.most} workers of {_MCU} MCU",
            "configuration": json.dumps(configuration, sort_keys=True),
        }
        guard = self._streaming.guard(self, "ConnectorGuard", {self.names.connector: sides}, [])
        connector.node.add_dependency(guard, role.node.find_child("DefaultPolicy"))
        return connector

    def _add_plugin(self, assets: Assets) -> connect.CfnConnector.CustomPluginProperty:
        path = assets.file(PLUGIN)
        asset = Asset(self, "PluginFile", path=str(path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH]
        plugin = connect.CfnCustomPlugin(
            self,
            "Plugin",
            name=f"{self.names.connector}-{digest}",
            description="Sink connector that follows the writers' rule",
            content_type="ZIP",
            location=connect.CfnCustomPlugin.CustomPluginLocationProperty(
                s3_location=connect.CfnCustomPlugin.S3LocationProperty(
                    bucket_arn=f"arn:aws:s3:::{asset.s3_bucket_name}", file_key=asset.s3_object_key
                )
            ),
        )
        return connect.CfnConnector.CustomPluginProperty(
            custom_plugin_arn=plugin.attr_custom_plugin_arn, revision=plugin.attr_revision
        )

    def _add_worker_configuration(self) -> connect.CfnConnector.WorkerConfigurationProperty:
        text = as_text(worker_properties())
        digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH]
        worker = connect.CfnWorkerConfiguration(
            self,
            "Workers",
            name=f"{self.names.connector}-{digest}",
            description="Records as bytes, assignments that may take minutes",
            properties_file_content=Fn.base64(text),
        )
        return connect.CfnConnector.WorkerConfigurationProperty(
            worker_configuration_arn=worker.attr_worker_configuration_arn, revision=worker.attr_revision
        )

    def _cluster(self, network: NetworkStack) -> connect.CfnConnector.KafkaClusterProperty:
        place = connect.CfnConnector.VpcProperty(
            subnets=network.vpc.select_subnets(subnet_group_name="private").subnet_ids,
            security_groups=[network.groups.connect.security_group_id],
        )
        return connect.CfnConnector.KafkaClusterProperty(
            apache_kafka_cluster=connect.CfnConnector.ApacheKafkaClusterProperty(
                bootstrap_servers=self._streaming.brokers, vpc=place
            )
        )

    def _log_delivery(self) -> connect.CfnConnector.LogDeliveryProperty:
        to_group = connect.CfnConnector.CloudWatchLogsLogDeliveryProperty(
            enabled=True, log_group=self._logs.log_group_name
        )
        return connect.CfnConnector.LogDeliveryProperty(
            worker_log_delivery=connect.CfnConnector.WorkerLogDeliveryProperty(cloud_watch_logs=to_group)
        )

    def _add_role(self) -> iam.Role:
        ours = {"StringEquals": {"aws:SourceAccount": self.settings.account}}
        role = iam.Role(
            self,
            "ConnectorRole",
            assumed_by=iam.ServicePrincipal("kafkaconnect.amazonaws.com", conditions=ours),
            description=f"What the sink connector of {self.settings.environment} may do",
        )
        internal = ["CreateTopic", "DescribeTopic", "ReadData", "WriteData"]
        groups = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
        own = [
            self._streaming.arn_of("group", name) for name in (_INTERNAL, f"connect-{self.names.connector}*")
        ]
        may = [
            *self._streaming.may_consume(f"connect-{self.names.connector}"),
            statement("DescribeKafka", ["kafka-cluster:DescribeCluster"], [self._streaming.cluster.attr_arn]),
            statement(
                "KeepOwnTopics",
                [f"kafka-cluster:{action}" for action in internal],
                [self._streaming.arn_of("topic", _INTERNAL)],
            ),
            statement("JoinOwnGroups", groups, own),
            *self._storage.may_list("bronze"),
            *self._storage.may_read("bronze"),
            *self._storage.may_write("bronze"),
            *self._catalog.may_resolve_schemas(),
        ]
        give(role, may, _WIDE)
        return role
