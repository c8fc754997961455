"""The canary's parts: its events, what it says of each hop, how it judges, what it counts."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.ledger.reports import ObjectState
from lakehouse.catalog import load_entities
from lakehouse.errors import LedgerError, SettingsError
from lakehouse.identity import Position
from lakehouse.paths import Buckets
from lambdas.canary import following
from lambdas.canary.checks import Check, Found, check
from lambdas.canary.events import ENTITY, EVENTS, events_of
from lambdas.canary.flight import ALARMS, CHECKED, SENT, Outcome
from lambdas.canary.following import Trail, explain, follow, look
from lambdas.canary.handler import build_handler
from lambdas.canary.settings import Settings
from lambdas.canary.verdicts import Verdict, judge, read_verdicts
from lambdas.canary.watching import look_at_alarms, look_at_connector
from local.check_runner import LocalContext
from tests.builders.bronze import NOON, a_bronze_object
from tests.fakes.object_store import FakeObjectStore

BUCKETS = Buckets.of("olist-data-lake")
ORDERS = load_entities()[ENTITY]
ENVIRONMENT = {
    "NEXUS_INGEST_ADDRESS": "nlb:443",
    "NEXUS_INGEST_NAME": "ingest.example.com",
    "NEXUS_BUCKET_PREFIX": "olist-data-lake",
    "NEXUS_LEDGER_URL": "postgresql://canary@host/ledger",
    "NEXUS_REGISTRY": "keystone-nexus",
    "NEXUS_ALARM_PREFIX": "nexus-dev-",
    "NEXUS_CANARY_PATIENCE_S": "60",
    "AWS_REGION": "us-east-1",
}


def an_object(first: int, end: int, state: str = "committed", **changes: Any) -> ObjectState:
    key = a_bronze_object(first, end, **changes).key
    outputs = ((key.silver(1, 0),), key.quarantine(1, 0)) if state == "committed" else ((), None)
    return ObjectState(str(key), first, end, state, 0, "1.0.0", *outputs, None)


def at(offset: int, partition: int = 0) -> Position:
    return Position("emb-1", "orders.v1", partition, offset)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> list[ObjectState]:
    """Objects of partition 0 that the ledger knows."""
    known: list[ObjectState] = []

    def objects_over(_ledger: object, first: Position, end: int) -> list[ObjectState]:
        return [
            one
            for one in known
            if first.partition == 0 and one.first_offset < end and one.end_offset > first.offset
        ]

    monkeypatch.setattr(following.reports, "objects_over", objects_over)
    return known


# events


def test_events_are_a_hundred_of_which_three_are_bad() -> None:
    events = events_of("run-1", NOON)
    assert len(events) == EVENTS == len({event.event_id for event in events})
    assert [event.breaks for event in events if event.breaks] == [
        "order_status_known",
        "customer_id_is_id",
        "delivered_after_purchase",
    ]
    assert len({event.columns["order_id"] for event in events}) == EVENTS, "keys for all partitions"


def test_events_of_two_runs_are_versions_of_the_same_orders() -> None:
    first, second = events_of("run-1", NOON), events_of("run-2", NOON)
    assert [event.columns["order_id"] for event in first] == [event.columns["order_id"] for event in second]
    assert not {event.event_id for event in first} & {event.event_id for event in second}


def test_events_break_rules_that_the_contract_holds_an_error() -> None:
    errors = {rule.id for rule in ORDERS.rules if rule.severity == "error"}
    assert {event.breaks for event in events_of("run-1", NOON) if event.breaks} <= errors


# settings


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_settings_name_what_is_missing(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({**ENVIRONMENT, name: ""})


def test_settings_take_tls_unless_told_none() -> None:
    assert Settings.from_env(ENVIRONMENT).certificate_name == "ingest.example.com"
    assert Settings.from_env({**ENVIRONMENT, "NEXUS_INGEST_NAME": "none"}).certificate_name == ""


def test_settings_want_whole_seconds() -> None:
    with pytest.raises(SettingsError, match=r"'1\.5': give whole seconds"):
        Settings.from_env({**ENVIRONMENT, "NEXUS_CANARY_PATIENCE_S": "1.5"})


# following


def test_look_finds_objects_by_ranges_and_names_the_state_of_the_rest(ledger: list[ObjectState]) -> None:
    ledger += [an_object(0, 10), an_object(10, 20), an_object(20, 30, "open"), an_object(30, 40, "gone")]
    trail = look(None, [at(3), at(9), at(10), at(25), at(30), at(40), at(3, partition=1)])  # type: ignore[arg-type]
    assert [one.first_offset for one in trail.committed] == [0, 10]
    assert trail.waiting == {"open": (at(25),), "gone": (at(30),), "unheard": (at(40), at(3, partition=1))}


def test_look_takes_the_committed_of_two_objects_that_overlap(ledger: list[ObjectState]) -> None:
    ledger += [an_object(0, 10, "overlap"), an_object(5, 15)]
    trail = look(None, [at(2), at(7)])  # type: ignore[arg-type]
    assert [one.first_offset for one in trail.committed] == [5]
    assert trail.waiting == {"overlap": (at(2),)}


def test_follow_waits_for_a_ledger_that_is_away(
    ledger: list[ObjectState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover takes a minute, and the canary runs while it is drilled."""
    ledger.append(an_object(0, 10))
    answers = iter([LedgerError("away"), LedgerError("away"), None])
    there = following.reports.objects_over

    def objects_over(*arguments: Any) -> list[ObjectState]:
        if (error := next(answers)) is not None:
            raise error
        return there(*arguments)

    monkeypatch.setattr(following.reports, "objects_over", objects_over)
    pauses: list[float] = []
    trail = follow(None, [at(1)], 60, lambda: 2.0 * len(pauses), pauses.append)  # type: ignore[arg-type]
    assert not trail.waiting
    assert pauses == [following.LOOK_EVERY_S] * 2


