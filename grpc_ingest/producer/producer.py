"""Events straight into Kafka: same message, header, key and checks as the host, same results as the client."""

import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException
from google.protobuf.message import Message

from adapters.registry import SchemaRegistry
from grpc_ingest.backlog import Backlog, CommittedOffsets, record_size
from grpc_ingest.broker import KafkaProducer, connect_producer
from grpc_ingest.events import Columns, Encoded, EventEncoder
from grpc_ingest.kafka_refusal import refusal_of
from grpc_ingest.marks import AckMarks
from grpc_ingest.producer.settings import Settings
from grpc_ingest.records import Edge, Record
from grpc_ingest.refusal import NO_POSITION, Code, Refusal, refuse_for_now
from grpc_ingest.results import BufferFull, Counts, EventResult, OnResults
from grpc_ingest.retry import Backoff
from lakehouse.catalog import load_entities
from lakehouse.errors import BrokerError
from lakehouse.identity import Position
from lakehouse.wire import UPSERT

# librdkafka retries by itself so long; then the record comes back and is produced anew, until it is given up.
MESSAGE_TIMEOUT_S = 30.0
GIVE_UP_AFTER_S = 300.0
# Answers are taken up once for so many events, and while somebody waits for room.
POLL_EVERY = 100
WAIT_POLL_S = 0.05
CLOSED = refuse_for_now(Code.UNAVAILABLE, "the producer was closed before Kafka acknowledged it")


class _Outgoing:
    """One record that is not settled."""

    __slots__ = ("attempts", "entity", "record", "since", "size")

    def __init__(self, entity: str, record: Record, since: float) -> None:
        self.entity, self.record, self.since, self.attempts = entity, record, since, 0
        self.size = record_size(record[2], record[3])


