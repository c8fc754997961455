"""The auditor finds what it is there for: each loss, double and swap, also those that cancel in every count."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from faults.auditor import STRICTER, Acknowledged, audit, newest_versions
from faults.evidence import Evidence, Place, Record, without_abandoned
from faults.workload import Event, Workload
from lakehouse.catalog import load_entities
from lakehouse.wire import FieldTable, encode, frame_header

LOG = "kafka-1"
SCHEMA = "00000000-0000-0000-0000-000000000001"
_SHOP = Workload(7)
SENT = [_SHOP.next() for _ in range(400)]


def bytes_of(event: Event) -> bytes:
    envelope: dict[str, Any] = {
        "event_id": event.event_id,
        "occurred_at": event.occurred_at,
        "source": "test",
        "op": event.op,
        "contract_version": "1.0.0",
    }
    table = FieldTable.of(load_entities()[event.entity])
    return frame_header(SCHEMA) + encode(table, {**envelope, **event.columns})


def moment_of(micros: int) -> datetime:
    """As Silver has it: UTC without zone."""
    whole = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(tzinfo=None)
    return whole.replace(microsecond=micros % 1_000_000)


def as_held(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Quarantine holds a row's cells as text."""
    return row | {name: str(row[name]) for name in names if row[name] is not None}


def what_must_be() -> tuple[Evidence, list[Acknowledged]]:
    """Evidence of a pipeline that did all right."""
    broker, bronze, silver, quarantine, acknowledged = [], [], [], [], []
    offsets: dict[str, int] = {}
    for event in SENT:
        topic = f"{event.entity}.v1"
        offset = offsets.get(topic, 0)
        offsets[topic] = offset + 1
        place = Place(LOG, topic, 0, offset)
        broker.append(Record(place, bytes_of(event)))
        acknowledged.append(Acknowledged(event.event_id, place))
        names = [field.name for field in load_entities()[event.entity].fields]
        row: dict[str, Any] = dict.fromkeys(names) | dict(event.columns)
        row |= {
            "event_id": event.event_id,
            "op": event.op,
            "place": place,
            "row_hash": hash(place),
            "file": "payments/year=1970/month=01/day=01/f",
            "rules": "",
        }
        bronze.append({**row, "occurred_at": event.occurred_at, "broker_time": 1, "raw_reason": None})
        if event.fate == "quarantine":
            quarantine.append({**as_held(row, names), "occurred_at": event.occurred_at, "broker_time": 1})
            continue
        if row.get("payment_value") is not None:
            row["payment_value"] = Decimal(row["payment_value"])
        silver.append({**row, "occurred_at": moment_of(event.occurred_at), "broker_time": 1})
    newest = newest_versions(silver)
    status = {key[0]: row["order_status"] for (entity, key), row in newest.items() if entity == "orders"}
    facts = [
        {**row, "order_status": status.get(key[0], "unknown")}
        for (entity, key), row in newest.items()
        if entity == "payments" and row["op"] != "delete"
    ]
    return Evidence(broker, bronze, silver, quarantine, {"fact_payments": facts}), acknowledged


GOOD, ACKNOWLEDGED = what_must_be()


def kinds(evidence: Evidence) -> set[str]:
    return {finding.kind for finding in audit(evidence, ACKNOWLEDGED, SENT)}


def test_auditor_has_nothing_to_say_of_what_is_right() -> None:
    assert audit(GOOD, ACKNOWLEDGED, SENT) == []
    assert len(GOOD.silver) > 300
    assert len(GOOD.quarantine) > 10
    assert any(event.op == "delete" for event in SENT)
    assert len({event.event_id for event in SENT}) < len(SENT)  # resends are among them


def drop(layer: str) -> Callable[[Any], None]:
    return lambda evidence: getattr(evidence, layer).pop(5)


def double(layer: str) -> Callable[[Any], None]:
    return lambda evidence: getattr(evidence, layer).append(deepcopy(getattr(evidence, layer)[5]))


def swap_events(layer: str) -> Callable[[Any], None]:
    def swap(evidence: Any) -> None:
        rows = [row for row in getattr(evidence, layer) if row["place"].topic == "payments.v1"]
        first, second = rows[3], rows[4]
        for name in ("event_id", "row_hash"):
            first[name], second[name] = second[name], first[name]

    return swap


def both(*defects: Callable[[Any], None]) -> Callable[[Any], None]:
    def all_of_them(evidence: Any) -> None:
        for defect in defects:
            defect(evidence)

    return all_of_them


def expire(told: bool) -> Callable[[Any], None]:
    """A position that retention took: it is in no layer, and told of or not."""

    def take(evidence: Any) -> None:
        place = next(row["place"] for row in evidence.quarantine)
        evidence.bronze[:] = [row for row in evidence.bronze if row["place"] != place]
        evidence.quarantine[:] = [row for row in evidence.quarantine if row["place"] != place]
        object.__setattr__(evidence, "expired", frozenset({place}))
        if told:
            object.__setattr__(evidence, "told_expired", frozenset({place}))

    return take


def tell_that_all_is_lost(evidence: Any) -> None:
    object.__setattr__(evidence, "told_expired", frozenset({evidence.bronze[3]["place"]}))


