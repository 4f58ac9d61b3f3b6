"""What a finished run must look like, recounted from the inputs and the committed decisions alone."""

from collections.abc import Mapping, Sequence

from streams.engine import Record, TopicPartition
from streams.engine.codec import open_envelope

from .broker import Broker
from .job import CLOCK, COUNTS, DECISIONS, FORGET, POISON, TICKS, State

__all__ = ["Known", "WrongError", "check_partition", "check_states"]

Known = Mapping[TopicPartition, int]
"""Ends of other inputs when a tick was written: all before them must be decided before the tick."""


class WrongError(AssertionError):
    """A run is not what exactly-once promises."""


class _Recount:
    """Folds a partition's decisions anew."""

    def __init__(self, broker: Broker, number: int, known: Mapping[tuple[int, int], Known]) -> None:
        self.states: dict[str, State] = {}
        self.now = 0
        self._number = number
        self._known = known
        self._inputs: dict[str, dict[int, Record]] = {}
        for topic in broker.inputs:
            log = broker.logs[TopicPartition(topic, number)]
            self._inputs[topic] = dict(log.read(0, log.end)[0])
        self.undecided = {topic: list(records) for topic, records in self._inputs.items()}

    def follow(self, said: Sequence[str]) -> None:
        """Take one decision."""
        if said[0] == "tick":
            self._tick(int(said[1]), int(said[2]), said[3])
            return
        topic, offset = said[1], int(said[2])
        self._take(topic, offset)
        record = self._inputs[topic][offset]
        if (said[0] == "dead") != (record.value == POISON):
            raise WrongError(f"{record} is {said[0]} but holds {record.value!r}")
        if said[0] == "event":
            self._event(record, said[3], int(said[4]))

    def _take(self, topic: str, offset: int) -> None:
        left = self.undecided[topic]
        if not left or left[0] != offset:
            place = f"{topic}[{self._number}] offset {offset}"
            if offset in left:
                raise WrongError(f"{place} was decided before offset {left[0]}")
            raise WrongError(f"{place} was decided twice or never was")
        del left[0]

    def _event(self, record: Record, key: str, count: int) -> None:
        value = record.value or b""
        expected = self.states.get(key, (0, 0))[0] + 1
        if count != expected or key.encode() != record.key:
            raise WrongError(f"{record} counted {count} for {key}, but it is number {expected}")
        if value == FORGET:
            self.states.pop(key, None)
        else:
            self.states[key] = (count, int(value))

    def _tick(self, offset: int, now: int, due: str) -> None:
        self._take(TICKS, offset)
        for each, end in self._known[self._number, offset].items():
            left = self.undecided[each.topic]
            if left and left[0] < end:
                raise WrongError(
                    f"the tick at {TICKS}[{self._number}] offset {offset} overtook {each} offset {left[0]}, "
                    "which lay in Kafka when it was written"
                )
        self.now = max(self.now, int(self._inputs[TICKS][offset].value or b"0"))
        expected = sorted((at, key) for key, (_, at) in self.states.items() if 0 < at <= self.now)
        if now != self.now or due != ",".join(key for _, key in expected):
            raise WrongError(
                f"the tick at offset {offset} struck {due or 'nothing'} at {now}, but due at {self.now} is "
                f"{[key for _, key in expected]}"
            )
        for _, key in expected:
            self.states[key] = (self.states[key][0], 0)


def check_partition(
    broker: Broker, number: int, known: Mapping[tuple[int, int], Known]
) -> tuple[dict[str, State], int]:
    """Hold a partition's decisions and changelogs against a recount; returns its states and its clock."""
    recount = _Recount(broker, number, known)
    log = broker.logs[TopicPartition(DECISIONS, number)]
    for _, value in log.read(0, log.end)[0]:
        recount.follow(value.decode().split(" "))
    missing = {topic: left for topic, left in recount.undecided.items() if left}
    if missing:
        raise WrongError(f"partition {number}: these offsets were never decided: {missing}")
    kept = {key: COUNTS.codec.decode(value) for key, value in _kept(broker, "counts", number).items()}
    if kept != recount.states:
        raise WrongError(f"partition {number}: the changelog says {kept}, a recount {recount.states}")
    clock = int(_kept(broker, "clocks", number).get(CLOCK, b"0"))
    if clock != recount.now:
        raise WrongError(f"partition {number}: the clock stands at {clock}, the last tick was {recount.now}")
    return recount.states, recount.now


def check_states(states: Mapping[str, State], held: Mapping[str, State]) -> None:
    """Hold what a worker has in its store against the recount."""
    if states != held:
        raise WrongError(f"a worker's store says {held}, a recount {states}")


def _kept(broker: Broker, table: str, number: int) -> dict[str, bytes]:
    log = broker.logs[TopicPartition(f"{table}-changelog", number)]
    kept: dict[str, bytes] = {}
    for _, (key, envelope) in log.read(0, log.end)[0]:
        if envelope is None:
            kept.pop(key.decode(), None)
        else:
            kept[key.decode()] = open_envelope(envelope)
    return kept
