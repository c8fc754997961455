"""Open, write, commit: what the check hop does with one announced object, safe to repeat and to run twice at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal, Protocol

from adapters.ledger import Ledger, Opened, Outcome, Pins, SeenObject, Settled
from adapters.objects import ObjectGone, Stored
from lakehouse.announcements import NotForUs, ObjectCreated, parse_announcement
from lakehouse.bronze import BronzeMetadata
from lakehouse.catalog import Entity
from lakehouse.errors import LakeError
from lakehouse.paths import BronzeKey, Buckets
from lakehouse.row_check import CheckPlan
from lambdas.check_rows.outputs import make_outputs

# An object is given up after this many failed attempts, counted twice: by the ledger (an object that was only near a
# failing one was not opened) and by the queue (doubled messages open it often, but each is received once). The queue
# sets a message aside after five receives, which leaves two for giving up.
FAILED_ATTEMPTS = 3


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that the check needs."""

    def head(self, bucket: str, key: str) -> Stored | None:
        """None when there is none."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when it is gone or another."""

    def put(self, bucket: str, key: str, body: bytes) -> Stored:
        """Writes over whatever stands there."""


@dataclass(frozen=True)
class Result:
    """What became of a message. `what` is a counter's name; the rest tells of the object, where there is one."""

    what: Literal["ignored", "settled", "gone", "committed", "already", "superseded", "overlap"]
    key: str = ""
    detail: str = ""
    revision: int = 0
    outcome: Outcome | None = None


class ObjectCheck:
    """One per process. Raises NexusError or a store's error when the work has to be done again."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        buckets: Buckets,
        entities: Mapping[str, Entity],
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._ledger, self._buckets, self._now = store, ledger, buckets, now
        self._plan = cache(lambda name: CheckPlan(_contract(entities, name)))

    def check_message(self, body: str, receives: int = 1) -> Result:
        """Does what a queue's message asks for; `receives` counts how often the queue has handed it out."""
        announced = parse_announcement(body)
        if isinstance(announced, NotForUs):
            return Result("ignored", detail=announced.why)
        return self.check_object(announced, receives)

    def check_object(self, created: ObjectCreated, receives: int = 1) -> Result:
        """Checks an object unless that is done already."""
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
        opened = self._open(plan.entity, _seen(stored), receives)
        if isinstance(opened, Settled):
            return Result("settled", created.key, opened.state, opened.revision)
        return self._write(plan, opened, stored)

    def _open(self, entity: Entity, seen: SeenObject, receives: int) -> Opened | Settled:
        pins = Pins(entity.version, entity.rules_hash)
        opened = self._ledger.open_object(seen, pins, self._now())
        if isinstance(opened, Settled) or min(opened.attempts, receives) <= FAILED_ATTEMPTS:
            return opened
        # Giving up is a verdict of its own, so it gets a revision of its own: a revision's bytes never depend on who
        # writes them.
        return self._ledger.open_object(seen, Pins(entity.version, _given_up(entity)), self._now())

    def _write(self, plan: CheckPlan, opened: Opened, stored: Stored) -> Result:
        key, given_up = stored.key, opened.rules_hash == _given_up(plan.entity)
        try:
            data = None if given_up else self._store.get(self._buckets.bronze, key, opened.etag)
        except ObjectGone as gone:
            self._ledger.mark_gone(opened, str(gone))
            return Result("gone", key, str(gone), opened.revision)
        outputs = make_outputs(plan, opened, stored.size, data)
        outcome = outputs.outcome
        if outputs.quarantine is not None and outcome.quarantine_key is not None:
            self._store.put(self._buckets.quarantine, outcome.quarantine_key, outputs.quarantine)
        self._store.put(self._buckets.silver, outcome.silver_key, outputs.silver)
        verdict = self._ledger.commit(opened, outcome, self._now())
        return Result(verdict.value, key, "", opened.revision, outcome)


def _given_up(entity: Entity) -> str:
    return f"unread-{entity.rules_hash}"


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
