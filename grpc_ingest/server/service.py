"""The service `nexus.ingest.v1.Ingest`: bytes of a request in, bytes of its answer out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from grpc_ingest.marks import AckMarks
from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.records import Edge
from grpc_ingest.refusal import Code, Refusal
from grpc_ingest.requests import BatchRequest, PutRequest
from grpc_ingest.server.courier import DRAINING, Courier
from grpc_ingest.server.delivery import Delivery, Outcome, write_verdicts
from grpc_ingest.server.tally import Call, Tally

SERVICE = ingest_pb2.DESCRIPTOR.services_by_name["Ingest"].full_name
# Verdicts are about 130 bytes: so many stay below the 4 MB that a gRPC client takes by default.
MAX_BATCH_EVENTS = 10_000
# Batches of one stream that wait for Kafka's answer: enough to hide its round trip, few enough to bound memory.
BATCHES_UNDER_WAY = 64
# An answer must leave before the client's own deadline to be of use: on loopback, and within a region.
ANSWER_S = 0.05

_STATUS = {code.value[0]: code for code in grpc.StatusCode}


class IngestService:
    """Everything runs on the event loop's thread."""

    def __init__(
        self, log: str, edge: Edge, courier: Courier, marks: AckMarks | None, tally: Tally, answer_s: float
    ) -> None:
        """`answer_s`: how long a request may wait for Kafka when its client sets no earlier deadline."""
        self._log, self._edge, self._courier, self._marks = log, edge, courier, marks
        self._tally, self._answer_s = tally, answer_s
        self._streams: set[asyncio.Queue[_Waiting | None]] = set()

    def handler(self) -> grpc.GenericRpcHandler:
        """To be added to a server. Requests and answers stay bytes there."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Put": grpc.unary_unary_rpc_method_handler(self.put),
                "PutBatch": grpc.unary_unary_rpc_method_handler(self.put_batch),
                "PutStream": grpc.stream_stream_rpc_method_handler(self.put_stream),
            },
        )

    def begin_drain(self) -> None:
        """Streams read no further; what they have read is answered, then they end."""
        for waiting in self._streams:
            waiting.put_nowait(None)

    async def put(self, request: bytes, context: Any) -> bytes:
        """One event: its position, or a status that says what is wrong."""
        call = await self._begin("Put", context)
        until = self._deadline(context)
        parsed = _parse(PutRequest, request)
        if isinstance(parsed, Refusal):
            await _abort(context, parsed)
        answer = ingest_pb2.PutBatchResponse()
        refusals = await self._put_all(call, [parsed.event], until, answer.verdicts)
        verdict = answer.verdicts[0]
        if refusals:
            await _abort(context, refusals[0], verdict.event_id)
        return ingest_pb2.PutResponse(
            event_id=verdict.event_id, position=verdict.position
        ).SerializeToString()

    async def put_batch(self, request: bytes, context: Any) -> bytes:
        """Many events, a verdict for each."""
        call = await self._begin("PutBatch", context)
        until = self._deadline(context)
        batch = _parse_batch(request)
        if isinstance(batch, Refusal):
            await _abort(context, batch)
        answer = ingest_pb2.PutBatchResponse(batch_id=batch.batch_id)
        await self._put_all(call, batch.events, until, answer.verdicts)
        return answer.SerializeToString()

    async def put_stream(self, _requests: AsyncIterator[bytes], context: Any) -> None:
        """Batches, answered in order while later ones are read."""
        call = await self._begin("PutStream", context)
        waiting: asyncio.Queue[_Waiting | None] = asyncio.Queue()
        places = asyncio.Semaphore(BATCHES_UNDER_WAY)
        self._streams.add(waiting)
        reader = asyncio.create_task(self._read_batches(context, waiting, places))
        try:
            while (batch := await waiting.get()) is not None:
                if not batch.sent.done():
                    await asyncio.wait((batch.sent, reader), return_when=asyncio.FIRST_COMPLETED)
                    if not batch.sent.done():
                        break  # the reader failed in between: its error ends the stream below
                answer = ingest_pb2.PutStreamResponse(batch_id=batch.batch_id)
                await self._answer(call, batch.sent.result(), self._now() + self._answer_s, answer.verdicts)
                await context.write(answer.SerializeToString())
                places.release()
            refusal = DRAINING if self._courier.draining else await reader
            if refusal is not None:
                await _abort(context, refusal)
        finally:
            self._streams.discard(waiting)
            reader.cancel()
            self._tally.end(call)

    async def _read_batches(
        self, context: Any, waiting: "asyncio.Queue[_Waiting | None]", places: asyncio.Semaphore
    ) -> Refusal | None:
        """Reads and sends until the client has no more; what the stream must end with, if it cannot be read."""
        try:
            while True:
                await places.acquire()
                request = await context.read()
                if request is grpc.aio.EOF or self._courier.draining:
                    return None
                batch = _parse_batch(request)
                if isinstance(batch, Refusal):
                    return batch
                records = [self._edge.accept(event) for event in batch.events]
                sent: asyncio.Future[list[Delivery]] = asyncio.get_running_loop().create_future()
                waiting.put_nowait(_Waiting(batch.batch_id, sent))
                sent.set_result(await self._courier.send(records, None))
        finally:
            waiting.put_nowait(None)

    async def _put_all(
        self, call: Call, events: Sequence[bytes], until: float, verdicts: Any
    ) -> list[Refusal]:
        records = [self._edge.accept(event) for event in events]
        deliveries = await self._courier.send(records, until - self._now())
        return await self._answer(call, deliveries, until, verdicts)

    async def _answer(
        self, call: Call, deliveries: Sequence[Delivery], until: float, verdicts: Any
    ) -> list[Refusal]:
        """Waits for Kafka and writes the verdicts; the refusals among them."""
        refusals: list[Refusal] = []
        for delivery in deliveries:
            await delivery.wait(until - self._now())
            outcomes = delivery.take()
            self._mark(delivery.topics, outcomes)
            write_verdicts(verdicts, self._log, delivery, outcomes)
            refusals += [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        self._tally.count(call, len(verdicts) - len(refusals), refusals)
        return refusals

    def _mark(self, topics: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        """What is acknowledged is marked before anybody is told."""
        if self._marks is not None:
            for topic, outcome in zip(topics, outcomes, strict=True):
                if not isinstance(outcome, Refusal):
                    self._marks.note(topic, outcome[0], outcome[1] + 1)

    async def _begin(self, method: str, context: Any) -> Call:
        call = self._tally.begin(method, context.invocation_metadata() or ())
        await context.send_initial_metadata((("x-trace-id", call.trace_id),))
        return call

    def _deadline(self, context: Any) -> float:
        left = context.time_remaining()
        return self._now() + (self._answer_s if left is None else min(self._answer_s, left - ANSWER_S))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class _Waiting:
    """A batch that was read: its answer is due after those before it."""

    batch_id: str
    sent: "asyncio.Future[list[Delivery]]"


def _parse(view: Any, request: bytes) -> Any:
    """The request, or a refusal of it."""
    try:
        return view.FromString(request)
    except DecodeError:
        return Refusal(Code.INVALID_ARGUMENT, "the request is not the message of this method")


def _parse_batch(request: bytes) -> Any:
    batch = _parse(BatchRequest, request)
    if not isinstance(batch, Refusal) and len(batch.events) > MAX_BATCH_EVENTS:
        problem = (
            f"a batch holds at most {MAX_BATCH_EVENTS} events, this one {len(batch.events)}: send several"
        )
        return Refusal(Code.INVALID_ARGUMENT, problem, "events")
    return batch


async def _abort(context: Any, refusal: Refusal, event_id: str = "") -> NoReturn:
    """Ends the call with the refusal as its status."""
    text = f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message
    trailing = [("nexus-retryable", "true" if refusal.retryable else "false")]
    if refusal.field:
        trailing.append(("nexus-field", refusal.field))
    if event_id and event_id.isascii():
        trailing.append(("nexus-event-id", event_id))
    context.set_trailing_metadata(tuple(trailing))
    await context.abort(_STATUS[refusal.code], text)
    raise AssertionError("abort raises")
