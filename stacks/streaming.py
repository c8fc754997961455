"""Kafka: a cluster over three zones that loses nothing it acknowledged, one topic per entity, and who may use them."""

from collections.abc import Mapping

from aws_cdk import CustomResource, Duration, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_msk as msk
from constructs import Construct

from lakehouse.catalog import load_entities
from stacks.assets import Assets
from stacks.base import NexusStack, statement
from stacks.functions import FunctionSpec, add_function
from stacks.kafka_cluster import add_cluster
from stacks.kafka_properties import REPLICAS, as_text, require_room, topic_properties
from stacks.network import NetworkStack
from stacks.settings import Settings


class StreamingStack(NexusStack):
    """`brokers` (NEXUS_BROKER), `may_produce()`, `may_consume(group)`; `guard(scope, id, things)` for other stacks."""

    def __init__(
        self, scope: Construct, settings: Settings, assets: Assets, *, network: NetworkStack
    ) -> None:
        super().__init__(
            scope,
            settings,
            "streaming",
            "Kafka over three zones, its configuration and topics",
            stateful=True,
        )
        self.topics = [entity.topic for entity in load_entities().values()]
        require_room(settings.streaming, self.topics)
        self.cluster = add_cluster(self, network)
        self._addresses = self._find_brokers(assets)
        self.brokers = self._addresses.get_att_string("Brokers")
        self._guard = self._add_guard(assets)
        self._add_topics()
        self.add_output(
            "ClusterArn",
            self.cluster.attr_arn,
            "The Kafka cluster that events go to before they are in Bronze",
        )
        self.add_output(
            "Brokers", self.brokers, "Brokers for IAM authentication, reachable inside the network"
        )
        self.add_output(
            "Log",
            settings.streaming.log,
            "Log id of these topics: part of every position, event and Bronze key",
        )

    def may_produce(self) -> list[iam.PolicyStatement]:
        """To write every topic, each record once."""
        return [
            self._to_cluster(["kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"]),
            self._to_topics("WriteTopics", ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]),
        ]

    def may_consume(self, group: str) -> list[iam.PolicyStatement]:
        """To read every topic as a member of this group."""
        actions = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
        return [
            self._to_cluster(["kafka-cluster:Connect"]),
            self._to_topics("ReadTopics", ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]),
            statement("JoinGroup", actions, [self.arn_of("group", group)]),
        ]

    def arn_of(self, kind: str, name: str) -> str:
        """ARN of a topic or group of this very cluster; one whose name has a wildcard, of any cluster of that name."""
        incarnation = "*" if "*" in name else self._addresses.get_att_string("Incarnation")
        place = f"arn:aws:kafka:{self.settings.region}:{self.settings.account}"
        return f"{place}:{kind}/{self.names.cluster}/{incarnation}/{name}"

    def guard(
        self, scope: Construct, id_: str, things: Mapping[str, Mapping[str, str]], grow_only: list[str]
    ) -> CustomResource:
        """Fails a deployment that changes more than one side of a thing; whatever is guarded depends on it."""
        return CustomResource(
            scope,
            id_,
            resource_type="Custom::ChangeGuard",
            service_token=self._guard,
            service_timeout=Duration.minutes(2),
            properties={"Things": things, "GrowOnly": grow_only},
        )

    def _to_cluster(self, actions: list[str]) -> iam.PolicyStatement:
        return statement("ReachKafka", actions, [self.cluster.attr_arn])

    def _to_topics(self, sid: str, actions: list[str]) -> iam.PolicyStatement:
        return statement(sid, actions, [self.arn_of("topic", topic) for topic in self.topics])

    def _find_brokers(self, assets: Assets) -> CustomResource:
        spec = FunctionSpec(
            package="find_brokers",
            description="Asks MSK for the addresses of its brokers while it is deployed",
            timeout=Duration.minutes(1),
            may=[statement("AskForBrokers", ["kafka:GetBootstrapBrokers"], [self.cluster.attr_arn])],
            pandas=False,
        )
        return CustomResource(
            self,
            "BrokerAddresses",
            resource_type="Custom::KafkaBrokers",
            service_token=add_function(self, "FindBrokers", spec, assets).function_arn,
            service_timeout=Duration.minutes(5),
            # asked again when there are more of them
            properties={
                "ClusterArn": self.cluster.attr_arn,
                "PerZone": self.settings.streaming.brokers_per_zone,
            },
        )

    def _add_guard(self, assets: Assets) -> str:
        stacks = f"arn:aws:cloudformation:{self.settings.region}:{self.settings.account}:stack/{self.names.of('*')}"
        spec = FunctionSpec(
            package="guard_change",
            description="Fails a deployment that would change a topic or connector in two ways at once",
            timeout=Duration.minutes(1),
            may=[statement("SeeWhetherItRollsBack", ["cloudformation:DescribeStacks"], [stacks])],
            why_so_wide="A stack's ARN ends in an id that changes when it is made anew; only this environment's.",
            pandas=False,
        )
        return add_function(self, "GuardChange", spec, assets).function_arn

    def _add_topics(self) -> None:
        streaming = self.settings.streaming
        text = as_text(topic_properties(streaming.broker, streaming.retention_hours))
        side = {"partitions": str(streaming.partitions), "configuration": text}
        guard = self.guard(self, "TopicGuard", dict.fromkeys(self.topics, side), ["partitions"])
        for entity in load_entities().values():
            topic = msk.CfnTopic(
                self,
                f"Topic-{entity.topic}",
                cluster_arn=self.cluster.attr_arn,
                topic_name=entity.topic,
                partition_count=streaming.partitions,
                replication_factor=REPLICAS,
                configs=Fn.base64(text),
            )
            topic.apply_removal_policy(self.removal)
            topic.node.add_dependency(guard)
