"""Reads broker and lake with nothing of the product but its file names: what the auditor compares.

Protobuf by the generated classes, Parquet by pyarrow, folders by glob; no manifest but that of Gold. The ledger is
asked for one thing, which is audited itself: what it says that retention took.
"""

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from confluent_kafka import Consumer, TopicPartition

from adapters.ledger import Ledger, reports
from faults.waiting import NotSettled

_QUIET = logging.getLogger("faults.librdkafka")

# Without a single record for so long a broker will not give the rest either.
STILL_S = 120.0
_REVISION = re.compile(r"(?P<bronze>.+)\+r(?P<revision>[0-9]+)\.parquet")


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
    """All there is. Rows carry `place` and the `file` they are in, below Bronze also the `rules` they were judged by.

    Gold's tables are rows by name. `expired`: positions that were taken from the broker before they were landed;
    `told_expired`: those that the ledger says so of.
    """

    broker: Sequence[Record]
    bronze: Sequence[Mapping[str, Any]]
    silver: Sequence[Mapping[str, Any]]
    quarantine: Sequence[Mapping[str, Any]]
    gold: Mapping[str, Sequence[Mapping[str, Any]]]
    expired: frozenset[Place] = frozenset()
    told_expired: frozenset[Place] = frozenset()


def read_broker(bootstrap: str, log: str, topics: Sequence[str]) -> list[Record]:
    """Every record of the topics, in the order of their offsets."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "auditor", "enable.auto.commit": False}, logger=_QUIET
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
        deadline = time.monotonic() + STILL_S
        while len(found) < wanted:
            messages = consumer.consume(5000, 0.5)
            if messages:
                deadline = time.monotonic() + STILL_S
            elif time.monotonic() > deadline:
                raise NotSettled(
                    f"{len(found)} of {wanted} records could be read, and no more for {STILL_S:g} s"
                )
            for message in messages:
                if message.error() is None:
                    place = Place(log, message.topic(), message.partition(), message.offset())
                    found.append(Record(place, message.value()))
        return sorted(found, key=lambda record: record.place)
    finally:
        consumer.close()


def read_layer(lake: Path, prefix: str, layer: str) -> list[dict[str, Any]]:
    """Rows of every data object of a layer, each with `place`, `file` and the `rules` that the file was made by.

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
            rules = (file.metadata.metadata or {}).get(b"nexus.rules_hash", b"").decode()
            for row in file.read(use_threads=False).to_pylist():
                row["rules"] = rules
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


def without_abandoned(
    silver: Iterable[dict[str, Any]], quarantine: Iterable[dict[str, Any]], files: Iterable[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of each object's highest revision: those below were given up for it when the rules had changed.

    `files`: all Silver objects, also empty ones. It holds as long as nothing is replayed.
    """
    highest: dict[str, int] = {}
    for file in files:
        bronze, revision = _revision(file)
        highest[bronze] = max(revision, highest.get(bronze, -1))

    def kept(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for row in rows:
            bronze, revision = _revision(row["file"])
            if revision >= highest.get(
                bronze, 0
            ):  # above it: something of a revision that was never finished
                found.append(row)
        return found

    return kept(silver), kept(quarantine)


def silver_files(lake: Path, prefix: str) -> list[str]:
    """Names of all Silver objects."""
    bucket = lake / "lake" / f"{prefix}-silver"
    return [path.relative_to(bucket).as_posix() for path in bucket.glob("*/**/*.parquet")]


def read_told_expired(url: str) -> frozenset[Place]:
    """Positions that the ledger calls lost to retention."""
    ledger = Ledger.connect(url)
    try:
        return frozenset(
            Place(void.log, void.topic, void.partition, offset)
            for void in reports.voids(ledger)
            if void.reason == "expired"
            for offset in range(void.first, void.end)
        )
    finally:
        ledger.close()


def _revision(file: str) -> tuple[str, int]:
    found = _REVISION.fullmatch(file)
    return (found["bronze"], int(found["revision"])) if found else (file, 0)


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
