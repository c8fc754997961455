"""Faults 31, 32, 34 and 35: columns that are missing, renamed, unknown to the contract, or like each other."""

import json
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from lakehouse.catalog import Kind, load_entities
from lakehouse.names import lookalike
from lakehouse.row_check import CheckPlan
from lakehouse.shape import readable_rows, schema_problem
from lakehouse.split import Origin, split_rows
from tests.builders.every_kind import a_field
from tests.builders.rows import a_row, an_item, an_order, bronze_table
from tests.builders.shapes import ITEMS, items, judged

ENTITIES = load_entities()
ORDERS, PRODUCTS = ENTITIES["orders"], ENTITIES["products"]


# --- 31: missing


def test_fault_31_missing_required_column_is_named() -> None:
    table = bronze_table(ORDERS, [an_order()])
    assert (
        schema_problem(ORDERS, table.drop_columns(["order_status"]).schema)
        == "column order_status is missing"
    )
    assert (
        schema_problem(ORDERS, table.drop_columns(["row_hash", "op"]).schema)
        == "column op, row_hash is missing"
    )
    strange = table.rename_columns({"order_status": "phase", "op": "what"})
    assert schema_problem(ORDERS, strange.schema) == (
        "column op, order_status is missing; the contract does not know 'phase', 'what'"
    )


def test_fault_31_missing_optional_column_is_null_with_a_warning_on_every_row_it_concerns() -> None:
    rows = [an_order(), an_order(order_id="x"), an_order(op="delete")]
    table = bronze_table(ORDERS, rows).drop_columns(["order_approved_at", "order_delivered_carrier_date"])
    made = judged(ORDERS, table)
    ours = [f"{name}_not_in_object" for name in ("order_approved_at", "order_delivered_carrier_date")]
    assert made.silver.column("warnings").to_pylist() == [
        ["delivered_has_carrier_date", "delivered_has_approval", *ours],
        [],
    ]
    assert {name: made.warnings[name] for name in ours} == dict.fromkeys(ours, 1)
    assert made.silver.column("order_approved_at").null_count == 2
    assert made.quarantine.column("order_approved_at").to_pylist() == [None]


def test_fault_31_column_of_a_later_version_is_not_missing_in_rows_of_a_former_one() -> None:
    newer = replace(
        ORDERS, version="1.1.0", fields=(*ORDERS.fields, a_field("channel", Kind.TEXT)), former=(ORDERS,)
    )
    table = bronze_table(ORDERS, [an_order(), an_order(contract_version="1.1.0")])
    assert judged(newer, table).silver.column("warnings").to_pylist() == [[], ["channel_not_in_object"]]


# --- 32: renamed


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("order_status", "orderStatus"),
        ("order_status", "Order_Status"),
        ("order_status", "status_order_status"),
        ("order_approved_at", "order_aproved_at"),
        ("order_approved_at", "approved_at"),
        ("order_approved_at", "ORDER_APPROVED_AT"),
        ("event_id", "eventid"),
    ],
)
def test_fault_32_renamed_column_is_named_with_what_it_was_meant_to_be(column: str, name: str) -> None:
    """Also an optional one: taken for missing, its values would be lost in a column that nobody reads."""
    schema = bronze_table(ORDERS, [an_order()]).rename_columns({column: name}).schema
    assert schema_problem(ORDERS, schema) == (
        f"column {column} is missing; {name!r} looks like {column}: give it that name"
    )


def test_fault_32_column_of_another_meaning_is_not_taken_for_a_renamed_one() -> None:
    table = bronze_table(PRODUCTS, [a_row("products")]).drop_columns(["product_photos_qty"])
    table = table.append_column("product_colour", pa.array(["red"]))
    assert schema_problem(PRODUCTS, table.schema) is None
    assert lookalike("seller_city", ["seller_country", "city"]) is None
    assert (
        lookalike("product_name_lenght", ["product_length", "product_name_length"]) == "product_name_length"
    )


# --- 34: unknown


