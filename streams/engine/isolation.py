"""How a round that failed is taken apart until the record at fault is alone.

Order matters within a partition only, and there every part keeps it: what came before goes first, and ticks
stay behind the other records of their partition.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from streams.engine.record import Batch

__all__ = ["Task", "split"]


class Task(NamedTuple):
    """A batch and the channel it is for.

    Attributes:
        channel: name of the channel, known to the processor.
        batch: the records.
        tick: whether they are ticks, which go last.
    """

    channel: str
    batch: Batch
    tick: bool


def split(tasks: Sequence[Task], culprit: Task | None) -> list[list[Task]]:
    """Parts of a failed round, to be run one after another; one part if nothing is left to split.

    Args:
        tasks: the round, ticks last.
        culprit: the task whose agent raised, if the failure came from one.
    """
    if culprit is None:
        if len(tasks) > 1:
            half = len(tasks) // 2
            return [_again(tasks[:half]), _again(tasks[half:])]
        culprit = tasks[0]
        return [[part] for part in _pieces(culprit, len(culprit.batch) // 2, alone=False)]
    partition = culprit.batch.partition
    behind = [task for task in tasks if task.tick and not culprit.tick and task.batch.partition == partition]
    before = [task for task in tasks if task is not culprit and task not in behind]
    pieces = _pieces(culprit, culprit.batch.position, alone=True)
    return [part for part in (_again(before), *([piece] for piece in pieces), _again(behind)) if part]


def _pieces(task: Task, place: int, *, alone: bool) -> list[Task]:
    records = task.batch.records
    place = min(max(place, 0), len(records) - 1)
    cuts = [0, place, place + 1, len(records)] if alone else [0, place, len(records)]
    return [
        Task(task.channel, Batch(task.batch.partition, records[start:end]), task.tick)
        for start, end in pairwise(cuts)
        if end > start
    ]


def _again(tasks: Sequence[Task]) -> list[Task]:
    return [Task(task.channel, task.batch.again(), task.tick) for task in tasks]
