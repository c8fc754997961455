"""The client: a program puts events, a thread keeps one stream to the host and settles them."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from grpc_ingest.client.outbox import Batching, Outbox
from grpc_ingest.events import Columns, EventEncoder
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.refusal import Code, refuse_for_now
from grpc_ingest.requests import BatchRequest
from grpc_ingest.results import Counts, EventResult, OnResults
from grpc_ingest.retry import Backoff
from lakehouse.errors import BrokerError
from lakehouse.wire import UPSERT

METHOD = f"/{ingest_pb2.DESCRIPTOR.services_by_name['Ingest'].full_name}/PutStream"
# These pass when one waits; any other status of the stream means that asking again gives the same answer.
_PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,  # a connection cut in the middle of a frame
    grpc.StatusCode.UNKNOWN,  # the host's process was killed
}
_CHANNEL = (
    # A host that died without a word is noticed within half a minute.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The channel's own waiting between connections must not outlast ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
DEFAULT_BATCHING = Batching()
WATCH_S = 1.0  # give_up_after_s is kept to this precision
# A stream whose events are all settled ends by itself as soon as the host has seen its end.
_END_S = 2.0
CLOSED = refuse_for_now(Code.UNAVAILABLE, "the client was closed before Kafka acknowledged it")

_log = logging.getLogger(__name__)


class IngestClient:
    """Sends events of one source to one host. Safe for threads; results come on the client's own thread.

    As a context manager it flushes at the end, unless the block raised: then what is pending is given up at once.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        encoder: EventEncoder,
        *,
        batching: Batching = DEFAULT_BATCHING,
        on_results: OnResults | None = None,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_results` is told of every event once, a batch at a time; if it raises, the next call here does."""
        self._channel, self._encoder, self._on_results = channel, encoder, on_results
        self._outbox = Outbox(batching, Backoff(jitter), clock, on_results is not None)
        self._open_stream: Any = channel.stream_stream(
            METHOD, response_deserializer=ingest_pb2.PutStreamResponse.FromString
        )
        self._closing = threading.Event()
        self._failure: Exception | None = None
        self._call: Any = None
        self._away = False  # since the last answer: an outage is told once
        self._threads = [
            threading.Thread(target=target, name="ingest-client", daemon=True)
            for target in (self._run, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def connect(
        cls,
        address: str,
        source: str,
        *,
        batching: Batching = DEFAULT_BATCHING,
        on_results: OnResults | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        certificate_name: str = "",
    ) -> Self:
        """A client of the host at `host:port`. It connects by itself and keeps trying until events are given up.

        With `credentials` by TLS; `certificate_name` is the name to find in the certificate where that is not `host`.
        """
        if credentials is None:
            channel = grpc.insecure_channel(address, options=_CHANNEL)
        else:
            named = [("grpc.ssl_target_name_override", certificate_name)] if certificate_name else []
            channel = grpc.secure_channel(address, credentials, options=[*_CHANNEL, *named])
        return cls(channel, EventEncoder(source), batching=batching, on_results=on_results)

    @property
    def counts(self) -> Counts:
        """Events so far; read it after `flush` for figures that agree with each other."""
        return self._outbox.counts

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
        self._require_well()
        self._outbox.put(encoded)
        return encoded.event_id

    def send_message(self, message: Message) -> str:
        """Sends an event that is a generated class (see `EventEncoder.encode_message`); its id."""
        encoded = self._encoder.encode_message(message)
        self._require_well()
        self._outbox.put(encoded)
        return encoded.event_id

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until every event sent so far is settled; False when that took longer."""
        settled = self._outbox.wait_settled(timeout)
        self._require_well()
        return settled

    def close(self, timeout: float | None = None) -> Counts:
        """Flushes (so long, if given), ends the stream, gives up what is pending then. Idempotent."""
        self._end(timeout)
        if self._failure is not None:
            raise self._stopped() from self._failure
        return self.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._end(timeout=0)

    def _end(self, timeout: float | None) -> None:
        if self._closing.is_set():
            return
        if self._failure is None:
            self._outbox.wait_settled(timeout)
        self._closing.set()
        self._outbox.close()
        if not self.counts.pending:
            self._threads[0].join(_END_S)
        self._channel.close()
        for thread in self._threads:
            thread.join()
        self._settle(self._outbox.give_up_all(CLOSED))

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._keep_stream()
        except Exception as error:  # noqa: BLE001 - the outermost loop of this thread: told by the next call
            if not self._closing.is_set():
                self._failure = error
                self._outbox.close()
                self._outbox.give_up_all(CLOSED)

    def _watch(self) -> None:
        """Cuts a stream on which the host stopped answering, so that its events can be given up."""
        while not self._closing.wait(WATCH_S):
            if self._outbox.stalled() and self._call is not None:
                self._call.cancel()

    def _keep_stream(self) -> None:
        """One stream, until it ends; then a pause, unless it ended for good."""
        stream = self._outbox.open_stream()
        call = self._call = self._open_stream(self._requests(stream), wait_for_ready=False)
        try:
            for answer in call:
                self._away = False
                self._settle(self._outbox.answer(answer.batch_id, answer.verdicts))
            status, details = grpc.StatusCode.UNAVAILABLE, "the host ended the stream"
        except grpc.RpcError as error:
            status, details = error.code(), error.details() or ""
        if self._closing.is_set():
            return
        if status not in _PASSING:
            raise BrokerError(f"the ingest host does not take this stream ({status.name}): {details}")
        refusal = refuse_for_now(
            Code.UNAVAILABLE, f"no ingest host could be reached ({status.name}): {details}"
        )
        self._settle(self._outbox.give_up_old(refusal))
        pause = self._outbox.pause()
        level = logging.DEBUG if self._away else logging.WARNING
        _log.log(level, "no ingest host answers (%s); trying on. It says: %s", status.name, details)
        self._away = True
        self._closing.wait(pause)

    def _requests(self, stream: int) -> Iterator[bytes]:
        while (batch := self._outbox.take(stream)) is not None:
            yield BatchRequest(batch_id=batch[0], events=batch[1]).SerializeToString()

    def _settle(self, results: Sequence[EventResult]) -> None:
        if results and self._on_results is not None:
            self._on_results(results)

    def _require_well(self) -> None:
        if self._failure is not None:
            raise self._stopped() from self._failure
        if self._closing.is_set():
            raise BrokerError("the ingest client is closed: make a new one")

    def _stopped(self) -> BrokerError:
        return BrokerError(f"the ingest client stopped: {self._failure}")
