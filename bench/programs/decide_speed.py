"""`decide` alone, on one core, without Kafka: events per second, and what the steps around it cost.

The events are those of the dunning job. Each step runs over all of them in a pass of its own; the fold is
done anew for every repetition. Times are the process's own, so that a busy machine disturbs them less.
"""

import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from bench.dunning_work import history
from bench.program import Program, aim
from streams.dunning import Decision, decide, decision_record
from streams.dunning.commands import Command, DecisionRecord, InputReference
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state, encode_state
from streams.lab.simulate import Simulator
from streams.lab.ticks import TickGrid
from streams.messages.codec import Decoder, Encoder
from streams.messages.headers import output_headers
from streams.messages.history import Arrival
from streams.messages.topics import topic_of
from streams.policy import LoadedPolicy, load

_WANTED_PER_SECOND = 20_000.0
_DAYS_OF_TICKS = 30
_TICK_EVERY = timedelta(hours=1)


class Bench:
    """The steps of the job, each over all events."""

    def __init__(self, arrivals: list[Arrival], policy: LoadedPolicy) -> None:
        self._arrivals = arrivals
        self._policy = policy
        self._encoder, self._decoder = Encoder(), Decoder()
        self._states: dict[str, CustomerState] = {}
        self._outputs: list[Command | DecisionRecord] = []
        self._values = [
            (
                topic_of(event).name,
                event.customer_id.encode(),
                self._encoder.encode(event),
                int(at.timestamp() * 1000),
            )
            for at, event in arrivals
        ]

    def decide_only(self) -> int:
        """`decide`, pure; returns how many."""
        policy, states = self._policy.policy, {}  # type: ignore[var-annotated]
        for at, event in self._arrivals:
            customer_id = event.customer_id
            states[customer_id] = decide(states.get(customer_id), event, at, policy).state
        return len(self._arrivals)

    def decide_and_render(self) -> int:
        """`decide` with the words of every message, keeping what the later steps need."""
        states: dict[str, CustomerState] = {}
        outputs: list[Command | DecisionRecord] = []
        for at, event in self._arrivals:
            decision = self._policy.decide(states.get(event.customer_id), event, at)
            states[event.customer_id] = decision.state
            outputs += _said(decision, topic_of(event).kind, event.event_id, self._policy)
        self._states, self._outputs = states, outputs
        return len(self._arrivals)

    def ticks(self) -> int:
        """All that falls due in the days after the last event; returns how many decisions."""
        simulator = Simulator(self._policy, TickGrid(_TICK_EVERY))
        for arrival in self._arrivals:
            for _ in simulator.arrive(arrival):
                pass
        end = self._arrivals[-1].arrived_at + timedelta(days=_DAYS_OF_TICKS)
        self._began = time.process_time()
        return sum(isinstance(each, DecisionRecord) for each in simulator.tick_until(end))

    def decode(self) -> int:
        """Avro to events, checked."""
        decoder_decode = self._decoder.decode
        for topic, key, value, timestamp in self._values:
            decoder_decode(topic, key, value, timestamp)
        return len(self._values)

    def encode(self) -> int:
        """Outputs to Avro."""
        for message in self._outputs:
            self._encoder.encode(message)
        return len(self._outputs)

    def headers(self) -> int:
        """Headers of the outputs."""
        for message in self._outputs:
            output_headers(message)
        return len(self._outputs)

    def states(self) -> int:
        """States to bytes and back."""
        for state in self._states.values():
            decode_state(encode_state(state))
        return len(self._states)

    def tick_seconds(self) -> tuple[int, float]:
        """Decisions on ticks, and their time without that of the events before them."""
        count = self.ticks()
        return count, time.process_time() - self._began


def _said(
    decision: Decision, kind: str, event_id: str, policy: LoadedPolicy
) -> list[Command | DecisionRecord]:
    reference = InputReference(kind=kind, event_id=event_id, topic="t", partition=0, offset=0)
    record = decision_record(decision, reference, policy.policy)
    return [*decision.commands, *([record] if record is not None else [])]


def _timed(step: Callable[[], int], rounds: int) -> tuple[int, float]:
    count, times = 0, []
    for _ in range(rounds):
        began = time.process_time()
        count = step()
        times.append(time.process_time() - began)
    return count, statistics.median(times)


def main() -> int:
    """Run it."""
    program = Program("decide_speed", "decide alone, one core", __doc__)
    program.parser.add_argument("--events", type=int, default=50_000)
    program.parser.add_argument("--rounds", type=int, default=5)
    program.parser.add_argument(
        "--profile", action="store_true", help="where decide spends its time, instead"
    )
    given = program.parser.parse_args()
    bench = Bench(history(given.events, 1), load("care"))
    if given.profile:
        profile = cProfile.Profile()
        profile.runcall(bench.decide_and_render)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return 0
    steps: list[tuple[str, Callable[[], int]]] = [
        ("decide", bench.decide_only),
        ("decide, messages rendered", bench.decide_and_render),
        ("decode an input (Avro, checked)", bench.decode),
        ("encode an output (Avro)", bench.encode),
        ("headers of an output", bench.headers),
        ("state to bytes and back", bench.states),
    ]
    lines, data = [], {}
    for name, step in steps:
        count, seconds = _timed(step, given.rounds)
        data[name] = count / seconds
        lines.append((name, f"{count:,}", f"{count / seconds:,.0f}", f"{seconds / count * 1e6:.1f}"))
    count, seconds = bench.tick_seconds()
    data["decide on a tick"] = count / seconds
    lines.append(
        ("decide on a tick", f"{count:,}", f"{count / seconds:,.0f}", f"{seconds / count * 1e6:.1f}")
    )
    notes = [aim("decide alone", data["decide"], _WANTED_PER_SECOND, "events/s")]
    program.finish(given, ("step", "of them", "per second", "µs each"), lines, notes, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
