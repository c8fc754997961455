"""Events between a program and the host: each is settled once, and sent again with the same bytes until then."""

import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_ingest.client import Batching, EventEncoder
from grpc_ingest.client.outbox import Outbox, read_refusal
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.refusal import Code, refuse_for_now, refuse_malformed
from grpc_ingest.results import BufferFull, EventResult
from grpc_ingest.retry import Backoff
from grpc_ingest.server.delivery import refusal_message
from lakehouse.errors import BrokerError
from tests.builders.events import MOMENT, an_order

ENCODER = EventEncoder("web-shop")
AWAY = refuse_for_now(Code.UNAVAILABLE, "away")
WRONG = refuse_malformed("orders.op", "wrong")


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def an_outbox(clock: Clock | None = None, **batching: Any) -> Outbox:
    return Outbox(
        Batching(**{"size": 3, "linger_s": 0.0, **batching}), Backoff(lambda: 0.0), clock or Clock()
    )


def put(outbox: Outbox, *ids: str) -> None:
    for event_id in ids:
        outbox.put(ENCODER.encode("orders", an_order(), MOMENT, event_id=event_id))


def ids_of(events: list[bytes]) -> list[str]:
    from grpc_ingest.proto.gen.nexus.ingest.v1.events_pb2 import Event

    return [Event.FromString(event).orders.event_id for event in events]


def stored(event_id: str, offset: int = 0) -> ingest_pb2.Verdict:
    position = ingest_pb2.Position(log="emb-1", topic="orders.v1", partition=1, offset=offset)
    return ingest_pb2.Verdict(event_id=event_id, position=position)


def take(outbox: Outbox, stream: int) -> tuple[str, list[bytes]]:
    batch = outbox.take(stream)
    assert batch is not None
    return batch


def test_batch_holds_events_in_order() -> None:
    outbox = an_outbox()
    put(outbox, "a", "b", "c", "d")
    stream = outbox.open_stream()
    assert [ids_of(take(outbox, stream)[1]) for _ in range(2)] == [["a", "b", "c"], ["d"]]


def test_answered_event_is_told_once_with_its_position() -> None:
    outbox = an_outbox()
    put(outbox, "a", "b")
    batch_id, _events = take(outbox, outbox.open_stream())
    refused = ingest_pb2.Verdict(event_id="b", refusal=refusal_message(WRONG))
    first, second = outbox.answer(batch_id, [stored("a", 7), refused])
    assert (first.entity, first.event_id, str(first.position), first.refusal, first.attempts) == (
        "orders",
        "a",
        "emb-1/orders.v1/1/7",
        None,
        1,
    )
    assert (second.event_id, second.position, second.refusal) == ("b", None, WRONG)
    assert outbox.answer(batch_id, [stored("a"), stored("b")]) == []
    assert (outbox.counts.acknowledged, outbox.counts.refused, outbox.counts.pending) == (1, 1, 0)


def test_refused_for_now_is_sent_again_before_new_events_and_after_a_pause() -> None:
    clock = Clock()
    outbox = an_outbox(clock)
    put(outbox, "a", "b", "c", "d")
    stream = outbox.open_stream()
    batch_id, events = take(outbox, stream)
    away = ingest_pb2.Verdict(refusal=refusal_message(AWAY))
    assert [r.event_id for r in outbox.answer(batch_id, [away, stored("b"), away])] == ["b"]
    assert outbox._wait() == pytest.approx(0.05)
    clock.now = 0.06
    again = take(outbox, stream)[1]
    assert ids_of(again) == ["a", "c", "d"]
    assert again[0] == events[0]
    assert outbox.counts.resent == 2


def test_sender_that_waits_is_woken_by_what_is_to_be_sent_again() -> None:
    """A refusal that came while the sender had nothing to send once left it asleep for ever."""
    outbox = Outbox(Batching(size=3, linger_s=0.0), Backoff(lambda: 0.0, first_s=0.001), time.monotonic)
    put(outbox, "a")
    stream = outbox.open_stream()
    batch_id, _events = take(outbox, stream)
    taken: list[list[str]] = []
    sender = threading.Thread(target=lambda: taken.append(ids_of(take(outbox, stream)[1])))
    sender.start()
    while not outbox._work._waiters:  # type: ignore[attr-defined]
        time.sleep(0.001)
    outbox.answer(batch_id, [ingest_pb2.Verdict(refusal=refusal_message(AWAY))])
    sender.join(10.0)
    assert taken == [["a"]]


def test_batches_that_fail_together_are_one_failure() -> None:
    clock = Clock()
    outbox = an_outbox(clock, size=1)
    put(outbox, *"abcdefgh")
    stream = outbox.open_stream()
    batches = [take(outbox, stream)[0] for _ in range(8)]
    for batch_id in batches:
        outbox.answer(batch_id, [ingest_pb2.Verdict(refusal=refusal_message(AWAY))])
    assert outbox._wait() == pytest.approx(0.05)


def test_events_of_a_lost_stream_are_sent_again_on_the_next() -> None:
    outbox = an_outbox()
    put(outbox, "a", "b", "c", "d")
    first = outbox.open_stream()
    batch_id, events = take(outbox, first)
    second = outbox.open_stream()
    assert outbox.take(first) is None
    assert take(outbox, second)[1] == events
    assert outbox.answer(batch_id, [stored("a")]) == [], "an answer of the lost stream settles nothing"


def test_verdict_that_is_missing_means_send_again() -> None:
    clock = Clock()
    outbox = an_outbox(clock)
    put(outbox, "a", "b")
    stream = outbox.open_stream()
    batch_id, _events = take(outbox, stream)
    assert len(outbox.answer(batch_id, [stored("a")])) == 1
    clock.now = 1.0
    assert ids_of(take(outbox, stream)[1]) == ["b"]


