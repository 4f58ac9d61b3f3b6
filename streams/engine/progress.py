"""Facts about the engine's health, for liveness and readiness checks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.engine.record import TopicPartition

__all__ = ["Progress"]


@dataclass(slots=True)
class Progress:
    """Written by the engine, read by anyone, from any thread.

    Attributes:
        last_at: monotonic seconds of the last sign of progress: a commit, restored records, or a poll that
            found nothing while nothing was left to do.
        answered_at: monotonic seconds of Kafka's last answer to a question, which is asked every
            ``lag_interval_seconds``.
        joined: the group has answered at least once.
        rebalancing: the group took the partitions away, and has not given any yet.
        assigned: partition numbers this worker holds.
        ready: those of them that are restored and being processed.
        started: all that was held was ready once.
        restoring: changelog offsets left to read, by table and partition.
        lags: input records not yet committed, as last measured.
        rounds: committed so far.
        records: processed so far.
        stopping: a stop was asked for.
    """

    last_at: float = field(default_factory=time.monotonic)
    answered_at: float = field(default_factory=time.monotonic)
    joined: bool = False
    rebalancing: bool = False
    assigned: frozenset[int] = frozenset()
    ready: frozenset[int] = frozenset()
    started: bool = False
    restoring: dict[tuple[str, int], int] = field(default_factory=dict)
    lags: Mapping[TopicPartition, int] = field(default_factory=dict)
    rounds: int = 0
    records: int = 0
    stopping: bool = False

    def mark(self) -> None:
        """Something moved."""
        self.last_at = time.monotonic()

    def heard(self) -> None:
        """Kafka has answered."""
        self.answered_at = time.monotonic()

    @property
    def settled(self) -> bool:
        """The group has answered, and all that this worker holds is being processed."""
        return self.joined and self.assigned == self.ready

    @property
    def silence_seconds(self) -> float:
        """Seconds since Kafka answered."""
        return time.monotonic() - self.answered_at

    @property
    def age_seconds(self) -> float:
        """Seconds since something moved."""
        return time.monotonic() - self.last_at
