"""Faults that exactly-once engines have had, put back one at a time: the simulation must find each.

None of them is a switch in the engine: each replaces one of its methods, or one of its clients', for a while.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from streams.engine import TopicPartition
from streams.engine.assignment import Assignment
from streams.engine.clients import ChangelogWrites, CommittedOffset, Poll
from streams.engine.overtaking import HeldTicks
from streams.engine.partitions import TableSet
from streams.engine.restore import Restorer
from streams.engine.rounds import Rounds

from . import group
from .clients import MemoryCluster, MemoryConsumer, MemoryProducer
from .group import Member

__all__ = ["MUTANTS", "Mutant", "spread_evenly"]

Mutant = Callable[[pytest.MonkeyPatch], None]


def spread_evenly(
    topics: Sequence[str], partitions: int, members: Sequence[Member]
) -> dict[Member, set[TopicPartition]]:
    """As ``cooperative-sticky`` does: alike in number, but equal partition numbers on unlike members."""
    spread: dict[Member, set[TopicPartition]] = {member: set() for member in members}
    for place, topic in enumerate(topics):
        for number in range(partitions):
            spread[members[(number + place) % len(members)]].add(TopicPartition(topic, number))
    return spread


def no_rewind(patch: pytest.MonkeyPatch) -> None:
    """After a rebalance go on where the client stands instead of at the committed offsets."""

    def start(self: Assignment, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.resume(list(starts))

    patch.setattr(Assignment, "_start", start)


def rewind_new_partitions_only(patch: pytest.MonkeyPatch) -> None:
    """Partitions that a worker keeps are not set back."""
    held: dict[int, set[TopicPartition]] = {}

    def start(self: Assignment, starts: Mapping[TopicPartition, int]) -> None:
        before = held.get(id(self), set())
        self._consumer.start_at({each: at for each, at in starts.items() if each not in before})
        self._consumer.resume(list(starts))
        held[id(self)] = set(self._assigned)

    patch.setattr(Assignment, "_start", start)


def offsets_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Commit outputs and changes first, and the offsets by themselves afterwards."""
    requests = MemoryProducer._requests

    def outside(self: MemoryProducer, *arguments: Any) -> Generator[None, None, Any]:
        offsets, notes, membership = arguments
        ends = yield from requests(self, {}, notes, membership)
        yield
        for each, offset in offsets.items():
            self._broker.group.offsets[each] = CommittedOffset(offset, notes[each.partition])
        return ends

    patch.setattr(MemoryProducer, "_requests", outside)


