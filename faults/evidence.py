"""Reads broker and lake with nothing of the product but its file names: what the auditor compares.

Protobuf by the generated classes, Parquet by pyarrow, folders by glob; no ledger, no manifest but that of Gold.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition

READ_S = 120.0


class Place(NamedTuple):
    """A position: log, topic, partition, offset."""

    log: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Record:
    """A record of the broker. `value` is what Bronze must have kept of it."""

    place: Place
    value: bytes | None


@dataclass(frozen=True)
class Evidence:
    """All there is. Rows carry `place` and the file they are in; Gold's tables are rows by name."""

    broker: Sequence[Record]
    bronze: Sequence[Mapping[str, Any]]
    silver: Sequence[Mapping[str, Any]]
    quarantine: Sequence[Mapping[str, Any]]
    gold: Mapping[str, Sequence[Mapping[str, Any]]]


def read_broker(bootstrap: str, log: str, topics: Sequence[str]) -> list[Record]:
    """Every record of the topics, in the order of their offsets."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "auditor", "enable.auto.commit": False, "log_level": 2}
    )
    try:
        ends = {}
        for topic in topics:
            metadata = consumer.list_topics(topic, timeout=30).topics[topic]
            for partition in metadata.partitions:
                first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
                if end > first:
                    ends[topic, partition] = (first, end)
        consumer.assign([TopicPartition(topic, p, first) for (topic, p), (first, _) in ends.items()])
        wanted = sum(end - first for first, end in ends.values())
        found: list[Record] = []
        deadline = time.monotonic() + READ_S
        while len(found) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {wanted} records could be read within {READ_S:g} s")
            for message in consumer.consume(5000, 0.5):
                if message.error() is None:
                    place = Place(log, message.topic(), message.partition(), message.offset())
                    found.append(Record(place, message.value()))
        return sorted(found, key=lambda record: record.place)
    finally:
        consumer.close()


def read_layer(lake: Path, prefix: str, layer: str) -> list[dict[str, Any]]:
    """Rows of every data object of a layer, each with `place` and `file`.

    A replay writes all that stays in Quarantine anew, and Silver even when nothing moves: Quarantine below an object's
    newest Silver counts for nothing.
    """
    bucket = lake / "lake" / f"{prefix}-{layer}"
    newest = _newest_revisions(lake / "lake" / f"{prefix}-silver") if layer == "quarantine" else {}
    rows: list[dict[str, Any]] = []
    for path in sorted(bucket.glob("*/**/*.parquet")):
        folders = path.relative_to(bucket).parts
        if "_" in folders[0][:1] or "_edits" in folders:
            continue
        name, revision = _revision_of(path.relative_to(bucket))
        if revision < newest.get(name, 0):
            continue
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for row in file.read(use_threads=False).to_pylist():
                row["place"] = Place(
                    row["pos_log"], row["pos_topic"], row["pos_partition"], row["pos_offset"]
                )
                row["file"] = path.relative_to(bucket).as_posix()
                rows.append(row)
    return rows


def _newest_revisions(silver: Path) -> dict[str, int]:
    """By the name of the Bronze object."""
    newest: dict[str, int] = {}
    for path in silver.glob("*/**/*.parquet"):
        name, revision = _revision_of(path.relative_to(silver))
        newest[name] = max(newest.get(name, 0), revision)
    return newest


def _revision_of(path: Path) -> tuple[str, int]:
    """Name without revision, and revision; 0 where there is none, as in Bronze."""
    name, _, revision = path.as_posix().removesuffix(".parquet").rpartition("+r")
    return (name, int(revision)) if revision.isdigit() else (path.as_posix(), 0)


def read_gold(lake: Path, prefix: str, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of published tables."""
    bucket = lake / "lake" / f"{prefix}-gold"
    published = json.loads((bucket / "published.json").read_text("utf-8"))
    found: dict[str, list[dict[str, Any]]] = {}
    for name in tables:
        found[name] = []
        for part in published["tables"][name]["files"].values():
            with pq.ParquetFile(bucket / part["key"], pre_buffer=False) as file:
                found[name] += file.read(use_threads=False).to_pylist()
    return found
