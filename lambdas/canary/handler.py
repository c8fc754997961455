"""The Lambda that a schedule and `make smoke` start: one run, its checks as the answer, log lines and metrics."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from adapters import aws
from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from lambdas.canary.flight import ALARMS, Clock, Flight, Outcome
from lambdas.canary.settings import Settings

SERVICE = "canary"
logger = Logger(service=SERVICE, serialize_stacktrace=False)
metrics = Metrics(namespace="KeystoneNexus", service=SERVICE)
_QUICK = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)

Answer = dict[str, Any]


def build_handler(fly: Callable[[str], Outcome]) -> Callable[[Any, Any], Answer]:
    """A handler over one run, which gets the id of the request as its name."""

    @logger.inject_lambda_context
    @metrics.log_metrics
    def handle(event: Any, context: LambdaContext) -> Answer:
        return tell(context.aws_request_id, fly(context.aws_request_id))

    return handle


def tell(run: str, outcome: Outcome) -> Answer:
    """Log lines and metrics of a run, and what `make smoke` prints.

    Alarms that fire do not count among the failed: they have told of themselves, and this one would tell it again.
    """
    failed = [one for one in outcome.checks if one.state == "failed"]
    metrics.add_metric("ChecksFailed", MetricUnit.Count, sum(one.name != ALARMS for one in failed))
    if outcome.end_to_end_s is not None:
        metrics.add_metric("EndToEndSeconds", MetricUnit.Seconds, outcome.end_to_end_s)
    for one in outcome.checks:
        (logger.error if one.state == "failed" else logger.info)(
            one.name, extra={"found": one.to_json(), "run": run}
        )
    return {"run": run, "checks": [one.to_json() for one in outcome.checks]}


def fly(run: str) -> Outcome:
    """One run over what the environment names. Connections are made anew: a run must not believe an earlier one."""
    settings = Settings.from_process()
    ledger = Ledger.connect(settings.ledger_url)
    try:
        return Flight(
            settings,
            ledger,
            ObjectStore.connect(settings.endpoint, settings.region),
            SchemaRegistry.connect(settings.endpoint, settings.region, settings.registry),
            aws.connect("cloudwatch", settings.endpoint, settings.region, _QUICK),
            Clock(lambda: datetime.now(UTC), time.monotonic, time.sleep),
        ).fly(run)
    finally:
        ledger.close()


lambda_handler = build_handler(fly)
