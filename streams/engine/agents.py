"""Faust agents and streams that take part in rounds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, NoReturn, cast

import faust.agents.agent
import faust.streams
from faust.types import EventT, Message
from faust.types.agents import ActorRefT
from mode.utils.aiter import aiter as mode_aiter

from streams.engine.errors import InternalError, StuckError
from streams.engine.faust_internals import set_current_event
from streams.engine.isolation import Task
from streams.engine.record import Batch
from streams.engine.rounds import Failure
from streams.engine.tables import take_in_hand

__all__ = ["Agent", "AgentProcessor", "BatchMessage", "Stream"]


class BatchMessage(Message):
    """A batch as a Faust message.

    Attributes:
        done: set when the agent is through with the batch, with the exception if it raised.
    """

    __slots__ = ("done",)

    def __init__(self, batch: Batch) -> None:
        first = batch.records[0]
        super().__init__(
            first.topic,
            first.partition,
            first.offset,
            timestamp=first.timestamp / 1000,
            timestamp_type=0,
            headers=None,
            key=None,
            value=None,
            checksum=None,
        )
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_final_ack(self, consumer: Any) -> bool:
        """The agent came back for the next batch."""
        self.acked = True
        if not self.done.done():
            self.done.set_result(None)
        return super().on_final_ack(consumer)

    def fail(self, error: BaseException) -> None:
        """The agent raised."""
        if not self.done.done():
            self.done.set_exception(error)


class Stream(faust.streams.Stream[Any]):
    """A stream whose batch is acknowledged when the agent comes back for the next, and only then.

    Faust's own iterators acknowledge in a ``finally``, so that a batch whose agent raised counts as done.
    """

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._batches()

    def _batches(self) -> "_BatchIterator":
        self._finalized = True
        return _BatchIterator(self)

    def fail(self, error: BaseException) -> bool:
        """The agent raised while a batch was in hand; ``False`` if none was."""
        event, self.current_event = self.current_event, None
        take_in_hand(None)
        if event is None:
            return False
        cast("BatchMessage", event.message).fail(error)
        return True


class _BatchIterator:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._tables = cast("Any", stream.app).engine.tables.held

    def __aiter__(self) -> "_BatchIterator":
        return self

    async def __anext__(self) -> Batch:
        stream = self._stream
        await stream.maybe_start()
        await self._acknowledge()
        event = cast("EventT[Any]", await stream.channel.__anext__())
        # Faust's sensors count a batch as one event.
        message = event.message
        stream._on_stream_event_in(message.tp, message.offset, stream, event)  # noqa: SLF001
        set_current_event(event)
        stream.current_event = event
        stream.events_total += 1
        batch = cast("Batch", event.value)
        take_in_hand(self._tables[batch.partition])
        return batch

    async def _acknowledge(self) -> None:
        event, self._stream.current_event = self._stream.current_event, None
        take_in_hand(None)
        if event is not None:
            await self._stream.ack(event)


def _unsupported(name: str) -> Any:
    def refuse(self: Stream, *_args: Any, **_options: Any) -> NoReturn:
        raise NotImplementedError(
            f"Stream.{name} is not supported: a stream's values are batches, which belong to a round as a "
            "whole. Iterate over the batch's records, and emit with batch.emit"
        )

    return refuse


for _name in (
    "take",
    "take_events",
    "take_with_timestamp",
    "group_by",
    "through",
    "noack",
    "join",
    "inner_join",
    "left_join",
    "outer_join",
    "combine",
    "filter",
    "echo",
    "items",
):
    setattr(Stream, _name, _unsupported(_name))


class Agent(faust.agents.agent.Agent):
    """An agent that fails the round at once when it raises, and goes on with the next batch.

    Faust lets its supervisor start a new actor, which takes seconds.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        if options.get("isolated_partitions"):
            raise NotImplementedError(
                "isolated_partitions is not supported: a batch is of one partition anyway"
            )
        super().__init__(*args, **options)

    async def _execute_actor(self, coro: Awaitable[Any], aref: ActorRefT) -> None:
        faust.agents.agent._current_agent.set(self)  # noqa: SLF001
        stream = cast("Stream", aref.stream)
        while not self.should_stop:
            try:
                await coro
            except asyncio.CancelledError:
                stream.fail(InternalError(f"agent {self.name} was cancelled"))
                raise
            except Exception as error:  # noqa: BLE001 - the round protocol decides what it means
                if not stream.fail(error):
                    # Nothing in hand: it failed before its loop or after, and would do so again and again.
                    self._end(f"failed outside of a batch: {error!r}")
                    return
            else:
                stream.fail(InternalError(f"agent {self.name} returned"))
                self._end("returned; it must iterate over its batches for ever")
                return
            restarted = self.fun(stream)
            aref.it = restarted
            coro = restarted if isinstance(restarted, Awaitable) else self._slurp(aref, mode_aiter(aref))

    def _end(self, finding: str) -> None:
        if not self.app.should_stop:
            cast("Any", self.app).engine.fail(InternalError(f"agent {self.name} {finding}"))


class AgentProcessor:
    """Hands batches to Faust's agents and waits for them; see `Processor`.

    Args:
        app: the application.
        timeout_seconds: how long an agent may work on a batch.
    """

    def __init__(self, app: faust.App, timeout_seconds: float) -> None:
        self._app = app
        self._timeout = timeout_seconds
        self._queues: dict[str, Any] = {}
        self._waiting: dict[asyncio.Future[None], Task] = {}
        self.channels: dict[str, Sequence[str]] = {}

    def add(self, name: str, topics: Sequence[str], queue: Any) -> None:
        """A channel, its topics and the queue that its agent reads."""
        self.channels[name] = topics
        self._queues[name] = queue

    def abandon(self, error: BaseException) -> None:
        """Wait no more: the engine has failed."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)

    async def process(self, tasks: Sequence[Task]) -> Sequence[Failure]:
        """Hand out, and wait until all are through.

        Raises:
            StuckError: an agent is not through within the timeout.
        """
        waiting: dict[asyncio.Future[None], Task] = {}
        for task in tasks:
            message = BatchMessage(task.batch)
            message.incref()
            self._queues[task.channel].put_nowait(self._app.create_event(None, task.batch, None, message))
            waiting[message.done] = task
        self._waiting = waiting
        _, late = await asyncio.wait(waiting, timeout=self._timeout)
        if late:
            task = waiting[late.pop()]
            record = task.batch.current or task.batch.records[0]
            raise StuckError(
                f"the agent of {task.channel} has not let go of {record.topic}[{record.partition}] offset "
                f"{record.offset}",
                self._timeout,
            )
        return [
            Failure(task, error)
            for future, task in waiting.items()
            if (error := future.exception()) is not None
        ]
