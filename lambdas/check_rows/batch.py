"""A batch of messages: each is answered by itself, and the ledger is asked for all of them at once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from adapters.ledger import Opened, Settled
from lakehouse.announcements import NotForUs, ObjectCreated, parse_announcement
from lambdas.check_rows.object_check import ObjectCheck, OutOfTime, Result, Seen, Written

# What is written waits no longer than this for its commit: a process that dies then leaves so much to do again.
_COMMIT_EVERY_S = 5.0
# An object is begun only if the time left is enough for twice what a slow one takes: 4 MiB/s, and the calls around it.
_SECONDS_PER_BYTE = 2 / (4 * 2**20)
_SECONDS_AT_LEAST = 10.0

Answer = Result | Exception
_T = TypeVar("_T")


@dataclass(frozen=True)
class Message:
    """Of the queue. `receives` counts how often it was handed out."""

    body: str
    receives: int = 1


def _endless() -> float:
    return float("inf")


def check_message(check: ObjectCheck, body: str, receives: int = 1) -> Result:
    """One message by itself; raises what keeps it from being done."""
    [answer] = check_messages(check, [Message(body, receives)])
    if isinstance(answer, Exception):
        raise answer
    return answer


def check_messages(
    check: ObjectCheck, messages: Sequence[Message], seconds_left: Callable[[], float] = _endless
) -> list[Answer]:
    """Does what messages ask for; the answers in their order. An exception means that the message has to come again.

    OutOfTime is the answer for what would not be finished in `seconds_left`.
    """
    answers: dict[int, Answer] = {}
    found: dict[ObjectCreated, list[int]] = {}
    for number, message in enumerate(messages):
        parsed = _attempt(lambda body=message.body: parse_announcement(body))  # type: ignore[misc]
        if isinstance(parsed, ObjectCreated):
            found.setdefault(parsed, []).append(number)
        else:
            answers[number] = Result("ignored", detail=parsed.why) if isinstance(parsed, NotForUs) else parsed
    receives = {created: max(messages[n].receives for n in numbers) for created, numbers in found.items()}
    for created, answer in _Batch(check, receives, seconds_left).run().items():
        first, *doubled = found[created]
        answers[first] = answer
        answers |= dict.fromkeys(doubled, _second(answer))
    return [answers[number] for number in range(len(messages))]


def _second(answer: Answer) -> Answer:
    """Of a message that says the same once more."""
    if isinstance(answer, Result) and answer.outcome is not None:
        return Result("settled", answer.key, answer.what, answer.revision)
    return answer


def _attempt(work: Callable[[], _T]) -> _T | Exception:
    """The outermost of one message: whatever goes wrong with it, the others have nothing to do with it."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - see above
        return error


class _Batch:
    """Objects of one batch, each once, on their way from step to step."""

    def __init__(
        self, check: ObjectCheck, receives: Mapping[ObjectCreated, int], seconds_left: Callable[[], float]
    ) -> None:
        self._check, self._receives, self._seconds_left = check, receives, seconds_left
        self._answers: dict[ObjectCreated, Answer] = {}
        self._written: dict[ObjectCreated, Written] = {}
        self._written_at = 0.0

    def run(self) -> Mapping[ObjectCreated, Answer]:
        """An answer for each."""
        objects = self._see()
        opened = self._open(objects)
        not_begun: list[Opened] = []
        for number, (created, one) in enumerate(opened.items()):
            seen = objects[created]
            self._commit_before(seen)
            # the first is begun in any case: what needs more than all the time must not go round unheard of
            if number and not self._enough_time(seen):
                not_begun.append(one)
                self._answers[created] = OutOfTime(
                    f"{seen.stored.key} goes back: too little time is left for it"
                )
                continue
            self._write(created, seen, one)
        self._commit()
        if not_begun:
            _attempt(lambda: self._check.give_back(not_begun))  # in vain: then it counts as a failed attempt
        return self._answers

    def _see(self) -> dict[ObjectCreated, Seen]:
        found = {}
        for created in self._receives:
            seen = _attempt(lambda created=created: self._check.see(created))  # type: ignore[misc]
            if isinstance(seen, Seen):
                found[created] = seen
            else:
                self._answers[created] = seen
        return found

    def _open(self, objects: Mapping[ObjectCreated, Seen]) -> dict[ObjectCreated, Opened]:
        answers = _attempt(lambda: self._check.open(list(objects.values())))
        if isinstance(answers, Exception):
            self._answers |= dict.fromkeys(objects, answers)
            return {}
        found = {}
        for created, answer in zip(objects, answers, strict=True):
            if isinstance(answer, Opened):
                found[created] = answer
            elif isinstance(answer, Settled):
                self._answers[created] = Result("settled", created.key, answer.state, answer.revision)
            else:
                self._answers[created] = answer
        return found

    def _enough_time(self, seen: Seen) -> bool:
        return self._seconds_left() > _SECONDS_AT_LEAST + seen.stored.size * _SECONDS_PER_BYTE

    def _write(self, created: ObjectCreated, seen: Seen, opened: Opened) -> None:
        receives, left = self._receives[created], self._seconds_left
        written = _attempt(lambda: self._check.write(seen, opened, receives, left))
        if isinstance(written, Written):
            self._written_at = self._written_at if self._written else time.monotonic()
            self._written[created] = written
        else:
            self._answers[created] = written

    def _commit_before(self, seen: Seen) -> None:
        large = seen.stored.size > self._check.limits.whole_bytes
        if self._written and (large or time.monotonic() - self._written_at > _COMMIT_EVERY_S):
            self._commit()

    def _commit(self) -> None:
        written, self._written = self._written, {}
        if not written:
            return
        verdicts = _attempt(lambda: self._check.commit(list(written.values())))
        if isinstance(verdicts, Exception):
            self._answers |= dict.fromkeys(written, verdicts)
            return
        for (created, one), verdict in zip(written.items(), verdicts, strict=True):
            self._answers[created] = (
                verdict
                if isinstance(verdict, Exception)
                else Result(verdict.value, created.key, "", one.opened.revision, one.outcome)
            )
