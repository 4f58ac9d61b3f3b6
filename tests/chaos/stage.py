"""Where a scenario plays: topics of its own, workers whole and broken, inputs that come in time's order."""

import random
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription  # type: ignore[attr-defined]

from streams.dunning.events import Tick
from streams.engine import ExitCode
from streams.messages.history import Arrival
from streams.messages.topics import INPUTS, TICKS
from streams.policy import load
from tests.app import harness
from tests.app.harness import Deployment, Worker, wait_for
from tests.app.histories import moments, random_history
from tests.app.recompute import verify

__all__ = ["SIGKILLED", "SkippedError", "Stage"]

SIGKILLED = -9
_ROOT = Path(__file__).parents[2]
_BROKEN_WORKER = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from tests.chaos.broken_worker import main; main()"
)


def _stop(worker: Worker) -> int:
    """SIGTERM; a commit that hangs and its abort may take their whole timeouts, 30 s each."""
    worker.process.terminate()
    return worker.wait(75)


class SkippedError(Exception):
    """The machine does not allow it; says why."""


def _eager_consumer(properties: dict[str, Any]) -> Consumer:
    return Consumer({**properties, "fetch.wait.max.ms": 10})


class Stage(Deployment):
    """A deployment with chances and a timeline.

    Args:
        servers: of the broker.
        prefix: of all names.
        directory: for state and logs.
        chance: decides everything random.
        scale: 1 for the short form; more makes a scenario longer.
    """

    def __init__(
        self, servers: str, prefix: str, directory: Path, chance: random.Random, *, scale: int = 1
    ) -> None:
        super().__init__(servers, prefix, directory)
        self.chance = chance
        self.scale = scale
        self.events = 0
        self._timeline: list[Arrival | Tick] = []

    def start(self, instance: str = "0", *, breaks: str | None = None, **settings: Any) -> Worker:
        """Start a worker, broken as `broken_worker` says if wanted."""
        given = {"max_records": 40, **settings}
        if breaks is None:
            return super().start(instance, **given)
        with mock.patch.object(harness, "_WORKER", _BROKEN_WORKER):
            return super().start(instance, test_breaks=breaks, **given)

    def plan(self, *, customers: int, days: int = 60, tick_hours: int = 6) -> None:
        """Make the timeline: all kinds of events, and ticks until long after the last."""
        history = random_history(self.chance, customers=customers, days=days)
        ticks = moments(history, timedelta(hours=tick_hours), timedelta(days=2 * days))
        self._timeline = sorted(
            [*history, *map(Tick, ticks)],
            key=lambda each: each.now if isinstance(each, Tick) else each.arrived_at,
        )

    def feed(self, share: float = 1.0) -> None:
        """Publish a share of what is left of the timeline."""
        end = len(self._timeline) if share >= 1 else int(len(self._timeline) * share)
        self.publish(self._timeline[:end])
        del self._timeline[:end]

    def publish(self, timeline: Sequence[Arrival | Tick]) -> None:
        """Publish in this order."""
        for each in timeline:
            if isinstance(each, Tick):
                self.tick(each)
            else:
                self.send(each)
                self.events += 1
        self.flush()

    def wait_for_death(self, worker: Worker, code: int = SIGKILLED, seconds: float = 60.0) -> None:
        """It ends, and with this code; it counts as one of the stage's workers no more."""
        found = worker.wait(seconds)
        assert found == code, f"ended with {found} instead of {code}:\n{worker.log.read_text()[-3000:]}"
        if worker in self.workers:
            self.workers.remove(worker)

    def wait_until_committed(self, records: int, seconds: float = 60.0) -> None:
        """So many input records are committed in all."""
        start = self.lag()
        wait_for(lambda: start - self.lag() >= records, f"{records} more records are committed", seconds)

    def messages(self, topic: str) -> list[Message]:
        """All committed records of a topic; ends of empty partitions are not waited for long."""
        with mock.patch.object(harness, "Consumer", _eager_consumer):
            return super().messages(topic)

    def lag(self) -> int:
        """Input records after the group's committed offsets."""
        return sum(self.lag_by_partition().values())

    def lag_by_partition(self) -> dict[int, int]:
        """The same by partition; a broker that has just come back is asked again."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self._lag_by_partition()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _lag_by_partition(self) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": self.application_id})
        lags = dict.fromkeys(range(self.partitions), 0)
        asked = [
            TopicPartition(self.prefix + topic.name, number)
            for topic in (*INPUTS, TICKS)
            for number in range(self.partitions)
        ]
        try:
            for each in consumer.committed(asked, timeout=20):
                place = TopicPartition(each.topic, each.partition)
                _, end = consumer.get_watermark_offsets(place, timeout=20)
                lags[each.partition] += end - max(0, each.offset)
        finally:
            consumer.close()
        return lags

    def check_assignment(self, members: int, seconds: float = 60.0) -> None:
        """Wait until the group is stable with so many members; each has all inputs of its partitions.

        As the broker tells it to anybody who asks.
        """
        group = self._stable_group(members, seconds)
        topics = {self.prefix + topic.name for topic in (*INPUTS, TICKS)}
        owners: dict[int, set[str]] = {number: set() for number in range(self.partitions)}
        assigned: set[tuple[str, int]] = set()
        for member in group.members:
            for each in member.assignment.topic_partitions:
                assert (each.topic, each.partition) not in assigned, f"two have {each}"
                assigned.add((each.topic, each.partition))
                owners[each.partition].add(member.member_id)
        assert assigned.issuperset((topic, number) for topic in topics for number in owners)
        assert all(len(each) == 1 for each in owners.values()), f"equal partitions are apart: {owners}"

    def _stable_group(self, members: int, seconds: float) -> ConsumerGroupDescription:
        admin = AdminClient({"bootstrap.servers": self.servers})
        deadline, told = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            try:
                asked = admin.describe_consumer_groups([self.application_id])
                group: ConsumerGroupDescription = asked[self.application_id].result(20)
            except KafkaException as error:
                # Right after the group's beginning its coordinator is being found.
                told = str(error)
            else:
                told = f"{len(group.members)} members, {group.state}"
                if group.state is ConsumerGroupState.STABLE and len(group.members) == members:
                    return group
            time.sleep(0.2)
        raise AssertionError(f"{told} instead of {members} stable members")

    def finish(
        self,
        *running: Worker,
        seconds: float = 180.0,
        codes: frozenset[int] = frozenset({ExitCode.OK}),
        put_aside: int = 0,
    ) -> str:
        """Publish the rest, let it be processed, stop, and hold it against the recomputation.

        ``codes`` are the exit codes with which a worker may end, ``put_aside`` is the number of records that
        have to be in the dead letters.
        """
        self.feed()
        self.wait_until_done(seconds)
        found = [_stop(worker) for worker in running]
        assert codes.issuperset(found), f"stopped with {found}"
        decided = verify(self, load("care"), put_aside=put_aside)
        assert decided == self.events - put_aside, f"{decided} events decided, {self.events} sent"
        return f"{decided} events decided once, states equal"
