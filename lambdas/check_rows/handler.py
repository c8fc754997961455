"""The Lambda: a batch of SQS messages in, those that failed out. Each message is checked by itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.envelope import WHOLE_OBJECT
from lakehouse.paths import BronzeKey
from lambdas.check_rows.batch import Message, check_messages
from lambdas.check_rows.limits import LIMITS
from lambdas.check_rows.object_check import ObjectCheck, OutOfTime, Result
from lambdas.check_rows.settings import Settings
from lambdas.check_rows.without_pandas import leave_out_pandas

SERVICE = "check_rows"
logger = Logger(service=SERVICE, serialize_stacktrace=False)
metrics = Metrics(namespace="KeystoneNexus", service=SERVICE)
# What a person has to look at; all other results are the daily work.
_LOUD = frozenset({"gone", "overlap"})

Answer = dict[str, list[dict[str, str]]]
Handler = Callable[[dict[str, Any], Any], Answer]


def build_handler(connect: Callable[[], ObjectCheck]) -> Handler:
    """A handler over whatever `connect` gives at the first message, and keeps for all that follow."""
    hop = cache(connect)

    @logger.inject_lambda_context
    @metrics.log_metrics
    def handle(event: dict[str, Any], context: LambdaContext) -> Answer:
        records = event["Records"]
        messages = [Message(r["body"], int(r["attributes"]["ApproximateReceiveCount"])) for r in records]
        failed = []
        answers = check_messages(hop(), messages, lambda: context.get_remaining_time_in_millis() / 1000)
        for record, answer in zip(records, answers, strict=True):
            if isinstance(answer, Exception):
                failed.append({"itemIdentifier": record["messageId"]})
                tell_failure(answer)
            else:
                tell(answer)
        return {"batchItemFailures": failed}

    return handle


def tell_failure(error: Exception) -> None:
    """A log line and a counter of a message that has to come again."""
    if isinstance(error, OutOfTime):
        logger.warning(str(error))
        metrics.add_metric("MessagesGivenBack", MetricUnit.Count, 1)
        return
    logger.error("message failed, the queue will hand it out again", exc_info=error)
    metrics.add_metric("MessagesFailed", MetricUnit.Count, 1)


def tell(result: Result) -> None:
    """A log line and the counters of one message."""
    facts = {"key": result.key, "revision": result.revision, "detail": result.detail}
    metrics.add_metric(f"Messages{result.what.capitalize()}", MetricUnit.Count, 1)
    if result.what != "committed" or result.outcome is None:
        (logger.error if result.what in _LOUD else logger.info)(result.what, extra=facts)
        return
    outcome = result.outcome
    metrics.add_metric("RowsToSilver", MetricUnit.Count, outcome.silver_rows)
    metrics.add_metric("RowsToQuarantine", MetricUnit.Count, outcome.quarantine_rows)
    metrics.add_metric(
        "ObjectsUnreadable", MetricUnit.Count, int(not WHOLE_OBJECT.isdisjoint(outcome.reasons))
    )
    metrics.add_metric("ColumnsUnknown", MetricUnit.Count, len(outcome.extras))
    rows = {"silver": outcome.silver_rows, "quarantine": outcome.quarantine_rows, "reasons": outcome.reasons}
    rows |= {"extras": outcome.extras} if outcome.extras else {}
    logger.info("committed", extra=facts | rows | {"entity": BronzeKey.parse(result.key).entity})


def connect() -> ObjectCheck:
    """The hop over the AWS and ledger that the environment names, for a process that does nothing else."""
    leave_out_pandas()
    settings = Settings.from_process()
    store = ObjectStore.connect(settings.endpoint, settings.region, settings.owner)
    ledger = Ledger.connect(settings.ledger_url)
    now = lambda: datetime.now(UTC)  # noqa: E731
    limits = replace(LIMITS, whole_bytes=settings.whole_bytes)
    return ObjectCheck(
        store, ledger, settings.buckets, load_entities(), now, settings.child_environment, limits
    )


lambda_handler = build_handler(connect)
