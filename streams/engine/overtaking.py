"""No overtaking: ticks wait until all that lay in their partition's other inputs has been read.

A tick says "it is now so late, do what is due". Done before a record that already lies in Kafka, it could
decide against a fact that is known. So a tick is held from the moment it is polled until every other input
topic's same partition has been read to the end it had then, and goes to the agents after all other records of
its round.

The end is the last *stable* offset, where committed records stop: an open transaction of another program
holds back its own records, not the ticks. It counts as reached when a record before it was read last or when
the broker has reported the partition's end there, so control markers and compacted holes at the end do not
matter.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streams.engine.record import Record, TopicPartition

__all__ = ["HeldTicks"]


class _Group(NamedTuple):
    ticks: Sequence[Record]
    targets: Mapping[TopicPartition, int]


class HeldTicks:
    """The ticks of one worker that wait, by partition, each group with the ends it waits for."""

    def __init__(self) -> None:
        self._groups: dict[int, deque[_Group]] = {}

    def hold(self, partition: int, ticks: Sequence[Record], targets: Mapping[TopicPartition, int]) -> None:
        """Hold ticks that were polled together until ``targets`` are reached."""
        self._groups.setdefault(partition, deque()).append(_Group(ticks, targets))

    def release(self, partition: int, reached: Mapping[TopicPartition, int]) -> list[Record]:
        """The ticks that need wait no longer, in order; ``reached`` says how far each input was read."""
        free: list[Record] = []
        groups = self._groups.get(partition)
        while groups and all(reached.get(each, 0) >= end for each, end in groups[0].targets.items()):
            free += groups.popleft().ticks
        return free

    def count(self, partition: int) -> int:
        """How many ticks of a partition wait."""
        return sum(len(group.ticks) for group in self._groups.get(partition, ()))

    @property
    def partitions(self) -> list[int]:
        """Partitions with waiting ticks."""
        return [partition for partition, groups in self._groups.items() if groups]

    def clear(self) -> None:
        """Forget all; they are read again."""
        self._groups.clear()
