"""A round whose commit is under way."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from streams.engine.isolation import Task
from streams.engine.record import TopicPartition

__all__ = ["Flight"]


class Flight(NamedTuple):
    """A round that has taken off and not landed yet.

    Attributes:
        tasks: what it did.
        offsets: what it commits.
        outputs: how many records it sends to output topics.
        changes: how many to changelogs.
        began_at: monotonic seconds of its delivery to the agents.
        took_off_at: monotonic seconds of its transaction's beginning.
        outcome: how far each changelog has come, once it is committed.
        aside: the error of its only record, whose dead letter it carries; ``None`` for a usual round.
    """

    tasks: list[Task]
    offsets: Mapping[TopicPartition, int]
    outputs: int
    changes: int
    began_at: float
    took_off_at: float
    outcome: "asyncio.Future[Mapping[TopicPartition, int]]"
    aside: BaseException | None
