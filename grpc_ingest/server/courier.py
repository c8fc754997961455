"""Takes records to Kafka from the event loop: admits them to the backlog, produces, polls for answers, drains."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

from confluent_kafka import KafkaException

from grpc_ingest.backlog import Backlog, record_size
from grpc_ingest.broker import KafkaProducer
from grpc_ingest.kafka_refusal import refusal_of
from grpc_ingest.records import Record
from grpc_ingest.refusal import QUEUE_FULL, Code, Refusal, refuse_for_now
from grpc_ingest.server.delivery import Delivery

# Callbacks run in poll(), on the loop's own thread: a thread of their own would fight it for the interpreter lock at
# every record. While records are out it is called so often; an acknowledgement waits half of it on average.
BUSY_POLL_S = 0.001
IDLE_POLL_S = 0.5  # errors and tokens of an idle producer
# A large request is admitted in parts of this size, so that it never needs the whole bound to be free at once.
PART_BYTES = 262_144

BEHIND = refuse_for_now(
    Code.RESOURCE_EXHAUSTED, "the lake is behind: events wait to be landed, send it again a little later"
)
DRAINING = refuse_for_now(Code.UNAVAILABLE, "the host is shutting down: send it again to another")

Records = Sequence[Record | Refusal]


class Courier:
    """Everything here runs on the event loop's thread, but for `wake`."""

    def __init__(self, producer: KafkaProducer, backlog: Backlog | None) -> None:
        self._producer, self._backlog = producer, backlog
        self._loop = asyncio.get_running_loop()
        self._progress, self._work = asyncio.Event(), asyncio.Event()
        self._pump = asyncio.create_task(self._poll_for_ever(), name="kafka-poll")
        self.draining = False

    async def send(self, records: Records, patience_s: float | None) -> list[Delivery]:
        """Produces the records in order, in one delivery or several. Waits for room so long (None: until there is)."""
        if self._backlog is None:
            delivery = Delivery(records)
            self._produce(delivery, records)
            return [delivery]
        until = None if patience_s is None else self._loop.time() + patience_s
        return [await self._send_part(self._backlog, part, until) for part in _parts(records)]

    def wake(self) -> None:
        """There may be room again. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._tell_waiting)

    def begin_drain(self) -> None:
        """Whoever waits for room is refused from now on."""
        self.draining = True
        self._tell_waiting()

    async def end_drain(self, seconds: float) -> int:
        """Flushes and stops polling; the number of records that Kafka never answered for."""
        until = self._loop.time() + seconds
        while len(self._producer) and self._loop.time() < until:
            await asyncio.sleep(BUSY_POLL_S)
        self._pump.cancel()
        return self._producer.flush(0)

    async def _send_part(self, backlog: Backlog, part: "_Part", until: float | None) -> Delivery:
        records, sizes, per_topic = part
        refusal = await self._admit(backlog, per_topic, until)
        if refusal is not None:
            delivery = Delivery(records)
            delivery.refuse(refusal)
        else:
            delivery = Delivery(records, partial(self._account, backlog, sizes))
            self._produce(delivery, records)
        return delivery

    async def _admit(self, backlog: Backlog, sizes: dict[str, int], until: float | None) -> Refusal | None:
        while not self.draining:
            if backlog.admit(sizes):
                return None
            left = None if until is None else until - self._loop.time()
            if left is not None and left <= 0:
                return BEHIND
            try:
                await asyncio.wait_for(self._progress.wait(), left)
            except TimeoutError:
                continue
        return DRAINING

    def _produce(self, delivery: Delivery, records: Records) -> None:
        produce, answered = self._producer.produce, delivery.answered
        for index, record in enumerate(records):
            if isinstance(record, Refusal):
                continue
            _event_id, topic, key, value = record
            try:
                produce(topic, value, key, -1, partial(answered, index))
            except BufferError:
                delivery.settle(index, QUEUE_FULL)
            except KafkaException as error:
                delivery.settle(index, refusal_of(error.args[0], topic))
        self._work.set()

    def _account(self, backlog: Backlog, sizes: list[int], delivery: Delivery) -> None:
        """All of a delivery is answered: what was reserved for it stands in the log, or is free again."""
        stands: dict[tuple[str, int], list[int]] = {}
        for topic, size, outcome in zip(delivery.topics, sizes, delivery.outcomes, strict=True):
            if outcome is not None and not isinstance(outcome, Refusal):
                heap = stands.setdefault((topic, outcome[0]), [0, 0])
                heap[0], heap[1] = max(heap[0], outcome[1] + 1), heap[1] + size
            elif size:
                backlog.release(topic, size)
        for (topic, partition), (end, size) in stands.items():
            backlog.deliver(topic, partition, end, size)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    async def _poll_for_ever(self) -> None:
        while True:
            self._producer.poll(0)
            if len(self._producer):
                await asyncio.sleep(BUSY_POLL_S)
                continue
            self._work.clear()
            try:
                await asyncio.wait_for(self._work.wait(), IDLE_POLL_S)
            except TimeoutError:
                continue


# Some records of a request, the bytes that each takes in Kafka (0 for one that is refused), their sum per topic.
_Part = tuple[Records, list[int], dict[str, int]]


def _parts(records: Records) -> Iterator[_Part]:
    """The records in runs of at most PART_BYTES; a larger one is a run of its own."""
    begin = total = 0
    sizes: list[int] = []
    per_topic: dict[str, int] = {}
    for index, record in enumerate(records):
        if isinstance(record, Refusal):
            sizes.append(0)
            continue
        _event_id, topic, key, value = record
        size = record_size(key, value)
        if total and total + size > PART_BYTES:
            yield records[begin:index], sizes, per_topic
            begin, total, sizes, per_topic = index, 0, [], {}
        sizes.append(size)
        total += size
        per_topic[topic] = per_topic.get(topic, 0) + size
    yield records[begin:], sizes, per_topic
