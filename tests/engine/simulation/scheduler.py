"""An event loop without time: its processes go on in an order that a seed decides."""

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import GeneratorType
from typing import Any, TypeVar, cast

__all__ = ["KilledError", "Process", "Scheduler", "Thread"]

T = TypeVar("T")

_Call = tuple[Callable[..., object], tuple[Any, ...], contextvars.Context]

_process: contextvars.ContextVar["Process"] = contextvars.ContextVar("process")


class KilledError(BaseException):
    """Unwinds a killed process; nothing that the engine writes gets through any more."""


class Process:
    """One worker's life, from its start to its end.

    Attributes:
        name: for the trace.
        dead: killed or ended.
        frozen: stands still, as after SIGSTOP.
        calls: what its event loop would run next.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.calls: deque[_Call] = deque()


class _Timer:
    """What ``asyncio.sleep`` wants back; time is only order here, so it is due at once."""

    def cancel(self) -> None:
        """Nothing: a future that is done ignores it."""


class Scheduler:
    """Runs processes in turn; the order within a process is kept.

    To asyncio's tasks it is the event loop; of what a loop may be asked for it has what the engine needs.
    """

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self.processes: list[Process] = []
        self.unnoticed: list[str] = []

    @property
    def as_loop(self) -> asyncio.AbstractEventLoop:
        """For those who want a loop."""
        return cast("asyncio.AbstractEventLoop", self)

    def start(self, process: Process, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Add a process."""
        context = contextvars.copy_context()
        context.run(_process.set, process)
        self.processes.append(process)
        return asyncio.Task(work, loop=self.as_loop, context=context)

    def step(self) -> bool:
        """Let one process go on; ``False`` if none can."""
        processes = self.processes
        if not processes:
            return False
        process = processes[int(self._random() * len(processes))]
        if process.frozen or not process.calls:
            able = [each for each in processes if each.calls and not each.frozen]
            if not able:
                return False
            process = able[int(self._random() * len(able))]
        calls = process.calls
        # Not every step within a process is worth a choice.
        for _ in range(min(len(calls), 3)):
            callback, arguments, context = calls.popleft()
            context.run(callback, *arguments)
        return True

    def kill(self, process: Process) -> None:
        """End a process where it stands."""
        process.dead = True
        process.frozen = False
        while process.calls:
            callback, arguments, context = process.calls.popleft()
            context.run(callback, *arguments)
        if process in self.processes:
            self.processes.remove(process)

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> _Timer:
        """Run it when the process has its turn."""
        context = context or contextvars.copy_context()
        context[_process].calls.append((callback, args, context))
        return _TIMER

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> _Timer:
        """Time is only order here: the same."""
        del delay
        return self.call_soon(callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        """A future."""
        return asyncio.Future(loop=self.as_loop)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        """A task of the process that asks."""
        return asyncio.Task(coro, loop=self.as_loop, **options)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """Always."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep it for the verdict."""
        error = context.get("exception")
        if not isinstance(error, KilledError):
            self.unnoticed.append(f"an error that nobody took: {context}")


_TIMER = _Timer()


class _Pause:
    """Gives the scheduler a choice."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Thread:
    """An `Offload` without a thread: one call after another, each in its turn, others' steps in between.

    A call that is a generator is several requests to Kafka; at every ``yield`` the process may be killed.
    """

    def __init__(self, process: Process, chance: random.Random) -> None:
        self._process = process
        self._random = chance.random
        self._next = 0
        self._serving = 0

    async def __call__(self, call: Callable[[], T]) -> T:
        """The call's outcome."""
        place, self._next = self._next, self._next + 1
        process = self._process
        while self._serving != place:
            if process.dead:
                raise KilledError
            await _Pause()
        try:
            await _Pause()
            if process.dead:
                raise KilledError
            outcome: Any = call()
            if type(outcome) is GeneratorType:
                outcome = await self._requests(outcome)
        finally:
            self._serving += 1
        await _Pause()  # killed here, a process never learns what it has done
        if process.dead:
            raise KilledError
        return cast("T", outcome)

    async def _requests(self, requests: Generator[None, None, Any]) -> Any:
        while True:
            try:
                next(requests)
            except StopIteration as over:
                return over.value
            while True:
                await _Pause()
                if self._process.dead:
                    raise KilledError
                if self._random() < 0.7:
                    break
