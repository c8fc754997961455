"""The check as it is deployed: its package, Python 3.13, the layer's libraries, and nothing of this repository."""

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.catalog import load_entities
from lakehouse.paths import Buckets
from local.aws_setup import prepare_aws
from tests.asset.layer import ROOT, layer_python
from tests.builders.messages import a_batch, an_announcement
from tests.builders.rows import an_order, bronze_table, metadata_of, parquet_bytes, read_parquet

ORDERS = load_entities()["orders"]
PREFIX = "asset-lake"
BUCKETS = Buckets.of(PREFIX)
ROWS = [an_order(), an_order(order_id="x"), an_order(order_approved_at=None)]
Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def invoke(tmp_path: Path, aws_endpoint: str, ledger_url: str) -> Invoke:
    """Calls the function with messages of these keys; what it answers, and what it says of itself."""
    with zipfile.ZipFile(ROOT / "build" / "assets" / "check_rows.zip") as package:
        assert not [name for name in package.namelist() if name.endswith((".so", ".pyd"))]
        package.extractall(tmp_path)
    prepare_aws(aws_endpoint, PREFIX)

    def call(*keys: str, owner: str = "123456789012") -> dict[str, Any]:
        environment = {
            "PATH": os.defpath,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": aws_endpoint,
            "NEXUS_BUCKET_PREFIX": PREFIX,
            "NEXUS_BUCKET_OWNER": owner,
            "NEXUS_LEDGER_URL": ledger_url,
        }
        event = a_batch(*(an_announcement(key, BUCKETS.bronze) for key in keys))
        command = list(map(str, (layer_python(), "-I", ROOT / "tests" / "asset" / "invoke.py", tmp_path)))
        done = subprocess.run(
            command,
            input=json.dumps(event),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return call


def bomb(table: pa.Table) -> bytes:
    """One cell, which every row repeats: 2 GB."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * len(table), pa.int32()), pa.array(["x" * 500_000]))
    file = io.BytesIO()
    place = table.schema.get_field_index("order_status")
    pq.write_table(table.set_column(place, "order_status", texts), file, store_schema=False)
    return file.getvalue()


def zstd(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def test_check_from_its_asset_splits_holds_and_commits(
    invoke: Invoke, aws_endpoint: str, ledger: Ledger
) -> None:
    store = ObjectStore.connect(aws_endpoint, "us-east-1")
    keys = {}
    for name, rows, make in (
        ("good", ROWS, parquet_bytes),
        ("zstd", ROWS, zstd),
        ("empty", ROWS, lambda table: b""),
        ("bomb", [an_order()] * 4000, bomb),
    ):
        table = bronze_table(ORDERS, rows, log=name)
        metadata = metadata_of(table, log=name)
        keys[name] = str(metadata.key)
        store.put_new(BUCKETS.bronze, keys[name], make(table), metadata.to_s3())
    found = invoke(*keys.values())
    assert found["answer"] == {"batchItemFailures": []}
    assert found["pyarrow"] == "20.0.0"
    assert not {"pandas", "pydantic", "yaml", "duckdb", "moto"} & set(found["modules"])
    reasons = {}
    for name, key in keys.items():
        state = reports.object_state(ledger, key)
        assert state is not None
        assert state.quarantine_key is not None
        held = read_parquet(store.get(BUCKETS.quarantine, state.quarantine_key))
        reasons[name] = [r["rule"] for row in held.column("reasons").to_pylist() for r in row]
    assert reasons == {
        "good": ["order_id_is_id"],
        "zstd": ["CODEC"],
        "empty": ["UNREADABLE"],
        "bomb": ["RESOURCE"],
    }
    assert reports.balance(ledger)["orders"].closed
