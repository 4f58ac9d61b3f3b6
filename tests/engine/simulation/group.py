"""A consumer group: members, generations, assignment by range, offsets that may not be stable yet."""

from collections.abc import Mapping, Sequence

from streams.engine import TopicPartition
from streams.engine.clients import CommittedOffset

from .partition_log import Transaction

__all__ = ["Group", "Member", "spread_by_range"]


class Member:
    """One member's id: a process that has to join anew gets another.

    Attributes:
        instance: name of a static member, or ``None``.
        fenced: another process joined under the same name.
        joined: has answered the rebalance that is going on.
        assigned: by the current generation.
    """

    def __init__(self, instance: str | None, number: int) -> None:
        self.instance = instance
        self.number = number
        self.fenced = False
        self.joined = False
        self.assigned: frozenset[TopicPartition] = frozenset()


def spread_by_range(
    topics: Sequence[str], partitions: int, members: Sequence[Member]
) -> dict[Member, set[TopicPartition]]:
    """Kafka's range assignor: blocks of equal partition numbers of all topics."""
    spread: dict[Member, set[TopicPartition]] = {member: set() for member in members}
    for topic in topics:
        for number in range(partitions):
            spread[members[number * len(members) // partitions]].add(TopicPartition(topic, number))
    return spread


class Group:
    """The coordinator of the one group.

    Attributes:
        generation: grows with every assignment.
        stable: no rebalance is going on.
        offsets: committed.
        pending: of transactions that are not marked yet.
    """

    def __init__(self, topics: Sequence[str], partitions: int) -> None:
        self._topics = topics
        self._partitions = partitions
        self._numbers = 0
        self.generation = 0
        self.stable = False
        self.members: list[Member] = []
        self.offsets: dict[TopicPartition, CommittedOffset] = {}
        self.pending: list[Transaction] = []

    def join(self, instance: str | None) -> Member:
        """A new member; a static one takes its former self's place and fences it."""
        self._numbers += 1
        member = Member(instance, self._numbers)
        for place, former in enumerate(self.members):
            if instance is not None and former.instance == instance:
                former.fenced = True
                self.members[place] = member
                if self.stable:
                    member.joined, member.assigned = True, former.assigned
                else:
                    self.rejoin(member)
                return member
        self.members.append(member)
        self.rebalance()
        self.rejoin(member)
        return member

    def rebalance(self) -> None:
        """Ask all members to join again."""
        self.stable = False
        for member in self.members:
            member.joined = False

    def rejoin(self, member: Member) -> None:
        """A member answers; the last one's answer gives a new generation."""
        member.joined = True
        if not self.stable and all(each.joined for each in self.members):
            self._assign()

    def expel(self, member: Member) -> None:
        """A member leaves or its session is over."""
        if member in self.members:
            self.members.remove(member)
            self.rebalance()

    def accepts(self, member: Member, generation: int) -> bool:
        """Whether offsets of this member and generation may be committed."""
        return member in self.members and generation == self.generation and not member.fenced

    def committed(self, partition: TopicPartition) -> CommittedOffset:
        """What is committed and marked."""
        return self.offsets.get(partition, CommittedOffset(None, ""))

    def unstable(self, partition: TopicPartition) -> bool:
        """Whether a transaction holds an offset of it that may yet be committed."""
        return any(partition in (each.offsets or ()) for each in self.pending)

    def mark(self, transaction: Transaction) -> None:
        """The transaction's marker has come."""
        self.pending.remove(transaction)
        if transaction.committed:
            offsets: Mapping[TopicPartition, CommittedOffset] = transaction.offsets or {}
            self.offsets.update(offsets)

    def _assign(self) -> None:
        self.generation += 1
        self.stable = True
        for member, partitions in spread_by_range(self._topics, self._partitions, self.members).items():
            member.assigned = frozenset(partitions)
