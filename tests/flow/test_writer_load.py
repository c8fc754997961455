"""Loads against a real S3: as a command, killed halfway, by two at once; and the real Olist files."""

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adapters.objects import ObjectStore
from bronze_writer import load as load_module
from bronze_writer.load import LoadReport, load_file
from lakehouse.catalog import load_entities
from local.aws_setup import local_client
from tests.flow.aws_process import ROOT

NUMBERS = count()
HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"
OLIST = {
    "orders": ("olist_orders_dataset.csv", 99_441),
    "order_items": ("olist_order_items_dataset.csv", 112_650),
    "payments": ("olist_order_payments_dataset.csv", 103_886),
    "customers": ("olist_customers_dataset.csv", 99_441),
    "products": ("olist_products_dataset.csv", 32_951),
    "sellers": ("olist_sellers_dataset.csv", 3_095),
    "category_translation": ("product_category_name_translation.csv", 71),
    "reviews": ("olist_order_reviews_dataset.csv", 95_064),
    "geolocation": ("olist_geolocation_dataset.csv", 64_186),
}


@pytest.fixture
def prefix(aws_endpoint: str) -> str:
    name = f"load-{next(NUMBERS)}"
    local_client("s3", aws_endpoint).create_bucket(Bucket=f"{name}-bronze")
    return name


@pytest.fixture
def store(aws_endpoint: str) -> ObjectStore:
    return ObjectStore.connect(aws_endpoint, "us-east-1")


def sellers(path: Path, records: int) -> Path:
    path.write_text(HEADER + "".join(f"s{n},{n},city {n},SP\n" for n in range(records)))
    return path


def rows_of(store: ObjectStore, bucket: str, entity: str) -> list[dict[str, object]]:
    bodies = [store.get(bucket, s.key) for s in store.keys(bucket, f"{entity}/year=")]
    return [row for body in bodies for row in pq.read_table(io.BytesIO(body), use_threads=False).to_pylist()]


def command(endpoint: str, prefix: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": "/usr/bin:/bin",
        "NEXUS_BUCKET_PREFIX": prefix,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    argv = [sys.executable, "-m", "bronze_writer", "load", *arguments]
    return subprocess.run(
        argv, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


def test_load_command_reports_and_repeats_without_effect(
    aws_endpoint: str, prefix: str, store: ObjectStore, tmp_path: Path
) -> None:
    file = sellers(tmp_path / "sellers.csv", 10)
    first = command(aws_endpoint, prefix, "sellers", str(file))
    assert first.returncode == 0, first.stderr
    again = command(aws_endpoint, prefix, "sellers", str(file), "--archive", str(tmp_path / "done"))
    assert again.returncode == 0, again.stderr
    reports = [json.loads(ran.stdout) for ran in (first, again)]
    assert [r["landed_now"] for r in reports] == [True, False]
    assert len(rows_of(store, f"{prefix}-bronze", "sellers")) == 10
    assert not file.exists()
    assert Path(reports[1]["moved_to"]).exists()


def test_load_command_tells_what_is_wrong_without_a_traceback(
    aws_endpoint: str, prefix: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a;b\n1;2\n")
    for arguments, message in (
        (("sellers", str(wrong)), "lacks columns 'seller_id'"),
        (("nothing", str(wrong)), "there is no entity nothing"),
        (("sellers", str(tmp_path / "none.csv")), "does not exist"),
    ):
        ran = command(aws_endpoint, prefix, *arguments)
        assert ran.returncode == 2
        assert message in ran.stderr
        assert "Traceback" not in ran.stderr
    missing = command(aws_endpoint, "no-such-lake", "sellers", str(sellers(tmp_path / "s.csv", 1)))
    assert missing.returncode == 1
    assert "NoSuchBucket" in missing.stderr
    assert "Traceback" not in missing.stderr


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from adapters.objects import ObjectStore
from bronze_writer import load
from lakehouse.catalog import load_entities
load.OBJECT_ROWS = 100
def progress(done, total):
    if done >= int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
store = ObjectStore.connect(sys.argv[1], "us-east-1")
load.load_file(Path(sys.argv[3]), load_entities()["sellers"], store, sys.argv[2], now=lambda: datetime.now(UTC),
               progress=progress)
"""


def test_killed_load_is_finished_by_the_next(
    aws_endpoint: str, prefix: str, store: ObjectStore, tmp_path: Path
) -> None:
    file, bucket = sellers(tmp_path / "sellers.csv", 1000), f"{prefix}-bronze"
    argv = [sys.executable, "-c", KILLED, aws_endpoint, bucket, str(file), "300"]
    assert subprocess.run(argv, check=False, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL
    assert len(rows_of(store, bucket, "sellers")) == 300
    report = load_file(file, load_entities()["sellers"], store, bucket, now=lambda: datetime.now(UTC))
    assert report.landed_now
    assert [row["pos_offset"] for row in rows_of(store, bucket, "sellers")] == list(range(1000))


def test_two_loads_of_one_file_at_once_land_it_once(
    prefix: str, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, bucket = sellers(tmp_path / "sellers.csv", 2000), f"{prefix}-bronze"
    monkeypatch.setattr(load_module, "OBJECT_ROWS", 150)
    load: Callable[[int], LoadReport] = lambda _: load_file(  # noqa: E731
        file, load_entities()["sellers"], store, bucket, now=lambda: datetime.now(UTC)
    )
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(load, range(4)))
    assert len({report.as_of for report in reports}) == 1
    assert [row["pos_offset"] for row in rows_of(store, bucket, "sellers")] == list(range(2000))


@pytest.mark.parametrize("entity", OLIST)
def test_real_files_land_record_by_record(
    olist_data: Path, entity: str, prefix: str, store: ObjectStore
) -> None:
    name, records = OLIST[entity]
    path, bucket = olist_data / name, f"{prefix}-bronze"
    contract = load_entities()[entity]
    report = load_file(path, contract, store, bucket, now=lambda: datetime.now(UTC))
    assert (report.records, report.raw, report.blank_lines, report.landed_now) == (records, 0, 0, True)
    rows = rows_of(store, bucket, entity)
    with path.open(encoding="utf-8-sig", newline="") as opened:
        for row, source in zip(rows, csv.DictReader(opened), strict=True):
            assert {f.name: row[f.name] for f in contract.fields} == source
    assert not load_file(path, contract, store, bucket, now=lambda: datetime.now(UTC)).landed_now


def test_real_truncated_reviews_are_whole_records(olist_data: Path, prefix: str, store: ObjectStore) -> None:
    path = olist_data / "reviews_truncated_rows.csv"
    report = load_file(
        path, load_entities()["reviews"], store, f"{prefix}-bronze", now=lambda: datetime.now(UTC)
    )
    assert (report.records, report.raw) == (3_467, 0)
