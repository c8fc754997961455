"""Hosts on EC2: the gRPC edge behind its balancer, and, where they land, the writers of Bronze."""

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from constructs import Construct

from lakehouse.errors import SettingsError
from stacks.assets import Assets
from stacks.balancer import add_balancer, endpoint_of
from stacks.base import NexusStack
from stacks.catalog import CatalogStack
from stacks.hosts import HostSpec, add_hosts
from stacks.instances import memory_gib
from stacks.metrics_agent import add_agent
from stacks.network import NetworkStack
from stacks.security_groups import GRPC_HOST
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.streaming import StreamingStack
from stacks.writer_scaling import require_memory, scale_by_lag

INGEST_ARTIFACT = "ingest-host.tar.gz"
WRITER_ARTIFACT = "bronze-writer.tar.gz"
# A balancer of connections moves none that is there: clients come to new hosts as their connections end.
_CONNECTION_AGE_S = 900
_CPU_PERCENT = 50
# A draining host has 12 s for calls in hand and 5 s to flush; a writer lands what it holds.
_HOST_STOPS = Duration.seconds(30)
_WRITER_STOPS = Duration.seconds(90)
# Of the writer: wrong settings, and another history under the same log id. A person has to look.
_WRITER_STAYS_DOWN = (2, 3)
_WIDE = "A schema version has no ARN, and the schemas of the registry come with their contracts."


class IngestStack(NexusStack):
    """`hosts` and `balancer`; `writers` where `land.by` is writer."""

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
        super().__init__(scope, settings, "ingest", "gRPC hosts behind their balancer, and writers of Bronze")
        self._network, self._storage = network, storage
        self._catalog, self._streaming = catalog, streaming
        _require_python(settings)
        self.hosts = self._add_hosts(assets)
        self.balancer = add_balancer(self, network, self.hosts)
        groups = [self.names.ingest_hosts]
        self.writers: autoscaling.AutoScalingGroup | None = None
        if settings.land.by == "writer":
            self.writers = self._add_writers(assets)
            groups.append(self.names.writer_hosts)
        add_agent(self, groups)
        self.add_output(
            "Endpoint",
            endpoint_of(self.balancer),
            "Address of the gRPC edge inside the network; the name in its certificate must point to it",
        )

    def _add_hosts(self, assets: Assets) -> autoscaling.AutoScalingGroup:
        ingest = self.settings.ingest
        memory_gib(ingest.instance, f"{self.settings.environment}.ingest.instance")
        spec = HostSpec(
            service="ingest",
            group_name=self.names.ingest_hosts,
            module="grpc_ingest.server",
            artifact=INGEST_ARTIFACT,
            instance=ingest.instance,
            least=ingest.least_hosts,
            most=ingest.most_hosts,
            security_group=self._network.groups.ingest_hosts,
            stops_in=_HOST_STOPS,
            environment={
                **self._kafka_environment(),
                "NEXUS_GRPC_HOST": "0.0.0.0",  # noqa: S104 - its security group lets in the balancer alone
                "NEXUS_GRPC_PORT": str(GRPC_HOST),
                "NEXUS_GRPC_CONNECTION_AGE_S": str(_CONNECTION_AGE_S),
            },
            may=[*self._streaming.may_produce(), *self._catalog.may_resolve_schemas()],
            why_so_wide=_WIDE,
            behind_balancer=True,
        )
        hosts = add_hosts(self, spec, self._network, assets)
        hosts.scale_on_cpu_utilization("ScaleByCpu", target_utilization_percent=_CPU_PERCENT)
        return hosts

    def _add_writers(self, assets: Assets) -> autoscaling.AutoScalingGroup:
        land, topics = self.settings.land, self._streaming.topics
        require_memory(self.settings, len(topics))
        spec = HostSpec(
            service="writer",
            group_name=self.names.writer_hosts,
            module="bronze_writer",
            artifact=WRITER_ARTIFACT,
            instance=land.instance,
            least=land.least,
            most=land.most,
            security_group=self._network.groups.writer_hosts,
            stops_in=_WRITER_STOPS,
            environment={
                **self._kafka_environment(),
                "NEXUS_BUCKET_PREFIX": self.settings.bucket_prefix,
                "NEXUS_FLUSH_BYTES": str(land.flush_mib * 1024**2),
                "NEXUS_FLUSH_ROWS": "10000000",  # bytes and seconds decide
                "NEXUS_FLUSH_SECONDS": str(land.flush_seconds),
            },
            may=[
                *self._streaming.may_consume(self.names.consumer_group),
                *self._storage.may_list("bronze"),
                *self._storage.may_read("bronze"),
                *self._storage.may_write("bronze"),
                *self._catalog.may_resolve_schemas(),
            ],
            why_so_wide=_WIDE,
            stays_down=_WRITER_STAYS_DOWN,
        )
        writers = add_hosts(self, spec, self._network, assets)
        scale_by_lag(self, writers, topics)
        return writers

    def _kafka_environment(self) -> dict[str, str]:
        return {
            "NEXUS_BROKER": self._streaming.brokers,
            "NEXUS_KAFKA_AUTH": "iam",
            "NEXUS_LOG": self.settings.streaming.log,
            "NEXUS_REGISTRY": self.names.registry,
        }


def _require_python(settings: Settings) -> None:
    if settings.ingest.implementation != "python":
        raise SettingsError(
            f"{settings.environment}.ingest.implementation is {settings.ingest.implementation}: there is no artifact "
            "of it yet, give python"
        )
