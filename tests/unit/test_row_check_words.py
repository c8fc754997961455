"""Verdicts on single rows, in words."""

from dataclasses import replace

import pytest

from lakehouse.errors import ContractError
from lakehouse.row_check import CheckPlan
from tests.builders.bronze import NOON_MS
from tests.builders.every_kind import DAY_US, ORDERS, a_rule, split
from tests.builders.rows import a_raw_row, an_order


def test_check_gives_all_reasons_in_contract_order_with_values_as_they_were() -> None:
    made = split(
        ORDERS,
        [an_order(event_id="", order_id="", order_status="Lost", order_approved_at=" 2018-01-01 00:00:00")],
    )
    [row] = made.quarantine.to_pylist()
    assert [(r["rule"], r["column"], r["value"]) for r in row["reasons"]] == [
        ("event_id_present", "event_id", ""),
        ("order_id_present", "order_id", ""),
        ("order_status_known", "order_status", "Lost"),
        ("order_approved_at_readable", "order_approved_at", " 2018-01-01 00:00:00"),
    ]
    assert row["reasons"][2]["message"] == "The order status is none that the shop knows."
    assert (row["bronze_key"], row["bronze_row"], row["judged_by"]) == ("some/key", 100, "1.0.0")


def test_check_warns_without_rejecting() -> None:
    made = split(ORDERS, [an_order(order_delivered_customer_date=None), an_order()])
    assert made.silver.column("warnings").to_pylist() == [["delivered_has_customer_date"], []]


def test_check_counts_no_warning_of_a_rejected_row() -> None:
    made = split(ORDERS, [an_order(order_delivered_customer_date=None, order_id="x")])
    assert (made.warnings, made.reasons) == ({}, {"order_id_is_id": 1})


def test_check_of_a_delete_asks_only_for_envelope_and_key() -> None:
    nothing = dict.fromkeys(f.name for f in ORDERS.fields if f.name != "order_id")
    rows = [
        an_order(**nothing, op="delete"),
        an_order(**nothing, op=None),
        an_order(**{**nothing, "op": "delete", "order_id": "x", "source": None}),
    ]
    made = split(ORDERS, rows)
    assert made.silver.column("op").to_pylist() == ["delete"]
    reasons = [[r["rule"] for r in row["reasons"]] for row in made.quarantine.to_pylist()]
    assert reasons[1] == ["source_present", "order_id_is_id"]
    assert "order_status_present" in reasons[0]


def test_check_writes_upsert_where_op_was_left_out() -> None:
    made = split(ORDERS, [an_order(op=None), an_order(op=""), an_order(op="upsert")])
    assert made.silver.column("op").to_pylist() == ["upsert"] * 3


def test_check_holds_an_undecodable_row_with_its_reason_alone() -> None:
    made = split(
        ORDERS,
        [a_raw_row("orders", reason="The schema is unknown."), a_raw_row("orders", raw=None), an_order()],
    )
    reasons = [row["reasons"] for row in made.quarantine.to_pylist()]
    assert [[(r["rule"], r["message"]) for r in row] for row in reasons] == [
        [("UNDECODABLE", "The schema is unknown.")],
        [("UNDECODABLE", "The header is unknown.")],
    ]
    assert made.quarantine.column("raw").to_pylist() == [b"\x07", None]
    assert (made.passed.rows, made.reasons) == (1, {"UNDECODABLE": 2})


@pytest.mark.parametrize(
    ("ahead", "held"), [(DAY_US, 0), (DAY_US + 1, 1), (-DAY_US, 0), (2**62, 1), (-(2**62), 1)]
)
def test_check_refuses_events_of_the_future(ahead: int, held: int) -> None:
    made = split(ORDERS, [an_order(occurred_at=NOON_MS * 1000 + ahead)])
    assert made.held.rows == held


def test_plan_refuses_what_it_cannot_run() -> None:
    unknown = replace(ORDERS, rules=(a_rule("new", "sorted", "order_id"),))
    with pytest.raises(ContractError, match="no kind of rule"):
        CheckPlan(unknown)
    not_re2 = replace(ORDERS, rules=(a_rule("back", "regex", "order_id", pattern=r"(a)\1"),))
    with pytest.raises(ContractError, match="RE2"):
        CheckPlan(not_re2)
