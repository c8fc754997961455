"""Open, write, commit: what the check hop does with announced objects, safe to repeat and to run twice at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Literal, Protocol

from adapters.ledger import Ledger, Opened, Outcome, Pins, SeenObject, Settled, Verdict
from adapters.objects import ObjectGone, Stored
from adapters.uploads import PartStore, Upload
from lakehouse.announcements import ObjectCreated
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError, LedgerError, NexusError
from lakehouse.paths import BronzeKey, Buckets
from lakehouse.row_check import CheckPlan
from lambdas.check_rows.bronze_file import SuspiciousObject
from lambdas.check_rows.confinement import DEADLY, DeadlyObject, write_rows_confined
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.outputs import write_rows, write_unreadable
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.revision import Sink
from lambdas.check_rows.settings import child_environment
from lambdas.check_rows.source import RangedObject, Source, WholeObject

# An object is given up after this many failed attempts, counted twice: by the ledger (an object that was only near a
# failing one was not opened) and by the queue (doubled messages open it often, but each is received once). The queue
# sets a message aside after five receives, which leaves two for giving up.
FAILED_ATTEMPTS = 3
# What is kept back of a process's time, for the calls behind the last row of an object.
_RESERVE_S = 5.0
_BARE = child_environment({})


class OutOfTime(NexusError):
    """This process is about to be stopped: the message goes back to the queue, and nothing has failed."""


class Store(PartStore, Protocol):
    """The part of `adapters.objects.ObjectStore` that the check needs."""

    def head(self, bucket: str, key: str) -> Stored | None:
        """None when there is none."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when it is gone or another."""

    def get_range(self, bucket: str, key: str, etag: str, start: int, length: int) -> bytes:
        """ObjectGone when it is gone or another."""


@dataclass(frozen=True)
class Result:
    """What became of a message. `what` is a counter's name; the rest tells of the object, where there is one."""

    what: Literal["ignored", "settled", "gone", "committed", "already", "superseded", "overlap"]
    key: str = ""
    detail: str = ""
    revision: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Seen:
    """An object to check, as it stands in Bronze, with what its verdict will depend on."""

    plan: CheckPlan
    stored: Stored
    seen: SeenObject

    @property
    def pins(self) -> Pins:
        """Of its entity's contract."""
        return Pins(self.plan.entity.version, self.plan.entity.rules_hash)


@dataclass(frozen=True)
class Written:
    """What to commit."""

    opened: Opened
    outcome: Outcome


