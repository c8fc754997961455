"""Judges a history: is every acknowledged event where it must be, once, unchanged? Trusts no count and no ledger.

`audit(evidence, acknowledged, sent)` gives findings; none means that the promise was kept. What it asks:

1. Each position of the broker is in Bronze, once, with the event that the broker has there, and Bronze has no other.
2. Each acknowledged event is in the broker at the position that its sender was told.
3. Each Bronze position is in exactly one of Silver and Quarantine, once, as the same event with the same content, and
   there where its content belongs by the rules that judged it. Its key's day is that of the broker's clock.
4. What retention took before it was landed is told as such, position by position, and nothing else is.
5. Gold holds each key once, with the values of its newest version, and no key that was deleted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from faults.evidence import Evidence, Place
from faults.stricter import ENTITY, stricter
from faults.workload import Event
from grpc_ingest.proto.gen.nexus.v1 import orders_pb2, payments_pb2
from lakehouse.catalog import load_entities

STRICTER = stricter(load_entities())[ENTITY].rules_hash
SHOWN = 5  # of each kind of finding: the first few tell what is wrong
_HEADER = 18  # bytes of the schema registry's header before the message, and one for the message's index
_MESSAGES: Mapping[str, Any] = {"orders.v1": orders_pb2.Order, "payments.v1": payments_pb2.Payment}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    kind: str
    text: str


@dataclass(frozen=True)
class Acknowledged:
    """What a sender was told: this event is at this position."""

    event_id: str
    place: Place


def audit(evidence: Evidence, acknowledged: Sequence[Acknowledged], sent: Iterable[Event]) -> list[Finding]:
    """Findings, in the order of the way of the data."""
    versions = _versions(sent)
    return [
        *_broker_in_bronze(evidence),
        *_acknowledged_in_broker(evidence, acknowledged),
        *_expired_as_told(evidence),
        *_bronze_once_below(evidence, versions),
        *_gold_as_silver(evidence),
    ]


def event_id_of(topic: str, value: bytes | None) -> str | None:
    """The id in a record's message; None when it cannot be read."""
    if value is None or len(value) <= _HEADER or topic not in _MESSAGES:
        return None
    try:
        message = _MESSAGES[topic].FromString(value[_HEADER + 1 :])
    except Exception:  # noqa: BLE001 - protobuf's decoders raise what they like; a poison record has no id
        return None
    return str(message.event_id) or None


def _broker_in_bronze(evidence: Evidence) -> Iterable[Finding]:
    there = Counter(row["place"] for row in evidence.bronze)
    yield from _tell("twice in Bronze", (place for place, count in there.items() if count > 1))
    broker = {record.place: record for record in evidence.broker}
    logs = {record.place.log for record in evidence.broker}
    yield from _tell("in the broker, not in Bronze", broker.keys() - there.keys() - evidence.expired)
    strangers = (place for place in there.keys() - broker.keys() if place.log in logs)
    yield from _tell("in Bronze, not in the broker", strangers)
    yield from _days_of_the_broker(evidence.bronze)
    for row in evidence.bronze:
        record = broker.get(row["place"])
        if record is None:
            continue
        told = event_id_of(record.place.topic, record.value)
        if told is not None and row["raw_reason"] is None and told != row["event_id"]:
            yield Finding("another event in Bronze", f"{row['place']}: {told} became {row['event_id']}")


def _acknowledged_in_broker(evidence: Evidence, acknowledged: Sequence[Acknowledged]) -> Iterable[Finding]:
    bronze = {row["place"]: row["event_id"] for row in evidence.bronze}
    for told in acknowledged:
        found = bronze.get(told.place)
        if found != told.event_id and told.place not in evidence.expired:
            what = "nothing" if found is None else found
            yield Finding("acknowledged, not there", f"{told.event_id} at {told.place}: {what} is there")


def _expired_as_told(evidence: Evidence) -> Iterable[Finding]:
    lost = evidence.expired - {row["place"] for row in evidence.bronze}
    yield from _tell("lost to retention, not told", lost - evidence.told_expired)
    yield from _tell("told to be lost, though it is not", evidence.told_expired - lost)


def _days_of_the_broker(bronze: Iterable[Mapping[str, Any]]) -> Iterable[Finding]:
    first: dict[str, Mapping[str, Any]] = {}
    for row in bronze:
        known = first.get(row["file"])
        if known is None or row["place"] < known["place"]:
            first[row["file"]] = row
    for file, row in first.items():
        day = datetime.fromtimestamp(row["broker_time"] / 1000, UTC)
        if f"year={day.year:04d}/month={day.month:02d}/day={day.day:02d}/" not in file:
            yield Finding("not under the broker's day", f"{file} begins at {day:%Y-%m-%d %H:%M:%S}")


