"""What agents see: records, the batch they come in, and what goes out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

__all__ = ["Batch", "Headers", "Output", "Record", "TopicPartition"]

Headers = Sequence[tuple[str, bytes | None]]


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


def _no_headers() -> Headers:
    return ()


class Record:
    """One record of an input topic, as the broker holds it.

    Attributes:
        topic: its topic.
        partition: its partition.
        offset: its place in the partition.
        timestamp: epoch milliseconds, as set by the producer or the broker.
        key: bytes, or ``None``.
        value: bytes, or ``None`` for a tombstone.
    """

    __slots__ = ("_headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(  # noqa: PLR0917 - made for every record: positional arguments are the fastest
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Callable[[], Headers | None] = _no_headers,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        # Reading headers costs more than all other fields together, and not every agent wants them.
        self._headers = headers

    @property
    def headers(self) -> Headers:
        """The record's headers in their order; a name may come twice."""
        return self._headers() or ()

    def __repr__(self) -> str:
        return f"<Record {self.topic}[{self.partition}]@{self.offset} key={self.key!r}>"


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
        outputs: what has been emitted so far.
    """

    __slots__ = ("outputs", "partition", "position", "records")

    def __init__(self, partition: int, records: Sequence[Record]) -> None:
        assert records, "a batch holds at least one record"
        self.partition = partition
        self.records = records
        self.outputs: list[Output] = []
        # Index of the record in hand: when the agent raises, this one is looked at first.
        self.position = -1

    def __iter__(self) -> Iterator[Record]:
        self.position = -1
        for record in self.records:
            self.position += 1
            yield record

    def __len__(self) -> int:
        return len(self.records)

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
        return Batch(self.partition, self.records)

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
