"""kill -9 of a real check process before each of its steps: the next attempt finishes the work, exactly."""

import subprocess
import sys
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from local.aws_setup import prepare_aws
from tests.builders.bronze import NOON
from tests.builders.messages import an_announcement
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes, read_parquet
from tests.fakes.gates import STEPS

ROOT = Path(__file__).parents[2]
NUMBERS = count()
BOTH = ["silver", "quarantine"]


def kill_before(step: str, prefix: str, endpoint: str, ledger_url: str, key: str) -> None:
    """Runs a check process to the step and kills it there."""
    command = [sys.executable, "-m", "tests.flow.check_process", prefix, endpoint, ledger_url, key, step]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{step}\n"
        process.kill()


@pytest.mark.parametrize("step", STEPS)
def test_faults_15_16_17_check_killed_before_a_step_is_finished_by_the_next_attempt(
    step: str, aws_endpoint: str, ledger: Ledger, ledger_url: str
) -> None:
    prefix = f"killed-{next(NUMBERS)}"
    prepare_aws(aws_endpoint, prefix)
    buckets, store = Buckets.of(prefix), ObjectStore.connect(aws_endpoint, "us-east-1")
    rows = [an_order(order_id="x") if n % 3 == 0 else an_order() for n in range(10)]
    table = bronze_table(load_entities()["orders"], rows)
    metadata = metadata_of(table)
    key = str(metadata.key)
    store.put_new(buckets.bronze, key, parquet_bytes(table), metadata.to_s3())
    kill_before(step, prefix, aws_endpoint, ledger_url, key)
    left = outputs(store, buckets)
    layers = [bucket.rpartition("-")[2] for bucket, _ in left]
    assert layers == {"put silver": ["quarantine"], "commit": BOTH, "end": BOTH}.get(step, [])
    assert (reports.bronze_keys(ledger).get(key) == "committed") is (step == "end")
    check = ObjectCheck(store, ledger, buckets, load_entities(), lambda: NOON)
    result = check_message(check, an_announcement(key, buckets.bronze))
    assert result.what == ("settled" if step == "end" else "committed")
    assert (result.revision, reports.balance(ledger)["orders"].closed) == (0, True)
    after = outputs(store, buckets)
    assert left.items() <= after.items()
    assert len(after) == 2
    found = pa.concat_tables([read_parquet(data).select(["row_hash"]) for data in after.values()])
    assert sorted(found.column(0).to_pylist()) == sorted(table.column("row_hash").to_pylist())
    [position] = reports.positions(ledger)
    assert (position.landed, position.unlanded) == (10, 0)


def outputs(store: ObjectStore, buckets: Buckets) -> dict[tuple[str, str], bytes]:
    """Every Silver and Quarantine object there is."""
    return {
        (bucket, stored.key): store.get(bucket, stored.key)
        for bucket in (buckets.silver, buckets.quarantine)
        for stored in store.keys(bucket, "")
    }
