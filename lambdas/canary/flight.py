"""One run of the canary: send, follow, judge, look around. A step that fails leaves those alone that can be done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.ledger import Ledger
from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from lambdas.canary.checks import Check, Found, check
from lambdas.canary.events import ENTITY, CanaryEvent, events_of
from lambdas.canary.following import Trail, explain, follow
from lambdas.canary.sending import Sent, send
from lambdas.canary.settings import Settings
from lambdas.canary.verdicts import judge, read_verdicts
from lambdas.canary.watching import look_at_alarms, look_at_connector, look_at_schemas

SENT, CHECKED, JUDGED = "events acknowledged", "events checked", "verdicts"
SCHEMAS, CONNECTOR, ALARMS = "schema versions", "connector", "alarms"


@dataclass(frozen=True)
class Clock:
    """`now` is aware; `seconds` only ever grows; `pause` waits so many seconds."""

    now: Callable[[], datetime]
    seconds: Callable[[], float]
    pause: Callable[[float], None]


@dataclass(frozen=True)
class Outcome:
    """`end_to_end_s`: from sending until all were committed, or so long waited in vain; None if not all were sent."""

    checks: tuple[Check, ...]
    end_to_end_s: float | None


class Flight:
    """One run. `ledger`, `store`, `registry` and `cloudwatch` are fresh: nothing is remembered from another run."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        store: ObjectStore,
        registry: SchemaRegistry,
        cloudwatch: Any,
        clock: Clock,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._ledger, self._store = ledger, store
        self._registry, self._cloudwatch = registry, cloudwatch
        self._sent: Sent | None = None
        self._trail: Trail | None = None
        self._end_to_end_s: float | None = None

    def fly(self, run: str) -> Outcome:
        """Everything, in the order of the way of the data."""
        settings, clock = self._settings, self._clock
        events = events_of(run, clock.now())
        started = clock.seconds()
        looks: Sequence[tuple[str, Callable[[], Found]]] = (
            (SENT, lambda: self._send(events)),
            (CHECKED, lambda: self._follow(started)),
            (JUDGED, lambda: self._judge(events)),
            (SCHEMAS, lambda: look_at_schemas(self._registry)),
            (CONNECTOR, lambda: look_at_connector(self._cloudwatch, settings.connector, clock.now())),
            (ALARMS, lambda: look_at_alarms(self._cloudwatch, settings.alarm_prefix)),
        )
        checks = tuple(check(name, look, clock.seconds) for name, look in looks)
        return Outcome(checks, self._end_to_end_s)

    def _send(self, events: Sequence[CanaryEvent]) -> Found:
        self._sent = sent = send(self._settings, events, self._clock.now())
        way = self._settings.ingest_address
        if self._settings.certificate_name:
            way += f" as {self._settings.certificate_name}"
        if sent.refusals:
            count = f"{len(sent.refusals)} of {len(events)}"
            return Found("failed", f"{count} were not taken by {way}: {sent.refusals[0]}")
        return Found("ok", f"{len(events)} by {way}")

    def _follow(self, started: float) -> Found:
        if self._sent is None or not self._sent.positions:
            return Found("not checked", "no event was acknowledged")
        settings, clock = self._settings, self._clock
        positions = self._sent.positions.values()
        self._trail = trail = follow(self._ledger, positions, settings.patience_s, clock.seconds, clock.pause)
        waited = clock.seconds() - started
        waiting = sum(len(found) for found in trail.waiting.values())
        if not self._sent.refusals:
            self._end_to_end_s = waited
        if not waiting:
            return Found(
                "ok", f"{len(positions)} in {len(trail.committed)} objects, {waited:.0f} s after sending"
            )
        where = explain(trail, self._store, settings.buckets.bronze, ENTITY, clock.now().date())
        return Found("failed", f"{waiting} of {len(positions)} are not through after {waited:.0f} s: {where}")

    def _judge(self, events: Sequence[CanaryEvent]) -> Found:
        if self._trail is None or self._sent is None or self._trail.waiting:
            return Found("not checked", "not every event came through")
        acknowledged = [event for event in events if event.event_id in self._sent.positions]
        verdicts = read_verdicts(
            self._store, self._settings.buckets, self._trail.committed, self._sent.positions
        )
        well, said = judge(acknowledged, verdicts)
        return Found("ok" if well else "failed", said)
