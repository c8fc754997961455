"""Silver → Gold by dbt: versions, deletes, unknown members, insights, and builds that fail."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.silver import SilverLake, an_id, civil
from tests.builders.silver_shop import shop_rows
from tests.flow.built_gold import Gold, build


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, work_dir: Path) -> Gold:
    lake = SilverLake(tmp_path_factory.mktemp("silver"))
    for entity, rows in shop_rows().items():
        lake.add(entity, rows)
    return build(tmp_path_factory.mktemp("shop"), work_dir, lake.files)


def test_versions_newest_counts_whatever_came_first(shop: Gold) -> None:
    found = shop.rows(
        "select order_item_id, order_status from fact_sales where order_id like '%01' order by 1"
    )
    assert found == [(1, "delivered"), (2, "delivered")]
    months = shop.rows(
        "select orders, delivered_orders, lost_orders from insight_monthly_growth order by event_month"
    )
    assert months == [(1, 1, 0), (0, 0, 0), (6, 2, 0)]  # all four tied orders are approved, none is canceled


def test_versions_deleted_orders_are_gone_and_their_items_unknown(shop: Gold) -> None:
    found = shop.row(
        f"""select customer_key, purchase_date_key, event_month, order_status, price
            from fact_sales where order_id = '{an_id(3)}'"""
    )
    assert found == ("unknown", 0, "unknown", "unknown", Decimal("7.01"))
    [(state,)] = shop.rows(f"select customer_state from fact_sales where order_id = '{an_id(4)}'")
    assert state == "RJ"


def test_sales_hold_every_item_once_with_all_its_money(shop: Gold) -> None:
    assert shop.row("select count(*), sum(price), sum(freight_value), sum(item_total) from fact_sales") == (
        6,
        Decimal("100000260.00"),
        Decimal("63.00"),
        Decimal("100000323.00"),
    )


@pytest.mark.parametrize(
    ("dimension", "key", "lost"),
    [("dim_customer", "customer_key", 3), ("dim_product", "product_key", 1), ("dim_seller", "seller_key", 1)],
)
def test_unknown_members_take_what_has_not_arrived(shop: Gold, dimension: str, key: str, lost: int) -> None:
    joined = shop.row(
        f"select count(*), count(*) filter ({key} = 'unknown') from fact_sales join {dimension} using ({key})"
    )
    assert joined == (6, lost)


def test_unknown_product_leaves_its_number_on_the_item(shop: Gold) -> None:
    assert shop.rows("select product_id from fact_sales where product_key = 'unknown'") == [(an_id(98),)]


def test_payments_without_order_stand_in_the_unknown_month(shop: Gold) -> None:
    found = shop.rows(
        "select event_month, customer_key, sum(payment_value) from fact_payments group by 1, 2 order by 1, 3"
    )
    assert found == [
        ("2018-03", "unknown", Decimal("0.00")),
        ("2018-03", an_id(51), Decimal("171.00")),
        ("unknown", "unknown", Decimal("5.55")),
    ]


def test_reviews_stand_in_the_month_of_their_creation(shop: Gold) -> None:
    found = shop.rows(
        """select order_id, event_month, creation_date_key, customer_key, has_message, answer_days
           from fact_reviews order by 1"""
    )
    assert found == [
        (an_id(1), "2018-03", 20180304, an_id(51), True, 1.5),
        (an_id(4), "2018-03", 20180304, an_id(51), False, 1.5),
        (an_id(92), "2018-12", 20181231, "unknown", True, -300.5),
    ]


def test_person_has_the_address_of_the_newest_order(shop: Gold) -> None:
    found = shop.rows(
        "select customer_key, customer_state, order_count, item_count, revenue, segment from dim_customer order by 1"
    )
    assert found == [
        (an_id(51), "SP", 6, 3, Decimal("250.00"), "champions"),
        (an_id(53), "SP", 0, 0, Decimal("0.00"), "no orders"),
        ("unknown", "unknown", 1, 3, Decimal("100000010.00"), "unknown"),
    ]


def test_product_category_is_english_where_there_is_a_translation(shop: Gold) -> None:
    found = shop.rows(
        "select product_key, product_category_name, product_category_name_english from dim_product order by 1"
    )
    assert found == [
        (an_id(21), "perfumaria", "perfumery"),
        (an_id(22), "pc_gamer", "pc_gamer"),
        (an_id(23), "unknown", "unknown"),
        ("unknown", "unknown", "unknown"),
    ]


def test_geolocation_is_the_newest_load_of_each_source_with_its_copies(shop: Gold) -> None:
    found = shop.rows("select customer_key, round(latitude, 4) from dim_customer order by 1")
    assert found[0] == (an_id(51), -23.5)  # (-23.0 - 23.0 - 24.5) / 3; the old load says -1
    [(seller,)] = shop.rows(f"select latitude from dim_seller where seller_key = '{an_id(31)}'")
    assert seller == pytest.approx(-22.75)  # between -22.9 and -22.6
    # 20000 was in the old load only: the order to Rio has no distance
    assert shop.rows("select distance_km is null from fact_sales where customer_state = 'RJ'") == [(True,)]


def test_distance_and_delivery_are_measured(shop: Gold) -> None:
    found = shop.row(
        f"""select distance_km, delivery_days, days_late, is_late
            from fact_sales where order_id = '{an_id(1)}' and order_item_id = 1"""
    )
    assert found == (92.9, 2.0, -16.5833, False)
    late = shop.row(f"select delivery_days, days_late, is_late from fact_sales where order_id = '{an_id(2)}'")
    assert late == (20.5, 1.9167, True)


def test_calendar_holds_all_days_of_the_years_seen(shop: Gold) -> None:
    assert shop.row("select count(*), min(date_day), max(date_day) from dim_date where date_key <> 0") == (
        365,
        civil("2018-01-01").date(),
        civil("2018-12-31").date(),
    )
    found = shop.row(
        "select iso_weekday, is_weekend, calendar_quarter, event_month from dim_date where date_key = 20180401"
    )
    assert found == (7, True, 2, "2018-04")


def test_monthly_growth_counts_quiet_months_and_new_customers(shop: Gold) -> None:
    found = shop.rows(
        """select event_month, orders, customers, new_customers, items, revenue, orders_growth
           from insight_monthly_growth order by 1"""
    )
    assert found == [
        ("2018-01", 1, 1, 1, 1, Decimal("100.00"), None),
        ("2018-02", 0, 0, 0, 0, Decimal("0.00"), -1.0),
        ("2018-03", 6, 1, 0, 3, Decimal("100000149.99"), None),
    ]


def test_regional_logistics_adds_up_over_states(shop: Gold) -> None:
    found = shop.rows(
        "select customer_state, orders, items, delivered_orders, late_orders from insight_regional_logistics order by 1"
    )
    assert found == [("RJ", 1, 1, 1, 0), ("SP", 5, 2, 5, 0), ("unknown", 1, 3, 1, 1)]


def test_findings_count_what_is_odd_and_withhold_nothing(shop: Gold) -> None:
    assert shop.findings == {
        "customers_without_coordinates": 1,
        "items_without_order": 2,
        "items_without_product": 1,
        "items_without_seller": 1,
        "orders_paid_another_amount": 1,
        "orders_without_customer": 1,
        "orders_without_items": 4,
        "orders_without_payment": 5,
        "payments_without_order": 1,
        "products_without_english_category": 1,
        "reviews_without_order": 1,
        "sellers_without_coordinates": 1,
    }


def test_gold_is_the_same_for_any_split_and_order(
    shop: Gold, tmp_path: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(7)
    lake = SilverLake(tmp_path / "silver")
    for entity, rows in shop_rows().items():
        dice.shuffle(rows)
        for row in rows:
            lake.offset = dice.randrange(10**6)  # only names the file: the rows have their positions
            lake.add(entity, [row])
        dice.shuffle(lake.files[entity])
    again = build(tmp_path, work_dir, lake.files)
    for table in shop.published.tables:
        assert again.rows(f"from {table}") == shop.rows(f"from {table}"), table
    assert again.findings == shop.findings


def test_tables_and_columns_are_described_up_to_the_grain(shop: Gold) -> None:
    assert len(shop.published.tables) == 10
    for name, table in shop.published.tables.items():
        columns = [row[0] for row in shop.rows(f"describe {name}")]
        assert list(table.columns) == columns, name
        assert all(text.endswith(".") for text in table.columns.values()), name
        assert "Grain: one row per " in table.description, name


def test_numbers_have_types_that_every_reader_knows(shop: Gold) -> None:
    kinds = {row[1] for name in shop.published.tables for row in shop.rows(f"describe {name}")}
    assert {kind.split("(")[0] for kind in kinds} <= {
        "VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "TIMESTAMP", "DATE", "BOOLEAN",
    }  # fmt: skip


def test_progress_counts_to_the_end(shop: Gold) -> None:
    assert shop.steps[0] == (0, 0, "reading the models")
    total = shop.steps[-1][1]
    assert [step[:2] for step in shop.steps[1:]] == [(done, total) for done in range(1, total + 1)]
