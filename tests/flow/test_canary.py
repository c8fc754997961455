"""The canary over the whole pipeline by real processes: all is well, the check hop stands still, nobody answers."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.ledger import Ledger, reports
from grpc_ingest.client import IngestClient
from lambdas.canary.events import EVENTS
from lambdas.canary.flight import ALARMS, CHECKED, CONNECTOR, JUDGED, SCHEMAS, SENT, Clock
from lambdas.canary.handler import build_handler
from local.check_runner import LocalContext
from tests.builders.events import MOMENT, an_order
from tests.flow.canary_rig import ClockThatWaitsFor, Pipeline, by_name

REAL = Clock(lambda: datetime.now(UTC), time.monotonic, lambda seconds: time.sleep(seconds / 20))


@pytest.fixture
def pipeline(tmp_path: Path, ledger_url: str) -> Iterator[Pipeline]:
    with Pipeline(tmp_path, ledger_url) as started:
        yield started


def test_canary_sees_every_event_through_among_those_of_a_shop(
    pipeline: Pipeline, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad events of others share the objects, so that counts alone would not fit."""
    pipeline.check()
    with IngestClient.connect(pipeline.host_address, "web-shop") as shop:
        for number in range(60):
            shop.send("orders", an_order(order_id=f"{number:032x}", order_status="lost"), MOMENT + number)
    handle = build_handler(lambda run: pipeline.flight(ledger, REAL).fly(run))
    capsys.readouterr()
    answer = handle({}, LocalContext("canary"))
    found = {one["name"]: (one["state"], one["detail"]) for one in answer["checks"]}
    assert {name: state for name, (state, _) in found.items()} == {
        **dict.fromkeys((SENT, CHECKED, JUDGED, SCHEMAS, ALARMS), "ok"),
        CONNECTOR: "not checked",
    }
    assert found[JUDGED][1] == "97 in Silver, 3 in Quarantine, each for its own reason"
    orders = reports.balance(ledger)["orders"]
    assert orders.quarantine.rows == 60 + 3, "the others' bad events are there as well"
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [metrics] = [line for line in told if "_aws" in line]
    assert metrics["ChecksFailed"] == [0.0]
    assert metrics["EndToEndSeconds"][0] > 0


def test_canary_says_where_its_events_stopped_when_the_check_hop_stands_still(
    pipeline: Pipeline, ledger: Ledger
) -> None:
    """And that an alarm fires, unless it is its own."""
    pipeline.alarm("check-queue-late", "ALARM")
    pipeline.alarm("canary-late", "ALARM")
    patience = ClockThatWaitsFor(lambda: pipeline.landed() == EVENTS)
    outcome = pipeline.flight(ledger, patience.clock(time.sleep)).fly("run-1")
    found = by_name(outcome.checks)
    assert found[SENT].state == "ok"
    assert (found[CHECKED].state, found[CHECKED].detail) == (
        "failed",
        "100 of 100 are not through after 1000000 s: 100 in Bronze, where the check hop has not begun "
        "(runbook check-queue-late)",
    )
    assert (found[JUDGED].state, found[SCHEMAS].state) == ("not checked", "ok")
    assert found[ALARMS].detail.startswith("in ALARM: nexus-test-check-queue-late;")
    assert outcome.end_to_end_s == 1e6, "an alarm on lateness must see that it was waited in vain"
