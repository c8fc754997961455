"""A TCP proxy in front of a broker that delays, cuts and partitions: for tests and for trying things out.

    with Proxy(listen=cluster.layout.ports[0].proxy, target=cluster.layout.ports[0].behind_proxy) as proxy:
        proxy.delay_answers(0.2)   # what the broker says arrives later
        proxy.partition()          # nothing passes either way, connections stay: like a cable that is pulled
        proxy.heal()
        proxy.cut()                # every connection is reset; new ones are taken

Serves in a thread of its own; every order is carried out before the call returns. Loopback only.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

CHUNK = 64 * 1024


class Proxy:
    """From `listen` to `target`, ports of loopback."""

    def __init__(self, listen: int, target: int) -> None:
        self._listen, self._target = listen, target
        self._delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{listen}", daemon=True)
        self._open = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def delay_answers(self, seconds: float) -> None:
        """Each piece that the broker sends from now on is held back so long."""
        self._delay_s = seconds

    def partition(self) -> None:
        """Holds everything back until `heal`; nothing is lost on connections that survive it."""
        self._loop.call_soon_threadsafe(self._open.clear)
        self._do(_turn())

    def heal(self) -> None:
        """Ends `partition`."""
        self._loop.call_soon_threadsafe(self._open.set)
        self._do(_turn())

    def cut(self) -> None:
        """Ends every connection at once, with what was on the way."""
        self._do(self._cut())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _begin(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._listen)

    async def _end(self) -> None:
        if self._server:
            self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there: asyncio.StreamWriter | None = None
        ways: list[asyncio.Future[None]] = []
        try:
            answers, there = await asyncio.open_connection("127.0.0.1", self._target)
            ways += [
                asyncio.ensure_future(self._pass_on(reader, there, slow=False)),
                asyncio.ensure_future(self._pass_on(answers, writer, slow=True)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # nobody behind it, or cut: the client sees its connection end
        finally:
            self._tasks.discard(task)
            for way in ways:
                way.cancel()
            for side in filter(None, (writer, there)):
                side.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                await self._open.wait()
                if slow and self._delay_s:
                    await asyncio.sleep(self._delay_s)
                    await self._open.wait()
                writer.write(piece)
                await writer.drain()


async def _turn() -> None:
    """One turn of the loop: what was called before it is done."""
