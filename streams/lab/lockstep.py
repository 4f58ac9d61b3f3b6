"""Publishes in virtual time, in lockstep with the worker: nothing goes out before its time has come.

The worker's progress is read from the offsets that its consumer group has committed, which come with the
transaction that holds what it did; so when a wait is over, all that came before has been decided for good.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.dunning.events import Tick
from streams.lab.lanes import Step, steps
from streams.lab.outputs import OutputReader
from streams.lab.partitioner import partition_of
from streams.lab.ticks import TickGrid
from streams.messages.codec import Encoder
from streams.messages.headers import event_headers
from streams.messages.history import Arrival
from streams.messages.instants import EPOCH
from streams.messages.topics import LEASES, TICKS, topic_of

PATIENCE_SECONDS = 30.0
"""A worker joins its group in a few seconds and takes a record in some milliseconds."""

_MILLISECOND = timedelta(milliseconds=1)
_SHORTEST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.01
_REQUEST_SECONDS = 5.0
_FLUSH_SECONDS = 0.5
# Some ten thousand ticks take a slow broker a second.
_SEND_SECONDS = 60.0
_QUEUE_WAIT_SECONDS = 0.05
_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - the bindings' only name for it
# The group's coordinator is being found: soon after a broker's start it is not where it was just said to be.
# Kafka calls these retriable, librdkafka's errors do not say so.
_PASSING = {
    _TIMED_OUT,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}

Report = Callable[[datetime], None]
"""Is told how far all partitions have come (UTC)."""


class NoProgressError(Exception):
    """No worker took what was published.

    Attributes:
        group: the consumer group that was watched.
        waiting: partitions and the offsets that were waited for.
    """

    def __init__(self, group: str, waiting: Mapping[tuple[str, int], int], seconds: float) -> None:
        self.group = group
        self.waiting = dict(waiting)
        (topic, partition), offset = next(iter(sorted(waiting.items())))
        more = f" (and {len(waiting) - 1} more partitions)" if len(waiting) > 1 else ""
        super().__init__(
            f"no worker of the group {group} has taken {topic}[{partition}] up to offset {offset}{more} "
            f"within {seconds:.0f} s. Is one running, with DUNNING_TICKS=external and "
            f"DUNNING_APPLICATION_ID={group}?"
        )


@dataclass
class _Lane:
    partition: int
    reached: datetime
    steps: Iterator[Step] = field(default_factory=lambda: iter(()))
    reaching: datetime | None = None
    """Where the step in hand ends."""
    targets: dict[tuple[str, int], int] = field(default_factory=dict)
    """Offsets that the worker has to commit before the next step."""


class Lockstep:
    """Publishes to all partitions up to a moment, and returns when the worker has decided all of it.

    Args:
        client: properties of every Kafka client: servers, TLS, SASL.
        group: the worker's consumer group.
        prefix: goes before the name of every topic.
        encoder: writes the values.
        grid: when ticks fall.
        partitions: how many each topic has.
        start: before the first event; no tick up to it is published.
        patience_seconds: how long to wait for a worker that does nothing.
        report: is told of progress.
        watch: is called while waiting; may raise what should end the wait.
    """

    def __init__(
        self,
        *,
        client: Mapping[str, Any],
        group: str,
        prefix: str,
        encoder: Encoder,
        grid: TickGrid,
        partitions: int,
        start: datetime,
        patience_seconds: float = PATIENCE_SECONDS,
        report: Report = lambda _moment: None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._encoder = encoder
        self._grid = grid
        self._group = group
        self._prefix = prefix
        self._patience = patience_seconds
        self._report = report
        self._watch = watch
        self._lanes = [_Lane(partition, grid.last_until(start)) for partition in range(partitions)]
        self._producer = Producer(
            {
                **client,
                "enable.idempotence": True,
                "linger.ms": 1,
                # As Java's clients do by default: one customer's records all have one partition number.
                "partitioner": "murmur2_random",
                "on_delivery": self._on_delivery,
            }
        )
        # Never subscribes, so it is no member of the group; it only reads the group's offsets.
        self._group_reader = Consumer(
            {
                **client,
                "group.id": group,
                "enable.auto.commit": False,
                # Gives what was committed last. With "read_committed" the client would wait, for 100 ms at a
                # time, while a transaction that commits more is under way.
                "isolation.level": "read_uncommitted",
            }
        )
        self._refused: KafkaError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections; what was not sent yet is dropped."""
        self._producer.purge()
        self._producer.flush(1.0)
        self._group_reader.close()

    def begin(self) -> None:
        """Let every partition see the time before the start, and wait until all have their shares of offers.

        Virtual time passes faster than partitions can ask: without this, the first reminders would find none.

        Raises:
            NoProgressError: no worker takes what is published.
            KafkaException: the broker refuses a record, or cannot be reached.
        """
        for lane in self._lanes:
            lane.reaching = lane.reached
            self._send_tick(lane, lane.reached)
        self._flush()
        while any(lane.targets for lane in self._lanes):
            self._wait()
        topic = self._prefix + LEASES.name
        said: dict[tuple[str, int], int] = {}
        heard = False
        give_up = time.monotonic() + self._patience
        with OutputReader(self._client, [topic], from_beginning=True, fetch_wait_seconds=0.05) as reader:
            # What is heard is answered in the same transaction: when all is heard and nothing new is there.
            while (new := reader.read_to_end()) or not heard:
                said |= {(topic, each.partition() or 0): (each.offset() or 0) + 1 for each in new}
                committed = self._committed(said) if said else {}
                heard = all(committed.get(place, -1) >= offset for place, offset in said.items())
                if time.monotonic() > give_up:
                    raise NoProgressError(self._group, said, self._patience)
                self._watch()

    def play(self, arrivals: Iterable[Arrival], until: datetime) -> None:
        """Publish events and ticks up to the moment (included) and wait for the worker.

        Args:
            arrivals: what arrives after the last call's moment and up to this one's, in order.
            until: a moment later than the last call's (UTC).

        Raises:
            NoProgressError: no worker takes what is published.
            KafkaException: the broker refuses a record, or cannot be reached.
        """
        by_lane: dict[int, list[Arrival]] = {}
        for arrival in arrivals:
            partition = partition_of(arrival.event.customer_id, len(self._lanes))
            by_lane.setdefault(partition, []).append(arrival)
        for lane in self._lanes:
            lane.steps = steps(by_lane.get(lane.partition, ()), self._grid, lane.reached, until)
        ready = list(self._lanes)
        while True:
            self._publish(ready)
            if not any(lane.targets for lane in self._lanes):
                break
            ready = self._wait()
            self._report(min(lane.reached for lane in self._lanes))
        for lane in self._lanes:
            lane.reached = self._grid.last_until(until)
        self._report(until)

    def _publish(self, lanes: Sequence[_Lane]) -> None:
        taken = [(lane, step) for lane in lanes if (step := next(lane.steps, None)) is not None]
        for lane, step in taken:
            for arrival in step.events:
                self._send_event(lane, arrival)
        # The events must lie in Kafka before the first tick does: the engine keeps the order from there on.
        self._flush()
        for lane, step in taken:
            lane.reaching = step.until
            if step.until is not None:
                for tick in self._grid.between(step.after, step.until):
                    self._send_tick(lane, tick)
        self._flush()

    def _send_event(self, lane: _Lane, arrival: Arrival) -> None:
        topic = self._prefix + topic_of(arrival.event).name
        lane.targets[topic, lane.partition] = 0
        self._produce(
            topic=topic,
            key=arrival.event.customer_id.encode(),
            value=self._encoder.encode(arrival.event),
            headers=list(event_headers(arrival.event)),
            timestamp=_milliseconds(arrival.arrived_at),
        )

    def _send_tick(self, lane: _Lane, tick: datetime) -> None:
        topic = self._prefix + TICKS.name
        lane.targets[topic, lane.partition] = 0
        self._produce(
            topic=topic,
            value=self._encoder.encode(Tick(tick)),
            partition=lane.partition,
            timestamp=_milliseconds(tick),
        )

    def _produce(self, **record: Any) -> None:
        while True:
            try:
                self._producer.produce(**record)
            except BufferError:
                # The queue is full: let the network take some.
                self._producer.poll(_QUEUE_WAIT_SECONDS)
            else:
                return

    def _flush(self) -> None:
        give_up = time.monotonic() + _SEND_SECONDS
        # In slices: a Ctrl-C is not noticed within a call of the client.
        while self._producer.flush(_FLUSH_SECONDS) and self._refused is None:
            if time.monotonic() < give_up:
                continue
            raise KafkaException(KafkaError(_TIMED_OUT, "the broker does not take what is published"))
        if self._refused is not None:
            raise KafkaException(self._refused)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._refused = self._refused or error
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        self._lanes[partition].targets[topic, partition] = offset + 1

    def _wait(self) -> list[_Lane]:
        """Wait until the worker is done with the step of some lane; returns those lanes."""
        pause = _SHORTEST_PAUSE_SECONDS
        seen: dict[tuple[str, int], int] = {}
        give_up = time.monotonic() + self._patience
        while True:
            waiting = {place: offset for lane in self._lanes for place, offset in lane.targets.items()}
            committed = self._committed(waiting)
            done = []
            for lane in self._lanes:
                if lane.targets and all(
                    committed.get(place, -1) >= offset for place, offset in lane.targets.items()
                ):
                    lane.targets.clear()
                    lane.reached = lane.reaching or lane.reached
                    done.append(lane)
            if done:
                return done
            if committed != seen:
                seen, give_up = committed, time.monotonic() + self._patience
            elif time.monotonic() > give_up:
                raise NoProgressError(self._group, waiting, self._patience)
            self._watch()
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _committed(self, waiting: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        asked = [TopicPartition(topic, partition) for topic, partition in waiting]
        try:
            answers = self._group_reader.committed(asked, timeout=_REQUEST_SECONDS)
        except KafkaException as error:
            cause = error.args[0]
            if cause.fatal() or not (cause.retriable() or cause.code() in _PASSING):
                raise
            return {}
        return {(answer.topic, answer.partition): answer.offset for answer in answers if answer.error is None}


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // _MILLISECOND