def store_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Write to the local stores, then commit."""
    take_off = Rounds._take_off

    def early(
        self: Rounds, tasks: Any, outputs: Any, writes: Sequence[ChangelogWrites], *others: Any
    ) -> None:
        for write in writes:
            for table in self._tables.held[write.changelog.partition].values():
                if table.specification.changelog == write.changelog.topic:
                    table.store.apply(table._encoded, (table.store.position or 0) + len(write.changes))
        take_off(self, tasks, outputs, writes, *others)

    patch.setattr(Rounds, "_take_off", early)


def equal_partitions_on_unlike_workers(patch: pytest.MonkeyPatch) -> None:
    """The spread of ``cooperative-sticky``, and nobody who minds."""
    patch.setattr(group, "spread_by_range", spread_evenly)
    patch.setattr(Assignment, "_check", lambda _self, _numbers: None)


def ticks_at_once(patch: pytest.MonkeyPatch) -> None:
    """A tick goes to the agents as soon as it is polled."""
    release = HeldTicks.release

    class Reached(dict[TopicPartition, int]):
        def get(self, _key: Any, _default: Any = None) -> Any:
            return 1 << 60

    patch.setattr(HeldTicks, "release", lambda self, number, _reached: release(self, number, Reached()))


def ticks_first(patch: pytest.MonkeyPatch) -> None:
    """A tick goes before the other records of its round."""
    process = Rounds._process
    later: list[Any] = []

    async def first(self: Rounds, tasks: Sequence[Any]) -> None:
        if tasks and not tasks[0].tick:
            later[:] = tasks
            return
        await process(self, tasks)
        await process(self, later)
        later.clear()

    patch.setattr(Rounds, "_process", first)


def ends_asked_for_late(patch: pytest.MonkeyPatch) -> None:
    """A tick waits for nothing that the worker has not read yet."""

    def nothing(_self: MemoryCluster, partitions: Iterable[TopicPartition], *, committed: bool) -> Any:
        if committed:
            return dict.fromkeys(partitions, 0)
        return {each: _self._broker.logs[each].end for each in partitions}

    patch.setattr(MemoryCluster, "end_offsets", nothing)


def unstable_offsets(patch: pytest.MonkeyPatch) -> None:
    """Start from committed offsets although a transaction with later ones is on its way."""

    def committed(self: MemoryConsumer, partitions: Iterable[TopicPartition], _timeout: float) -> Any:
        return {each: self._broker.group.committed(each) for each in sorted(partitions)}

    patch.setattr(MemoryConsumer, "committed", committed)


def restore_to_the_stable_end(patch: pytest.MonkeyPatch) -> None:
    """Take the last stable offset for the end of a changelog."""
    end_offsets = MemoryCluster.end_offsets

    def stable(self: MemoryCluster, partitions: Iterable[TopicPartition], *, committed: bool) -> Any:
        del committed
        return end_offsets(self, partitions, committed=True)

    patch.setattr(MemoryCluster, "end_offsets", stable)


def no_restore_of_kept_partitions(patch: pytest.MonkeyPatch) -> None:
    """A store that was open all the time is taken to be up to date."""
    restore = Restorer.restore

    async def some(self: Restorer, partitions: Iterable[int], noted: Any, cancelled: Any) -> Any:
        numbers = list(partitions)
        kept = [number for number in numbers if number in self._tables.held]
        for number in kept:
            yield number
        left = [number for number in numbers if number not in kept]
        if left:
            async for number in restore(self, left, noted, cancelled):
                yield number

    patch.setattr(Restorer, "restore", some)


def no_fencing(patch: pytest.MonkeyPatch) -> None:
    """The group takes the offsets of any generation."""
    patch.setattr(group.Group, "accepts", lambda _self, _member, _generation: True)


def rounds_outlive_a_rebalance(patch: pytest.MonkeyPatch) -> None:
    """What was in hand is run again although it was read under another assignment."""
    start_over = Rounds._start_over

    async def keep(self: Rounds, poll: Poll) -> None:
        pending = list(self._pending)
        await start_over(self, poll)
        self._pending.extend(pending)

    patch.setattr(Rounds, "_start_over", keep)


def a_failed_round_leaves_traces(patch: pytest.MonkeyPatch) -> None:
    """Overlays are not dropped when a round is given up."""
    patch.setattr(TableSet, "forget", lambda _self, _partitions: None)


def a_failed_flight_leaves_traces(patch: pytest.MonkeyPatch) -> None:
    """What a refused commit was to bring stays in sight of the rounds that follow."""

    def crash(self: TableSet) -> None:
        for tables in self.held.values():
            for table in tables.values():
                table._overlay = {**table._flying, **table._overlay}
                table._leave_the_air()

    patch.setattr(TableSet, "crash", crash)


def the_next_round_outlives_a_failed_flight(patch: pytest.MonkeyPatch) -> None:
    """A round that was built upon a failed one is committed all the same, before that one runs again."""
    land = Rounds._land

    async def go_on(self: Rounds) -> bool:
        before = list(self._pending)
        if await land(self):
            return True
        if before and len(self._pending) == 1 + len(before):
            self._pending.rotate(-1)
            self._pending[0] = before[0]
            return True
        return False

    patch.setattr(Rounds, "_land", go_on)


def the_generation_of_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Name the generation that the member has when it commits, not the one under which it read."""
    requests = MemoryProducer._requests
    init: Callable[..., None] = vars(Rounds)["__init__"]

    def know(self: Rounds, **arguments: Any) -> None:
        init(self, **arguments)
        arguments["producer"].asked = arguments["consumer"].membership

    def late(self: Any, offsets: Any, notes: Any, _membership: Any) -> Generator[None, None, Any]:
        late_membership: Any = _Late(self.asked)
        return requests(self, offsets, notes, late_membership)

    patch.setattr(Rounds, "__init__", know)
    patch.setattr(MemoryProducer, "_requests", late)


class _Late:
    def __init__(self, asked: Callable[[], tuple[Member, int]]) -> None:
        self._asked = asked

    def __iter__(self) -> Iterator[Any]:
        return iter(self._asked())


def records_of_a_rebalancing_poll(patch: pytest.MonkeyPatch) -> None:
    """A poll that changed the group hands out what it took, and the positions are where they are."""
    no_rewind(patch)
    patch.setattr(Poll, "rebalanced", property(lambda self: self.assigned is not None))


# By name; the first six are the classic mistakes.
MUTANTS: Mapping[str, Mutant] = {
    "no rewind after a rebalance inside a poll": no_rewind,
    "offsets outside the transaction": offsets_outside_the_transaction,
    "store applied before the commit": store_before_commit,
    "cooperative-sticky": equal_partitions_on_unlike_workers,
    "a tick handed over at once": ticks_at_once,
    "offsets that are not stable": unstable_offsets,
    "no rewind of kept partitions": rewind_new_partitions_only,
    "a tick before its round's other records": ticks_first,
    "a tick that waits for nothing": ends_asked_for_late,
    "a restore up to the last stable offset": restore_to_the_stable_end,
    "kept partitions are not restored": no_restore_of_kept_partitions,
    "no fencing by generation": no_fencing,
    "rounds outlive a rebalance": rounds_outlive_a_rebalance,
    "a failed round leaves traces": a_failed_round_leaves_traces,
    "a failed flight leaves traces": a_failed_flight_leaves_traces,
    "the next round outlives a failed flight": the_next_round_outlives_a_failed_flight,
    "the generation of the commit, not of the poll": the_generation_of_the_commit,
    "a revoke alone goes unnoticed": records_of_a_rebalancing_poll,
}
