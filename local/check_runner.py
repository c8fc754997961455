"""Does on one machine what SQS and Lambda do on AWS: hands the check queue's messages to the handler, in batches.

python -m local.check_runner

SIGTERM: what is in the queue is checked to the end, then it stops. A second one: after the batch in hand.
"""

import logging
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from types import FrameType
from typing import Any

import boto3

from adapters.ledger import Ledger
from adapters.logs import configure_logs
from adapters.objects import STORE_ERRORS, ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError
from lambdas.check_rows import handler as check_rows
from lambdas.check_rows.settings import Settings as CheckSettings
from lambdas.sweep_bronze import handler as sweep_bronze
from local.closing import recall_closed_logs
from local.lake_store import write_whole
from local.settings import CheckRunnerSettings

_log = logging.getLogger("local.check_runner")
_BATCH = 10  # the most that SQS hands out in one call, and what the Lambda's mapping is set to
_WAIT_S = 1  # of a long poll: also the longest that a signal waits for an idle runner
_AWAY_S = 0.5  # between tries while the queue's server is away: it comes back within seconds or not at all

Message = Mapping[str, Any]
Handler = Callable[[dict[str, Any], Any], Mapping[str, Any]]


@dataclass(frozen=True)
class LocalContext:
    """What a Lambda is told of itself, as far as it is true here."""

    function_name: str = "check_rows"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:check_rows"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Nobody stops a process here."""
        return 15 * 60 * 1000


@dataclass
class CheckRunner:
    """One queue, one handler, one sweep, all in this thread."""

    sqs: Any
    queue_url: str
    handler: Handler
    sweep: Callable[[timedelta], object]
    sweep_every: timedelta
    minimum_age: timedelta
    signals: int = 0

    def stop(self, signum: int, _frame: FrameType | None) -> None:
        """For `signal.signal`."""
        self.signals += 1
        _log.info("%s: %s", signal.Signals(signum).name, "draining" if self.signals == 1 else "stopping")

    def run(self) -> None:
        """Until a signal, and then until the queue is empty or the server of the queue is gone."""
        self._sweep(timedelta(0))  # nothing runs yet: whatever is not committed was forgotten
        due = time.monotonic() + self.sweep_every.total_seconds()
        while self.signals < 2:
            draining = self.signals > 0
            if not draining and time.monotonic() >= due:
                self._sweep(self.minimum_age)
                due = time.monotonic() + self.sweep_every.total_seconds()
            messages = self._receive(0 if draining else _WAIT_S)
            if messages:
                self._check(messages)
            elif draining:
                return

    def _receive(self, wait_s: int) -> list[Message]:
        try:
            answer = self.sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=wait_s,
                AttributeNames=["All"],
            )
        except STORE_ERRORS as error:
            _log.warning("the queue does not answer: %s", error)
            time.sleep(_AWAY_S)
            return []
        found: list[Message] = answer.get("Messages", [])
        return found

    def _check(self, messages: list[Message]) -> None:
        answer = self.handler({"Records": [sqs_record(message) for message in messages]}, LocalContext())
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
            if message["MessageId"] not in failed
        ]
        if not entries:
            return
        try:
            self.sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
        except STORE_ERRORS as error:
            _log.warning("messages could not be deleted and will come again: %s", error)

    def _sweep(self, minimum_age: timedelta) -> None:
        try:
            self.sweep(minimum_age)
        except (NexusError, *STORE_ERRORS) as error:
            _log.error("the sweep failed and will be tried again: %s", error)


def sqs_record(message: Message) -> dict[str, Any]:
    """A message as Lambda gets it from SQS."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1", **message.get("Attributes", {})},
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:check-rows",
        "awsRegion": "us-east-1",
    }


def _recall() -> list[str]:
    """Takes over what the lake says of closed logs, for a ledger that was restored from a backup; those logs."""
    settings = CheckSettings.from_process()
    store = ObjectStore.connect(settings.endpoint, settings.region)
    with Ledger.connect(settings.ledger_url).connection as connection:
        return recall_closed_logs(Ledger(connection), store, settings.buckets.bronze, load_entities())


def main() -> int:
    """Exit code 0 after a signal, 1 when a setting is missing."""
    configure_logs("check_runner")
    try:
        settings = CheckRunnerSettings.from_process()
        CheckSettings.from_process()
        sweeper = sweep_bronze.connect_sweeper()
    except NexusError as error:
        _log.error("%s", error)
        return 1

    recall = cache(_recall)  # once: nobody else closes logs while this one runs

    def sweep(minimum_age: timedelta) -> None:
        try:
            recall()
        except (NexusError, *STORE_ERRORS) as error:
            _log.error("closed logs could not be compared with the ledger and will be again: %s", error)
        # of all ages means: nothing runs yet, and the lake may be one that this ledger has not seen the most of
        everything = not minimum_age
        handler = sweep_bronze.build_handler(
            lambda: lambda: sweeper.sweep(minimum_age, everything=everything)
        )
        handler({}, LocalContext("sweep_bronze"))

    for handler in (check_rows, sweep_bronze):
        logging.getLogger(handler.SERVICE).propagate = False  # a Lambda's logger writes its lines itself
    runner = CheckRunner(
        sqs=boto3.client("sqs", endpoint_url=settings.endpoint, region_name=settings.region),
        queue_url=settings.queue_url,
        handler=check_rows.lambda_handler,
        sweep=sweep,
        sweep_every=settings.sweep_every,
        minimum_age=settings.minimum_age,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, runner.stop)
    if settings.ready_file is not None:
        write_whole(settings.ready_file, "ready\n")
    runner.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
