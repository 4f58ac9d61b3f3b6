"""Rounds: the commit protocol. A round is one Kafka transaction; it may be in flight while the next works.

1.  Poll. The consumer is served by this alone. If the group changed during the poll, wait until the commit in
    flight has succeeded or failed, drop all that is in hand, and let `Assignment` start over from committed
    offsets. The poll also tells under which generation of the group its records were read.
2.  Hand the records to the agents: one batch per channel and partition, merged by timestamp.
3.  Wait until the agents are done with every batch. Then hand over the ticks that need wait no longer
    (`HeldTicks`), and wait for them. What agents write stays in overlays, what they emit in their batches, so
    an agent that raises costs nothing at the broker.
4.  Encode each changed key of the tables, once.
5.  Wait for the commit in flight. There is never more than one, and rounds are committed in their order.
6.  Take off: the overlays become the layer that the next round reads through. Begin a transaction; hand over
    the outputs, then the changes to their changelogs. On a thread of its own: send what the client's queue
    had no room for;
7.  send the offsets with the generation of step 1 into the transaction: a worker that lost its partitions
    meanwhile is refused here;
8.  commit. Meanwhile the next round is at steps 1 to 4, if its records lie ready in full number.
9.  Land: apply the changes to the local stores. A crash before this costs nothing: the store is behind its
    changelog and catches up. The store is never ahead.

When an agent or an encoder raises, the round is given up (overlays and outputs are dropped), taken apart
(`isolation`) and run again from memory, until the record at fault is alone. After ``max_attempts`` the poison
handler's outputs are committed in its place, with its offset. When the broker aborts or refuses a round in
flight, that round and the one built upon it are dropped and run again, one at a time, after a poll, which
serves the rebalance that is the usual cause.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from streams.engine.assignment import Assignment
from streams.engine.clients import (
    ChangelogWrites,
    Cluster,
    InputConsumer,
    Offload,
    Poll,
    TransactionalProducer,
)
from streams.engine.errors import (
    BrokerError,
    FatalError,
    MembershipLostError,
    RejectedOutputError,
    RetryableError,
    without_words,
)
from streams.engine.flight import Flight
from streams.engine.intake import Intake
from streams.engine.isolation import Task, split
from streams.engine.observer import Observer
from streams.engine.partitions import TableSet
from streams.engine.progress import Progress
from streams.engine.record import Output, Record, TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["Failure", "PoisonHandler", "Processor", "Rounds"]

logger = logging.getLogger(__name__)

# Grows with each retry in a row: ten of them take under three seconds.
_RETRY_PAUSE_SECONDS = 0.05

PoisonHandler = Callable[[Record, BaseException], Iterable[Output]]


class Failure(NamedTuple):
    """An agent raised.

    Attributes:
        task: what it was working on.
        error: what it raised.
    """

    task: Task
    error: BaseException


class Processor(Protocol):
    """The agents, as the protocol sees them."""

    @property
    def channels(self) -> Mapping[str, Sequence[str]]:
        """Topics by channel; each topic belongs to one channel."""

    async def process(self, tasks: Sequence[Task]) -> Sequence[Failure]:
        """Hand out batches and wait until all are done with.

        Raises:
            StuckError: an agent does not let go of its batch.
        """


class _RoundFailedError(Exception):
    def __init__(self, culprit: Task | None, error: BaseException) -> None:
        super().__init__(str(error))
        self.culprit = culprit
        self.error = error


class Rounds:
    """Runs rounds until told to stop.

    Args:
        settings: of the engine.
        consumer: of the inputs.
        producer: of the outputs.
        cluster: for the ends that ticks wait for.
        tables: of the application.
        assignment: keeps track of partitions and restores them.
        processor: the agents.
        poison: says what to send in place of a record that cannot be processed.
        observer: is told what happens.
        progress: is told, too.
        offload: runs blocking calls of the consumer.
        offload_commits: runs those of the producer, meanwhile.
    """

    def __init__(
        self,
        *,
        settings: EngineSettings,
        consumer: InputConsumer,
        producer: TransactionalProducer,
        cluster: Cluster,
        tables: TableSet,
        assignment: Assignment,
        processor: Processor,
        poison: PoisonHandler,
        observer: Observer,
        progress: Progress,
        offload: Offload,
        offload_commits: Offload,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._producer = producer
        self._tables = tables
        self._assignment = assignment
        self._processor = processor
        self._poison = poison
        self._observer = observer
        self._progress = progress
        self._offload = offload
        self._offload_commits = offload_commits
        self._intake = Intake(
            settings=settings,
            channels=processor.channels,
            consumer=consumer,
            cluster=cluster,
            assignment=assignment,
            observer=observer,
            offload=offload,
        )
        # Rounds that wait to be run, oldest first. More than one only after a failure.
        self._pending: deque[list[Task]] = deque()
        self._flight: Flight | None = None
        self._membership: object = None
        self._attempts = 0
        self._retries = 0

    async def turn(self) -> None:
        """One poll, and the round that it makes.

        Raises:
            FatalError: the process must end.
        """
        # Before the poll: what a poll brought from before a partition's start must never count.
        await self._assignment.resume_restored()
        poll = await self._poll()
        if poll.rebalanced:
            await self._start_over(poll)
            return
        self._membership = poll.membership
        tasks = await self._intake.take(poll)
        if tasks:
            self._pending.append(tasks)
        elif self._is_idle and not poll.records:
            self._progress.mark()
        if self._pending:
            await self._run(self._pending[0])

    @property
    def _is_idle(self) -> bool:
        in_hand = self._pending or self._flight or self._intake.holds_ticks
        return self._progress.settled and not in_hand

    async def finish(self) -> None:
        """Wait for the last commit. One that fails is as if it had not been begun.

        Raises:
            FatalError: the process must end.
        """
        with suppress(RejectedOutputError, RetryableError):
            await self._settle()

    async def _poll(self) -> Poll:
        """Poll for a round that is full already; else let the commit in flight land first.

        A record that came while a commit is in flight would otherwise be in a small round of its own, and
        those that came after it would wait for two commits instead of one.
        """
        ready = self._consumer.poll_ready(1 if self._pending else self._settings.max_records)
        if ready is not None:
            return ready
        await self._land()
        most, patience = self._settings.max_records, self._settings.idle_poll_seconds
        if self._pending:
            # While a failed round is being taken apart, polling only serves the group.
            most, patience = 1, self._retries * _RETRY_PAUSE_SECONDS
        return await self._offload(lambda: self._consumer.poll(most, patience))

    async def _start_over(self, poll: Poll) -> None:
        await self.finish()  # the same round can never be run again: others may have its partitions
        self._pending.clear()
        self._attempts = self._retries = 0
        self._intake.clear()
        await self._assignment.change(poll.assigned)

    async def _run(self, tasks: list[Task]) -> None:
        began_at = time.monotonic()
        partitions = {task.batch.partition for task in tasks}
        try:
            await self._process([task for task in tasks if not task.tick])
            await self._process([task for task in tasks if task.tick])
            writes = self._encode(partitions)
        except _RoundFailedError as failure:
            self._tables.forget(partitions)
            if await self._land():
                await self._take_apart(tasks, failure)
            return
        except RetryableError as error:
            self._tables.forget(partitions)
            if await self._land():
                self._pending[0] = _again(tasks)
                self._count_retry(error)
            return
        outputs = [output for task in tasks for output in task.batch.outputs]
        if await self._land():
            self._take_off(tasks, outputs, writes, began_at)
            if self._pending:
                await self._land()  # what is taken apart goes one round at a time

    async def _process(self, tasks: Sequence[Task]) -> None:
        if not tasks:
            return
        failures = await self._processor.process(tasks)
        for failure in failures:
            if isinstance(failure.error, FatalError | RetryableError):
                raise failure.error
        if failures:
            raise _RoundFailedError(failures[0].task, failures[0].error)

    def _encode(self, partitions: set[int]) -> list[ChangelogWrites]:
        try:
            return self._tables.changes(partitions)
        except FatalError:
            raise
        except Exception as error:
            raise _RoundFailedError(None, error) from error

    def _take_off(
        self,
        tasks: list[Task],
        outputs: Sequence[Output],
        writes: Sequence[ChangelogWrites],
        began_at: float,
        aside: BaseException | None = None,
    ) -> None:
        """Begin to commit the first pending round."""
        assert self._flight is None, "one round is in flight at a time"
        offsets: dict[TopicPartition, int] = {}
        for task in tasks:
            offsets.update(task.batch.ends)
        partitions = {task.batch.partition for task in tasks}
        notes, membership = self._tables.notes(partitions), self._membership
        self._tables.take_off(partitions)
        took_off_at = time.monotonic()
        self._producer.begin(outputs, writes)
        outcome = asyncio.ensure_future(
            self._offload_commits(lambda: self._producer.commit(offsets, notes, membership))
        )
        outcome.add_done_callback(_note)
        changes = sum(len(write.changes) for write in writes)
        self._flight = Flight(tasks, offsets, len(outputs), changes, began_at, took_off_at, outcome, aside)
        self._pending.popleft()

    async def _land(self) -> bool:
        """Wait for the commit in flight; ``False`` if it has failed, and all in hand is to be run again."""
        flight = self._flight
        try:
            await self._settle()
        except (RejectedOutputError, RetryableError) as error:
            assert flight is not None
            self._pending = deque(map(_again, self._pending))
            self._pending.appendleft(_again(flight.tasks))
            if isinstance(error, RetryableError):
                self._count_retry(error)
            elif flight.aside is None:
                await self._take_apart(self._pending[0], _RoundFailedError(None, error))
            else:
                record = flight.tasks[0].batch.records[0]
                raise BrokerError(
                    f"putting {record.topic}[{record.partition}] offset {record.offset} aside", str(error)
                ) from error
            return False
        return True

    async def _settle(self) -> None:
        """Wait for the commit in flight; raises what it failed with, and then no trace of it is left."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        try:
            positions = await flight.outcome
        except (RejectedOutputError, RetryableError):
            self._tables.crash()
            self._transaction_ended(flight, committed=False)
            raise
        self._transaction_ended(flight, committed=True)
        self._tables.land(positions, {task.batch.partition for task in flight.tasks})
        self._attempts = self._retries = 0
        self._assignment.committed.update(flight.offsets)
        records = sum(len(task.batch) for task in flight.tasks)
        self._progress.rounds += 1
        self._progress.records += records
        self._progress.mark()
        self._observer.committed(flight.offsets)
        self._observer.round_committed(
            duration_seconds=time.monotonic() - flight.began_at,
            records=records,
            outputs=flight.outputs,
            changes=flight.changes,
        )
        if flight.aside is not None:
            self._observer.poisoned(flight.tasks[0].batch.records[0], flight.aside)

    def _transaction_ended(self, flight: Flight, *, committed: bool) -> None:
        seconds = time.monotonic() - flight.took_off_at
        self._observer.transaction_ended(committed=committed, duration_seconds=seconds)

    async def _take_apart(self, tasks: list[Task], failure: _RoundFailedError) -> None:
        error = failure.error
        cause = "output" if isinstance(error, RejectedOutputError) else "agent"
        self._observer.round_failed(cause=cause, error=error)
        parts = split(tasks, failure.culprit)
        if len(parts) == 1 and sum(len(task.batch) for task in tasks) == 1:
            self._attempts += 1
            self._pending[0] = parts[0]
            if self._attempts >= self._settings.max_attempts:
                await self._put_aside(tasks[0], error)
            return
        self._attempts = 0
        self._pending.popleft()
        self._pending.extendleft(reversed(parts))

    async def _put_aside(self, task: Task, error: BaseException) -> None:
        record = task.batch.records[0]
        logger.error(
            "%s[%d] offset %d failed %d times and is put aside: %s",
            record.topic,
            record.partition,
            record.offset,
            self._attempts,
            without_words(error),
        )
        self._take_off([task], list(self._poison(record, error)), (), time.monotonic(), error)
        await self._land()  # if that fails, the record fails once more and comes back here

    def _count_retry(self, error: RetryableError) -> None:
        self._retries += 1
        lost = isinstance(error, MembershipLostError)
        self._observer.round_failed(cause="membership" if lost else "aborted", error=error)
        logger.warning("a round is run again (%d): %s", self._retries, error)
        if self._retries > self._settings.max_retries:
            raise BrokerError(f"running a round for the {self._retries}th time", str(error)) from error


def _again(tasks: Sequence[Task]) -> list[Task]:
    return [Task(task.channel, task.batch.again(), task.tick) for task in tasks]


def _note(outcome: "asyncio.Future[Any]") -> None:
    """Where the process ends for another cause, nobody asks any more how the last commit ended."""
    if not outcome.cancelled():
        outcome.exception()
