"""Compares the lake with the ledger. Never judges rows and never commits: it announces, reports and tidies up.

Tidied up is what counts for nothing: outputs of revisions that were given up (replays that nobody went on with are
given up here), and Quarantine that a replay has superseded.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from adapters.ledger import Ledger, replays, reports
from adapters.objects import ObjectGone, Stored
from lakehouse.announcements import ObjectCreated, announcement
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError
from lakehouse.paths import (
    BronzeKey,
    Buckets,
    LoadManifestKey,
    bronze_data_prefix,
    bronze_day_prefix,
    bronze_log_prefix,
    day_of,
    load_manifest_prefix,
)

# The longest a Lambda can run, 15 minutes, and some for its clock: until then an attempt may still write.
LONGEST_ATTEMPT = timedelta(minutes=20)
# The next sweep sends more.
MOST_ANNOUNCED = 1000
# With more messages than these in the queue, what is not checked is taken to wait in there: announced again at every
# sweep, it would only make the check hop later. With fewer, a double costs nothing, and the forgotten are found.
BACKLOG = 100
# Objects of a log that the ledger has never heard of are looked for among those of so many days, today's included.
DAYS_OF_NEW_LOGS = 3
# A partition's leader moves, and the next one's clock may be behind: its objects may begin on the day before.
_CLOCK = timedelta(days=1)
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
class _Manifest:
    """Of a batch file: how many records it has, how many are committed, and its day in Bronze."""

    key: LoadManifestKey
    stored: Stored
    records: int
    landed: int
    day: date


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

    def sweep(self, minimum_age: timedelta, *, everything: bool = False) -> SweepReport:
        """Looks at what is older than the minimum age; oldest first where there is too much for the queue.

        Of each entity it lists the days from the oldest hole in the ledger on, and those of loads that are not covered:
        what it costs does not grow with the lake. `everything`: all days there are.
        """
        before = self._now() - minimum_age
        uncovered = list(self._uncovered())
        objects, states = self._list_bronze(uncovered, everything)
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
            stuck=tuple(reports.stuck_objects(self._ledger)),
            missing=tuple(sorted(k for k, state in states.items() if k not in there and state != "gone")),
            uncovered_loads=tuple(
                UncoveredLoad(m.stored.key, m.records, m.landed)
                for m in uncovered
                if _is_older(m.stored, before)
            ),
            removed=(*self._remove_abandoned(), *self._remove_superseded()),
        )

    def _list_bronze(
        self, uncovered: Sequence[_Manifest], everything: bool
    ) -> tuple[list[Stored], dict[str, str]]:
        """Data objects in the lake, and what the ledger says of objects at the same places."""
        until = {} if everything else reports.accounted_until(self._ledger)
        objects: dict[str, Stored] = {}
        states: dict[str, str] = {}
        for entity in self._entities:
            prefix, behind = bronze_data_prefix(entity), ""
            if (time := until.get(entity)) is not None:
                newest = self._now().astimezone(UTC).date() - timedelta(days=DAYS_OF_NEW_LOGS - 1)
                behind = bronze_day_prefix(entity, min(day_of(time) - _CLOCK, newest))
            self._look(prefix, behind, objects, states)
        for manifest in uncovered:
            place = bronze_log_prefix(manifest.key.entity, manifest.day, manifest.key.log, 0)
            self._look(place, "", objects, states)
        return list(objects.values()), states

    def _look(self, prefix: str, behind: str, objects: dict[str, Stored], states: dict[str, str]) -> None:
        for stored in self._store.keys(self._buckets.bronze, prefix, behind):
            if _parses(BronzeKey.parse, stored.key):
                objects[stored.key] = stored
        states.update(reports.bronze_keys(self._ledger, prefix, behind))

    def _uncovered(self) -> Iterator[_Manifest]:
        landed = {(p.log, p.topic): p.landed for p in reports.positions(self._ledger)}
        for name, entity in self._entities.items():
            for stored in self._store.keys(self._buckets.bronze, load_manifest_prefix(name)):
                if not _parses(LoadManifestKey.parse, stored.key):
                    continue
                key = LoadManifestKey.parse(stored.key)
                try:
                    told = json.loads(self._store.get(self._buckets.bronze, stored.key))
                    records, day = int(told["records"]), day_of(told["as_of"])
                except ObjectGone:
                    continue
                except (ValueError, KeyError, TypeError) as error:
                    raise LakeError(
                        f"{stored.key} is no manifest of a load ({error!r}): look at it"
                    ) from error
                found = landed.get((key.log, entity.topic), 0)
                if found != records:
                    yield _Manifest(key, stored, records, found, day)

    def _remove_abandoned(self) -> Iterator[str]:
        """Outputs of revisions that can never be committed. Removed again at every sweep: a late attempt may return."""
        before = self._now() - LONGEST_ATTEMPT
        replays.abandon_replays(self._ledger, before)
        for bronze_key, revision in reports.abandoned_outputs(self._ledger, before):
            key = BronzeKey.parse(bronze_key)
            major = self._entities[key.entity].major
            self._store.delete(self._buckets.quarantine, key.quarantine(major, revision))
            self._store.delete(self._buckets.silver, key.silver(major, revision))
            yield key.silver(major, revision)

    def _remove_superseded(self) -> list[str]:
        """Quarantine objects that a replay has taken the place of; whoever read them meanwhile is done."""
        keys = replays.superseded_quarantine(self._ledger, self._now() - LONGEST_ATTEMPT)
        for key in keys:
            self._store.delete(self._buckets.quarantine, key)
        if keys:
            replays.forget_quarantine(self._ledger, keys)
        return keys


def _is_older(stored: Stored, before: datetime) -> bool:
    return (stored.modified or _LONG_AGO) <= before


def _parses(parse: Callable[[str], object], key: str) -> bool:
    try:
        parse(key)
    except LakeError:
        return False
    return True
