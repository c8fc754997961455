"""The whole way of an event by real processes, for the canary: gRPC host, broker, writer, check hop, ledger, AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from lakehouse.catalog import load_entities
from lakehouse.paths import BronzeKey
from lambdas.canary.flight import Clock, Flight
from lambdas.canary.settings import Settings
from local.aws_setup import local_client, prepare_aws
from tests.flow.aws_process import AwsProcess
from tests.flow.ingest_processes import LOG, BrokerProcess, ChildProcess

PREFIX, REGISTRY, REGION = "canary-lake", "keystone-nexus", "us-east-1"
ALARMS = "nexus-test-"


class Pipeline:
    """Everything but the check hop runs inside the context; `check` starts that one."""

    def __init__(self, folder: Path, ledger_url: str) -> None:
        self._folder, self.ledger_url = folder, ledger_url
        self.aws, self.broker = AwsProcess(folder / "lake"), BrokerProcess(folder)
        self._children: list[ChildProcess] = []
        self.queue_url = ""
        self.host_address = ""

    def __enter__(self) -> Self:
        try:
            self.aws.start()
            self.queue_url = prepare_aws(self.aws.endpoint, PREFIX)
            registry = SchemaRegistry.connect(self.aws.endpoint, REGION, REGISTRY)
            for entity in load_entities().values():
                registry.register(entity)
            self.alarm("pipeline-well", "OK")
            self.broker.start()
            self.host_address = self._start("host", "grpc_ingest.server", NEXUS_GRPC_PORT="0").address
            self._start("writer", "bronze_writer", NEXUS_FLUSH_SECONDS="0.2")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for child in (*self._children, self.broker):
            child.kill()
        if self.aws.process is not None:
            self.aws.kill()

    def check(self) -> None:
        """Starts the check hop."""
        self._start("check", "local.check_runner", NEXUS_CHECK_QUEUE_URL=self.queue_url)

    def alarm(self, name: str, state: str) -> None:
        """Makes an alarm of this environment, in this state."""
        cloudwatch = self.aws.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=f"{ALARMS}{name}",
            Namespace="Test",
            MetricName="Test",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName=f"{ALARMS}{name}", StateValue=state, StateReason="test")

    def settings(self, **changes: str) -> Settings:
        """Of a canary that looks at this pipeline."""
        return Settings.from_env({**self._environment(), **changes})

    def flight(self, ledger: Ledger, clock: Clock, **changes: str) -> Flight:
        """The canary's core over this pipeline."""
        settings = self.settings(**changes)
        return Flight(
            settings,
            ledger,
            self.store,
            SchemaRegistry.connect(settings.endpoint, settings.region, settings.registry),
            local_client("cloudwatch", self.aws.endpoint, REGION),
            clock,
        )

    @property
    def store(self) -> ObjectStore:
        """The lake."""
        return ObjectStore.connect(self.aws.endpoint, REGION)

    def landed(self) -> int:
        """Rows in Bronze."""
        rows = 0
        for stored in self.store.keys(f"{PREFIX}-bronze", "orders/year="):
            BronzeKey.parse(stored.key)
            head = self.store.head(f"{PREFIX}-bronze", stored.key)
            rows += int(head.metadata["rows"]) if head else 0
        return rows

    def _start(self, name: str, module: str, **environment: str) -> ChildProcess:
        child = ChildProcess(self._folder, name, module, **self._environment(), **environment)
        self._children.append(child)
        return child.start()

    def _environment(self) -> dict[str, str]:
        return {
            "NEXUS_BROKER": self.broker.address,
            "NEXUS_LOG": LOG,
            "NEXUS_BUCKET_PREFIX": PREFIX,
            "NEXUS_LEDGER_URL": self.ledger_url,
            "NEXUS_REGISTRY": REGISTRY,
            "NEXUS_INGEST_ADDRESS": self.host_address,
            "NEXUS_INGEST_NAME": "none",
            "NEXUS_ALARM_PREFIX": ALARMS,
            "NEXUS_CANARY_PATIENCE_S": "60",
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_REGION": REGION,
        }


@dataclass
class ClockThatWaitsFor:
    """Time stands still until something has happened, and then patience is over."""

    happened: Callable[[], bool]
    over: bool = field(default=False)

    def clock(self, pause: Callable[[float], None]) -> Clock:
        """For a flight; `pause` really waits."""

        def wait(seconds: float) -> None:
            pause(seconds / 20)
            self.over = self.over or self.happened()

        return Clock(lambda: datetime.now(UTC), lambda: 1e6 if self.over else 0.0, wait)


def by_name(checks: Any) -> Mapping[str, Any]:
    """Checks by name."""
    return {check.name: check for check in checks}
