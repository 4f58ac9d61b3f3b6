"""What agents see: records, the batch they come in, and what goes out."""

from collections.abc import Iterator, Mapping, Sequence
from operator import length_hint
from typing import Any, NamedTuple, Protocol

import msgspec

__all__ = ["Batch", "HeaderSource", "Headers", "Output", "Record", "TopicPartition"]

Headers = Sequence[tuple[str, bytes | None]]


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


class HeaderSource(Protocol):
    """What a record came in as: a client's message, which makes a list of its headers only when asked."""

    def headers(self) -> Headers | None:
        """The headers in their order, or ``None`` if there are none."""


class Record(msgspec.Struct, gc=False, eq=False):
    """One record of an input topic, as the broker holds it.

    Attributes:
        topic: its topic.
        partition: its partition.
        offset: its place in the partition.
        timestamp: epoch milliseconds, as set by the producer or the broker.
        key: bytes, or ``None``.
        value: bytes, or ``None`` for a tombstone.
        source: has its headers: reading them costs more than all other fields together, and not every agent
            wants them.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    source: HeaderSource | None = None

    @property
    def headers(self) -> Headers:
        """The record's headers in their order; a name may come twice."""
        return () if self.source is None else self.source.headers() or ()

    def __repr__(self) -> str:
        # Without its key, which may name a person: what is shown is logged.
        return f"<Record {self.topic}[{self.partition}]@{self.offset}>"


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to be sent within the round's transaction.

    Attributes:
        topic: where it goes.
        key: bytes, or ``None``.
        value: bytes, or ``None`` for a tombstone.
        headers: in their order.
        timestamp: epoch milliseconds; ``None`` for the moment of sending.
        partition: ``None`` leaves it to the key's hash (murmur2, as Java's clients do).
    """

    topic: str
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    timestamp: int | None = None
    partition: int | None = None


class Batch:
    """Records of one partition number, from all topics of one channel, of one poll.

    They are merged in order of their timestamps; the order within each topic is kept. Iterating gives the
    records; what ``emit`` is given goes out if, and only if, the round is committed.

    Attributes:
        partition: the partition number that all its records share.
        records: the records in order.
        ends: where each of their topics goes on; worked out from the records unless given.
        outputs: what has been emitted so far.
    """

    __slots__ = ("_ends", "_iterator", "outputs", "partition", "records")

    def __init__(
        self,
        partition: int,
        records: Sequence[Record],
        ends: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        assert records, "a batch holds at least one record"
        self.partition = partition
        self.records = records
        self.outputs: list[Output] = []
        self._ends = ends
        self._iterator: Iterator[Record] | None = None

    def __iter__(self) -> Iterator[Record]:
        # The list's own iterator, which also knows how far it has come: nothing is paid per record.
        self._iterator = iterator = iter(self.records)
        return iterator

    def __len__(self) -> int:
        return len(self.records)

    @property
    def position(self) -> int:
        """Index of the record in hand, -1 before the first: when the agent raises, it is looked at first."""
        if self._iterator is None:
            return -1
        # An iterator that has come to its end hints 0 as well: the last record stays in hand.
        return len(self.records) - length_hint(self._iterator) - 1

    @property
    def ends(self) -> Mapping[TopicPartition, int]:
        """The offsets to go on from once the batch is committed, by topic partition."""
        if self._ends is None:
            # A topic's records keep their order, so the last one of each topic counts.
            last = {record.topic: record.offset for record in self.records}
            self._ends = {TopicPartition(topic, self.partition): offset + 1 for topic, offset in last.items()}
        return self._ends

    @property
    def current(self) -> Record | None:
        """The record that iteration has handed out last."""
        return self.records[self.position] if 0 <= self.position < len(self.records) else None

    def emit(
        self,
        topic: str,
        *,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers = (),
        timestamp: int | None = None,
        partition: int | None = None,
    ) -> None:
        """Send a record within the round's transaction; see `Output` for the fields."""
        self.outputs.append(Output(topic, key, value, headers, timestamp, partition))

    def again(self) -> "Batch":
        """The same records with nothing emitted, for another try."""
        return Batch(self.partition, self.records, self._ends)

    def __repr__(self) -> str:
        return f"<Batch of {len(self.records)} in partition {self.partition}>"


def merge_by_timestamp(parts: Sequence[Sequence[Record]]) -> Sequence[Record]:
    """Merge each topic's records into one sequence in order of timestamp.

    A topic's own order is kept even where its timestamps go backwards: each record counts with the highest
    timestamp that its topic has shown so far in this poll.
    """
    if len(parts) == 1:
        return parts[0]
    keyed: list[tuple[int, int, int, Any]] = []
    for number, part in enumerate(parts):
        highest = 0
        for place, record in enumerate(part):
            highest = max(highest, record.timestamp)
            keyed.append((highest, number, place, record))
    keyed.sort()  # number and place are unique together, so records are never compared
    return [entry[3] for entry in keyed]
