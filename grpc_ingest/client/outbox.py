"""Events between a program and the host: waiting, under way, settled. Knows threads and time, but no network."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grpc_ingest.events import Encoded
from grpc_ingest.refusal import Code, Refusal
from grpc_ingest.requests import wrap_entity
from grpc_ingest.results import BufferFull, Counts, EventResult
from grpc_ingest.retry import Backoff
from lakehouse.errors import BrokerError
from lakehouse.identity import Position


@dataclass(frozen=True)
class Batching:
    """How events wait. `linger_s`: how long the first of a batch waits for company."""

    size: int = 100
    linger_s: float = 0.02
    buffer: int = 10_000
    block: bool = True
    give_up_after_s: float = 300.0


class _Outgoing:
    """One event that is not settled."""

    __slots__ = ("attempts", "encoded", "since")

    def __init__(self, encoded: Encoded, since: float) -> None:
        self.encoded, self.since, self.attempts = encoded, since, 0


class Outbox:
    """Safe for threads. A program puts, one sender takes and answers."""

    def __init__(
        self, batching: Batching, backoff: Backoff, clock: Callable[[], float], tell_results: bool = True
    ) -> None:
        """Without `tell_results` events are counted only, which is cheaper."""
        self._batching, self._backoff, self._clock = batching, backoff, clock
        self._tell_results = tell_results
        self._lock = threading.Lock()
        self._work, self._room, self._rest = (threading.Condition(self._lock) for _ in range(3))
        self._fresh: deque[_Outgoing] = deque()
        self._again: deque[_Outgoing] = deque()
        self._under_way: dict[str, list[_Outgoing]] = {}
        self._batches = 0
        self._stream = 0  # counts connections: a sender of an earlier one takes nothing any more
        self._resume_at = float("-inf")
        self._flushing = 0
        self._closed = False
        self.counts = Counts()

    def put(self, encoded: Encoded) -> None:
        """Takes an event. A full buffer blocks until half of it is free, or raises BufferFull, as was chosen."""
        with self._lock:
            if self.counts.pending >= self._batching.buffer:
                if not self._batching.block:
                    raise BufferFull(
                        f"{self.counts.pending} events wait for the host: offer this one again later"
                    )
                # Not until one place is free: a program that computes hard would hold the interpreter's lock for
                # most of the time, and the sender would get one batch through at each of its turns.
                self._room.wait_for(lambda: self._closed or self.counts.pending <= self._batching.buffer // 2)
            if self._closed:
                raise BrokerError("the ingest client is closed: make a new one")
            self._fresh.append(_Outgoing(encoded, self._clock()))
            self.counts.sent += 1
            if len(self._fresh) in (1, self._batching.size):
                self._work.notify()

    def wait_settled(self, timeout: float | None) -> bool:
        """Until nothing is pending, so long; whether that is so. What waits for company goes at once."""
        with self._lock:
            self._flushing += 1
            self._work.notify()
            settled = self._rest.wait_for(lambda: not self.counts.pending, timeout)
            self._flushing -= 1
            return settled

    def open_stream(self) -> int:
        """A new connection begins: what was under way on the former is sent again first."""
        with self._lock:
            for outgoing in self._under_way.values():
                self._again.extend(outgoing)
            self._under_way.clear()
            self._stream += 1
            self._work.notify_all()
            return self._stream

    def take(self, stream: int) -> tuple[str, list[bytes]] | None:
        """Id and events of the next batch, waited for; None when another connection has taken over."""
        with self._lock:
            while self._stream == stream and not self._closed:
                wait = self._wait()
                if wait == 0:
                    return self._form_batch()
                self._work.wait(wait)
            return None

    def pause(self) -> float:
        """The host cannot be reached: for how many seconds nothing is sent."""
        with self._lock:
            pause = self._backoff.next_pause()
            self._resume_at = self._clock() + pause
            return pause

    def answer(self, batch_id: str, verdicts: Sequence[Any]) -> list[EventResult]:
        """Settles a batch by its verdicts, in the order sent; what may be taken later goes again. The new results."""
        with self._lock:
            sent = self._under_way.pop(batch_id, [])
            results: list[EventResult] = []
            again: list[_Outgoing] = []
            now = self._clock()
            for outgoing, verdict in zip(sent, verdicts, strict=False):
                if verdict.HasField("position"):
                    self.counts.acknowledged += 1
                    if self._tell_results:
                        results.append(_stored(outgoing, verdict))
                elif verdict.refusal.retryable and not self._too_old(outgoing, now):
                    again.append(outgoing)
                else:
                    results.append(self._refused(outgoing, read_refusal(verdict.refusal)))
            again += sent[len(verdicts) :]
            if again:
                self._again.extend(again)
                # Batches that were under way together fail together: that is one failure, and one pause.
                if now >= self._resume_at:
                    self._resume_at = now + self._backoff.next_pause()
                self._work.notify()
            elif sent:
                self._backoff.reset()
            self._tell_settled()
            return results

    def give_up_old(self, refusal: Refusal) -> list[EventResult]:
        """Settles what was tried for too long while no host could be reached."""
        with self._lock:
            now = self._clock()
            return self._give_up(refusal, lambda outgoing: self._too_old(outgoing, now))

    def give_up_all(self, refusal: Refusal) -> list[EventResult]:
        """Settles everything that is pending."""
        with self._lock:
            return self._give_up(refusal, lambda _outgoing: True)

    def close(self) -> None:
        """Nothing is taken and no batch handed out any more."""
        with self._lock:
            self._closed = True
            self._stream += 1
            self._work.notify_all()
            self._room.notify_all()

    def stalled(self) -> bool:
        """Whether something was sent so long ago that it is to be given up, but for the host's answer."""
        with self._lock:
            oldest = next(iter(self._under_way.values()), None)
            return oldest is not None and any(self._too_old(o, self._clock()) for o in oldest)

    def _wait(self) -> float | None:
        """Seconds until a batch is due: 0 now, None when somebody must put one first."""
        now = self._clock()
        if not self._again and not self._fresh:
            return None
        due = self._resume_at
        if not self._again and len(self._fresh) < self._batching.size and not self._flushing:
            due = max(due, self._fresh[0].since + self._batching.linger_s)
        return max(0.0, due - now)

    def _form_batch(self) -> tuple[str, list[bytes]]:
        batch: list[_Outgoing] = []
        for queue in (self._again, self._fresh):
            while queue and len(batch) < self._batching.size:
                batch.append(queue.popleft())
        for outgoing in batch:
            outgoing.attempts += 1
            self.counts.resent += outgoing.attempts > 1
        self._batches += 1
        batch_id = str(self._batches)
        self._under_way[batch_id] = batch
        return batch_id, [wrap_entity(o.encoded.tag, o.encoded.message) for o in batch]

    def _give_up(self, refusal: Refusal, chosen: Callable[[_Outgoing], bool]) -> list[EventResult]:
        results: list[EventResult] = []
        for outgoing in self._under_way.values():
            self._again.extend(outgoing)
        self._under_way.clear()
        for queue in (self._again, self._fresh):
            results += [self._refused(o, refusal) for o in queue if chosen(o)]
            kept = [o for o in queue if not chosen(o)]
            queue.clear()
            queue.extend(kept)
        self._work.notify()
        self._tell_settled()
        return results

    def _too_old(self, outgoing: _Outgoing, now: float) -> bool:
        return now - outgoing.since > self._batching.give_up_after_s

    def _refused(self, outgoing: _Outgoing, refusal: Refusal) -> EventResult:
        self.counts.refused += 1
        encoded = outgoing.encoded
        return EventResult(encoded.entity, encoded.event_id, None, refusal, outgoing.attempts)

    def _tell_settled(self) -> None:
        if self.counts.pending <= self._batching.buffer // 2:
            self._room.notify_all()
        if not self.counts.pending:
            self._rest.notify_all()


def read_refusal(message: Any) -> Refusal:
    """A refusal as the API says it. A code of a newer host counts as UNAVAILABLE."""
    code = Code(message.code) if message.code in Code._value2member_map_ else Code.UNAVAILABLE
    return Refusal(code, message.message, message.field, message.retryable)


def _stored(outgoing: _Outgoing, verdict: Any) -> EventResult:
    at = verdict.position
    position = Position(at.log, at.topic, at.partition, at.offset)
    return EventResult(outgoing.encoded.entity, verdict.event_id, position, None, outgoing.attempts)
