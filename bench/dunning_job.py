"""The dunning job for those who are not our worker: the same codec, the same `decide`, the same outputs.

What it leaves out of the worker is said in the catalogue.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from streams.dunning import Decision, decision_record
from streams.dunning.commands import InputReference
from streams.dunning.events import CustomerEvent, Tick
from streams.dunning.state import CustomerState
from streams.messages.codec import Decoder, Encoder
from streams.messages.headers import output_headers
from streams.messages.topics import INPUTS, TICKS, topic_named, topic_of
from streams.policy import load

INPUT_TOPICS = [topic.name for topic in INPUTS]
TICK_TOPIC = TICKS.name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Place(NamedTuple):
    """Where an input record lies."""

    topic: str
    partition: int
    offset: int


class Said(NamedTuple):
    """An output record."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    timestamp: int


class Clerk:
    """Decides for the partitions of one process; whoever runs it keeps the states.

    Args:
        prefix: of all topics.
        known: looks a customer's state up in a partition.
        keep: keeps it.
    """

    def __init__(
        self,
        prefix: str,
        known: Callable[[int, str], CustomerState | None],
        keep: Callable[[int, CustomerState], None],
    ) -> None:
        self._policy = load("care")
        self._decoder, self._encoder = Decoder(), Encoder()
        self._prefix = prefix
        self._known, self._keep = known, keep
        self._clocks: dict[int, datetime] = {}
        # Of each partition, who is due when. An entry counts only while the state says the same.
        self._agendas: dict[int, list[tuple[datetime, str]]] = {}

    def handle(self, place: Place, key: bytes | None, value: bytes | None, timestamp: int) -> Iterator[Said]:
        """Decide an input record."""
        event = self._decoder.decode(place.topic.removeprefix(self._prefix), key, value, timestamp)
        clock = self._clocks.get(place.partition, _EPOCH)
        if not isinstance(event, Tick):
            state = self._known(place.partition, event.customer_id)
            at = max(clock, _EPOCH + timestamp * _MILLISECOND)
            yield from self._decide(place, state, event, at)
        elif event.now > clock:
            self._clocks[place.partition] = event.now
            for state in self._due(place.partition, event.now):
                yield from self._decide(place, state, event, event.now)

    def _decide(
        self, place: Place, state: CustomerState | None, event: CustomerEvent | Tick, clock: datetime
    ) -> Iterator[Said]:
        decision = self._policy.decide(state, event, clock)
        after = decision.state
        if after is not state:
            self._keep(place.partition, after)
        # A tick has taken the entry out, so it goes in again even when it says the same.
        moved = isinstance(event, Tick) or state is None or state.next_due != after.next_due
        if after.next_due is not None and moved:
            heappush(self._agendas.setdefault(place.partition, []), (after.next_due, after.customer_id))
        yield from self._say(place, event, decision)

    def _say(self, place: Place, event: CustomerEvent | Tick, decision: Decision) -> Iterator[Said]:
        reference = InputReference(
            kind=topic_named(place.topic.removeprefix(self._prefix)).kind,
            event_id=None if isinstance(event, Tick) else event.event_id,
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
        )
        record = decision_record(decision, reference, self._policy.policy)
        if record is None:
            return
        key = decision.state.customer_id.encode()
        timestamp = (decision.clock - _EPOCH) // _MILLISECOND
        for message in (*decision.commands, record):
            yield Said(
                self._prefix + topic_of(message).name,
                key,
                self._encoder.encode(message),
                list(output_headers(message)),
                timestamp,
            )

    def _due(self, partition: int, now: datetime) -> list[CustomerState]:
        agenda = self._agendas.get(partition, [])
        found: dict[str, CustomerState] = {}
        while agenda and agenda[0][0] <= now:
            due, customer_id = heappop(agenda)
            state = self._known(partition, customer_id)
            if state is not None and state.next_due == due:
                found[customer_id] = state
        return list(found.values())