class PlainProducer:
    """Sends events of one source. For one thread; results come while that thread is in a call of this class.

    As a context manager it flushes at the end, unless the block raised: then what is pending is given up at once.
    """

    def __init__(
        self,
        producer: KafkaProducer,
        edge: Edge,
        encoder: EventEncoder,
        log: str,
        *,
        backlog: Backlog | None = None,
        marks: AckMarks | None = None,
        on_results: OnResults | None = None,
        block: bool = True,
        give_up_after_s: float = GIVE_UP_AFTER_S,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`block`: whether a full queue is waited for, or raises BufferFull. Results come in lists."""
        self._producer, self._edge, self._encoder, self._log = producer, edge, encoder, log
        self._backlog, self._marks, self._on_results = backlog, marks, on_results
        self._block, self._give_up_after_s, self._clock = block, give_up_after_s, clock
        self._backoff = Backoff(jitter)
        self._again: list[_Outgoing] = []
        self._resume_at = float("-inf")
        self._results: list[EventResult] = []
        self._fatal: list[str] = []
        self._closers: list[Callable[[], None]] = []
        self._closed = False
        self.counts = Counts()

    @classmethod
    def connect(
        cls, settings: Settings, source: str, *, on_results: OnResults | None = None, block: bool = True
    ) -> Self:
        """A producer of these settings. RegistryError, BrokerError when what it needs at start is away."""
        registry = SchemaRegistry.connect(settings.aws_endpoint, settings.region, settings.registry)
        edge = Edge(load_entities().values(), registry.version_id)
        fatal: list[str] = []
        backlog = Backlog(settings.backlog_bytes) if settings.backlog_bytes else None
        made = cls(
            connect_producer(settings.broker, MESSAGE_TIMEOUT_S, "nexus-producer", fatal.append),
            edge,
            EventEncoder(source),
            settings.log,
            backlog=backlog,
            marks=AckMarks(settings.marks, settings.log) if settings.marks else None,
            on_results=on_results,
            block=block,
        )
        made._fatal = fatal
        if backlog:
            committed = CommittedOffsets(backlog, settings.broker, lambda: None)
            committed.start(edge.topics)
            made._closers.append(committed.close)
        return made

    def send(
        self,
        entity: str,
        columns: Columns,
        occurred_at: int | datetime,
        *,
        op: str = UPSERT,
        event_id: str | None = None,
        source: str | None = None,
    ) -> str:
        """Sends an event (see `EventEncoder.encode`); its id. EventError when it cannot be written, BufferFull."""
        encoded = self._encoder.encode(entity, columns, occurred_at, op=op, event_id=event_id, source=source)
        return self._take(encoded)

    def send_message(self, message: Message) -> str:
        """Sends an event that is a generated class (see `EventEncoder.encode_message`); its id."""
        return self._take(self._encoder.encode_message(message))

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until every event sent so far is settled; False when that took longer."""
        until = None if timeout is None else self._clock() + timeout
        while self.counts.pending and (until is None or self._clock() < until):
            self._serve(WAIT_POLL_S)
        self._tell()
        return not self.counts.pending

    def close(self, timeout: float | None = None) -> Counts:
        """Flushes (so long, if given) and gives up what is pending then. Idempotent."""
        if not self._closed:
            try:
                self.flush(timeout)
            finally:
                self._end()
        return self.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._end()

    def _take(self, encoded: Encoded) -> str:
        if self._closed:
            raise BrokerError("the producer is closed: make a new one")
        record = self._edge.accept_entity(encoded.entity, encoded.message)
        if isinstance(record, Refusal):
            self.counts.sent += 1
            self._settle(encoded.entity, encoded.event_id, 1, record)
        else:
            outgoing = _Outgoing(encoded.entity, record, self._clock())
            if not self._offer(outgoing):
                if not self._block:
                    raise BufferFull("Kafka or the lake is behind: offer this event again later")
                while not self._offer(outgoing):
                    self._serve(WAIT_POLL_S)
                    if self._too_old(outgoing):
                        raise BufferFull(
                            f"no room for {self._give_up_after_s:g} s: is the Bronze writer running?"
                        )
            self.counts.sent += 1
        if self.counts.sent % POLL_EVERY == 0:
            self._serve(0)
        return encoded.event_id

    def _offer(self, outgoing: _Outgoing) -> bool:
        """Produces it if there is room for it."""
        event_id, topic, key, value = outgoing.record
        if self._backlog is not None and not self._backlog.admit({topic: outgoing.size}):
            return False
        try:
            self._producer.produce(topic, value, key, -1, partial(self._answered, outgoing))
        except (BufferError, KafkaException) as error:
            if self._backlog is not None:
                self._backlog.release(topic, outgoing.size)
            if isinstance(error, BufferError):
                return False
            self._settle(outgoing.entity, event_id, outgoing.attempts + 1, refusal_of(error.args[0], topic))
        else:
            outgoing.attempts += 1
            self.counts.resent += outgoing.attempts > 1
        return True

    def _answered(self, outgoing: _Outgoing, error: KafkaError | None, message: Any) -> None:
        """The broker's answer for one record."""
        event_id, topic, _key, _value = outgoing.record
        offset = -1 if error is not None else message.offset()
        if offset >= 0:
            partition = message.partition()
            if self._backlog is not None:
                self._backlog.deliver(topic, partition, offset + 1, outgoing.size)
            if self._marks is not None:
                self._marks.note(topic, partition, offset + 1)
            self._backoff.reset()
            self._settle(outgoing.entity, event_id, outgoing.attempts, (topic, partition, offset))
            return
        if self._backlog is not None:
            self._backlog.release(topic, outgoing.size)
        refusal = NO_POSITION if error is None else refusal_of(error, topic)
        if refusal.retryable and not self._too_old(outgoing) and not self._closed:
            self._again.append(outgoing)
        else:
            self._settle(outgoing.entity, event_id, outgoing.attempts, refusal)

    def _serve(self, timeout: float) -> None:
        """Takes up answers, then offers again what came back."""
        if self._fatal:
            raise BrokerError(f"the Kafka producer is beyond repair ({self._fatal[0]}): make a new one")
        came_back = len(self._again)
        self._producer.poll(timeout)
        if len(self._again) > came_back:
            self._resume_at = self._clock() + self._backoff.next_pause()
        if self._again and self._clock() >= self._resume_at:
            again, self._again = self._again, []
            for place, outgoing in enumerate(again):
                if not self._offer(outgoing):
                    self._again += again[place:]
                    break
        self._tell()

    def _settle(
        self, entity: str, event_id: str, attempts: int, outcome: Refusal | tuple[str, int, int]
    ) -> None:
        refusal = outcome if isinstance(outcome, Refusal) else None
        if refusal is None:
            self.counts.acknowledged += 1
        else:
            self.counts.refused += 1
        if self._on_results is not None:
            position = None if isinstance(outcome, Refusal) else Position(self._log, *outcome)
            self._results.append(EventResult(entity, event_id, position, refusal, attempts))

    def _tell(self) -> None:
        if self._results and self._on_results is not None:
            results, self._results = self._results, []
            self._on_results(results)

    def _too_old(self, outgoing: _Outgoing) -> bool:
        return self._clock() - outgoing.since > self._give_up_after_s

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        for outgoing in self._again:
            self._settle(outgoing.entity, outgoing.record[0], outgoing.attempts, CLOSED)
        self._again = []
        # What librdkafka still holds: purged, so that each callback comes now and none after this.
        self._producer.purge()
        self._producer.flush(1.0)
        for close in self._closers:
            close()
        if self._marks is not None:
            self._marks.close()
        self._tell()
