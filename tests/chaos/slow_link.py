"""A link to the broker that can be made long, thin or broken: a TCP proxy of this process."""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from streams.broker.process import HOST, free_port

__all__ = ["SlowLink"]

# Little is under way at a time, as on a thin link, so that a change is felt at once.
_PIECE_BYTES = 4_096
_PIECES = 4


_UnderWay = asyncio.Queue[tuple[float, bytes]]
"""What is on its way: when it arrives (the loop's clock), and the bytes; no bytes at the end."""


class _Lane:
    """One direction, shared by all connections; bytes pass one after the other."""

    def __init__(self) -> None:
        self.free_at = 0.0


class SlowLink:
    """Passes everything on to a port of this machine, later and by and by.

    Attributes:
        port: where it listens.
        latency_seconds: each way.
        bytes_per_second: each way, for all connections together.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port(besides=target)
        self.latency_seconds = 0.0
        self.bytes_per_second = 1e9
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._up, self._down = _Lane(), _Lane()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow-link", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._connect, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def address(self) -> str:
        """For clients' bootstrap, and for the broker to advertise."""
        return f"{HOST}:{self.port}"

    def set(self, *, latency_seconds: float, bytes_per_second: float) -> None:
        """From the next piece on."""
        self.latency_seconds, self.bytes_per_second = latency_seconds, bytes_per_second

    def cut(self) -> None:
        """Break every connection; new ones may be made."""
        self._loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        self._abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        for source, sink, lane in ((reader, far_writer, self._up), (far_reader, writer, self._down)):
            task = asyncio.create_task(self._pass_on(source, sink, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, lane: _Lane) -> None:
        self._open.add(sink)
        under_way: _UnderWay = asyncio.Queue(_PIECES)
        arriving = asyncio.create_task(self._arrive(under_way, sink))
        try:
            with suppress(ConnectionError):
                while piece := await source.read(_PIECE_BYTES):
                    lane.free_at = max(lane.free_at, self._loop.time()) + len(piece) / self.bytes_per_second
                    await under_way.put((lane.free_at + self.latency_seconds, piece))
            await under_way.put((0.0, b""))
            with suppress(ConnectionError):
                await arriving
        finally:
            arriving.cancel()
            self._open.discard(sink)
            sink.close()

    async def _arrive(self, under_way: _UnderWay, sink: asyncio.StreamWriter) -> None:
        while True:
            at, piece = await under_way.get()
            if not piece:
                return
            await asyncio.sleep(at - self._loop.time())
            sink.write(piece)
            await sink.drain()
