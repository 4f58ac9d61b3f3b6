"""The broker: partitions, one group, and the transaction coordinator."""

import random
from collections.abc import Mapping, Sequence

from streams.engine import FencedError, TopicPartition
from streams.engine.clients import CommittedOffset
from streams.engine.errors import MembershipLostError

from .group import Group, Member
from .partition_log import PartitionLog, Transaction

__all__ = ["Broker"]


class Broker:
    """Everything that survives a worker's death.

    Args:
        chance: of the run.
        inputs: topics, ticks included.
        others: topics of outputs and changelogs.
        partitions: of every topic.
    """

    def __init__(
        self, chance: random.Random, inputs: Sequence[str], others: Sequence[str], partitions: int
    ) -> None:
        self._random = chance.random
        self.inputs = inputs
        self.partitions = partitions
        self.logs = {
            TopicPartition(topic, number): PartitionLog()
            for topic in (*inputs, *others)
            for number in range(partitions)
        }
        self.group = Group(inputs, partitions)
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}
        # Decided, and not marked everywhere yet.
        self.decided: list[Transaction] = []

    def take(self, transactional_id: str) -> int:
        """A producer starts: whoever had the id before is fenced, what it left open is aborted."""
        self.finish(transactional_id)
        epoch = self.epochs[transactional_id] = self.epochs.get(transactional_id, 0) + 1
        self.decide(transactional_id, commit=False)
        self.finish(transactional_id)
        return epoch

    def expire(self, transactional_id: str) -> None:
        """The transaction timeout: the coordinator aborts, and fences the producer by its epoch."""
        if transactional_id in self.open:
            self.epochs[transactional_id] += 1
            self.decide(transactional_id, commit=False)

    def check(self, transactional_id: str, epoch: int) -> None:
        """Refuse a producer that was fenced.

        Raises:
            FencedError: it was.
        """
        if self.epochs[transactional_id] != epoch:
            raise FencedError(transactional_id, "INVALID_PRODUCER_EPOCH")

    def begin(self, transactional_id: str) -> Transaction:
        """A new transaction; the one before is completed first, as CONCURRENT_TRANSACTIONS makes one wait."""
        self.finish(transactional_id)
        transaction = self.open[transactional_id] = Transaction(transactional_id)
        return transaction

    def add_offsets(
        self,
        transaction: Transaction,
        offsets: Mapping[TopicPartition, CommittedOffset],
        member: Member,
        generation: int,
    ) -> None:
        """Take the group's offsets into the transaction.

        Raises:
            MembershipLostError: they come from another generation.
        """
        if not self.group.accepts(member, generation):
            raise MembershipLostError("ILLEGAL_GENERATION")
        transaction.offsets = dict(offsets)
        self.group.pending.append(transaction)

    def decide(self, transactional_id: str, *, commit: bool) -> None:
        """The open transaction's fate; markers follow one by one, whether or not its producer lives."""
        transaction = self.open.pop(transactional_id, None)
        if transaction is not None:
            transaction.committed = commit
            self.decided.append(transaction)

    def mark_one(self) -> None:
        """Write one marker of any decided transaction."""
        if self.decided:
            self._mark(self.decided[int(self._random() * len(self.decided))])

    def finish(self, transactional_id: str) -> None:
        """Write all markers of a producer's decided transactions."""
        for transaction in [each for each in self.decided if each.producer == transactional_id]:
            while transaction in self.decided:
                self._mark(transaction)

    def _mark(self, transaction: Transaction) -> None:
        waiting = len(transaction.unmarked) + (transaction.offsets is not None)
        if waiting:
            place = int(self._random() * waiting)
            if place < len(transaction.unmarked):
                transaction.unmarked.pop(place).mark(transaction)
            else:
                self.group.mark(transaction)
                transaction.offsets = None
        if not transaction.unmarked and transaction.offsets is None:
            self.decided.remove(transaction)
