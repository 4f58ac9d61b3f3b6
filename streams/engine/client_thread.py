"""A thread that makes blocking calls, one after another, for the event loop."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["ClientThread"]

T = TypeVar("T")


class ClientThread:
    """An `Offload` over one daemon thread.

    Unlike an executor's thread it never keeps a process from exiting, whatever call it hangs in.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """The call's outcome, awaited."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.put((call, future))
        return future

    def close(self, timeout_seconds: float) -> None:
        """Let the thread end after the calls it has."""
        self._calls.put(None)
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            call, future = item
            try:
                outcome, error = call(), None
            except BaseException as raised:  # noqa: BLE001 - handed to whoever awaits the call
                outcome, error = None, raised
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future, outcome, error)


def _settle(future: asyncio.Future[Any], outcome: Any, error: BaseException | None) -> None:
    if future.done():
        return  # cancelled meanwhile
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)