def _bronze_once_below(
    evidence: Evidence, versions: Mapping[tuple[str, int, str], Event]
) -> Iterable[Finding]:
    silver = Counter(row["place"] for row in evidence.silver)
    quarantine = Counter(row["place"] for row in evidence.quarantine)
    both = silver + quarantine
    bronze = {row["place"]: row for row in evidence.bronze}
    yield from _tell("in neither Silver nor Quarantine", bronze.keys() - both.keys())
    yield from _tell("more than once below Bronze", (place for place, count in both.items() if count > 1))
    yield from _tell("below Bronze, not in it", both.keys() - bronze.keys())
    for layer, rows in (("silver", evidence.silver), ("quarantine", evidence.quarantine)):
        for row in rows:
            origin = bronze.get(row["place"])
            if origin is None:
                continue
            if (row["event_id"], row["row_hash"]) != (origin["event_id"], origin["row_hash"]):
                yield Finding(
                    f"another event in {layer}",
                    f"{row['place']}: {origin['event_id']} became {row['event_id']}",
                )
            yield from _as_sent(layer, row, versions)


def _as_sent(
    layer: str, row: Mapping[str, Any], versions: Mapping[tuple[str, int, str], Event]
) -> Iterable[Finding]:
    occurred_at = row["occurred_at"]
    moment = _micros(occurred_at) if isinstance(occurred_at, datetime) else occurred_at
    event = versions.get((row["event_id"], moment, row["op"]))
    if event is None:
        return
    belongs = event.fate if row["rules"] != STRICTER else event.stricter_fate
    if belongs != layer:
        yield Finding("in the wrong place", f"{row['event_id']} is in {layer}, and belongs into {belongs}")
    for name, value in event.columns.items():
        # Quarantine holds a row's cells as text
        sent = str(value) if layer == "quarantine" and value is not None else value
        if not _same(sent, row[name]):
            yield Finding("changed on the way", f"{row['event_id']}.{name}: {value!r} became {row[name]!r}")


def _gold_as_silver(evidence: Evidence) -> Iterable[Finding]:
    if not evidence.gold:
        return
    newest = newest_versions(evidence.silver)
    orders = {key[0]: row for (entity, key), row in newest.items() if entity == "orders"}
    wanted = {
        key: row for (entity, key), row in newest.items() if entity == "payments" and row["op"] != "delete"
    }
    found = Counter((row["order_id"], row["payment_sequential"]) for row in evidence.gold["fact_payments"])
    yield from _tell("more than once in Gold", (key for key, count in found.items() if count > 1))
    yield from _tell("not in Gold", wanted.keys() - found.keys())
    yield from _tell("in Gold, though deleted or never there", found.keys() - wanted.keys())
    for fact in evidence.gold["fact_payments"]:
        key = (fact["order_id"], fact["payment_sequential"])
        row = wanted.get(key)
        if row is None:
            continue
        if (fact["payment_value"], fact["payment_type"]) != (row["payment_value"], row["payment_type"]):
            yield Finding(
                "an older version in Gold",
                f"payment {key}: {fact['payment_value']}, newest {row['payment_value']}",
            )
        order = orders.get(fact["order_id"])
        if order is not None and order["op"] != "delete" and fact["order_status"] != order["order_status"]:
            yield Finding(
                "an older version in Gold",
                f"order {fact['order_id']}: {fact['order_status']}, newest {order['order_status']}",
            )


def newest_versions(
    silver: Iterable[Mapping[str, Any]],
) -> dict[tuple[str, tuple[Any, ...]], Mapping[str, Any]]:
    """The newest row by entity and key: by occurred_at, broker time, log, partition, offset."""
    rows: dict[tuple[str, tuple[Any, ...]], list[Mapping[str, Any]]] = defaultdict(list)
    for row in silver:
        entity = row["place"].topic.partition(".")[0]
        if entity == "orders":
            rows[entity, (row["order_id"],)].append(row)
        elif entity == "payments":
            rows[entity, (row["order_id"], row["payment_sequential"])].append(row)
    return {key: max(found, key=_age) for key, found in rows.items()}


def _age(row: Mapping[str, Any]) -> tuple[Any, ...]:
    place = row["place"]
    return (row["occurred_at"], row["broker_time"], place.log, place.partition, place.offset)


def _versions(sent: Iterable[Event]) -> dict[tuple[str, int, str], Event]:
    return {(event.event_id, event.occurred_at, event.op): event for event in sent}


def _same(sent: Any, found: Any) -> bool:
    if isinstance(found, datetime):
        return bool(str(found) == sent)
    if isinstance(found, Decimal):
        return bool(found == Decimal(sent))
    return bool(sent == found)


def _micros(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = int(aware.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + aware.microsecond


def _tell(kind: str, places: Iterable[Any]) -> Iterable[Finding]:
    listed = sorted(places)
    if listed:
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        yield Finding(kind, ", ".join(map(str, listed[:SHOWN])) + more)
