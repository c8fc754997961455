"""Judge, open, write, commit: what is done with each object that has rows in Quarantine. Safe to repeat, at once too.

A row that moves was held by the newest committed revision and is in no Silver; the ledger commits a revision only on
top of that one. So each position moves at most once, whoever asks how often.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Protocol

import numpy as np

from adapters.ledger import Ledger, Pins, Verdict, replays
from adapters.ledger.replays import Held
from adapters.objects import ObjectGone, Stored
from lakehouse.catalog import Entity
from lakehouse.edits import Edits, Note, read_edits
from lakehouse.errors import InputError
from lakehouse.paths import Buckets, edits_prefix
from lakehouse.rejudge import Choice, Refused
from lakehouse.row_check import CheckPlan
from lakehouse.text_view import Mask
from lambdas.check_rows.settings import child_environment
from lambdas.requeue_quarantine.outputs import Replay, WholeObject, facts_of_bronze, holds_whole_object
from lambdas.requeue_quarantine.request import REPLAY, Request

# Reasons of so many rows are told one by one; a person who wants more looks into Quarantine.
MOST_REFUSED = 20
MOST_NAMED = 20
# An object of 100,000 held rows takes some seconds; with less left, the rest waits for the next call.
_SECONDS_AT_LEAST = 60.0


class Store(Protocol):
    """The part of `adapters.objects.ObjectStore` that a replay needs."""

    def head(self, bucket: str, key: str) -> Stored | None:
        """None when there is none."""

    def get(self, bucket: str, key: str, etag: str | None = None) -> bytes:
        """ObjectGone when it is gone or another."""

    def put(self, bucket: str, key: str, body: bytes) -> Stored:
        """Writes over whatever stands there."""


@dataclass
class Report:
    """What came of a request. Counts are rows: `judged` = `passing` + `staying`.

    A preview's `passing` rows would move; a replay's have moved. `moved` names Bronze objects with their new revision.
    `refusals` counts staying rows by rule, `refused` tells of the first of them. `unknown` are rows of the edits that
    are not in Quarantine: moved before, or named wrongly. `again` are objects that another replay changed meanwhile or
    that no time was left for: ask once more. `problems` are for a person.
    """

    mode: str
    entity: str
    objects: int = 0
    judged: int = 0
    passing: int = 0
    staying: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unknown_count: int = 0
    again: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Requeue:
    """One per process. Raises NexusError or a store's error when nothing more can be done: ask again."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        buckets: Buckets,
        entities: Mapping[str, Entity],
        now: Callable[[], datetime],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._store, self._ledger, self._buckets, self._now = store, ledger, buckets, now
        self._entities = entities
        self._environment = child_environment({}) if environment is None else environment
        self._plan = cache(lambda name: CheckPlan(entities[name]))

    def run(self, request: Request, seconds_left: Callable[[], float] = lambda: float("inf")) -> Report:
        """Does what is asked, object by object in the order of their positions."""
        if request.entity not in self._entities:
            raise InputError(f"There is no entity {request.entity!r}: use {', '.join(self._entities)}.")
        plan = self._plan(request.entity)
        edits, identity = self._edits(request, plan.entity)
        return self._run(request, plan, edits, identity, seconds_left)

    def preview(self, request: Request, edits: Edits | None) -> Report:
        """What a replay would do, with edits that are not in the lake."""
        return self._run(request, self._plan(request.entity), edits, "", lambda: float("inf"))

    def _run(
        self,
        request: Request,
        plan: CheckPlan,
        edits: Edits | None,
        identity: str,
        seconds_left: Callable[[], float],
    ) -> Report:
        report, found = Report(request.mode, request.entity), np.zeros(len(edits or ()), bool)
        pins = Pins(plan.entity.version, request.digest(plan.entity.rules_hash, identity))
        choice = Choice(request.rule, request.event, edits)
        for held in replays.held_objects(
            self._ledger, request.entity, request.rule, request.log, request.object
        ):
            if seconds_left() < _SECONDS_AT_LEAST:
                report.again.append(held.bronze_key)
                continue
            try:
                work = self._judge(plan, held, choice, found, MOST_REFUSED - len(report.refused))
            except ObjectGone as gone:
                report.again.append(held.bronze_key)
                report.problems.append(str(gone))
                continue
            if work is not None:
                self._settle(report, held, work, pins if request.mode == REPLAY else None)
        missing = edits.names(found) if edits and not report.again else []
        report.unknown, report.unknown_count = missing[:MOST_NAMED], len(missing)
        return report

    def _judge(
        self, plan: CheckPlan, held: Held, choice: Choice, found: Mask, most_refused: int
    ) -> Replay | WholeObject | None:
        """What would become of an object's rows; None when none of them is meant."""
        data = self._store.get(self._buckets.quarantine, held.quarantine_key)
        if not holds_whole_object(data):
            facts = None
            if plan.needs_facts(held.metadata.log):
                facts = facts_of_bronze(
                    plan, held, self._store.get(self._buckets.bronze, held.bronze_key, held.etag)
                )
            replay = Replay(plan, held, choice, data, found, most_refused, facts)
            return replay if replay.judged else None
        if choice.event or choice.edits is not None:
            return None  # one row in place of all: its event id is nobody's, and it has nothing to edit
        data = self._store.get(self._buckets.bronze, held.bronze_key, held.etag)
        return WholeObject(plan, held, data, self._environment)

    def _settle(self, report: Report, held: Held, work: Replay | WholeObject, pins: Pins | None) -> None:
        """Counts what was found, after it was committed if it is to be (`pins`)."""
        if pins is not None and work.changes:
            revision = self._commit(held, work, pins)
            if revision is None:
                report.again.append(held.bronze_key)
                return
            report.moved[held.bronze_key] = revision
        report.objects += 1
        report.judged += work.judged
        report.passing += work.passing
        report.staying += work.judged - work.passing
        report.refused += work.refused
        for rule, rows in work.refusals.items():
            report.refusals[rule] = report.refusals.get(rule, 0) + rows

    def _commit(self, held: Held, work: Replay | WholeObject, pins: Pins) -> int | None:
        """Writes the next revision, Quarantine before Silver, and commits both; None when another was quicker."""
        opened = replays.open_replay(self._ledger, held, pins, self._now())
        if opened is None:
            return None
        outputs = work.close(opened)
        outcome = outputs.outcome
        if outputs.quarantine is not None and outcome.quarantine_key is not None:
            self._store.put(self._buckets.quarantine, outcome.quarantine_key, outputs.quarantine)
        self._store.put(self._buckets.silver, outcome.silver_key, outputs.silver)
        verdict = self._ledger.commit(opened, outcome, self._now())
        return opened.revision if verdict in (Verdict.COMMITTED, Verdict.ALREADY) else None

    def _edits(self, request: Request, entity: Entity) -> tuple[Edits | None, str]:
        """The edits that a request names, and what their notes depend on: their bytes, who made them and when."""
        if not request.edits:
            return None, ""
        prefix, bucket = edits_prefix(entity.name), self._buckets.quarantine
        if not request.edits.startswith(prefix):
            raise InputError(f"{request.edits} is no key of edits: put the file below {prefix} in {bucket}.")
        stored = self._store.head(bucket, request.edits)
        if stored is None:
            raise InputError(f"There is no {request.edits} in {bucket}: put the file there first.")
        at = stored.modified.astimezone(UTC).isoformat(timespec="seconds") if stored.modified else ""
        note = Note(stored.metadata.get("by", "unknown"), at, request.edits)
        try:
            edits = read_edits(self._store.get(bucket, request.edits, stored.etag), entity, note)
        except InputError as error:
            raise InputError(f"{request.edits}: {error}") from error
        return edits, f"{stored.etag} {note.by} {note.at}"