def test_follow_ends_when_patience_does(ledger: list[ObjectState]) -> None:
    pauses: list[float] = []
    trail = follow(None, [at(1)], 60, lambda: sum(pauses), pauses.append)  # type: ignore[arg-type]
    assert trail.waiting == {"unheard": (at(1),)}
    assert sum(pauses) == 60


def test_follow_tells_that_the_ledger_stayed_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def objects_over(*_arguments: Any) -> list[ObjectState]:
        raise LedgerError("the ledger at host is away")

    monkeypatch.setattr(following.reports, "objects_over", objects_over)
    pauses: list[float] = []
    with pytest.raises(LedgerError):
        follow(None, [at(1)], 60, lambda: sum(pauses), pauses.append)  # type: ignore[arg-type]


@pytest.mark.parametrize("today", [NOON.date(), date.fromordinal(NOON.date().toordinal() + 1)])
def test_explanation_tells_landed_from_not_landed(today: date) -> None:
    """By the end that an object's metadata tells, not by the next object; yesterday's objects count."""
    store: Any = FakeObjectStore()
    for first, end in ((0, 10), (10, 15)):
        metadata = a_bronze_object(first, end)
        store.put(BUCKETS.bronze, str(metadata.key), b"", metadata.to_s3())
    trail = Trail((), {"open": (at(0),), "unheard": (at(9), at(14), at(15), at(0, partition=1))})
    assert explain(trail, store, BUCKETS.bronze, ENTITY, today) == (
        "1 in objects that the check hop opened and has not committed (runbook check-failing), "
        "2 in Bronze, where the check hop has not begun (runbook check-queue-late), "
        "2 acknowledged by Kafka and not in Bronze yet (runbook landing-behind)"
    )


# verdicts


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), out)
    return out.getvalue()


def a_lake(silver: Sequence[Mapping[str, Any]], quarantine: Sequence[Mapping[str, Any]]) -> Any:
    """Outputs of the object with offsets 0 to 9."""
    store, held = FakeObjectStore(), an_object(0, 10)
    store.put(BUCKETS.silver, held.silver_keys[0], parquet(silver))
    assert held.quarantine_key is not None
    store.put(BUCKETS.quarantine, held.quarantine_key, parquet(quarantine))
    return store


def good(offset: int, event_id: str, *warnings: str) -> dict[str, Any]:
    return {"pos_offset": offset, "event_id": event_id, "warnings": list(warnings)}


def bad(offset: int, event_id: str, *rules: str) -> dict[str, Any]:
    reasons = [{"rule": rule, "column": "c", "value": "v", "message": "m"} for rule in rules]
    return {"pos_offset": offset, "event_id": event_id, "reasons": reasons}


def test_verdicts_are_those_of_the_canarys_rows_alone() -> None:
    store = a_lake(
        [good(0, "e-0"), good(1, "shop-1"), good(4, "e-0")],  # 4: sent again, and acknowledged at 0
        [bad(2, "e-2", "order_status_known"), bad(3, "shop-3", "order_id_is_id")],
    )
    positions = {"e-0": at(0), "e-2": at(2), "e-5": at(5), "other": at(1, partition=1)}
    assert read_verdicts(store, BUCKETS, [an_object(0, 10)], positions) == {
        "e-0": [Verdict("silver", ())],
        "e-2": [Verdict("quarantine", ("order_status_known",))],
    }


def right_verdicts() -> dict[str, list[Verdict]]:
    return {
        event.event_id: [Verdict("quarantine", (event.breaks,)) if event.breaks else Verdict("silver", ())]
        for event in events_of("run-1", NOON)
    }


def test_judgement_is_well_when_each_is_where_it_belongs() -> None:
    said = (True, "97 in Silver, 3 in Quarantine, each for its own reason")
    assert judge(events_of("run-1", NOON), right_verdicts()) == said


@pytest.mark.parametrize(
    ("event", "got", "says"),
    [
        (50, [], "is in neither Silver nor Quarantine, not silver"),
        (50, [Verdict("quarantine", ("x",))], "is in quarantine (x), not silver"),
        (50, [Verdict("silver", ("w",))], "is in silver (w), not silver"),
        (50, [Verdict("silver", ())] * 2, "is in silver and silver, not silver"),
        (0, [Verdict("silver", ())], "is in silver, not quarantine (order_status_known)"),
        (0, [Verdict("quarantine", ("x",))], "is in quarantine (x), not quarantine (order_status_known)"),
    ],
)
def test_judgement_names_the_event_that_is_elsewhere(event: int, got: list[Verdict], says: str) -> None:
    event_id = f"canary-run-1-{event:03d}"
    well, said = judge(events_of("run-1", NOON), {**right_verdicts(), event_id: got})
    assert (well, said) == (False, f"{event_id} {says}")


