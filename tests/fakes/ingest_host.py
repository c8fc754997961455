"""A host in this process over a Kafka producer that is given, and calls to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from grpc_ingest.proto.gen.nexus.ingest.v1 import ingest_pb2
from grpc_ingest.records import Edge
from grpc_ingest.requests import BatchRequest, PutRequest
from grpc_ingest.server.host import serve
from grpc_ingest.server.settings import Settings
from tests.builders.events import an_edge

SERVICE = "/nexus.ingest.v1.Ingest/"
DEADLINE_S = 30.0  # no test waits so long unless something is wrong


@dataclass
class Host:
    """A host that serves. `code` is what it ended with."""

    channel: grpc.aio.Channel
    stop: asyncio.Event
    ending: "asyncio.Task[int]"
    on_fatal: list[Callable[[str], None]] = field(default_factory=list)

    async def put(self, event: bytes, **options: Any) -> ingest_pb2.PutResponse:
        call = self._unary("Put", ingest_pb2.PutResponse, PutRequest(event=event), options)
        return await call  # type: ignore[no-any-return]

    async def put_batch(self, events: Sequence[bytes], **options: Any) -> list[ingest_pb2.Verdict]:
        request = BatchRequest(batch_id="b", events=events)
        answer = await self._unary("PutBatch", ingest_pb2.PutBatchResponse, request, options)
        assert answer.batch_id == "b"
        return list(answer.verdicts)

    def stream(self) -> Any:
        """A call with read() and `write(batch(...))`."""
        multi = self.channel.stream_stream(
            f"{SERVICE}PutStream", response_deserializer=ingest_pb2.PutStreamResponse.FromString
        )
        return multi(timeout=DEADLINE_S)

    async def end(self) -> int:
        self.stop.set()
        return await asyncio.wait_for(self.ending, DEADLINE_S)

    def _unary(self, method: str, answer: Any, request: Any, options: dict[str, Any]) -> Any:
        multi = self.channel.unary_unary(f"{SERVICE}{method}", response_deserializer=answer.FromString)
        return multi(request.SerializeToString(), **{"timeout": DEADLINE_S, **options})


def batch(batch_id: str, *events: bytes) -> bytes:
    """A request of the stream."""
    written: bytes = BatchRequest(batch_id=batch_id, events=events).SerializeToString()
    return written


@asynccontextmanager
async def serving(
    producer: Any, folder: Path, edge: Edge | None = None, **settings: Any
) -> AsyncIterator[Host]:
    """Serves until the block ends."""
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    stop, told = asyncio.Event(), []
    chosen = Settings(**{"broker": "nowhere:1", "log": "emb-1", "ready_file": ready, **settings})

    def connect(on_fatal: Callable[[str], None]) -> Any:
        told.append(on_fatal)
        return producer

    ending = asyncio.create_task(serve(chosen, edge or an_edge(), connect, stop))
    await until(lambda: ready.exists() or ending.done())
    if ending.done():
        ending.result()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ready.read_text()}") as channel:
        try:
            yield Host(channel, stop, ending, told)
        finally:
            stop.set()
            await asyncio.wait_for(ending, DEADLINE_S)


async def until(holds: Callable[[], bool]) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.002)


async def refusal_of_call(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Status, text and trailing metadata of a call that must fail."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or "", dict(error.trailing_metadata() or ())  # type: ignore[arg-type]
    raise AssertionError(f"a false acknowledgement: {answer}")


STATUS = grpc.StatusCode


Test = Callable[[Host], Coroutine[Any, Any, Any]]


def run(producer: Any, folder: Path, test: Test, **settings: Any) -> Any:
    """Runs a test against a host over this producer."""

    async def go() -> Any:
        async with serving(producer, folder, **settings) as host:
            return await test(host)

    return asyncio.run(go())
