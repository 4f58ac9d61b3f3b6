"""The engine's clients over the broker in memory. They are as unhelpful as their contracts allow."""

import random
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from streams.engine import BrokerError, FencedError, Output, Record, TopicPartition
from streams.engine.clients import ChangelogChunk, ChangelogRun, ChangelogWrites, CommittedOffset, Poll
from streams.engine.errors import MembershipLostError, TransactionAbortedError

from .broker import Broker
from .group import Member

__all__ = ["MemoryChangelogReader", "MemoryCluster", "MemoryConsumer", "MemoryProducer"]

_FETCH_RECORDS = 4
_NOTICES = 0.6  # how likely a poll learns at once that the group goes on without this worker


class MemoryConsumer:
    """See `InputConsumer`. Fetches ahead of what it hands out, as librdkafka does.

    Attributes:
        member: what the group knows it by.
    """

    def __init__(self, broker: Broker, chance: random.Random, instance: str, *, static: bool) -> None:
        self._broker = broker
        self._random = chance.random
        self._instance = instance
        self._static = static
        self.member: Member | None = None
        self._generation = 0
        self._held: frozenset[TopicPartition] = frozenset()
        self._fetched_to: dict[TopicPartition, int] = {}
        self._end_told: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._queue: deque[tuple[TopicPartition, Record | None, int]] = deque()

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join."""
        assert sorted(topics) == sorted(self._broker.inputs)
        self.member = self._broker.group.join(self._instance if self._static else None)

    def poll_ready(self, max_records: int) -> Poll | None:
        """At times."""
        return self.poll(max_records, 0) if self._random() < 0.6 else None

    def poll(self, max_records: int, timeout_seconds: float) -> Poll:
        """Fetch a little, then serve the group, then hand out; a change in between loses what was taken."""
        del timeout_seconds
        poll = Poll()
        self._fetch()
        taken = [self._queue.popleft() for _ in range(min(max_records, len(self._queue)))]
        self._serve(poll)
        if poll.rebalanced:
            return poll
        for partition, record, end in taken:
            if record is None:
                poll.ends[partition] = end
            else:
                poll.records.setdefault(partition, []).append(record)
        poll.membership = self.membership()
        return poll

    def committed(
        self, partitions: Iterable[TopicPartition], timeout_seconds: float
    ) -> Mapping[TopicPartition, CommittedOffset] | None:
        """Stable offsets, or nothing."""
        del timeout_seconds
        group = self._broker.group
        asked = sorted(partitions)
        if self._random() < 0.05 or any(map(group.unstable, asked)):
            return None
        return {each: group.committed(each) for each in asked}

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Seek."""
        self._queue = deque(entry for entry in self._queue if entry[0] not in offsets)
        for partition, offset in offsets.items():
            assert partition in self._held, f"{partition} is not this worker's"
            self._fetched_to[partition] = offset
            self._end_told.pop(partition, None)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing more of them; what was fetched is fetched again later."""
        for partition in partitions:
            self._rewind(partition)
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch again."""
        self._paused.difference_update(partitions)

    def membership(self) -> Any:
        """The member and the generation of the last assignment that a poll has brought."""
        return self.member, self._generation

    def close(self) -> None:
        """A dynamic member leaves."""
        if self.member is not None and not self._static:
            self._broker.group.expel(self.member)

    def _fetch(self) -> None:
        for partition, position in self._fetched_to.items():
            if partition in self._paused or self._random() < 0.35:
                continue
            log = self._broker.logs[partition]
            found, after = log.read(position, _FETCH_RECORDS)
            self._queue.extend((partition, record, 0) for _, record in found)
            self._fetched_to[partition] = after
            # Told once for each position, and not told again when more comes meanwhile.
            if after >= log.stable and self._end_told.get(partition) != after:
                self._end_told[partition] = after
                self._queue.append((partition, None, after))

    def _serve(self, poll: Poll) -> None:
        group, member = self._broker.group, self.member
        assert member is not None
        if member.fenced:
            raise FencedError(self._instance, "FENCED_INSTANCE_ID")
        expelled = member not in group.members
        if expelled or not member.joined:
            if self._random() > _NOTICES:
                return
            poll.revoked = bool(self._held)
            self._held = frozenset()
            self._generation = -1
            if expelled:
                self.member = group.join(self._instance if self._static else None)
            else:
                group.rejoin(member)
            if self._random() < 0.5:
                return
        member = self.member
        assert member is not None
        if group.stable and member.joined and self._generation != group.generation:
            self._take(poll, member)

    def _take(self, poll: Poll, member: Member) -> None:
        self._generation = self._broker.group.generation
        poll.assigned = self._held = member.assigned
        self._queue.clear()
        self._paused = set(self._held)
        # Where a new assignment stands is not promised: a kept partition goes on behind what was fetched.
        self._fetched_to = {
            each: self._fetched_to.get(each, self._broker.group.committed(each).offset or 0)
            for each in sorted(self._held)
        }
        self._end_told.clear()

    def _rewind(self, partition: TopicPartition) -> None:
        waiting = [entry for entry in self._queue if entry[0] == partition]
        self._queue = deque(entry for entry in self._queue if entry[0] != partition)
        first = next((record.offset for _, record, _ in waiting if record is not None), None)
        if first is not None:
            self._fetched_to[partition] = first
        self._end_told.pop(partition, None)


