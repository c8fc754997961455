"""The picture of the way, and figures as people read them."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.balance import Amount, Balance
from local.report import (
    EntityCounts,
    ReportData,
    Sent,
)
from local.report.figures import money, month_name, percent, short
from local.report.flow import _flow, _measure, _place
from tests.builders.report import a_report


def drawn(report: ReportData) -> dict[str, int]:
    return {node.name: node.number for node in _flow(report).nodes}


def test_flow_shows_every_hop_with_its_count() -> None:
    assert drawn(a_report()) == {
        "gRPC": 900,
        "Plain producer": 100,
        "Kafka": 1000,
        "Batch files": 500,
        "Bronze": 1500,
        "Silver": 1490,
        "Quarantine": 10,
        "Gold": 1460,
        "Older": 26,
        "Deleted": 4,
    }


def test_flow_shows_what_did_not_land_and_what_earlier_runs_left() -> None:
    nodes = drawn(a_report(sent=Sent(grpc=600, plain=0, acknowledged=600, landed=590, batch_records=0)))
    assert nodes["Not landed"] == 10
    assert nodes["Other runs"] == 1500 - 590
    assert "Batch files" not in nodes
    assert "Plain producer" not in nodes


def test_flow_without_a_run_begins_at_the_lake() -> None:
    nodes = drawn(a_report(sent=None))
    assert nodes["The lake"] == nodes["Bronze"] == 1500
    assert "Kafka" not in nodes


def test_flow_before_gold_ends_at_silver() -> None:
    entities = tuple(replace(entity, current=None, deleted=None) for entity in a_report().entities)
    assert "Gold" not in drawn(a_report(entities=entities))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_flow_bands_stay_within_their_nodes_and_nodes_apart(
    grpc: int, plain: int, batch: int, held: int
) -> None:
    total = grpc + plain + batch
    held = min(held, total)
    balance = Balance(Amount(total), Amount(total - held), Amount(held))
    sent = Sent(grpc, plain, grpc + plain, grpc + plain, batch)
    flow = _flow(
        a_report(
            entities=(EntityCounts("orders", balance, total, current=total - held, deleted=0),), sent=sent
        )
    )
    _measure(flow)
    _place(flow)
    for node in flow.nodes:
        assert node.given <= node.height + 1e-6
        assert node.taken <= node.height + 1e-6
    for column in {node.column for node in flow.nodes}:
        spans = sorted((n.top, n.top + n.height) for n in flow.nodes if n.column == column)
        assert all(end < begin for (_, end), (begin, _) in pairwise(spans))


def test_figures_read_as_people_read_them() -> None:
    assert [short(n) for n in (7, 999, 1234, 45_600, 456_000, 1_234_567)] == [
        "7",
        "999",
        "1.23 k",
        "45.6 k",
        "456 k",
        "1.23 M",
    ]
    assert money("1234.5") == "1,234.50"
    assert percent(0.1234) == "12.3%"
    assert month_name("2017-11") == "Nov 2017"
    assert month_name("unknown") == "unknown"
