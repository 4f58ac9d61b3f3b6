"""What the engine needs of Kafka, as small protocols.

The round protocol is written against these and against ``Offload``, so it runs the same over librdkafka and
over a broker in memory. All calls block but where it says otherwise; the engine makes them through
``Offload``, one at a time per client, and the consumer's while one of the producer's goes on. Those that
never block are made where the agents run: they are Python, and a change of threads costs more than it brings.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from streams.engine.record import Output, Record, TopicPartition

__all__ = [
    "ChangelogChunk",
    "ChangelogReader",
    "ChangelogRun",
    "ChangelogWrites",
    "Cluster",
    "CommittedOffset",
    "InputConsumer",
    "Offload",
    "Poll",
    "TransactionalProducer",
]

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking call without blocking the event loop; calls run one after another, in order."""

    def __call__(self, call: Callable[[], T]) -> Awaitable[T]:
        """The call's outcome, awaited."""


@dataclass(slots=True)
class Poll:
    """What one poll brought.

    Attributes:
        records: by topic partition, in order of offset.
        ends: partitions read to their end, and the offset of that end.
        revoked: the group took the assignment away during this poll.
        assigned: the new assignment, if the group gave one during this poll.
        membership: names the member and the generation under which the records were read. It goes with their
            offsets into the transaction, so that one who has lost its partitions meanwhile is refused.
    """

    records: dict[TopicPartition, list[Record]] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    revoked: bool = False
    assigned: frozenset[TopicPartition] | None = None
    membership: Any = None

    @property
    def rebalanced(self) -> bool:
        """The group has changed during this poll, so nothing in it can be trusted."""
        return self.revoked or self.assigned is not None


class CommittedOffset(NamedTuple):
    """A committed offset and the note that was committed with it.

    Attributes:
        offset: the next one to read; ``None`` if none was ever committed.
        note: how far the partition's changelogs had come; see `TableSet.notes`.
    """

    offset: int | None
    note: str


class InputConsumer(Protocol):
    """Reads the inputs as a member of the consumer group, committed records only."""

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group."""

    def poll_ready(self, max_records: int) -> Poll | None:
        """What `poll` would return if it need not wait for more, or ``None``; never blocks."""

    def poll(self, max_records: int, timeout_seconds: float) -> Poll:
        """Serve the group, then return what there is; wait up to the timeout if there is nothing.

        New partitions arrive paused.

        Raises:
            FencedError: another process uses this instance id.
            BrokerError: the client cannot go on.
        """

    def committed(
        self, partitions: Iterable[TopicPartition], timeout_seconds: float
    ) -> Mapping[TopicPartition, CommittedOffset] | None:
        """Committed offsets, or ``None`` if one of them is not yet stable."""

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions, which are paused, from these offsets on."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read no more of these partitions for now."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions again."""

    def close(self) -> None:
        """Leave; a static member keeps its place until its session times out."""


class ChangelogWrites(NamedTuple):
    """What one round changed in one partition of one table."""

    changelog: TopicPartition
    changes: Sequence[tuple[bytes, bytes | None]]


class TransactionalProducer(Protocol):
    """Writes rounds as transactions."""

    def start(self) -> None:
        """Take the transactional id: fence a former holder and finish what it left open."""

    def begin(self, outputs: Sequence[Output], writes: Sequence[ChangelogWrites]) -> None:
        """Begin a transaction with these records; never blocks, and leaves what goes wrong to `commit`."""

    def commit(
        self, offsets: Mapping[TopicPartition, int], notes: Mapping[int, str], membership: Any
    ) -> Mapping[TopicPartition, int]:
        """Commit what was begun and these offsets, or nothing; returns each changelog's offset to read next.

        ``notes`` are kept with the offsets, by partition number.

        Raises:
            RetryableError: nothing was written; the same round may be tried again.
            RejectedOutputError: nothing was written; Kafka refuses one of the records.
            FatalError: it is not known or will not get better.
        """

    def close(self) -> None:
        """Let go of the connection."""


class ChangelogRun(NamedTuple):
    """Records of one changelog in order, by column: no object is made per record.

    Attributes:
        keys: theirs.
        values: as many; ``None`` for a deletion.
        position: the offset after the last of them.
    """

    keys: Sequence[bytes]
    values: Sequence[bytes | None]
    position: int


class ChangelogChunk(NamedTuple):
    """What one read brought.

    Attributes:
        runs: in the order of reading; there may be several of one changelog.
        ends: changelogs whose end was reached, after these runs, and the offset of that end.
    """

    runs: Sequence[tuple[TopicPartition, ChangelogRun]]
    ends: Mapping[TopicPartition, int]


class ChangelogReader(Protocol):
    """Reads changelogs, committed records only, outside of any group."""

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets on."""

    def read(self, timeout_seconds: float) -> ChangelogChunk:
        """The next records; waits up to the timeout if there are none."""

    def close(self) -> None:
        """Let go of the connection."""


class Cluster(Protocol):
    """Questions to the cluster, and the making of changelogs."""

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        """Number of partitions of those topics that exist."""

    def create_changelog(self, topic: str, partitions: int) -> None:
        """Create a compacted topic."""

    def group_has_offsets(self, topics: Mapping[str, int]) -> bool:
        """Whether the consumer group has ever committed an offset of these topics (with partition counts)."""

    def first_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Offsets of the oldest records."""

    def end_offsets(
        self, partitions: Iterable[TopicPartition], *, committed: bool
    ) -> Mapping[TopicPartition, int]:
        """Offsets after the last records; ``committed`` stops before the first open transaction."""

    def delete_retention_seconds(self, topic: str) -> float:
        """How long a compacted topic shows deletions before it drops them."""
