"""The plain producer over Kafka producers that fail: same bytes and verdicts as through the host, nothing lost."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from grpc_ingest.backlog import Backlog
from grpc_ingest.client import EventEncoder
from grpc_ingest.marks import AckMarks, read_marks
from grpc_ingest.producer import BufferFull, Code, EventResult, PlainProducer
from lakehouse.errors import BrokerError
from tests.builders.events import MOMENT, an_edge, an_order
from tests.fakes.kafka import (
    FailingBroker,
    ForgetfulBroker,
    FullQueue,
    PromptBroker,
    RefusingProducer,
    SilentBroker,
)


class Clock:
    """Every look at it takes a while."""

    def __init__(self, step: float = 0.2) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def a_producer(kafka: Any, results: list[EventResult] | None = None, **options: Any) -> PlainProducer:
    told = None if results is None else results.extend
    options = {"clock": Clock(), "jitter": lambda: 0.0, **options}
    return PlainProducer(kafka, an_edge(), EventEncoder("web-shop"), "emb-1", on_results=told, **options)


def send(producer: PlainProducer, *ids: str) -> None:
    for event_id in ids:
        producer.send("orders", an_order(), MOMENT, event_id=event_id)


def test_producer_writes_the_bytes_that_the_host_would() -> None:
    kafka, encoder = PromptBroker(), EventEncoder("web-shop")
    with a_producer(kafka) as producer:
        event_id = producer.send("orders", an_order(), MOMENT)
    encoded = encoder.encode("orders", an_order(), MOMENT)
    expected = an_edge().accept_entity("orders", encoded.message)
    assert event_id == encoded.event_id
    assert kafka.records == [(expected[1], expected[3], expected[2])]


def test_result_tells_where_the_event_stands() -> None:
    results: list[EventResult] = []
    with a_producer(PromptBroker(), results) as producer:
        send(producer, "a", "b")
    assert [(r.entity, r.event_id, str(r.position), r.refusal, r.attempts) for r in results] == [
        ("orders", "a", "emb-1/orders.v1/0/0", None, 1),
        ("orders", "b", "emb-1/orders.v1/0/1", None, 1),
    ]
    assert (producer.counts.sent, producer.counts.acknowledged, producer.counts.pending) == (2, 2, 0)


def test_event_that_failed_for_now_is_sent_again_with_the_same_bytes() -> None:
    kafka, results = FailingBroker(KafkaError._MSG_TIMED_OUT, times=3), list[EventResult]()
    with a_producer(kafka, results) as producer:
        send(producer, "a", "b")
    assert sorted((r.event_id, r.position is not None) for r in results) == [("a", True), ("b", True)]
    assert len(kafka.records) == 5
    assert len(set(kafka.records)) == 2
    assert producer.counts.resent == 3


def test_event_that_can_never_be_stored_is_refused() -> None:
    for kafka in (
        FailingBroker(KafkaError.MSG_SIZE_TOO_LARGE),
        RefusingProducer(KafkaError.MSG_SIZE_TOO_LARGE),
    ):
        results: list[EventResult] = []
        with a_producer(kafka, results) as producer:
            send(producer, "a")
        assert [r.refusal.code for r in results if r.refusal] == [Code.INVALID_ARGUMENT]
        assert producer.counts.refused == 1


def test_event_that_the_edge_refuses_is_a_result_not_a_record() -> None:
    kafka, results = PromptBroker(), list[EventResult]()
    with a_producer(kafka, results) as producer:
        producer.send("orders", an_order(), MOMENT, event_id="x" * 129)
    assert [(r.refusal.code, r.refusal.field) for r in results if r.refusal] == [(3, "orders.event_id")]
    assert kafka.records == []


def test_event_without_an_answer_is_never_acknowledged(tmp_path: Path) -> None:
    kafka, results = SilentBroker(), list[EventResult]()
    marks = AckMarks(tmp_path, "emb-1")
    producer = a_producer(kafka, results, marks=marks)
    send(producer, "a")
    assert not producer.flush(5.0)
    assert results == []
    assert read_marks(tmp_path, "emb-1") == {}
    counts = producer.close(timeout=1.0)
    assert (counts.acknowledged, counts.refused) == (0, 1)
    assert [r.refusal.retryable for r in results if r.refusal] == [True]


def test_event_without_a_position_is_sent_again_until_it_is_given_up() -> None:
    results: list[EventResult] = []
    with a_producer(ForgetfulBroker(), results, give_up_after_s=20.0) as producer:
        send(producer, "a")
    assert [r.refusal.code for r in results if r.refusal] == [Code.UNAVAILABLE]
    assert results[0].attempts > 2


def test_marks_move_before_anybody_is_told(tmp_path: Path) -> None:
    seen: list[dict[tuple[str, int], int]] = []
    marks = AckMarks(tmp_path, "emb-1")
    producer = PlainProducer(
        PromptBroker(),
        an_edge(),
        EventEncoder("web-shop"),
        "emb-1",
        marks=marks,
        on_results=lambda _results: seen.append(read_marks(tmp_path, "emb-1")),
    )
    with producer:
        send(producer, "a", "b")
    assert seen == [{("orders.v1", 0): 2}]


def test_full_queue_is_waited_for_or_raises_as_chosen() -> None:
    with a_producer(FullQueue(room=2)) as producer:
        send(producer, *"abcdef")
    assert producer.counts.acknowledged == 6
    with a_producer(FullQueue(room=2), block=False) as producer:
        send(producer, "a", "b")
        with pytest.raises(BufferFull, match="later"):
            send(producer, "c")
        assert producer.counts.sent == 2


def test_backlog_is_kept_and_waited_for() -> None:
    kafka, backlog = PromptBroker(), Backlog(1000)
    with a_producer(kafka, backlog=backlog, give_up_after_s=30.0) as producer:
        with pytest.raises(BufferFull, match="Bronze writer"):
            send(producer, *(str(n) for n in range(20)))
        taken = len(kafka.records)
        assert 0 < taken < 10
        producer.flush()
        backlog.commit({("orders.v1", 0): taken})
        send(producer, "more")
    assert producer.counts.acknowledged == taken + 1


@pytest.mark.parametrize("kind", [FailingBroker, RefusingProducer])
def test_failed_event_gives_its_room_back(kind: Any) -> None:
    backlog = Backlog(1000)
    with a_producer(kind(KafkaError.MSG_SIZE_TOO_LARGE), backlog=backlog) as producer:
        send(producer, *(str(n) for n in range(50)))
    assert producer.counts.refused == 50
    assert backlog.admit({"orders.v1": 1000})


def test_event_that_found_the_queue_full_gives_its_room_back() -> None:
    backlog = Backlog(10_000)
    with a_producer(FullQueue(room=1), backlog=backlog) as producer:
        send(producer, *(str(n) for n in range(30)))
        producer.flush()
        backlog.commit({("orders.v1", 0): 30})
    assert backlog.admit({"orders.v1": 10_000})


def test_producer_beyond_repair_says_so() -> None:
    producer = a_producer(PromptBroker())
    producer._fatal.append("out of order")
    with pytest.raises(BrokerError, match="out of order"):
        send(producer, *(str(n) for n in range(100)))


def test_block_that_raises_gives_up_at_once() -> None:
    results: list[EventResult] = []
    producer = a_producer(SilentBroker(), results)
    with producer:
        send(producer, "a")
        producer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [r.event_id for r in results] == ["a"]
    with pytest.raises(BrokerError, match="closed"):
        send(producer, "b")