def test_judgement_counts_what_it_does_not_tell() -> None:
    assert judge(events_of("run-1", NOON), {})[1].endswith(", and 97 more")


# what else is looked at


class FakeCloudWatch:
    """Alarms by name with their state, and the newest value of metrics."""

    def __init__(self, alarms: Mapping[str, str] = {}, metrics: Mapping[str, float] = {}) -> None:
        self._alarms, self._metrics = alarms, metrics

    def get_paginator(self, name: str) -> "FakeCloudWatch":
        assert name == "describe_alarms"
        return self

    def paginate(self, *, AlarmNamePrefix: str, AlarmTypes: list[str]) -> Iterator[Any]:  # noqa: N803
        for name, state in self._alarms.items():
            if name.startswith(AlarmNamePrefix):
                yield {"MetricAlarms": [{"AlarmName": name, "StateValue": state}]}

    def get_metric_data(self, *, MetricDataQueries: Any, **_more: Any) -> Any:  # noqa: N803
        asked = {one["Id"]: one["MetricStat"]["Metric"]["MetricName"] for one in MetricDataQueries}
        results = [
            {"Id": id_, "Values": [self._metrics[name]] if name in self._metrics else []}
            for id_, name in asked.items()
        ]
        return {"MetricDataResults": results}


@pytest.mark.parametrize(
    ("alarms", "state", "says"),
    [
        ({"nexus-dev-a": "OK", "nexus-dev-b": "INSUFFICIENT_DATA"}, "ok", "none of 2 is in ALARM"),
        ({"nexus-dev-a": "ALARM", "nexus-dev-b": "OK"}, "failed", "in ALARM: nexus-dev-a;"),
        ({"nexus-dev-canary-late": "ALARM", "nexus-prod-a": "ALARM"}, "ok", "none of 1 is in ALARM"),
        ({"nexus-prod-a": "OK"}, "failed", "there is no alarm whose name begins with nexus-dev-"),
    ],
)
def test_alarms_of_the_environment_but_not_its_own(alarms: dict[str, str], state: str, says: str) -> None:
    found = look_at_alarms(FakeCloudWatch(alarms), "nexus-dev-")
    assert found.state == state
    assert found.detail.startswith(says)


@pytest.mark.parametrize(
    ("metrics", "state"),
    [
        ({"RunningTaskCount": 2, "ErroredTaskCount": 0}, "ok"),
        ({"RunningTaskCount": 2, "ErroredTaskCount": 1}, "failed"),
        ({"RunningTaskCount": 0, "ErroredTaskCount": 0}, "failed"),
        ({}, "failed"),
    ],
)
def test_connector_is_well_when_tasks_run_and_none_failed(metrics: dict[str, float], state: str) -> None:
    assert look_at_connector(FakeCloudWatch(metrics=metrics), "nexus-dev-bronze-sink", NOON).state == state


def test_connector_is_not_looked_at_where_none_lands() -> None:
    assert look_at_connector(None, "", NOON).state == "not checked"


def test_check_takes_what_cannot_be_asked_for_failed_and_its_time() -> None:
    def away() -> Found:
        raise LedgerError("the ledger at host is away")

    times = iter([1.0, 3.5])
    assert check("ledger", away, lambda: next(times)) == Check(
        "ledger", "failed", "the ledger at host is away", 2.5
    )


# metrics and answer


def told(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> tuple[Any, Any]:
    """The function's answer, and its metrics as CloudWatch reads them."""
    answer = build_handler(lambda _run: outcome)({}, LocalContext("canary"))
    [metrics] = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in line]
    return answer, metrics


def test_metrics_count_what_failed_but_not_the_alarms_that_told_of_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = (
        Check(SENT, "ok", "100", 0.5),
        Check(CHECKED, "failed", "late", 60.0),
        Check(ALARMS, "failed", "in ALARM: x", 0.1),
    )
    answer, metrics = told(Outcome(checks, 60.5), capsys)
    assert (metrics["ChecksFailed"], metrics["EndToEndSeconds"]) == ([1.0], [60.5])
    assert answer["checks"][1] == {"name": CHECKED, "state": "failed", "detail": "late", "seconds": 60.0}
    assert json.loads(json.dumps(answer)) == answer, "Lambda hands it on as JSON"


def test_metrics_tell_no_time_when_nothing_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """A short time there would look like a quick run."""
    _, metrics = told(Outcome((Check(SENT, "failed", "away", 60.0),), None), capsys)
    assert "EndToEndSeconds" not in metrics


def test_clock_of_events_has_a_zone() -> None:
    assert events_of("run", datetime(2026, 1, 1, tzinfo=UTC))[5].columns["order_purchase_timestamp"] == (
        "2025-12-31 23:00:00"
    )
