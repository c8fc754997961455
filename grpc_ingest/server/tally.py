"""Who calls and what came of it: a trace id per call, refusals in the log, a summary line while there is traffic."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from grpc_ingest.refusal import Refusal

SUMMARY_S = 30.0
# A client that sends nothing but bad events must not fill the disk: one line a second, with what it stands for.
REFUSAL_LINE_S = 1.0

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,64}")

_log = logging.getLogger(__name__)


@dataclass
class Call:
    """One call: its counts are of events."""

    method: str
    trace_id: str
    acknowledged: int = 0
    refused: int = 0


@dataclass
class _Counts:
    calls: int = 0
    acknowledged: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Tally:
    """Counts of this process. `clock` in seconds; `make_id` gives a trace id for a call that brings none."""

    def __init__(self, clock: Callable[[], float], make_id: Callable[[], str]) -> None:
        self._clock, self._make_id = clock, make_id
        self._recent, self._total = _Counts(), _Counts()
        self._line_at, self._held = float("-inf"), 0

    def begin(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Call:
        """A call begins: its trace id is that of `traceparent` or `x-trace-id`, else a new one."""
        self._recent.calls += 1
        self._total.calls += 1
        return Call(method, find_trace_id(metadata) or self._make_id())

    def count(self, call: Call, acknowledged: int, refusals: Sequence[Refusal]) -> None:
        """Some events of a call are answered."""
        call.acknowledged += acknowledged
        self._recent.acknowledged += acknowledged
        self._total.acknowledged += acknowledged
        if refusals:
            call.refused += len(refusals)
            for refusal in refusals:
                self._recent.refused[refusal.code.name] += 1
                self._total.refused[refusal.code.name] += 1
            self._tell(call, refusals)

    def end(self, call: Call) -> None:
        """A stream ends."""
        counts = {"acknowledged": call.acknowledged, "refused": call.refused}
        _log.info("stream ended", extra={"trace_id": call.trace_id, "method": call.method, **counts})

    def summarise(self) -> None:
        """One line about the time since the last one, when there was traffic."""
        if self._recent.calls or self._recent.acknowledged or self._recent.refused:
            _log.info("traffic", extra={"seconds": SUMMARY_S, **_fields(self._recent)})
        self._recent = _Counts()

    def totals(self) -> dict[str, object]:
        """Since the start."""
        return _fields(self._total)

    def metrics(self) -> dict[str, float]:
        """The same, for a metrics page. May be called from any thread: it sees some state of the recent past."""
        refused = {
            f'nexus_events_refused_total{{code="{k}"}}': float(n)
            for k, n in list(self._total.refused.items())
        }
        return {
            "nexus_calls_total": self._total.calls,
            "nexus_events_acknowledged_total": self._total.acknowledged,
            **refused,
        }

    def _tell(self, call: Call, refusals: Sequence[Refusal]) -> None:
        self._held += len(refusals)
        if self._clock() - self._line_at < REFUSAL_LINE_S:
            return
        first = refusals[0]
        _log.warning(
            "%d events refused, such as: %s",
            self._held,
            first.message,
            extra={
                "trace_id": call.trace_id,
                "method": call.method,
                "code": first.code.name,
                "field": first.field,
            },
        )
        self._line_at, self._held = self._clock(), 0


def find_trace_id(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The trace id that a caller sent: W3C's `traceparent` first, then `x-trace-id` if it is plain text."""
    given = dict(metadata)
    parent, plain = given.get("traceparent"), given.get("x-trace-id")
    if isinstance(parent, str) and (found := _TRACEPARENT.fullmatch(parent)):
        return found[1]
    return plain if isinstance(plain, str) and _TRACE_ID.fullmatch(plain) else None


def _fields(counts: _Counts) -> dict[str, object]:
    return {"calls": counts.calls, "acknowledged": counts.acknowledged, "refused": dict(counts.refused)}
