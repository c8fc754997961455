"""Compares the lake with the ledger. Never judges rows and never commits: it announces, reports and tidies up."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from adapters.ledger import Ledger, reports
from adapters.objects import ObjectGone, Stored
from lakehouse.announcements import ObjectCreated, announcement
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError
from lakehouse.paths import BronzeKey, Buckets, LoadManifestKey

# The longest a Lambda can run, 15 minutes, and some for its clock: until then an attempt may still write.
LONGEST_ATTEMPT = timedelta(minutes=20)
# The next sweep sends more.
MOST_ANNOUNCED = 1000
# With more messages than these in the queue, what is not checked is taken to wait in there: announced again at every
# sweep, it would only make the check hop later. With fewer, a double costs nothing, and the forgotten are found.
BACKLOG = 100
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that the sweep needs."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when there is none."""

    def keys(self, bucket: str, prefix: str, start_after: str = "") -> Iterator[Stored]:
        """In key order."""

    def delete(self, bucket: str, key: str) -> None:
        """Nothing happens when there is none."""


class Queue(Protocol):
    """The check hop's queue, `lambdas.sweep_bronze.queue.CheckQueue`."""

    def depth(self) -> int:
        """Messages in it, those in hand among them; roughly."""

    def send(self, bodies: Sequence[str]) -> None:
        """All of them, or LakeError."""


@dataclass(frozen=True)
class UncoveredLoad:
    """A batch load whose records are not all committed."""

    manifest: str
    records: int
    landed: int


@dataclass(frozen=True)
class SweepReport:
    """What a sweep found. `stuck`: in state overlap or gone; `missing`: known to the ledger, not in the lake."""

    announced: tuple[str, ...] = ()
    left_for_later: int = 0
    stuck: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    uncovered_loads: tuple[UncoveredLoad, ...] = ()
    removed: tuple[str, ...] = ()


class Sweeper:
    """One per process. Every sweep is idempotent; an error leaves the rest to the next one."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        buckets: Buckets,
        entities: Mapping[str, Entity],
        queue: Queue,
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._ledger, self._buckets = store, ledger, buckets
        self._entities, self._queue, self._now = entities, queue, now

    def sweep(self, minimum_age: timedelta) -> SweepReport:
        """Looks at everything older than the minimum age; oldest first where there is too much for the queue."""
        before = self._now() - minimum_age
        objects, manifests = self._list_bronze()
        states = reports.bronze_keys(self._ledger)
        waiting = [s for s in objects if states.get(s.key, "open") == "open" and _is_older(s, before)]
        waiting.sort(key=lambda s: s.modified or _LONG_AGO)
        depth = self._queue.depth() if waiting else 0
        room = min(MOST_ANNOUNCED, len(waiting) - depth if depth > BACKLOG else len(waiting))
        chosen, rest = waiting[: max(0, room)], waiting[max(0, room) :]
        bucket = self._buckets.bronze
        self._queue.send([announcement(ObjectCreated(bucket, s.key), s.size, s.etag) for s in chosen])
        there = {s.key for s in objects}
        return SweepReport(
            announced=tuple(s.key for s in chosen),
            left_for_later=len(rest),
            stuck=tuple(sorted(k for k in there if states.get(k) in ("overlap", "gone"))),
            missing=tuple(sorted(k for k, state in states.items() if k not in there and state != "gone")),
            uncovered_loads=tuple(self._uncovered([m for m in manifests if _is_older(m, before)])),
            removed=tuple(self._remove_abandoned()),
        )

    def _list_bronze(self) -> tuple[list[Stored], list[Stored]]:
        """Data objects and load manifests of all entities."""
        objects, manifests = [], []
        for name in self._entities:
            for stored in self._store.keys(self._buckets.bronze, f"{name}/"):
                if _parses(BronzeKey.parse, stored.key):
                    objects.append(stored)
                elif _parses(LoadManifestKey.parse, stored.key):
                    manifests.append(stored)
        return objects, manifests

    def _uncovered(self, manifests: Sequence[Stored]) -> Iterator[UncoveredLoad]:
        landed = {(p.log, p.topic): p.landed for p in reports.positions(self._ledger)} if manifests else {}
        for stored in manifests:
            key = LoadManifestKey.parse(stored.key)
            try:
                records = int(json.loads(self._store.get(self._buckets.bronze, stored.key))["records"])
            except ObjectGone:
                continue
            except (ValueError, KeyError, TypeError) as error:
                raise LakeError(f"{stored.key} is no manifest of a load ({error!r}): look at it") from error
            found = landed.get((key.log, self._entities[key.entity].topic), 0)
            if found != records:
                yield UncoveredLoad(stored.key, records, found)

    def _remove_abandoned(self) -> Iterator[str]:
        """Outputs of revisions that can never be committed. Removed again at every sweep: a late attempt may return."""
        for bronze_key, revision in reports.abandoned_outputs(self._ledger, self._now() - LONGEST_ATTEMPT):
            key = BronzeKey.parse(bronze_key)
            major = self._entities[key.entity].major
            self._store.delete(self._buckets.quarantine, key.quarantine(major, revision))
            self._store.delete(self._buckets.silver, key.silver(major, revision))
            yield key.silver(major, revision)


def _is_older(stored: Stored, before: datetime) -> bool:
    return (stored.modified or _LONG_AGO) <= before


def _parses(parse: Callable[[str], object], key: str) -> bool:
    try:
        parse(key)
    except LakeError:
        return False
    return True
