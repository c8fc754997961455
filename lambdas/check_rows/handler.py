"""The Lambda: a batch of SQS messages in, those that failed out. Each message is checked by itself."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.envelope import UNREADABLE
from lakehouse.paths import BronzeKey
from lambdas.check_rows.object_check import ObjectCheck, Result
from lambdas.check_rows.settings import Settings

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
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def check_record(record: SQSRecord) -> None:
        receives = int(record.attributes.approximate_receive_count)
        tell(hop().check_message(record.body, receives))

    @logger.inject_lambda_context
    @metrics.log_metrics
    def handle(event: dict[str, Any], context: LambdaContext) -> Answer:
        answer: Any = process_partial_response(event, check_record, processor, context)
        for error in processor.exceptions:
            logger.error("message failed, the queue will hand it out again", exc_info=error[1])
            metrics.add_metric("MessagesFailed", MetricUnit.Count, 1)
        return {"batchItemFailures": answer["batchItemFailures"]}

    return handle


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
    metrics.add_metric("ObjectsUnreadable", MetricUnit.Count, int(UNREADABLE in outcome.reasons))
    metrics.add_metric("ColumnsUnknown", MetricUnit.Count, len(outcome.extras))
    rows = {"silver": outcome.silver_rows, "quarantine": outcome.quarantine_rows, "reasons": outcome.reasons}
    rows |= {"extras": outcome.extras} if outcome.extras else {}
    logger.info("committed", extra=facts | rows | {"entity": BronzeKey.parse(result.key).entity})


def connect() -> ObjectCheck:
    """The hop over the AWS and ledger that the environment names."""
    settings = Settings.from_process()
    store = ObjectStore.connect(settings.endpoint, settings.region)
    ledger = Ledger.connect(settings.ledger_url)
    return ObjectCheck(store, ledger, settings.buckets, load_entities(), lambda: datetime.now(UTC))


lambda_handler = build_handler(connect)
