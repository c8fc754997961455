"""Closes logs whose embedded broker is gone: what was acknowledged and never landed is named, not forgotten."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectStore
from lakehouse.balance import VoidRange
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.paths import closed_log_key

EMBEDDED = "emb-"
BROKER_LOST = "broker lost"

Marks = Mapping[tuple[str, int], int]


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
        VoidRange(log, p.topic, p.partition, first, end, BROKER_LOST)
        for p in reports.positions(ledger)
        if p.log == log
        for low, high in p.open_ranges
        for first, end in without(low, high, safe.get((p.topic, p.partition), []))
    ]
    note = {
        "log": log,
        "closed_at": at.isoformat(),
        "acknowledged": [[*place, end] for place, end in sorted(acknowledged.items())],
        "lost": [[v.topic, v.partition, v.first, v.end, v.reason] for v in lost],
    }
    store.put_new(bucket, closed_log_key(log), json.dumps(note, indent=1).encode())
    reports.close_log(ledger, log, lost, dict(acknowledged), at)
    return lost


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
