"""Closes logs whose embedded broker is gone: what was acknowledged and never landed is named, not forgotten."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore, Stored
from lakehouse.balance import VoidRange
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.closed_log import ClosedLog
from lakehouse.paths import CLOSED_LOGS, closed_log_key

EMBEDDED = "emb-"
BROKER_LOST = "broker lost"
CLOSED = "log closed"  # by a person: `nexus ledger close`

Marks = Mapping[tuple[str, int], int]


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that recalling closed logs needs."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when there is none."""

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """In key order."""


def lost_logs(ledger: Ledger, current: str) -> set[str]:
    """Logs of embedded brokers, other than the current one, that are not closed yet."""
    return {log for log in reports.open_logs(ledger) if log.startswith(EMBEDDED) and log != current}


def close_lost_log(
    ledger: Ledger,
    store: ObjectStore,
    bucket: str,
    entities: Mapping[str, Entity],
    log: str,
    acknowledged: Marks,
    at: datetime,
    reason: str = BROKER_LOST,
) -> list[VoidRange]:
    """Notes the final end of a lost log and the ranges that are in no Bronze object; those ranges.

    Objects already in Bronze count as safe whether or not they are checked yet. Idempotent. The note is kept in the
    lake too, so that a ledger rebuilt from it knows of the loss.
    """
    topics = {entity.topic: entity for entity in entities.values()}
    for (topic, partition), end in acknowledged.items():
        ledger.observe_partition(log, topic, partition, topics[topic].name, 0, end, at)
    safe = _landed(store, bucket, entities, log)
    lost = [
        VoidRange(log, p.topic, p.partition, first, end, reason)
        for p in reports.positions(ledger)
        if p.log == log
        for low, high in p.open_ranges
        for first, end in without(low, high, safe.get((p.topic, p.partition), []))
    ]
    ends = {(p.topic, p.partition): p.end for p in reports.positions(ledger) if p.log == log}
    note = ClosedLog(log, at, ends, tuple(lost))
    store.put_new(bucket, closed_log_key(log), note.to_text().encode())
    reports.close_log(ledger, log, lost, ends, at)
    return lost


def recall_closed_logs(
    ledger: Ledger, store: Store, bucket: str, entities: Mapping[str, Entity]
) -> list[str]:
    """Closes in the ledger what the lake says is closed; those logs. Idempotent.

    For a ledger that was restored from a backup, or rebuilt: it may know nothing of a loss that the lake has named.
    """
    topics, recalled = {entity.topic: entity.name for entity in entities.values()}, []
    closed = reports.closed_logs(ledger)
    for stored in store.keys(bucket, CLOSED_LOGS):
        note = ClosedLog.from_text(store.get(bucket, stored.key))
        if note.log in closed:
            continue
        places = {*note.ends, *((v.topic, v.partition) for v in note.lost)}
        for topic, partition in sorted(places):
            end = note.ends.get((topic, partition), 0)
            if topic in topics:
                ledger.observe_partition(note.log, topic, partition, topics[topic], 0, end, note.closed_at)
        known = {place: end for place, end in note.ends.items() if place[0] in topics}
        lost = [void for void in note.lost if void.topic in topics]
        reports.close_log(ledger, note.log, lost, known, note.closed_at)
        recalled.append(note.log)
    return recalled


def _landed(
    store: ObjectStore, bucket: str, entities: Mapping[str, Entity], log: str
) -> dict[tuple[str, int], list[tuple[int, int]]]:
    """Offsets in Bronze objects of the log, by (topic, partition)."""
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for entity in entities:
        for stored in store.keys(bucket, f"{entity}/year="):
            if f"/{log}+" not in stored.key:
                continue
            head = store.head(bucket, stored.key)
            if head is not None:
                metadata = BronzeMetadata.from_s3(head.metadata)
                place = (metadata.topic, metadata.partition)
                found.setdefault(place, []).append((metadata.first_offset, metadata.end_offset))
    return found


def without(low: int, high: int, taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of `[low, high)` without the taken ranges."""
    left = []
    for first, end in sorted(taken):
        if end <= low or first >= high:
            continue
        if first > low:
            left.append((low, first))
        low = max(low, end)
    if low < high:
        left.append((low, high))
    return left
