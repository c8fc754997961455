"""The writers' rule: how one partition's rows become objects that tile its offsets, whoever else writes them too.

An object's key is its first offset. A writer starts one only right behind an object it has seen in S3 and writes it
with If-None-Match. Refused, it looks at what is there: if that covers its own, its own is dropped and it goes on
behind it; if that ends earlier, it goes on from there. Knows nothing of Kafka or CSV.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self

from bronze_writer.lake import PatientStore
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import BrokerError, LakeError
from lakehouse.paths import BronzeKey, bronze_day_prefix, bronze_log_prefix

EXPIRED = "expired"
TRANSACTION_MARKER = "transaction marker"


class AnotherHistory(BrokerError):
    """The topic is not the one that was landed under this log id: it was made anew, or lost records."""

    def __init__(self, place: "Place", evidence: str) -> None:
        super().__init__(
            f"{place.topic} partition {place.partition} holds another history than the one landed as log "
            f"{place.log}: {evidence}. Nothing was written. Give this incarnation of the topics a log id of its "
            "own (NEXUS_LOG) and start the writer again"
        )


@dataclass(frozen=True)
class Place:
    """One partition of one log. `topic_id` is Kafka's own id of the topic, empty where it cannot be read."""

    entity: str
    log: str
    topic: str
    partition: int
    topic_id: str = ""

    def require_same_history(self, landed: BronzeMetadata) -> None:
        """AnotherHistory when the object was landed from another incarnation of the topic."""
        if landed.topic != self.topic:
            raise AnotherHistory(self, f"{landed.key} was landed from topic {landed.topic}")
        if landed.topic_id and self.topic_id and landed.topic_id != self.topic_id:
            raise AnotherHistory(self, f"its id is {self.topic_id}, landed was {landed.topic_id}")

    def require_topic(self, topic_id: str) -> None:
        """AnotherHistory when the topic has another id by now; an empty one tells nothing."""
        if topic_id and self.topic_id and topic_id != self.topic_id:
            raise AnotherHistory(
                self, f"its id is {topic_id}, and was {self.topic_id} when this writer began"
            )


@dataclass(frozen=True)
class Encoded:
    """The bytes of an object; `hash_sum` is unsigned, mod 2^64."""

    body: bytes
    rows: int
    hash_sum: int


class Batch(Protocol):
    """Rows of consecutive offsets `[first_offset, end_offset)` that wait to become one object.

    `void_reason` says why the offsets right before it are missing, if they are.
    """

    @property
    def first_offset(self) -> int:
        """Of the first row."""

    @property
    def end_offset(self) -> int:
        """Behind the last row."""

    @property
    def first_broker_time(self) -> int:
        """Of the first row, in milliseconds UTC."""

    @property
    def void_reason(self) -> str:
        """See above."""

    def from_offset(self, offset: int) -> Self:
        """The rows from this offset on; `first_offset` < offset < `end_offset`."""

    def encode(self) -> Encoded:
        """The object's bytes. A pure function of the rows."""


@dataclass(frozen=True)
class Landing:
    """What became of batches: everything before `end` is safe in S3, `newest_key` is the object that ends there."""

    end: int
    newest_key: str = ""
    objects: int = 0
    rows: int = 0


def land(store: PatientStore, place: Place, batches: Sequence[Batch], seen_end: int) -> Landing:
    """Lands batches in offset order behind `seen_end`, the end of the newest object seen (0: none was ever landed).

    Idempotent. Counts only what this call wrote. Raises AnotherHistory, and LakeError when the store stays away or
    something stands there that is no object of this lake.
    """
    landing = Landing(seen_end)
    for batch in batches:
        landing = _land_one(store, place, batch, landing)
    return landing


def _land_one(store: PatientStore, place: Place, batch: Batch, done: Landing) -> Landing:
    while batch.end_offset > done.end:
        if batch.first_offset < done.end:
            batch = batch.from_offset(done.end)
        encoded = batch.encode()
        ours = BronzeMetadata(
            place.entity,
            place.log,
            place.topic,
            place.partition,
            batch.first_offset,
            batch.end_offset,
            previous_end=done.end,
            rows=encoded.rows,
            hash_sum=encoded.hash_sum,
            first_broker_time=batch.first_broker_time,
            topic_id=place.topic_id,
            void_reason=batch.void_reason if batch.first_offset > done.end else "",
        )
        key = str(ours.key)
        if store.put_new(key, encoded.body, ours.to_s3()) is not None:
            return Landing(ours.end_offset, key, done.objects + 1, done.rows + encoded.rows)
        there = store.head(key)
        if there is not None:  # else it was removed in this moment: write it again
            end = _end_of(place, ours, BronzeMetadata.from_s3(there.metadata))
            done = Landing(end, key, done.objects, done.rows)
    return done


def _end_of(place: Place, ours: BronzeMetadata, theirs: BronzeMetadata) -> int:
    """The end of the object that stands where ours should."""
    place.require_same_history(theirs)
    if theirs.first_broker_time != ours.first_broker_time:
        raise AnotherHistory(
            place,
            f"offset {ours.first_offset} has broker time {ours.first_broker_time} ms, landed was "
            f"{theirs.first_broker_time} ms",
        )
    if (theirs.first_offset, theirs.log) != (ours.first_offset, ours.log) or theirs.rows < 1:
        raise LakeError(f"{ours.key} holds {theirs}: it was not written by a writer of this lake")
    if theirs.end_offset <= theirs.first_offset:
        raise LakeError(f"{ours.key} says that it ends at {theirs.end_offset}: its metadata is broken")
    return theirs.end_offset


def newest_objects(
    store: PatientStore, entity: str, log: str, since: date | None = None
) -> dict[int, BronzeMetadata]:
    """The last object of each partition of a log, among those from the day `since` on (None: of all days)."""
    after = "" if since is None else bronze_day_prefix(entity, since)
    return _last_of_each(store, _parsed(store.keys(f"{entity}/year=", after)), log)


def newest_object_of_day(store: PatientStore, entity: str, day: date, log: str) -> BronzeMetadata | None:
    """The last object of partition 0 of a log, all of whose objects are of one day, as a load's are."""
    keys = _parsed(store.keys(bronze_log_prefix(entity, day, log, 0)))
    return _last_of_each(store, keys, log).get(0)


def _last_of_each(store: PatientStore, keys: Iterable[BronzeKey], log: str) -> dict[int, BronzeMetadata]:
    last: dict[int, BronzeKey] = {}
    for key in keys:
        known = last.get(key.partition)
        if key.log == log and (known is None or key.first_offset > known.first_offset):
            last[key.partition] = key
    return {partition: _metadata_of(store, key) for partition, key in last.items()}


def _parsed(keys: Iterable[str]) -> Iterable[BronzeKey]:
    for key in keys:
        try:
            yield BronzeKey.parse(key)
        except LakeError:  # not ours: somebody put a file beside the lake's objects
            continue


def _metadata_of(store: PatientStore, key: BronzeKey) -> BronzeMetadata:
    found = store.head(str(key))
    if found is None:
        raise LakeError(
            f"s3://{store.bucket}/{key} was listed and is gone: does somebody remove Bronze objects?"
        )
    return BronzeMetadata.from_s3(found.metadata)
