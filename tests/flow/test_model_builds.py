"""Builds of Gold that find nothing, extreme values, failures, another project, or the real files."""

import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from local.dbt_build import PROJECT, ModelFailed, models_digest
from local.gold import is_published, query
from tests.builders.silver import SilverLake, a_silver_row, an_id, civil
from tests.flow.built_gold import BUCKET, build

OLIST_FILES = {
    "orders": "olist_orders_dataset",
    "order_items": "olist_order_items_dataset",
    "payments": "olist_order_payments_dataset",
    "reviews": "olist_order_reviews_dataset",
    "customers": "olist_customers_dataset",
    "products": "olist_products_dataset",
    "sellers": "olist_sellers_dataset",
    "geolocation": "olist_geolocation_dataset",
    "category_translation": "product_category_name_translation",
}


@pytest.fixture
def no_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails when anything connects somewhere, or writes into the home folder, the working directory or the project."""
    reached: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: reached.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: reached.append(where) or [])
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    before = sorted(PROJECT.rglob("*"))
    yield
    assert Path.cwd() == here
    assert reached == []
    assert list(here.iterdir()) == []
    assert sorted(PROJECT.rglob("*")) == before


def test_empty_lake_gives_empty_gold_and_leaves_no_traces(
    tmp_path: Path, work_dir: Path, no_traces: None, capfd: pytest.CaptureFixture[str]
) -> None:
    gold = build(tmp_path / "gold", work_dir, {})
    for table in ("fact_sales", "fact_payments", "fact_reviews", "insight_monthly_growth"):
        assert gold.row(f"select count(*) from {table}") == (0,)
    for table in ("dim_customer", "dim_product", "dim_seller", "dim_date"):
        assert gold.row(f"select count(*) from {table}") == (1,)
    assert gold.findings == {}
    assert capfd.readouterr() == ("", "")


def test_extreme_values_do_not_stop_gold(tmp_path: Path, work_dir: Path) -> None:
    lake = SilverLake(tmp_path / "silver")
    first, last = civil("0001-01-01 00:00:00"), civil("9999-12-31 23:59:59.999999")
    lake.add(
        "orders",
        [
            a_silver_row("orders", order_purchase_timestamp=first, order_delivered_customer_date=last),
            a_silver_row(
                "orders",
                order_id=an_id(2),
                order_purchase_timestamp=last,
                order_estimated_delivery_date=first,
                order_delivered_customer_date=None,
            ),
        ],
    )
    most = {"price": Decimal("99999999.99"), "freight_value": Decimal("99999999.99")}
    lake.add("order_items", [a_silver_row("order_items", order_item_id=2**63 - 1, **most)])
    huge = dict.fromkeys(("product_length_cm", "product_height_cm", "product_width_cm"), 2**63 - 1)
    lake.add("products", [a_silver_row("products", **huge)])
    poles = [
        a_silver_row("geolocation", geolocation_lat=lat, geolocation_lng=lng)
        for lat, lng in ((90.0, 180.0), (-90.0, -180.0))
    ]
    lake.add("geolocation", poles)
    # an object of a contract version that had no titles yet
    lake.add(
        "reviews",
        [a_silver_row("reviews")],
        without=["review_comment_title", "review_comment_message", "extras"],
    )
    gold = build(tmp_path / "gold", work_dir, lake.files)
    assert gold.row("select event_month, purchase_date_key, item_total from fact_sales") == (
        "0001-01",
        10101,
        Decimal("199999999.98"),
    )
    assert gold.row("select count(distinct calendar_year) from dim_date") == (3,)
    assert gold.row("select iso_weekday from dim_date where date_key = 99991231") == (5,)
    assert gold.row("select has_message from fact_reviews") == (False,)


def test_failed_build_publishes_nothing_and_names_what_failed(tmp_path: Path, work_dir: Path) -> None:
    lake = SilverLake(tmp_path / "silver")
    lake.add("order_items", [a_silver_row("order_items")])
    build(tmp_path, work_dir, lake.files)
    lake.add("order_items", [a_silver_row("order_items", order_id=None, price=Decimal("1.00"))])
    broken = lake.add("sellers", [a_silver_row("sellers")])
    broken.write_bytes(b"PAR1 this is no Parquet file PAR1")
    with pytest.raises(ModelFailed) as failed:
        build(tmp_path, work_dir, lake.files, "b2")
    said = str(failed.value)
    assert said.startswith("Gold was not built; what is published stays as it was.")
    kept_rows = work_dir / "found/current_order_items_has_its_key.csv"
    assert f"test current_order_items_has_its_key: 1 row breaks it; see {kept_rows}" in said
    assert kept_rows.read_text().splitlines() == ["order_id,order_item_id,copies", ",1,1"]
    assert "model current_sellers: " in said
    assert broken.name in said
    assert "Traceback" not in said
    assert query(tmp_path, BUCKET, "select sum(price) from fact_sales").rows == [(Decimal("100.00"),)]
    assert [path.name for path in (tmp_path / "lake" / BUCKET / "builds").iterdir()] == ["b1"]


def test_first_build_that_fails_leaves_no_gold(tmp_path: Path) -> None:
    lake = SilverLake(tmp_path / "silver")
    lake.add("orders", [a_silver_row("orders", order_id=None)])
    parsed = tmp_path / "model/target/partial_parse.msgpack"
    parsed.parent.mkdir(parents=True)
    parsed.write_bytes(b"\x93cut off")  # what a build killed while it wrote may leave
    with pytest.raises(ModelFailed, match="current_orders_has_its_key"):
        build(tmp_path, tmp_path / "model", lake.files)
    assert not is_published(tmp_path, BUCKET)


def test_build_reads_the_project_anew_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: dbt, given what it had parsed of an older project, took findings for failures."""
    lake = SilverLake(tmp_path / "silver")
    lake.add("orders", [a_silver_row("orders")])
    target = tmp_path / "model/target"
    build(tmp_path, tmp_path / "model", lake.files)
    (target / "models.sha256").write_text("of another release")
    (target / "partial_parse.msgpack").write_bytes(b"of another release")
    monkeypatch.setattr("local.dbt_build._models", {})  # as in another process
    lake.add("orders", [a_silver_row("orders", order_id=an_id(2))])
    assert build(tmp_path, tmp_path / "model", lake.files, "b2").findings["orders_without_items"] == 2
    assert (target / "partial_parse.msgpack").read_bytes() != b"of another release"
    assert (target / "models.sha256").read_text() == models_digest()