def test_event_is_given_up_after_its_time() -> None:
    clock = Clock()
    outbox = an_outbox(clock, give_up_after_s=10.0)
    put(outbox, "a")
    clock.now = 5.0
    put(outbox, "b")
    batch_id, _events = take(outbox, outbox.open_stream())
    assert not outbox.stalled()
    clock.now = 11.0
    assert outbox.stalled()
    away = ingest_pb2.Verdict(refusal=refusal_message(AWAY))
    assert [(r.event_id, r.refusal) for r in outbox.answer(batch_id, [away, away])] == [("a", AWAY)]
    clock.now = 16.0
    assert [r.event_id for r in outbox.give_up_old(AWAY)] == ["b"]
    assert outbox.counts.pending == 0


def test_linger_waits_for_company_but_flush_does_not() -> None:
    clock = Clock()
    outbox = an_outbox(clock, linger_s=5.0)
    put(outbox, "a")
    assert outbox._wait() == 5.0
    put(outbox, "b", "c")
    assert outbox._wait() == 0
    take(outbox, outbox.open_stream())
    put(outbox, "d")
    waiter = threading.Thread(target=outbox.wait_settled, args=(30.0,))
    waiter.start()
    batch_id, events = take(outbox, outbox._stream)
    assert ids_of(events) == ["d"]
    outbox.answer(batch_id, [stored("d")])
    outbox.answer("1", [stored("a"), stored("b"), stored("c")])
    waiter.join(10.0)
    assert not waiter.is_alive()


def test_full_buffer_raises_when_asked_to() -> None:
    outbox = an_outbox(buffer=2, block=False)
    put(outbox, "a", "b")
    with pytest.raises(BufferFull, match="2 events wait"):
        put(outbox, "c")
    assert outbox.counts.sent == 2


def test_full_buffer_blocks_until_there_is_room() -> None:
    outbox = an_outbox(buffer=2)
    put(outbox, "a", "b")
    putter = threading.Thread(target=put, args=(outbox, "c"))
    putter.start()
    batch_id, _events = take(outbox, outbox.open_stream())
    assert putter.is_alive()
    outbox.answer(batch_id, [stored("a"), stored("b")])
    putter.join(10.0)
    assert outbox.counts.sent == 3


def test_closed_outbox_takes_nothing_and_lets_nobody_wait() -> None:
    outbox = an_outbox(buffer=1)
    put(outbox, "a")
    failures: list[BaseException] = []

    def put_more() -> None:
        try:
            put(outbox, "b")
        except BrokerError as error:
            failures.append(error)

    putter = threading.Thread(target=put_more)
    putter.start()
    stream = outbox.open_stream()
    outbox.close()
    putter.join(10.0)
    assert len(failures) == 1
    assert outbox.take(stream) is None
    assert [r.event_id for r in outbox.give_up_all(AWAY)] == ["a"]


@given(st.lists(st.integers(0, 9), max_size=300), st.integers(1, 4))
def test_every_event_is_settled_exactly_once_whatever_the_host_does(choices: list[int], size: int) -> None:
    clock = Clock()
    outbox = an_outbox(clock, size=size, give_up_after_s=1e9)
    results: list[EventResult] = []
    answers = iter(choices)
    stream, sent = outbox.open_stream(), 0
    while (choice := next(answers, None)) is not None:
        clock.now += 10.0
        if choice < 4:
            sent += 1
            put(outbox, str(sent))
        elif choice < 5:
            stream = outbox.open_stream()
        elif outbox._wait() == 0:
            batch_id, events = take(outbox, stream)
            verdicts = [_verdict(event_id, next(answers, 0)) for event_id in ids_of(events)]
            results += outbox.answer(batch_id, verdicts)
    results += outbox.give_up_all(AWAY)
    assert Counter(r.event_id for r in results) == Counter(str(n) for n in range(1, sent + 1))
    counts = outbox.counts
    assert (counts.sent, counts.pending) == (sent, 0)
    assert counts.acknowledged == sum(r.position is not None for r in results)


def _verdict(event_id: str, choice: int) -> ingest_pb2.Verdict:
    if choice < 5:
        return stored(event_id)
    refusal = refusal_message(AWAY if choice < 8 else WRONG)
    return ingest_pb2.Verdict(event_id=event_id, refusal=refusal)


def test_outbox_that_tells_nobody_still_counts() -> None:
    outbox = Outbox(Batching(size=2), Backoff(lambda: 0.0), Clock(), tell_results=False)
    put(outbox, "a", "b")
    batch_id, _events = take(outbox, outbox.open_stream())
    assert outbox.answer(batch_id, [stored("a"), stored("b")]) == []
    assert (outbox.counts.acknowledged, outbox.counts.pending) == (2, 0)


def test_backoff_doubles_up_to_a_limit_and_starts_anew() -> None:
    backoff = Backoff(lambda: 1.0, first_s=0.1, longest_s=1.0)
    assert [backoff.next_pause() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    backoff.reset()
    assert backoff.next_pause() == pytest.approx(0.1)
    assert Backoff(lambda: 0.0).next_pause() == pytest.approx(0.05)
    late = Backoff(lambda: 0.0, failures=10**6)
    assert late.next_pause() == pytest.approx(2.5)


def test_refusal_with_a_code_of_a_newer_host_is_read() -> None:
    found = read_refusal(ingest_pb2.Refusal(code=4, field="f", message="m", retryable=True))
    assert (found.code, found.field, found.message, found.retryable) == (Code.UNAVAILABLE, "f", "m", True)
