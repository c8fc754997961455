"""The canary: a function that sends events as clients do and follows them to Silver and Quarantine, on a schedule."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lakehouse.errors import SettingsError
from stacks.alarms import CANARY_EVERY, CANARY_SLACK
from stacks.assets import Assets
from stacks.balancer import endpoint_of
from stacks.base import NexusStack, statement
from stacks.catalog import CatalogStack
from stacks.database import DatabaseStack
from stacks.functions import RUNTIME, FunctionSpec, Place, add_function
from stacks.ingest import IngestStack
from stacks.network import NetworkStack
from stacks.schema_registry import NO_ARN
from stacks.settings import Settings
from stacks.storage import StorageStack

LAYER = "grpc-layer.zip"
ENTITY = "orders"  # what it sends, as in lambdas/canary/events.py: it reads no other entity's objects
_LONGEST_S = 15 * 60  # no function runs longer
# A minute to be acknowledged, and one to read what came out and to look at the rest.
_BESIDES_S = 120
_WIDE = (
    f"{NO_ARN} Alarms are asked for by the beginning of their names, metrics by dimensions: both without ARN."
)


class CanaryStack(NexusStack):
    """`function`, which `make smoke` invokes as well."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        assets: Assets,
        *,
        network: NetworkStack,
        storage: StorageStack,
        database: DatabaseStack,
        catalog: CatalogStack,
        ingest: IngestStack,
    ) -> None:
        super().__init__(
            scope, settings, "canary", "sends events as clients do and follows them through the pipeline"
        )
        self._storage, self._database, self._catalog = storage, database, catalog
        self._ingest = ingest
        self.function = self._add_function(assets, Place(network.vpc, network.groups.canary))
        events.Rule(
            self,
            "Schedule",
            rule_name=self.names.of("canary"),
            description="Starts the canary; alarms say when it is late or found something",
            schedule=events.Schedule.rate(CANARY_EVERY),
            targets=[targets.LambdaFunction(self.function, retry_attempts=0)],
        )
        self.add_output(
            "FunctionName",
            self.function.function_name,
            "What `make smoke` invokes: one run, its checks as the answer",
        )

    def _add_function(self, assets: Assets, place: Place) -> lambda_.Function:
        patience_s = _patience_s(self.settings)
        spec = FunctionSpec(
            package="canary",
            description="Sends 100 events through the balancer and follows each to its verdict",
            timeout=Duration.seconds(patience_s + _BESIDES_S),
            memory_mib=512,  # it waits most of its time; the largest object that it reads is one flush
            environment={
                "NEXUS_INGEST_ADDRESS": endpoint_of(self._ingest.balancer),
                "NEXUS_INGEST_NAME": self.settings.ingest.domain,
                "NEXUS_BUCKET_PREFIX": self.settings.bucket_prefix,
                "NEXUS_LEDGER_URL": self._database.ledger_url("canary"),
                "NEXUS_REGISTRY": self.names.registry,
                "NEXUS_ALARM_PREFIX": self.names.of(""),
                "NEXUS_CONNECTOR": self.names.connector if self.settings.land.by == "connect" else "",
                "NEXUS_CANARY_PATIENCE_S": str(patience_s),
            },
            may=self._may(),
            why_so_wide=_WIDE,
            place=place,
            layers=[self._add_layer(assets)],
        )
        return add_function(self, "Canary", spec, assets)

    def _add_layer(self, assets: Assets) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            "Grpc",
            code=lambda_.Code.from_asset(str(assets.file(LAYER))),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[lambda_.Architecture.ARM_64],
            description="gRPC and protobuf, as locked, for the canary alone",
        )

    def _may(self) -> list[iam.PolicyStatement]:
        prefix = f"{ENTITY}/"
        return [
            *self._storage.may_list("bronze"),  # to say at which hop events were seen last
            *self._storage.may_read("bronze", prefix),
            *self._storage.may_read("silver", prefix),
            *self._storage.may_read("quarantine", prefix),
            self._database.may_connect("canary"),
            *self._catalog.may_resolve_schemas(),
            statement("LookAtAlarms", ["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], ["*"]),
        ]


def _patience_s(settings: Settings) -> int:
    """How long events may take: an object is as old as landing lets it grow, then it is checked."""
    # more than what the alarm for late events allows, so that one that waits in vain sets it off
    slack_s = 2 * int(CANARY_SLACK.to_seconds())
    patience_s = settings.land.flush_seconds + slack_s
    if patience_s + _BESIDES_S > _LONGEST_S:
        raise SettingsError(
            f"{settings.environment}.land.flush_seconds is {settings.land.flush_seconds}: no function can wait "
            f"for events so long, give {_LONGEST_S - _BESIDES_S - slack_s} or less"
        )
    return patience_s
