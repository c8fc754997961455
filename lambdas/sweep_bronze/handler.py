"""The Lambda that a schedule starts: one sweep, its findings as log lines and metrics."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lambdas.sweep_bronze.queue import CheckQueue
from lambdas.sweep_bronze.settings import Settings
from lambdas.sweep_bronze.sweep import Sweeper, SweepReport

SERVICE = "sweep_bronze"
logger = Logger(service=SERVICE, serialize_stacktrace=False)
metrics = Metrics(namespace="KeystoneNexus", service=SERVICE)


def build_handler(
    connect: Callable[[], Callable[[], SweepReport]],
) -> Callable[[Any, Any], dict[str, int]]:
    """A handler over whatever `connect` gives at the first call, and keeps for all that follow."""
    sweep = cache(connect)

    @logger.inject_lambda_context
    @metrics.log_metrics
    def handle(event: Any, context: LambdaContext) -> dict[str, int]:
        return tell(sweep()())

    return handle


def tell(report: SweepReport) -> dict[str, int]:
    """Gauges of everything a sweep looks for; what a person must look at is an error in the log."""
    counts = {
        "ObjectsAnnouncedAgain": len(report.announced),
        "ObjectsLeftForLater": report.left_for_later,
        "ObjectsStuck": len(report.stuck),
        "ObjectsMissing": len(report.missing),
        "LoadsUncovered": len(report.uncovered_loads),
        "AbandonedOutputsRemoved": len(report.removed),
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if report.stuck or report.missing:
        logger.error(
            "lake and ledger disagree", extra={"stuck": report.stuck[:20], "missing": report.missing[:20]}
        )
    if report.uncovered_loads:
        loads = [asdict(load) for load in report.uncovered_loads[:20]]
        logger.warning("loads are not covered", extra={"loads": loads})
    logger.info("swept", extra=counts)
    return counts


def connect() -> Callable[[], SweepReport]:
    """A sweep with the minimum age that the environment gives."""
    sweeper, age = connect_sweeper(), Settings.from_process().minimum_age
    return lambda: sweeper.sweep(age)


def connect_sweeper() -> Sweeper:
    """A sweeper over the AWS and ledger that the environment names."""
    settings = Settings.from_process()
    queue = CheckQueue.connect(settings.endpoint, settings.region, settings.queue_url)
    store = ObjectStore.connect(settings.endpoint, settings.region)
    ledger = Ledger.connect(settings.ledger_url)
    return Sweeper(store, ledger, settings.buckets, load_entities(), queue, lambda: datetime.now(UTC))


lambda_handler = build_handler(connect)
