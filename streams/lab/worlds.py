"""The engine as a synthetic biller meets it: simulated, or a real worker behind Kafka.

Both take the events of a stretch of virtual time and give what the engine says in it, so the same biller can
be played against either, and what it brings about must be the same.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from streams.lab.biller import SyntheticBiller
from streams.lab.lockstep import Lockstep
from streams.lab.outputs import OutputReader
from streams.lab.simulate import Output, Simulator
from streams.lab.ticks import TickGrid
from streams.messages.codec import Decoder
from streams.messages.history import Arrival
from streams.policy import LoadedPolicy


class World(Protocol):
    """An engine in virtual time."""

    def play(self, arrivals: Sequence[Arrival], until: datetime) -> list[Output]:
        """Take the events up to the moment, in order, and give what the engine says up to then."""
        ...


class SimulatedWorld:
    """The pure domain.

    Args:
        policy: what decides.
        grid: when ticks fall.
    """

    def __init__(self, policy: LoadedPolicy, grid: TickGrid) -> None:
        self._simulator = Simulator(policy, grid)

    def play(self, arrivals: Sequence[Arrival], until: datetime) -> list[Output]:
        """See `World`."""
        outputs: list[Output] = []
        for arrival in arrivals:
            outputs += self._simulator.tick_until(arrival.arrived_at - timedelta.resolution)
            outputs += self._simulator.arrive(arrival)
        outputs += self._simulator.tick_until(until)
        return outputs


class KafkaWorld:
    """A worker behind Kafka.

    Args:
        lockstep: publishes, and waits for the worker.
        reader: reads the worker's outputs from the beginning.
        prefix: goes before the name of every topic.
    """

    def __init__(self, lockstep: Lockstep, reader: OutputReader, prefix: str) -> None:
        self._lockstep = lockstep
        self._reader = reader
        self._prefix = prefix
        self._decoder = Decoder()

    def play(self, arrivals: Sequence[Arrival], until: datetime) -> list[Output]:
        """See `World`."""
        self._lockstep.play(arrivals, until)
        return [
            self._decoder.read((message.topic() or "").removeprefix(self._prefix), message.value())
            for message in self._reader.read_to_end()
        ]


class Stretch(NamedTuple):
    """A stretch of virtual time that has been played: what arrived in it, and what the engine said."""

    until: datetime
    arrivals: Sequence[Arrival]
    outputs: Sequence[Output]


def play(
    biller: SyntheticBiller, world: World, start: datetime, end: datetime, every: timedelta
) -> Iterator[Stretch]:
    """Let biller and engine react to each other, stretch by stretch.

    Args:
        biller: tells what happens, at the beginning of each stretch, and is given the commands at its end.
        world: the engine.
        start: when to begin (UTC).
        end: when to end (UTC).
        every: how long a stretch is.
    """
    moment = start
    while moment < end:
        arrivals = biller.batch(moment)
        moment = min(moment + every, end)
        outputs = world.play(arrivals, moment)
        biller.receive(outputs)
        yield Stretch(moment, arrivals, outputs)
