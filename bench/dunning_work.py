"""Inputs of the dunning job: a synthetic biller's events, then ticks; and the check of the outputs.

The biller plays against the simulator, so customers react to what they are sent, and the events are of all
kinds. Then everything is published as a backlog: what a worker meets after an outage. No tick may overtake an
event that already lies in Kafka, so all ticks come after all events, once an hour for thirty days; with them
the ladders of the cases are climbed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from confluent_kafka import TopicPartition

from bench.cluster import Bench, send
from bench.environment import cache
from bench.jobs import Verdict
from streams.dunning.commands import DecisionRecord
from streams.dunning.events import Tick
from streams.lab.biller import SyntheticBiller
from streams.lab.ticks import TickGrid
from streams.lab.worlds import SimulatedWorld, play
from streams.messages.codec import Decoder, Encoder
from streams.messages.headers import event_headers
from streams.messages.history import Arrival, parse_history, to_json_line
from streams.messages.topics import INPUTS, OUTPUTS, TICKS, TOPICS, topic_config, topic_of
from streams.policy import load

PREFIX = "bench."

_START = datetime(2026, 1, 1, tzinfo=UTC)
_DAYS = 60
_EVENTS_PER_CUSTOMER = 5.0
_TICK_EVERY = timedelta(hours=1)
_TICKS_FOR = timedelta(days=30)
_SIMULATED_TICK = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def history(events: int, seed: int) -> list[Arrival]:
    """So many events in order of arrival; made once and kept in the cache."""
    path = cache() / f"history-{seed}-{events}-{_DAYS}.jsonl"
    if path.is_file():
        with path.open("rb") as lines:
            return parse_history(lines, source=path.name)
    arrivals = _simulated(events, seed)
    text = "".join(f"{to_json_line(each.event, arrived_at=each.arrived_at)}\n" for each in arrivals)
    path.write_text(text)
    return arrivals


def _simulated(events: int, seed: int) -> list[Arrival]:
    biller = SyntheticBiller(
        seed=seed,
        customers=max(10, int(events / _EVENTS_PER_CUSTOMER)),
        start=_START,
        spread=timedelta(hours=6),
    )
    world = SimulatedWorld(load("care"), TickGrid(_SIMULATED_TICK))
    arrivals: list[Arrival] = []
    for stretch in play(biller, world, _START, _START + timedelta(days=_DAYS), timedelta(days=1)):
        arrivals += stretch.arrivals
        if len(arrivals) >= events:
            break
    return arrivals[:events]


class DunningWork:
    """Events of all inputs, then ticks to every partition.

    Args:
        events: how many.
        seed: another seed, another company.
    """

    def __init__(self, events: int, seed: int = 1) -> None:
        self._events = events
        self._seed = seed
        self.records = events

    @property
    def input(self) -> str:
        """See `Work`."""
        return PREFIX

    @property
    def inputs(self) -> Sequence[str]:
        """See `Work`."""
        return [PREFIX + topic.name for topic in (*INPUTS, TICKS)]

    def prepare(self, bench: Bench) -> None:
        """See `Work`."""
        arrivals = history(self._events, self._seed)
        self._events = self.records = len(arrivals)
        bench.create_each({PREFIX + each.name: topic_config(each, virtual_time=True) for each in TOPICS})
        encoder, producer = Encoder(), bench.producer()
        for at, event in arrivals:
            send(
                producer,
                PREFIX + topic_of(event).name,
                encoder.encode(event),
                event.customer_id.encode(),
                timestamp=_milliseconds(at),
                headers=event_headers(event),
            )
        for tick in _ticks(arrivals[-1].arrived_at):
            value, at_ms = encoder.encode(tick), _milliseconds(tick.now)
            for number in range(bench.partitions):
                send(producer, PREFIX + TICKS.name, value, None, partition=number, timestamp=at_ms)
        producer.flush()

    def outputs(self, application: str) -> Sequence[str]:  # noqa: ARG002 - all runs share them
        """See `Work`."""
        return [PREFIX + topic.name for topic in OUTPUTS]

    def may_be_complete(self, written: int) -> bool:
        """See `Work`."""
        return written >= self.records

    def verify(
        self, bench: Bench, application: str, start: Mapping[TopicPartition, int], *, partly: bool
    ) -> Verdict:
        """Each event must be decided once; what is commanded is counted, by kind."""
        decoder = Decoder()
        counts: Counter[str] = Counter()
        decided: Counter[tuple[str, int, int]] = Counter()
        names: set[str] = set()
        for message in bench.read(self.outputs(application), start):
            topic = str(message.topic()).removeprefix(PREFIX)
            said = decoder.read(topic, message.value())
            counts[topic.split(".")[1]] += 1
            if not isinstance(said, DecisionRecord):
                names.add(said.command_id)
            elif said.input.event_id is not None:
                reference = said.input
                decided[reference.topic or "", reference.partition or 0, reference.offset or 0] += 1
        problems = []
        if len(decided) != self._events and not partly:
            problems.append(f"{self._events - len(decided)} events are not decided")
        if repeated := sum(times > 1 for times in decided.values()):
            problems.append(f"{repeated} events are decided more than once")
        commands = counts["notification-command"] + counts["account-command"]
        if commands != len(names):
            problems.append(f"{commands - len(names)} commands are repeated")
        return Verdict(len(decided), counts.total(), "; ".join(problems) or None, dict(counts))


def _ticks(last_event: datetime) -> Iterator[Tick]:
    now = last_event.replace(minute=0, second=0, microsecond=0)
    end = now + _TICKS_FOR
    while (now := now + _TICK_EVERY) <= end:
        yield Tick(now=now)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
