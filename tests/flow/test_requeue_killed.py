"""kill -9 of a real replay process before each of its steps: the same request again finishes the work, exactly once."""

import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from lambdas.check_rows.batch import check_message
from lambdas.check_rows.object_check import ObjectCheck
from lambdas.requeue_quarantine.request import Request
from lambdas.requeue_quarantine.requeue import Requeue
from local.aws_setup import prepare_aws
from tests.builders.bronze import NOON
from tests.builders.messages import an_announcement
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes, read_parquet

ROOT = Path(__file__).parents[2]
NUMBERS = count()
EDITS = "orders/_edits/a.csv"
# in their order: reading the edits, what is held, opening the revision, its two files, the commit, and behind it
STEPS = ("get", "list", "open", "put quarantine", "put silver", "commit", "end")


@pytest.mark.parametrize("step", STEPS)
def test_replay_killed_before_a_step_is_finished_by_the_next(
    step: str, aws_endpoint: str, ledger: Ledger, ledger_url: str
) -> None:
    prefix = f"requeued-{next(NUMBERS)}"
    prepare_aws(aws_endpoint, prefix)
    buckets, store = Buckets.of(prefix), ObjectStore.connect(aws_endpoint, "us-east-1")
    rows = [an_order(order_status="lost", event_id=f"event-{n}") for n in range(4)]
    table = bronze_table(load_entities()["orders"], [an_order(), *rows])
    metadata = metadata_of(table)
    store.put_new(buckets.bronze, str(metadata.key), parquet_bytes(table), metadata.to_s3())
    check = ObjectCheck(store, ledger, buckets, load_entities(), lambda: NOON)
    assert check_message(check, an_announcement(str(metadata.key), buckets.bronze)).what == "committed"
    text = "event_id,order_status\nevent-0,created\nevent-2,created\n"
    store.put(buckets.quarantine, EDITS, text.encode(), {"by": "ana"})
    command = [
        sys.executable,
        "-m",
        "tests.flow.requeue_process",
        prefix,
        aws_endpoint,
        ledger_url,
        EDITS,
        step,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{step}\n"
        process.kill()
    before = reports.balance(ledger)["orders"]
    assert before.closed
    assert before.quarantine.rows == (2 if step == "end" else 4)
    requeue = Requeue(store, ledger, buckets, load_entities(), lambda: NOON)
    report = requeue.run(Request("orders", "replay", edits=EDITS))
    assert report.moved == ({} if step == "end" else {str(metadata.key): 1})
    assert sorted(report.unknown) == (["event-0", "event-2"] if step == "end" else [])
    found = reports.balance(ledger)["orders"]
    assert (found.closed, found.silver.rows, found.quarantine.rows) == (True, 3, 2)
    silver, held = reports.output_keys(ledger)
    offsets = {
        layer: sorted(
            o for k in keys for o in read_parquet(store.get(bucket, k)).column("pos_offset").to_pylist()
        )
        for layer, bucket, keys in (("silver", buckets.silver, silver), ("held", buckets.quarantine, held))
    }
    assert offsets == {"silver": [0, 1, 3], "held": [2, 4]}
    assert reports.revision_states(ledger) == {"committed": 2}
