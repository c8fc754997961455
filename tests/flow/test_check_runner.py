"""The check runner as a real process: from the queue to the ledger, through signals, kills and lost messages."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from local.aws_setup import CHECK_QUEUE, CHECK_RULE, local_client, prepare_aws
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes
from tests.flow.aws_process import ROOT, AwsProcess

ORDERS = load_entities()["orders"]
BUCKETS = Buckets.of("runner-lake")
PATIENCE_S = 60


@dataclass
class Lake:
    """A local AWS, its check queue and a ledger, and runners over them."""

    endpoint: str
    queue_url: str
    ledger_url: str
    folder: Path
    runners: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "NEXUS_BUCKET_PREFIX": "runner-lake",
            "NEXUS_LEDGER_URL": self.ledger_url,
            "NEXUS_CHECK_QUEUE_URL": self.queue_url,
            "NEXUS_SWEEP_EVERY_S": "3600",
            "NEXUS_READY_FILE": str(self.ready_file),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **more,
        }

    @property
    def ready_file(self) -> Path:
        return self.folder / "check.ready"

    def start(self, **more: str) -> "subprocess.Popen[bytes]":
        self.ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "local.check_runner"]
        with (self.folder / "check.log").open("ab") as log:
            runner = subprocess.Popen(command, cwd=ROOT, env=self.environment(**more), stdout=log, stderr=log)
        self.runners.append(runner)
        wait_until(lambda: self.ready_file.exists() or runner.poll() is not None, "the runner to be ready")
        return runner

    def land(self, first: int, end: int) -> None:
        store = ObjectStore.connect(self.endpoint, "us-east-1")
        for offset in range(first, end):
            table = bronze_table(ORDERS, [an_order(order_id="x" if offset % 5 == 0 else "0" * 32)], offset)
            metadata = metadata_of(table)
            store.put_new(BUCKETS.bronze, str(metadata.key), parquet_bytes(table), metadata.to_s3())

    def silence(self) -> None:
        """From now on nothing is announced."""
        local_client("events", self.endpoint).remove_targets(Rule=CHECK_RULE, Ids=[CHECK_QUEUE])

    @property
    def log(self) -> str:
        return (self.folder / "check.log").read_text()


def wait_until(condition: object, what: str) -> None:
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@pytest.fixture
def lake(tmp_path: Path, ledger_url: str) -> Iterator[Lake]:
    with AwsProcess(tmp_path / "lake") as server:
        url = prepare_aws(server.endpoint, "runner-lake", visibility_timeout_s=2)
        lake = Lake(server.endpoint, url, ledger_url, tmp_path)
        yield lake
        for runner in lake.runners:
            runner.kill()
            runner.wait()


def committed(ledger: Ledger) -> int:
    return list(reports.bronze_keys(ledger).values()).count("committed")


def check_exact(ledger: Ledger, rows: int) -> None:
    """Every row once, none over: by rows, by hash sum and by positions."""
    balance = reports.balance(ledger)["orders"]
    assert balance.closed
    assert (balance.bronze.rows, balance.quarantine.rows) == (rows, (rows + 4) // 5)
    [position] = reports.positions(ledger)
    assert (position.landed, position.unlanded) == (rows, 0)


def test_runner_checks_the_queue_to_the_end_when_it_is_stopped(lake: Lake, ledger: Ledger) -> None:
    lake.land(0, 25)
    runner = lake.start()
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(PATIENCE_S) == 0, lake.log
    check_exact(ledger, 25)
    queue = local_client("sqs", lake.endpoint)
    left = queue.get_queue_attributes(QueueUrl=lake.queue_url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_runner_killed_in_the_middle_is_followed_by_one_that_finishes(lake: Lake, ledger: Ledger) -> None:
    """Messages in its hand come back after their visibility timeout, or the next one's sweep announces them."""
    lake.land(0, 40)
    first = lake.start()
    wait_until(lambda: committed(ledger) >= 5, "the first commits")
    first.kill()
    first.wait()
    assert committed(ledger) < 40
    second = lake.start()
    wait_until(lambda: committed(ledger) == 40, "all commits")
    second.terminate()
    assert second.wait(PATIENCE_S) == 0, lake.log
    check_exact(ledger, 40)


def test_runner_finds_what_nobody_announced(lake: Lake, ledger: Ledger) -> None:
    lake.silence()
    lake.land(0, 5)
    runner = lake.start(NEXUS_SWEEP_EVERY_S="1", NEXUS_SWEEP_MINIMUM_AGE_S="0")
    wait_until(lambda: committed(ledger) == 5, "what was there at the start")
    lake.land(5, 10)
    wait_until(lambda: committed(ledger) == 10, "what came while it ran")
    runner.terminate()
    assert runner.wait(PATIENCE_S) == 0, lake.log
    check_exact(ledger, 10)


def test_runner_says_which_setting_is_missing(lake: Lake) -> None:
    runner = lake.start(NEXUS_LEDGER_URL="")
    assert runner.wait(PATIENCE_S) == 1
    assert "NEXUS_LEDGER_URL is not set" in lake.log
    assert "Traceback" not in lake.log
