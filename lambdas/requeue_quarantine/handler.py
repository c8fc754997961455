"""The Lambda: a request in (see `request.Request`), a report out. A person invokes it; asking twice is asking once."""

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
from lambdas.check_rows.settings import Settings
from lambdas.check_rows.without_pandas import leave_out_pandas
from lambdas.requeue_quarantine.request import REPLAY, Request
from lambdas.requeue_quarantine.requeue import Report, Requeue

SERVICE = "requeue_quarantine"
logger = Logger(service=SERVICE, serialize_stacktrace=False)
metrics = Metrics(namespace="KeystoneNexus", service=SERVICE)


def build_handler(connect: Callable[[], Requeue]) -> Callable[[Any, Any], dict[str, Any]]:
    """A handler over whatever `connect` gives at the first call, and keeps for all that follow."""
    requeue = cache(connect)

    @logger.inject_lambda_context
    @metrics.log_metrics
    def handle(event: Any, context: LambdaContext) -> dict[str, Any]:
        request = Request.from_event(event)
        return tell(requeue().run(request, lambda: context.get_remaining_time_in_millis() / 1000))

    return handle


def tell(report: Report) -> dict[str, Any]:
    """A log line without values of rows, the counters of a replay, and the answer."""
    if report.mode == REPLAY:
        metrics.add_metric("RowsRequeued", MetricUnit.Count, report.passing)
    told = {
        name: getattr(report, name)
        for name in ("entity", "objects", "judged", "passing", "refusals", "moved")
    }
    logger.info(report.mode, extra=told)
    return asdict(report)


def connect() -> Requeue:
    """The replay over the AWS and ledger that the environment names."""
    leave_out_pandas()
    settings = Settings.from_process()
    store = ObjectStore.connect(settings.endpoint, settings.region, settings.owner)
    ledger = Ledger.connect(settings.ledger_url)
    now = lambda: datetime.now(UTC)  # noqa: E731
    return Requeue(store, ledger, settings.buckets, load_entities(), now, settings.child_environment)


lambda_handler = build_handler(connect)