def test_real_files_give_the_published_totals_and_findings(
    olist_data: Path, tmp_path: Path, work_dir: Path
) -> None:
    lake = SilverLake(tmp_path / "silver")
    for entity, name in OLIST_FILES.items():
        lake.add_csv(entity, olist_data / f"{name}.csv")
    gold = build(tmp_path, work_dir, lake.files)
    assert gold.row("select count(*), sum(price), sum(freight_value) from fact_sales") == (
        112_650,
        Decimal("13591643.70"),
        Decimal("2251909.54"),
    )
    assert gold.row("select count(*), sum(payment_value) from fact_payments") == (
        103_886,
        Decimal("16008872.12"),
    )
    assert gold.row("select count(*) from dim_customer where customer_key <> 'unknown'") == (96_096,)
    assert gold.row("select sum(late_orders), sum(orders) from insight_regional_logistics") == (7_827, 99_441)
    assert gold.row("select orders, revenue from insight_monthly_growth where event_month = '2016-11'") == (
        0,
        Decimal("0.00"),
    )
    assert gold.findings == {
        "customers_without_coordinates": 278,
        "orders_paid_another_amount": 303,  # in exact decimals; doubles find more
        "orders_without_items": 775,
        "orders_without_payment": 1,
        "products_without_english_category": 13,
        "sellers_without_coordinates": 7,
    }
