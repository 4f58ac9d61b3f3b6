"""The job that simulated workers run: it counts per key, remembers what is due, and says all it decides."""

from collections.abc import Iterable, Mapping, Sequence

from streams.engine import Batch, Codec, Output, Record, RetryableError
from streams.engine.isolation import Task
from streams.engine.partitions import TableSet, TableSpecification
from streams.engine.rounds import Failure

__all__ = ["CLOCK", "COUNTS", "DECISIONS", "EVENTS", "FORGET", "POISON", "TICKS", "Job", "State", "put_aside"]

EVENTS = ("a", "b")
TICKS = "tick"
DECISIONS = "decisions"
FORGET = b"forget"
POISON = b"poison"
CLOCK = "clock"

State = tuple[int, int]
"""How many records of the key, and when it is due: 0 for never."""


def _encode(state: State) -> bytes:
    return b"%d,%d" % state


def _decode(value: bytes) -> State:
    count, at = value.split(b",")
    return int(count), int(at)


def _due(state: State) -> int | None:
    return state[1] or None


COUNTS = TableSpecification("counts", "counts-changelog", Codec[State](_encode, _decode), _due)
CLOCKS = TableSpecification("clocks", "clocks-changelog", Codec[int](lambda now: b"%d" % now, int), None)


def put_aside(record: Record, _error: BaseException) -> Iterable[Output]:
    """A dead letter, among the decisions so that its place shows."""
    said = f"dead {record.topic} {record.offset}"
    return [Output(DECISIONS, value=said.encode(), partition=record.partition)]


class Job:
    """See `Processor`.

    Attributes:
        trouble: raise a retryable error at the next record.
    """

    channels: Mapping[str, Sequence[str]] = {"events": EVENTS, "ticks": (TICKS,)}

    def __init__(self, tables: TableSet) -> None:
        tables.add(COUNTS)
        tables.add(CLOCKS)
        self._held = tables.held
        self.trouble = False

    async def process(self, tasks: Sequence[Task]) -> Sequence[Failure]:
        """All batches, one after another."""
        failures: list[Failure] = []
        for task in tasks:
            decide = self._strike if task.channel == "ticks" else self._count
            try:
                for record in task.batch:
                    decide(task.batch, record)
            except (ValueError, RetryableError) as error:
                failures.append(Failure(task, error))
        return failures

    def _count(self, batch: Batch, record: Record) -> None:
        if self.trouble:
            self.trouble = False
            raise RetryableError("a hiccup")
        value = record.value or b""
        if value == POISON:
            raise ValueError("poison")
        counts = self._held[batch.partition]["counts"]
        key = (record.key or b"").decode()
        count = counts.get(key, (0, 0))[0] + 1
        if value == FORGET:
            counts.delete(key)
        else:
            counts[key] = (count, int(value))
        self._say(batch, f"event {record.topic} {record.offset} {key} {count}")

    def _strike(self, batch: Batch, tick: Record) -> None:
        tables = self._held[batch.partition]
        counts, clocks = tables["counts"], tables["clocks"]
        now = max(int(tick.value or b"0"), clocks.get(CLOCK, 0))
        clocks[CLOCK] = now
        due = counts.due(now, None)
        for key in due:
            counts[key] = (counts.get(key)[0], 0)
        self._say(batch, f"tick {tick.offset} {now} {','.join(due)}")

    @staticmethod
    def _say(batch: Batch, text: str) -> None:
        batch.emit(DECISIONS, value=text.encode(), partition=batch.partition)