def test_fault_34_unknown_columns_are_kept_as_they_were() -> None:
    table = items(order_id=pa.array([an_item()["order_id"], "x", an_item()["order_id"], None]))
    for name, array in {
        "note": pa.array(['say "hi"\n\\', "é\0", "", None]),
        "count": pa.array([1, 2**63, None, None], pa.uint64()),
        "share": pa.array([0.1, float("nan"), None, None]),
        "sure": pa.array([True, False, None, None]),
        "exact": pa.array([Decimal("1.10"), None, None, None], pa.decimal128(38, 2)),
        "at": pa.array([0, None, None, None], pa.timestamp("ms")),
        "bytes": pa.array([b"a", b"\xff", None, None]),
        "parts": pa.array([[{"a": 1, "b": None}], None, None, None]),
        "Z": pa.array(["z", None, None, None]).dictionary_encode(),
        "nothing": pa.nulls(4),
    }.items():
        table = table.append_column(name, array)
    made = judged(ITEMS, table)
    full, empty = [json.loads(text) if text else None for text in made.silver.column("extras").to_pylist()]
    assert full == {
        "note": 'say "hi"\n\\',
        "count": 1,
        "share": 0.1,
        "sure": True,
        "exact": "1.10",
        "at": "1970-01-01 00:00:00.000",
        "bytes": "a",
        "parts": [{"a": 1, "b": None}],
        "Z": "z",
    }
    assert empty is None
    held = json.loads(made.quarantine.column("extras").to_pylist()[0])
    assert held == {"note": "é\0", "count": 2**63, "share": "nan", "sure": False, "bytes": {"base64": "/w=="}}
    assert made.quarantine.column("extras").to_pylist()[1] is None
    counts = {
        "note": 2,
        "count": 2,
        "share": 2,
        "sure": 2,
        "exact": 1,
        "at": 1,
        "bytes": 2,
        "parts": 1,
        "Z": 1,
    }
    assert made.extras == counts | {"nothing": 0}
    assert made.silver.column("warnings").to_pylist()[0] == [f"{n}_not_in_contract" for n in sorted(counts)]
    assert made.warnings == {f"{name}_not_in_contract": 1 for name in counts}


def test_fault_34_extras_do_not_depend_on_the_order_of_columns() -> None:
    table = bronze_table(ORDERS, [an_order()])
    table = table.append_column("b", pa.array(["1"])).append_column("a", pa.array([2]))
    turned = table.select(list(reversed(table.column_names)))
    assert judged(ORDERS, table).silver == judged(ORDERS, turned).silver


def test_fault_34_held_row_gives_its_extras_to_the_contract_that_knows_them() -> None:
    """Rows of Quarantine are judged again, after the contract has learned the column."""
    table = bronze_table(ORDERS, [an_order(order_status="lost"), an_order(order_id="y")])
    table = table.append_column("pieces", pa.array([3, 10**18])).append_column("note", pa.array(["a", None]))
    held = judged(ORDERS, table).quarantine
    learned = replace(ORDERS, rules=(), fields=(*ORDERS.fields, a_field("pieces", Kind.INT64)))
    again = split_rows(
        CheckPlan(learned),
        held.drop_columns(["reasons", "judged_by", "bronze_key", "bronze_row"]),
        Origin("k", 0, "2"),
    )
    assert again.silver.column("pieces").to_pylist() == [3, 10**18]
    assert again.silver.column("extras").to_pylist() == ['{"note": "a"}', None]
    assert split_rows(CheckPlan(ORDERS), held, Origin("some/key", 0, "1.0.0")).quarantine == held


@pytest.mark.parametrize(
    "array",
    [pa.array([2**62], pa.timestamp("s", "Nowhere/City")), pa.array([[2**40]]).cast(pa.list_(pa.date64()))],
)
def test_fault_34_unknown_column_that_no_json_can_hold_is_named(array: pa.Array) -> None:
    table = bronze_table(ORDERS, [an_order()]).append_column("strange", array)
    found = readable_rows(ORDERS, table)
    if isinstance(found, str):
        assert "column strange is not in the contract, and" in found
    else:
        assert judged(ORDERS, table).silver.column("extras").to_pylist()[0].startswith('{"strange": ')


# --- 35: colliding


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("order_id", "column order_id stands in it twice"),
        ("Order_ID", "columns 'order_id' and 'Order_ID' differ only in capitals"),
        (" order_id ", "differ only in capitals"),
        ("ｏrder_id", "how their letters are coded"),
        ("", "a column has no name"),
        ("a\nb", "signs in its name that cannot be printed"),
        ("a\0", "signs in its name that cannot be printed"),
        ("x" * 256, "a name of 256 characters"),
        ("extras", "a name of the lake's own"),
    ],
)
def test_fault_35_columns_that_cannot_be_told_apart_are_named(name: str, problem: str) -> None:
    schema = bronze_table(ORDERS, [an_order()]).schema.append(pa.field(name, pa.string()))
    assert problem in str(schema_problem(ORDERS, schema))


def test_fault_35_unknown_columns_may_not_collide_with_each_other_either() -> None:
    schema = bronze_table(ORDERS, [an_order()]).schema
    composed, apart = "caf\u00e9", "cafe\u0301"
    for name in (composed, apart):
        schema = schema.append(pa.field(name, pa.string()))
    assert "how their letters are coded" in str(schema_problem(ORDERS, schema))
