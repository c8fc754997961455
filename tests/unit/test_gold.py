"""Publishing a build and reading what is published; no dbt here."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import EndpointConnectionError

from lakehouse.errors import InputError, LakeError
from local.gold import (
    Finding,
    ModelDoc,
    NoGold,
    PublishedFile,
    PublishedGold,
    PublishedTable,
    QueryFailed,
    is_published,
    json_value,
    open_gold,
    query,
    read_published,
    silver_keys,
)
from local.gold_files import WHOLE, BuiltFile, BuiltTable
from local.model import GoldBusy, alone_in, refresh_gold
from local.publish import BuildResult, published_before, remove_old_files
from local.publish import publish as publish_files
from tests.fakes.folder_store import FolderStore, FolderStoreThatFails

BUCKET = "olist-data-lake-gold"
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
SILVER = {"orders": ["orders/v1/year=2026/month=11/day=02/emb-1+0+00000000000000000000+r0.parquet"]}


def a_build(
    folder: Path, value: int = 1, tables: tuple[str, ...] = ("dim_seller", "fact_sales")
) -> BuildResult:
    built = []
    for name in tables:
        path = folder / f"{name}-{value}.parquet"
        pq.write_table(pa.table({"seller_key": ["a", "b"], "price": [Decimal(value), Decimal("2.50")]}), path)
        doc = ModelDoc(name, f"About {name}. Grain: one row per seller.", {"seller_key": "The seller."})
        built.append(BuiltTable(doc, {WHOLE: BuiltFile(path, 2, f"{name} {value}")}))
    return BuildResult(
        tuple(built), (Finding("orders_without_items", "Orders that have no item.", 3),), SILVER
    )


def publish(result: BuildResult, store: FolderStore, bucket: str, build: str, at: datetime) -> PublishedGold:
    """A publication to its end, as `refresh_gold` does it."""
    before = published_before(store, bucket)
    published = publish_files(result, store, bucket, build, at)
    remove_old_files(store, bucket, published, before)
    return published


def prices(root: Path) -> list[Decimal]:
    return [
        price for (price,) in query(root, BUCKET, "select price from fact_sales order by seller_key").rows
    ]


def builds(root: Path) -> set[str]:
    return {path.parts[-3] for path in (root / "lake" / BUCKET / "builds").glob("*/*/*.parquet")}


def test_published_tables_are_read_as_views(tmp_path: Path) -> None:
    published = publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    assert prices(tmp_path) == [Decimal("1.00"), Decimal("2.50")]
    assert query(tmp_path, BUCKET, "show tables").rows == [("dim_seller",), ("fact_sales",)]
    assert read_published(tmp_path, BUCKET) == published
    assert published.tables["fact_sales"].rows == 2
    assert published.tables["fact_sales"].description.endswith("Grain: one row per seller.")
    assert published.published_at == "2026-11-02T12:00:00+00:00"
    assert published.findings == (Finding("orders_without_items", "Orders that have no item.", 3),)
    assert silver_keys(tmp_path, BUCKET) == set(SILVER["orders"])


def test_gold_not_yet_published_says_what_to_run(tmp_path: Path) -> None:
    assert not is_published(tmp_path, BUCKET)
    assert silver_keys(tmp_path, BUCKET) == set()
    with pytest.raises(NoGold, match="nexus model"):
        open_gold(tmp_path, BUCKET)
    with pytest.raises(NoGold):
        query(tmp_path, BUCKET, "select 1")


def test_gold_does_not_show_what_is_not_published(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    publish(a_build(tmp_path), store, BUCKET, "b1", AT)
    store.put(BUCKET, "builds/b2/secret.parquet", (tmp_path / "fact_sales-1.parquet").read_bytes())
    with pytest.raises(QueryFailed, match=r"(?s)secret.*Tables: dim_seller, fact_sales\."):
        query(tmp_path, BUCKET, "select * from secret")


def test_gold_missing_a_published_file_is_told(tmp_path: Path) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    (tmp_path / "lake" / BUCKET / "builds/b1/fact_sales/all.parquet").unlink()
    with pytest.raises(
        LakeError, match=r"builds/b1/fact_sales/all\.parquet is published but missing.*nexus model"
    ):
        open_gold(tmp_path, BUCKET)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"build": "b1"}', '{"findings": [{}], "tables": {}}', "\ufeff{", '{"tables": 1}'],
)
def test_published_manifest_that_is_broken_is_told_and_replaced(tmp_path: Path, text: str) -> None:
    store = FolderStore(tmp_path)
    store.put(BUCKET, "published.json", text.encode())
    with pytest.raises(LakeError, match=r"published\.json .*nexus model"):
        open_gold(tmp_path, BUCKET)
    publish(a_build(tmp_path), store, BUCKET, "b1", AT)
    assert prices(tmp_path) == [Decimal("1.00"), Decimal("2.50")]


def test_published_manifest_survives_the_round_trip() -> None:
    file = PublishedFile("builds/b1/t/all.parquet", 2, 99, "c0ffee")
    table = PublishedTable({WHOLE: file}, "Ünïcode. Grain: one.", {"a": 'quote "'})
    gold = PublishedGold(
        "b1", None, "2026-11-02T12:00:00+00:00", SILVER, (Finding("t", "x", 1),), {"t": table}
    )
    assert PublishedGold.from_text(gold.to_text()) == gold
    assert json.loads(gold.to_text())["tables"]["t"]["files"][WHOLE]["key"] == file.key


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "select 1; select 2",
        "drop view fact_sales",
        "create table t as select 1",
        "copy fact_sales to 'x.csv'",
        "explain analyze copy fact_sales to 'x.csv'",
        "attach 'x.db'",
        "set threads = 1",
        "install httpfs",
        "call force_checkpoint()",
    ],
)
def test_query_takes_one_select_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    monkeypatch.chdir(tmp_path)
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with pytest.raises(QueryFailed, match=r"one SELECT at a time\. Tables: dim_seller, fact_sales\."):
        query(tmp_path, BUCKET, sql)
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize(
    "source",
    ["read_text('outside.txt')", "read_csv('outside.txt')", "glob('*')", "'outside.txt'", "outside"],
)
def test_query_reaches_no_other_file_and_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    outside = pa.table({"a": [1]})
    monkeypatch.chdir(tmp_path)
    Path("outside.txt").write_text(f"a\n{outside.num_rows}\n")
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with pytest.raises(QueryFailed, match="Tables: dim_seller"):
        query(tmp_path, BUCKET, f"select * from {source}")


@pytest.mark.parametrize("sql", ["selec 1", "select nope from fact_sales", "select 1/'a'"])
def test_query_that_is_wrong_says_so_with_the_tables(tmp_path: Path, sql: str) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with pytest.raises(QueryFailed, match=r"(?s)Error: .*\nTables: dim_seller, fact_sales\."):
        query(tmp_path, BUCKET, sql)


@pytest.mark.parametrize("name", ["it's", "[ab]*?", "año 2026", "a=b", 'quote"d'])
def test_gold_in_a_folder_of_any_name_is_read(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    publish(a_build(tmp_path), FolderStore(root), BUCKET, "b1", AT)
    assert prices(root) == [Decimal("1.00"), Decimal("2.50")]
    assert query(root, BUCKET, "from fact_sales").columns == ["seller_key", "price"]


def test_query_records_are_what_json_holds(tmp_path: Path) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    sql = "select sum(price) p, count(*) n, date '2018-03-01' d, null x, 1 n from fact_sales"
    result = query(tmp_path, BUCKET, sql)
    assert result.columns == ["p", "n", "d", "x", "n_2"]
    assert result.records() == [{"p": 3.5, "n": 2, "d": "2018-03-01", "x": None, "n_2": 1}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("13591643.70"), 13591643.7),
        (Decimal("12345678901234567.89"), "12345678901234567.89"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (datetime(2018, 3, 1, 10), "2018-03-01T10:00:00"),
        (date(2018, 3, 1), "2018-03-01"),
        (b"\x01\xff", "01ff"),
        ([Decimal("0.5"), None], [0.5, None]),
        ({"a": Decimal(1)}, {"a": 1.0}),
        (True, True),
    ],
)
def test_json_value_loses_no_digit(value: object, expected: object) -> None:
    assert json_value(value) == expected
    json.dumps(json_value(value), allow_nan=False)


def test_publish_swaps_the_manifest_after_the_tables_and_removes_last(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for build in ("b1", "b2"):
        publish(a_build(tmp_path), store, BUCKET, build, AT)
    store.calls.clear()
    publish(a_build(tmp_path), store, BUCKET, "b3", AT)
    assert store.calls == [
        ("put", "builds/b3/dim_seller/all.parquet"),
        ("put", "builds/b3/fact_sales/all.parquet"),
        ("put", "published.json"),
        ("delete", "builds/b1/dim_seller/all.parquet"),
        ("delete", "builds/b1/fact_sales/all.parquet"),
    ]
    assert builds(tmp_path) == {"b2", "b3"}


@pytest.mark.parametrize("at", ["dim_seller/all.parquet", "fact_sales/all.parquet", "published.json"])
def test_publish_cut_off_leaves_the_old_gold_and_goes_with_the_next(tmp_path: Path, at: str) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with pytest.raises(EndpointConnectionError):
        publish(a_build(tmp_path, 7), FolderStoreThatFails(tmp_path, "put", at), BUCKET, "b2", AT)
    assert prices(tmp_path)[0] == Decimal(1)
    publish(a_build(tmp_path, 8), FolderStore(tmp_path), BUCKET, "b3", AT)
    assert prices(tmp_path)[0] == Decimal(8)
    assert builds(tmp_path) == {"b1", "b3"}


def test_publish_cut_off_may_be_tried_again_under_the_same_id(tmp_path: Path) -> None:
    with pytest.raises(EndpointConnectionError):
        publish(a_build(tmp_path), FolderStoreThatFails(tmp_path, "put", ".json"), BUCKET, "b1", AT)
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    assert prices(tmp_path)[0] == Decimal(1)


def test_publish_that_cannot_remove_has_published_all_the_same(tmp_path: Path) -> None:
    for build in ("b1", "b2"):
        publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, build, AT)
    publish(a_build(tmp_path, 9), FolderStoreThatFails(tmp_path, "delete", ".parquet"), BUCKET, "b3", AT)
    assert prices(tmp_path)[0] == Decimal(9)
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b4", AT)
    assert builds(tmp_path) == {"b3", "b4"}


def test_publish_never_rewrites_the_published_build(tmp_path: Path) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with pytest.raises(LakeError, match="b1 is published already"):
        publish(a_build(tmp_path, 7), FolderStore(tmp_path), BUCKET, "b1", AT)
    assert prices(tmp_path)[0] == Decimal(1)


@pytest.mark.parametrize("build", ["", "../b", "a/b", "-a", "a" * 64, "b1\n"])
def test_publish_refuses_ids_that_are_no_name(tmp_path: Path, build: str) -> None:
    with pytest.raises(LakeError, match="build id"):
        publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, build, AT)


def test_reader_of_the_build_before_keeps_reading(tmp_path: Path) -> None:
    publish(a_build(tmp_path), FolderStore(tmp_path), BUCKET, "b1", AT)
    with open_gold(tmp_path, BUCKET) as reader:
        publish(a_build(tmp_path, 7), FolderStore(tmp_path), BUCKET, "b2", AT)
        assert reader.execute("select max(price) from fact_sales").fetchall() == [(Decimal("2.50"),)]


def test_refresh_runs_once_at_a_time(tmp_path: Path) -> None:
    work = tmp_path / "model"
    work.mkdir()
    with alone_in(work), pytest.raises(GoldBusy, match="another process"), alone_in(work, waits=False):
        pass
    with alone_in(work, waits=False):
        pass


def refresh(root: Path, files: dict[str, list[Path]]) -> None:
    refresh_gold(files, root / "model", FolderStore(root), BUCKET, "b1", AT, lambda *_: None)


def test_build_names_the_silver_file_that_is_missing(tmp_path: Path) -> None:
    gone = tmp_path / SILVER["orders"][0]
    with pytest.raises(LakeError, match=r"1 Silver file.*emb-1\+0\+0+\+r0\.parquet.*nexus ledger"):
        refresh(tmp_path, {"orders": [gone]})


def test_build_refuses_an_unknown_entity(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="invoices is not an entity"):
        refresh(tmp_path, {"invoices": []})


def test_build_refuses_a_file_that_is_no_silver_object(tmp_path: Path) -> None:
    stray = tmp_path / "orders.parquet"
    stray.touch()
    with pytest.raises(LakeError, match="not the key of a Silver"):
        refresh(tmp_path, {"orders": [stray]})


def test_publish_shares_files_that_did_not_change(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    first = publish_files(a_build(tmp_path), store, BUCKET, "b1", AT)
    [seller, sales] = a_build(tmp_path, 7).tables
    same = replace(seller, files={WHOLE: replace(seller.files[WHOLE], digest="dim_seller 1")})
    for build, table in (("b2", same), ("b3", replace(seller, files={}, unchanged=frozenset({WHOLE})))):
        result = BuildResult((table, sales), (), SILVER)
        store.calls.clear()
        last = publish_files(result, store, BUCKET, build, AT, first)
        assert store.calls == [("put", f"builds/{build}/fact_sales/all.parquet"), ("put", "published.json")]
        assert last.tables["dim_seller"].files == first.tables["dim_seller"].files
    remove_old_files(store, BUCKET, last, first)
    assert query(tmp_path, BUCKET, "select count(*) from dim_seller").rows == [(2,)]
    assert prices(tmp_path)[0] == Decimal(7)


def test_published_parts_are_one_table(tmp_path: Path) -> None:
    parts = {}
    for month in ("2018-01", "2018-02"):
        path = tmp_path / f"{month}.parquet"
        pq.write_table(pa.table({"event_month": [month]}), path)
        parts[month] = BuiltFile(path, 1, month)
    table = BuiltTable(ModelDoc("fact_sales", "About. Grain: one row per item.", {}), parts)
    published = publish(BuildResult((table,), (), SILVER), FolderStore(tmp_path), BUCKET, "b1", AT)
    assert query(tmp_path, BUCKET, "from fact_sales order by 1").rows == [("2018-01",), ("2018-02",)]
    assert published.tables["fact_sales"].rows == 2
