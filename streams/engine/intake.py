"""Intake: what a poll brought becomes batches for the agents, and ticks wait for their time."""

from collections.abc import Mapping, Sequence
from functools import partial

from streams.engine.assignment import Assignment
from streams.engine.clients import Cluster, InputConsumer, Offload, Poll
from streams.engine.isolation import Task
from streams.engine.observer import Observer
from streams.engine.overtaking import HeldTicks
from streams.engine.record import Batch, Record, TopicPartition, merge_by_timestamp
from streams.engine.settings import EngineSettings

__all__ = ["Intake"]


class Intake:
    """Makes the tasks of a round.

    Args:
        settings: of the engine.
        channels: topics by channel; each topic belongs to one channel.
        consumer: of the inputs; its ticks pause when too many wait.
        cluster: for the ends that ticks wait for.
        assignment: says which partitions are ready, and is told how far they are read.
        observer: is told how many ticks wait.
        offload: runs blocking calls.
    """

    def __init__(
        self,
        *,
        settings: EngineSettings,
        channels: Mapping[str, Sequence[str]],
        consumer: InputConsumer,
        cluster: Cluster,
        assignment: Assignment,
        observer: Observer,
        offload: Offload,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._cluster = cluster
        self._assignment = assignment
        self._observer = observer
        self._offload = offload
        self._channel_of = {topic: name for name, topics in channels.items() for topic in topics}
        self._held = HeldTicks()
        self._paused: set[int] = set()

    @property
    def holds_ticks(self) -> bool:
        """Whether ticks wait for other inputs."""
        return bool(self._held.partitions)

    def clear(self) -> None:
        """The group has changed: what waits is read again."""
        self._held.clear()
        self._paused.clear()

    async def take(self, poll: Poll) -> list[Task]:
        """The batches of a poll, and behind them the ticks that need wait no longer."""
        assignment = self._assignment
        ready = assignment.ready
        parts: dict[tuple[str, int], dict[TopicPartition, Sequence[Record]]] = {}
        ticks: dict[int, Sequence[Record]] = {}
        for partition, records in poll.records.items():
            if partition.partition not in ready:
                continue  # still paused: it starts at its committed offset when it is restored
            assignment.read[partition] = assignment.reached[partition] = records[-1].offset + 1
            if partition.topic == self._settings.tick_topic:
                ticks[partition.partition] = records
            else:
                channel = self._channel_of[partition.topic]
                parts.setdefault((channel, partition.partition), {})[partition] = records
        for partition, end in poll.ends.items():
            if partition.partition in ready:
                assignment.reached[partition] = max(end, assignment.reached.get(partition, 0))
        tasks = [
            Task(channel, _batch(number, by_topic), tick=False)
            for (channel, number), by_topic in parts.items()
        ]
        if ticks:
            await self._hold(ticks)
        return tasks + await self._release()

    async def _hold(self, ticks: Mapping[int, Sequence[Record]]) -> None:
        others = [
            TopicPartition(topic, number)
            for number in ticks
            for topic in self._channel_of
            if topic != self._settings.tick_topic
        ]
        ends = await self._offload(lambda: self._cluster.end_offsets(others, committed=True))
        for number, records in ticks.items():
            targets = {each: end for each, end in ends.items() if each.partition == number}
            self._held.hold(number, records, targets)
            held = self._held.count(number)
            if held > self._settings.max_held_ticks and number not in self._paused:
                self._paused.add(number)
                await self._offload(partial(self._consumer.pause, [self._tick_partition(number)]))

    async def _release(self) -> list[Task]:
        tasks: list[Task] = []
        for number in self._held.partitions:
            free = self._held.release(number, self._assignment.reached)
            if free:
                tasks.append(Task(self._channel_of[free[0].topic], Batch(number, free), tick=True))
            self._observer.ticks_held(number, self._held.count(number))
            if number in self._paused and not self._held.count(number):
                self._paused.discard(number)
                await self._offload(partial(self._consumer.resume, [self._tick_partition(number)]))
        return tasks

    def _tick_partition(self, number: int) -> TopicPartition:
        assert self._settings.tick_topic is not None
        return TopicPartition(self._settings.tick_topic, number)


def _batch(number: int, by_topic: Mapping[TopicPartition, Sequence[Record]]) -> Batch:
    ends = {partition: records[-1].offset + 1 for partition, records in by_topic.items()}
    return Batch(number, merge_by_timestamp(list(by_topic.values())), ends)