class MemoryProducer:
    """See `TransactionalProducer`.

    Attributes:
        trouble: what shall happen to the next commit: ``abort``, ``lost before`` or ``lost after``.
    """

    def __init__(self, broker: Broker, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._epoch = 0
        self._writes: Sequence[ChangelogWrites] = ()
        self._failed: FencedError | None = None
        self.trouble: str | None = None

    def start(self) -> None:
        """Fence a former holder."""
        self._epoch = self._broker.take(self._id)

    def begin(self, outputs: Sequence[Output], writes: Sequence[ChangelogWrites]) -> None:
        """Some records are at the broker before the commit asks for it."""
        self._writes = writes
        try:
            self._broker.check(self._id, self._epoch)
        except FencedError as error:
            self._failed = error
            return
        transaction = self._broker.begin(self._id)
        for output in outputs:
            partition = TopicPartition(output.topic, output.partition or 0)
            self._broker.logs[partition].append(output.value, transaction)

    def commit(self, offsets: Mapping[TopicPartition, int], notes: Mapping[int, str], membership: Any) -> Any:
        """The rest of the transaction, request by request."""
        return self._requests(offsets, notes, membership)

    def close(self) -> None:
        """Nothing to let go."""

    def _requests(
        self,
        offsets: Mapping[TopicPartition, int],
        notes: Mapping[int, str],
        membership: tuple[Member, int],
    ) -> Generator[None, None, Mapping[TopicPartition, int]]:
        broker = self._broker
        trouble, self.trouble = self.trouble, None
        if self._failed is not None:
            raise self._failed
        broker.check(self._id, self._epoch)
        transaction = broker.open[self._id]
        ends: dict[TopicPartition, int] = {}
        for write in self._writes:
            log = broker.logs[write.changelog]
            for change in write.changes:
                ends[write.changelog] = log.append(tuple(change), transaction) + 1
        yield
        broker.check(self._id, self._epoch)
        stored = {each: CommittedOffset(offset, notes[each.partition]) for each, offset in offsets.items()}
        if trouble == "abort":
            broker.decide(self._id, commit=False)
            raise TransactionAbortedError("committing a round", "CONCURRENT_TRANSACTIONS")
        try:
            broker.add_offsets(transaction, stored, *membership)
        except MembershipLostError:
            broker.decide(self._id, commit=False)
            raise
        yield
        broker.check(self._id, self._epoch)
        if trouble == "lost before":
            raise BrokerError("committing a round", "timed out")
        broker.decide(self._id, commit=True)
        if trouble == "lost after":
            raise BrokerError("committing a round", "timed out")
        yield
        return ends


class MemoryChangelogReader:
    """See `ChangelogReader`."""

    def __init__(self, broker: Broker, chance: random.Random) -> None:
        self._broker = broker
        self._random = chance.random
        self._positions: dict[TopicPartition, int] = {}
        self._end_told: dict[TopicPartition, int] = {}

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read from here."""
        self._positions = {each: positions[each] for each in sorted(positions)}

    def read(self, timeout_seconds: float) -> ChangelogChunk:
        """A few records of some partitions."""
        del timeout_seconds
        runs: list[tuple[TopicPartition, ChangelogRun]] = []
        ends: dict[TopicPartition, int] = {}
        for changelog, position in self._positions.items():
            if self._random() < 0.2:
                continue
            log = self._broker.logs[changelog]
            found, after = log.read(position, 6)
            self._positions[changelog] = after
            if found:
                keys, values = zip(*(change for _, change in found), strict=True)
                runs.append((changelog, ChangelogRun(keys, values, found[-1][0] + 1)))
            if after >= log.stable and self._end_told.get(changelog) != after:
                ends[changelog] = self._end_told[changelog] = after
        return ChangelogChunk(runs, ends)

    def close(self) -> None:
        """Nothing to let go."""


class MemoryCluster:
    """See `Cluster`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        """All alike."""
        return dict.fromkeys(topics, self._broker.partitions)

    def create_changelog(self, topic: str, partitions: int) -> None:
        """It is there."""

    def group_has_offsets(self, topics: Mapping[str, int]) -> bool:
        """Any."""
        return any(each.topic in topics for each in self._broker.group.offsets)

    def first_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Nothing is deleted by retention."""
        return dict.fromkeys(partitions, 0)

    def end_offsets(
        self, partitions: Iterable[TopicPartition], *, committed: bool
    ) -> Mapping[TopicPartition, int]:
        """The last stable offset, or the high watermark."""
        logs = self._broker.logs
        return {each: logs[each].stable if committed else logs[each].end for each in partitions}

    def delete_retention_seconds(self, topic: str) -> float:
        """A day."""
        return 86_400.0 + 0 * len(topic)