def judge_all_by_stricter_rules(evidence: Any) -> None:
    for row in evidence.silver:
        row["rules"] = STRICTER


def put_under_the_senders_day(evidence: Any) -> None:
    evidence.bronze[0]["file"] = "payments/year=2018/month=01/day=01/g"


def move_to_silver(evidence: Any) -> None:
    row = evidence.quarantine.pop(2)
    evidence.silver.append({**row, "occurred_at": moment_of(row["occurred_at"])})


def change_a_value(evidence: Any) -> None:
    row = next(row for row in evidence.silver if row.get("payment_value") is not None)
    row["payment_value"] += Decimal("0.01")


def keep_an_older_version(evidence: Any) -> None:
    evidence.gold["fact_payments"][0]["payment_value"] += 1


def keep_an_older_status(evidence: Any) -> None:
    known = {row["order_id"] for row in evidence.silver if row["place"].topic == "orders.v1"}
    fact = next(f for f in evidence.gold["fact_payments"] if f["order_id"] in known)
    fact["order_status"] = "never heard of"


def keep_a_deleted_one(evidence: Any) -> None:
    fact = dict(evidence.gold["fact_payments"][0])
    evidence.gold["fact_payments"].append({**fact, "order_id": "f" * 32})


@pytest.mark.parametrize(
    ("defect", "found"),
    [
        (drop("bronze"), "in the broker, not in Bronze"),
        (double("bronze"), "twice in Bronze"),
        (both(drop("bronze"), double("bronze")), "in the broker, not in Bronze"),
        (drop("broker"), "in Bronze, not in the broker"),
        (swap_events("bronze"), "acknowledged, not there"),
        (swap_events("silver"), "another event in silver"),
        (drop("silver"), "in neither Silver nor Quarantine"),
        (double("silver"), "more than once below Bronze"),
        (both(drop("silver"), double("silver")), "in neither Silver nor Quarantine"),
        (both(drop("silver"), double("silver")), "more than once below Bronze"),
        (drop("quarantine"), "in neither Silver nor Quarantine"),
        (move_to_silver, "in the wrong place"),
        (change_a_value, "changed on the way"),
        (lambda e: e.gold["fact_payments"].pop(), "not in Gold"),
        (lambda e: e.gold["fact_payments"].append(e.gold["fact_payments"][0]), "more than once in Gold"),
        (expire(told=False), "lost to retention, not told"),
        (tell_that_all_is_lost, "told to be lost, though it is not"),
        (judge_all_by_stricter_rules, "in the wrong place"),
        (put_under_the_senders_day, "not under the broker's day"),
        (keep_an_older_version, "an older version in Gold"),
        (keep_an_older_status, "an older version in Gold"),
        (keep_a_deleted_one, "in Gold, though deleted or never there"),
    ],
)
def test_auditor_finds(defect: Callable[[Any], None], found: str) -> None:
    evidence = deepcopy(GOOD)
    defect(evidence)
    assert found in kinds(evidence)


def test_auditor_excuses_what_retention_took_and_the_ledger_tells() -> None:
    evidence = deepcopy(GOOD)
    expire(told=True)(evidence)
    assert kinds(evidence) == set()


def test_auditor_takes_rows_by_the_rules_that_judged_them() -> None:
    """Payments above the stricter limit are in Quarantine where those rules judged, in Silver where others did."""
    evidence: Any = deepcopy(GOOD)
    above = [row for row in evidence.silver if (row.get("payment_value") or 0) > 500]
    assert above
    for row in above:
        evidence.silver.remove(row)
        value, moment = str(row["payment_value"]), row["occurred_at"].replace(tzinfo=UTC)
        micros = int(moment.timestamp()) * 1_000_000 + moment.microsecond
        held = as_held(row, [field.name for field in load_entities()["payments"].fields])
        evidence.quarantine.append({**held, "payment_value": value, "occurred_at": micros, "rules": STRICTER})
    facts = evidence.gold["fact_payments"]
    newest = newest_versions(evidence.silver)
    kept = {
        key: row for (entity, key), row in newest.items() if entity == "payments" and row["op"] != "delete"
    }
    facts[:] = [
        {**fact, "payment_value": kept[key]["payment_value"], "payment_type": kept[key]["payment_type"]}
        for fact in facts
        if (key := (fact["order_id"], fact["payment_sequential"])) in kept
    ]
    assert kinds(evidence) <= {"not in Gold"}  # of keys whose deletion came between


def test_revisions_that_were_given_up_do_not_count() -> None:
    def row(file: str) -> dict[str, Any]:
        return {"file": file}

    silver, quarantine = without_abandoned(
        [row("a+r0.parquet"), row("a+r2.parquet"), row("b+r0.parquet")],
        [row("a+r0.parquet"), row("a+r1.parquet"), row("b+r0.parquet"), row("b+r1.parquet")],
        ["a+r0.parquet", "a+r2.parquet", "b+r0.parquet", "empty+r0.parquet"],
    )
    assert [r["file"] for r in silver] == ["a+r2.parquet", "b+r0.parquet"]
    # b's revision 1 was begun and never finished: its rows stand twice, and the auditor will say so
    assert [r["file"] for r in quarantine] == ["b+r0.parquet", "b+r1.parquet"]
