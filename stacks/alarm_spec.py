"""What an alarm is made of, and what the environment's settings tell alarms and dashboard alike."""

from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch

from lakehouse.catalog import load_entities
from stacks.settings import Settings

ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
# Whoever is silent is taken for well, or for ill.
SILENT_IS_WELL = cloudwatch.TreatMissingData.NOT_BREACHING
SILENT_IS_ILL = cloudwatch.TreatMissingData.BREACHING


@dataclass(frozen=True)
class AlarmSpec:
    """Fires when `metric` was beyond `limit` in `times` periods in a row. `watches` is a stack's name.

    `runbook` is the file in docs/runbooks; `about` sets apart several alarms that share it.
    """

    runbook: str
    watches: str
    says: str
    metric: cloudwatch.IMetric
    limit: float
    times: int = 1
    beyond: cloudwatch.ComparisonOperator = ABOVE
    silent: cloudwatch.TreatMissingData = SILENT_IS_WELL
    about: str = ""

    @property
    def name(self) -> str:
        """What follows the environment in the alarm's name."""
        return f"{self.runbook}-{self.about}" if self.about else self.runbook


def described(settings: Settings, says: str, runbook: str) -> str:
    """An alarm's description: what stands in the mail, with the runbook's address."""
    return f"{says} What to do: {settings.observability.runbooks}/{runbook}.md"


def broker_numbers(settings: Settings) -> range:
    """Numbers of the brokers: MSK counts from 1, the same number in each of three zones."""
    return range(1, 3 * settings.streaming.brokers_per_zone + 1)


def has_disks(settings: Settings) -> bool:
    """Express brokers have no disk of their own, and do not publish what is measured at one."""
    return not settings.streaming.broker.startswith("express.")


def topics() -> list[str]:
    """Every topic: any entity may arrive as an event."""
    return [entity.topic for entity in load_entities().values()]
