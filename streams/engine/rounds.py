"""Rounds: the commit protocol. One round is one Kafka transaction.

1.  Poll. The consumer is served by this alone, so the group changes between rounds and never within one. If
    it did during this poll, all that is in hand is dropped and `Assignment` starts over from committed
    offsets.
2.  Hand the records to the agents: one batch per channel and partition, merged by timestamp.
3.  Wait until the agents are done with every batch. Then hand over the ticks that need wait no longer
    (`HeldTicks`), and wait for them. What agents write stays in overlays, what they emit in their batches; no
    transaction is open yet, so an agent that raises costs nothing at the broker.
4.  Encode each changed key of the tables, once.
5.  Begin a transaction; send the outputs, then the changes to their changelogs.
6.  Send the offsets with the group's generation into the transaction: a worker that lost its partitions
    meanwhile is refused here.
7.  Commit.
8.  Apply the changes to the local stores. A crash before this costs nothing: the store is behind its
    changelog and catches up. The store is never ahead.

When an agent or an encoder raises, the round is given up (overlays and outputs are dropped), taken apart
(`isolation`) and run again from memory, until the record at fault is alone. After ``max_attempts`` the poison
handler's outputs are committed in its place, with its offset. When the broker aborts, the same round runs
again after a poll, which serves the rebalance that is the usual cause.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

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
)
from streams.engine.isolation import Task, split
from streams.engine.observer import Observer
from streams.engine.overtaking import HeldTicks
from streams.engine.partitions import TableSet
from streams.engine.progress import Progress
from streams.engine.record import Batch, Output, Record, TopicPartition, merge_by_timestamp
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
        offload: runs blocking calls.
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
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._producer = producer
        self._cluster = cluster
        self._tables = tables
        self._assignment = assignment
        self._processor = processor
        self._poison = poison
        self._observer = observer
        self._progress = progress
        self._offload = offload
        self._channel_of = {topic: name for name, topics in processor.channels.items() for topic in topics}
        self._held = HeldTicks()
        self._paused: set[int] = set()
        # Rounds that wait to be run, oldest first. More than one only after a failure.
        self._pending: deque[list[Task]] = deque()
        self._attempts = 0
        self._retries = 0

    async def turn(self) -> None:
        """One poll, and the round that it makes.

        Raises:
            FatalError: the process must end.
        """
        # Before the poll: what a poll brought from before a partition's start must never count.
        await self._assignment.resume_restored()
        waiting = bool(self._pending)
        # While a failed round is being taken apart, polling only serves the group.
        most, patience = self._settings.max_records, self._settings.idle_poll_seconds
        if waiting:
            most, patience = 1, self._retries * _RETRY_PAUSE_SECONDS
        poll = await self._offload(lambda: self._consumer.poll(most, patience))
        if poll.rebalanced:
            await self._start_over(poll)
            return
        tasks = await self._take(poll)
        if tasks:
            self._pending.append(tasks)
        elif not self._pending and not self._held.partitions and not poll.records:
            self._progress.mark()
        if self._pending:
            await self._run(self._pending[0])

    async def _start_over(self, poll: Poll) -> None:
        self._pending.clear()
        self._attempts = self._retries = 0
        self._held.clear()
        self._paused.clear()
        await self._assignment.change(poll.assigned)

    async def _take(self, poll: Poll) -> list[Task]:
        assignment = self._assignment
        ready = assignment.ready
        parts: dict[tuple[str, int], list[Sequence[Record]]] = {}
        ticks: dict[int, Sequence[Record]] = {}
        for partition, records in poll.records.items():
            if partition.partition not in ready:
                continue  # still paused: it starts at its committed offset when it is restored
            assignment.read[partition] = assignment.reached[partition] = records[-1].offset + 1
            if partition.topic == self._settings.tick_topic:
                ticks[partition.partition] = records
            else:
                parts.setdefault((self._channel_of[partition.topic], partition.partition), []).append(records)
        for partition, end in poll.ends.items():
            if partition.partition in ready:
                assignment.reached[partition] = max(end, assignment.reached.get(partition, 0))
        tasks = [
            Task(channel, Batch(number, merge_by_timestamp(records)), tick=False)
            for (channel, number), records in parts.items()
        ]
        if ticks:
            await self._hold(ticks)
        return tasks + await self._release()

    async def _hold(self, ticks: Mapping[int, Sequence[Record]]) -> None:
        others = [
            TopicPartition(topic, number)
            for number in ticks
            for topic in self._channel_of
            if topic != self._settings.tick_topic
        ]
        ends = await self._offload(lambda: self._cluster.end_offsets(others, committed=True))
        for number, records in ticks.items():
            targets = {each: end for each, end in ends.items() if each.partition == number}
            self._held.hold(number, records, targets)
            held = self._held.count(number)
            if held > self._settings.max_held_ticks and number not in self._paused:
                self._paused.add(number)
                await self._offload(partial(self._consumer.pause, [self._tick_partition(number)]))

    async def _release(self) -> list[Task]:
        tasks: list[Task] = []
        for number in self._held.partitions:
            free = self._held.release(number, self._assignment.reached)
            if free:
                tasks.append(Task(self._channel_of[free[0].topic], Batch(number, free), tick=True))
            self._observer.ticks_held(number, self._held.count(number))
            if number in self._paused and not self._held.count(number):
                self._paused.discard(number)
                await self._offload(partial(self._consumer.resume, [self._tick_partition(number)]))
        return tasks

    def _tick_partition(self, number: int) -> TopicPartition:
        assert self._settings.tick_topic is not None
        return TopicPartition(self._settings.tick_topic, number)

    async def _run(self, tasks: list[Task]) -> None:
        started = time.monotonic()
        partitions = {task.batch.partition for task in tasks}
        try:
            await self._process([task for task in tasks if not task.tick])
            await self._process([task for task in tasks if task.tick])
            writes = self._encode(partitions)
            outputs = [output for task in tasks for output in task.batch.outputs]
            await self._commit(tasks, outputs, writes, started)
        except _RoundFailedError as failure:
            self._tables.forget(partitions)
            await self._take_apart(tasks, failure)
        except RetryableError as error:
            self._tables.forget(partitions)
            self._retry(tasks, error)
        else:
            self._pending.popleft()
            self._attempts = self._retries = 0

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

    async def _commit(
        self,
        tasks: Sequence[Task],
        outputs: Sequence[Output],
        writes: Sequence[ChangelogWrites],
        started: float,
    ) -> None:
        offsets: dict[TopicPartition, int] = {}
        for task in tasks:
            for record in task.batch.records:
                offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        partitions = {task.batch.partition for task in tasks}
        notes = self._tables.notes(partitions)
        try:
            positions = await self._offload(
                lambda: self._producer.commit(outputs, writes, offsets, notes, self._consumer.membership())
            )
        except RejectedOutputError as error:
            raise _RoundFailedError(None, error) from error
        self._tables.apply(positions, partitions)
        self._assignment.committed.update(offsets)
        records = sum(len(task.batch) for task in tasks)
        self._progress.rounds += 1
        self._progress.records += records
        self._progress.mark()
        self._observer.committed(offsets)
        self._observer.round_committed(
            duration_seconds=time.monotonic() - started,
            records=records,
            outputs=len(outputs),
            changes=sum(len(write.changes) for write in writes),
        )

    async def _take_apart(self, tasks: list[Task], failure: _RoundFailedError) -> None:
        error = failure.error
        cause = "output" if isinstance(error, RejectedOutputError) else "agent"
        self._observer.round_failed(cause=cause, error=error)
        parts = split(tasks, failure.culprit)
        if len(parts) == 1 and sum(len(task.batch) for task in tasks) == 1:
            self._attempts += 1
            if self._attempts < self._settings.max_attempts:
                self._pending[0] = parts[0]
                return
            await self._put_aside(tasks[0], error)
            return
        self._attempts = 0
        self._pending.popleft()
        self._pending.extendleft(reversed(parts))

    async def _put_aside(self, task: Task, error: BaseException) -> None:
        record = task.batch.records[0]
        logger.error(
            "%s[%d] offset %d failed %d times and is put aside: %r",
            record.topic,
            record.partition,
            record.offset,
            self._attempts,
            error,
            exc_info=error,
        )
        outputs = list(self._poison(record, error))
        try:
            await self._commit([task], outputs, (), time.monotonic())
        except RetryableError as retryable:
            self._retry([task], retryable)  # fails once more, and comes back here
            return
        except _RoundFailedError as failure:
            raise BrokerError(
                f"putting {record.topic}[{record.partition}] offset {record.offset} aside", str(failure.error)
            ) from failure
        self._pending.popleft()
        self._attempts = self._retries = 0
        self._observer.poisoned(record, error)

    def _retry(self, tasks: list[Task], error: RetryableError) -> None:
        self._retries += 1
        lost = isinstance(error, MembershipLostError)
        self._observer.round_failed(cause="membership" if lost else "aborted", error=error)
        logger.warning("a round is run again (%d): %s", self._retries, error)
        if self._retries > self._settings.max_retries:
            raise BrokerError(f"running a round for the {self._retries}th time", str(error)) from error
        self._pending[0] = [Task(task.channel, task.batch.again(), task.tick) for task in tasks]