class ObjectCheck:
    """The steps for one object, in their order: see, open (a batch of them), write, commit (a batch of them).

    One per process. A step raises NexusError or a store's error when the work has to be done again.

    Args:
        environment: of the child processes in which suspicious objects are read.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        buckets: Buckets,
        entities: Mapping[str, Entity],
        now: Callable[[], datetime],
        environment: Mapping[str, str] = _BARE,
        limits: Limits = LIMITS,
    ) -> None:
        self._store, self._ledger, self._buckets, self._now = store, ledger, buckets, now
        self._environment, self.limits = environment, limits
        self._plan = cache(lambda name: CheckPlan(_contract(entities, name)))

    def see(self, created: ObjectCreated) -> Seen | Result:
        """The object, unless there is nothing to check."""
        if created.bucket != self._buckets.bronze:
            return Result("ignored", created.key, "other_bucket")
        try:
            key = BronzeKey.parse(created.key)
        except LakeError:
            return Result("ignored", created.key, "no_data_object")
        plan: CheckPlan = self._plan(key.entity)
        stored = self._store.head(self._buckets.bronze, created.key)
        if stored is None:
            return Result("gone", created.key, "it was deleted before it was checked")
        return Seen(plan, stored, _seen(stored))

    def open(self, objects: Sequence[Seen]) -> list[Opened | Settled | LedgerError]:
        """Pins what each depends on, in one transaction."""
        return self._ledger.open_objects([(seen.seen, seen.pins) for seen in objects], self._now())

    def give_back(self, objects: Sequence[Opened]) -> None:
        """For objects that were opened and not begun."""
        self._ledger.return_objects(objects)

    def write(
        self, seen: Seen, opened: Opened, receives: int, seconds_left: Callable[[], float]
    ) -> Written | Result:
        """Writes its outputs, Quarantine first, in this process or in a child of it."""
        failed = min(opened.attempts, receives) - 1
        if failed >= FAILED_ATTEMPTS:
            return self._write_verdict(seen, _GIVEN_UP)
        try:
            source = self._source(seen.stored, opened, seconds_left)
            outcome = self._write_rows(seen.plan, opened, source, seconds_left, confined=failed > 0)
        except ObjectGone as gone:
            self._ledger.mark_gone(opened, str(gone))
            return Result("gone", seen.stored.key, str(gone), opened.revision)
        except UnreadableObject as unreadable:
            return Written(opened, self._write_unreadable(seen, opened, unreadable))
        except DeadlyObject as deadly:
            if seconds_left() < _RESERVE_S:
                raise OutOfTime(f"{seen.stored.key} was begun too late to come to its end") from deadly
            return self._write_verdict(seen, _DEADLY)
        return Written(opened, outcome)

    def commit(self, written: Sequence[Written]) -> list[Verdict | LedgerError]:
        """Counts what was written, in one transaction."""
        return self._ledger.commit_all([(one.opened, one.outcome) for one in written], self._now())

    def _source(self, stored: Stored, opened: Opened, seconds_left: Callable[[], float]) -> Source:
        bucket, key, etag = self._buckets.bronze, stored.key, opened.etag

        def fetch(start: int, length: int) -> bytes:
            if seconds_left() < _RESERVE_S:
                raise OutOfTime(f"{key} is too large for the time that was left for it")
            return self._store.get_range(bucket, key, etag, start, length)

        if stored.size > self.limits.whole_bytes:
            return RangedObject(stored.size, fetch)
        return WholeObject(self._store.get(bucket, key, etag))

    def _write_rows(
        self,
        plan: CheckPlan,
        opened: Opened,
        source: Source,
        seconds_left: Callable[[], float],
        confined: bool,
    ) -> Outcome:
        if not confined:
            try:
                return self._put(
                    plan.entity, opened, lambda s, q: write_rows(plan, opened, source, s, q, self.limits)
                )
            except (SuspiciousObject, MemoryError):
                pass  # a child may try, and die of it
        clock_s = seconds_left() - _RESERVE_S
        return self._put(
            plan.entity,
            opened,
            lambda s, q: write_rows_confined(
                plan, opened, source, s, q, self.limits, self._environment, clock_s
            ),
        )

    def _write_verdict(self, seen: Seen, verdict: "_Verdict") -> Written | Result:
        """Not on the bytes, but on what became of attempts: it gets a revision of its own.

        A revision's bytes never depend on who writes them, when, and on which machine.
        """
        entity = seen.plan.entity
        pins = replace(seen.pins, rules_hash=f"{verdict.name}-{entity.rules_hash}")
        opened = self._ledger.open_object(seen.seen, pins, self._now())
        if isinstance(opened, Settled):
            return Result("settled", seen.stored.key, opened.state, opened.revision)
        return Written(opened, self._write_unreadable(seen, opened, verdict.unreadable))

    def _write_unreadable(self, seen: Seen, opened: Opened, unreadable: UnreadableObject) -> Outcome:
        entity, size = seen.plan.entity, seen.stored.size
        return self._put(
            entity, opened, lambda s, q: write_unreadable(entity, opened, size, unreadable, s, q)
        )

    def _put(self, entity: Entity, opened: Opened, write: Callable[[Sink, Sink], Outcome]) -> Outcome:
        """Quarantine before Silver, so that no row is ever seen to have passed whose neighbours are missing."""
        key = opened.metadata.key
        silver = Upload(self._store, self._buckets.silver, key.silver(entity.major, opened.revision))
        quarantine = Upload(
            self._store, self._buckets.quarantine, key.quarantine(entity.major, opened.revision)
        )
        try:
            outcome = write(silver, quarantine)
            if outcome.quarantine_key is not None:
                quarantine.complete()
            silver.complete()
        except BaseException:
            silver.abort()
            quarantine.abort()
            raise
        return outcome


@dataclass(frozen=True)
class _Verdict:
    name: str
    unreadable: UnreadableObject


_GIVEN_UP = _Verdict(
    "unread", UnreadableObject("Every attempt to check it failed; its bytes were not read again.")
)
_DEADLY = _Verdict("deadly", DEADLY)


def _contract(entities: Mapping[str, Entity], name: str) -> Entity:
    if name not in entities:
        raise LakeError(
            f"there is no contract for {name}: deploy the check hop that has it; its objects wait"
        )
    return entities[name]


def _seen(stored: Stored) -> SeenObject:
    """The object with its metadata, which must be that of its key: else it stays a named hole, loudly."""
    metadata = BronzeMetadata.from_s3(stored.metadata)
    if str(metadata.key) != stored.key:
        raise LakeError(f"{stored.key} has the metadata of {metadata.key}: was it copied or renamed by hand?")
    return SeenObject(metadata, stored.etag, stored.size)
