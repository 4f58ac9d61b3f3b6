"""One run: inputs arrive, workers come, go and die, and in the end everything must be decided once."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from streams.engine import BrokerError, FencedError, Record, TopicPartition

from .broker import Broker
from .faults import FAULTS
from .job import DECISIONS, EVENTS, FORGET, POISON, TICKS
from .partition_log import Transaction
from .scheduler import Scheduler
from .verdict import Known, WrongError, check_partition, check_states
from .worker import Disk, SimulatedWorker

__all__ = ["Slot", "World"]

PARTITIONS = 2
INPUTS = (*EVENTS, TICKS)
OTHERS = (DECISIONS, "counts-changelog", "clocks-changelog")

_STEPS = 12_000
"""So many are never needed: a run that takes them does not come to an end."""


class _Arrival(NamedTuple):
    topic: str
    partition: int
    key: str
    value: bytes
    biller: str | None
    """Writes it within a transaction."""
    ends: bool
    """The transaction ends with it."""


class Slot:
    """An instance name, its disk, and who runs under it."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.disk: Disk = {}
        self.lives = 0
        self.worker: SimulatedWorker | None = None


class World:
    """The run of one seed.

    Attributes:
        chance: all chance comes from it.
        zombies: frozen workers whose name another may already use.
        healing: all inputs have come and the faults are over; now the run must end.
    """

    def __init__(self, seed: int, trace: list[str] | None = None) -> None:
        self.chance = chance = random.Random(seed)
        self._random = chance.random
        self._trace = trace
        self.broker = Broker(chance, INPUTS, OTHERS, PARTITIONS)
        self.scheduler = Scheduler(chance)
        self.slots = [Slot(str(number)) for number in range(chance.choice((1, 2, 2, 3)))]
        self.zombies: list[SimulatedWorker] = []
        self.healing = False
        self.wall_clock = 0.0
        self.faults_left = chance.randrange(7)
        self.durable = chance.random() < 0.6
        self.static = chance.random() < 0.5
        self._script = _script(chance)
        self._billing: dict[str, Transaction] = {}
        self._known: dict[tuple[int, int], Known] = {}
        self._steps = 0

    def say(self, text: str) -> None:
        """A line of the trace."""
        if self._trace is not None:
            self._trace.append(f"{self._steps:5d} {text}")

    def run(self) -> int:
        """To the end; returns the number of steps.

        Raises:
            WrongError: something was lost, repeated, overtaken or never done.
        """
        asyncio._set_running_loop(self.scheduler.as_loop)
        try:
            with _quiet():
                self._run()
        finally:
            for process in list(self.scheduler.processes):
                self.scheduler.kill(process)
            asyncio._set_running_loop(None)
        if self.scheduler.unnoticed:
            raise WrongError(self.scheduler.unnoticed[0])
        return self._steps

    def start(self, slot: Slot) -> None:
        """A new worker in a slot; where a zombie still runs under the name, on another machine's disk."""
        slot.lives += 1
        alone = all(each.instance != slot.instance for each in self.zombies)
        disk = (slot.disk if alone else {}) if self.durable else None
        worker = SimulatedWorker(
            self.broker,
            self.chance,
            slot.instance,
            slot.lives,
            disk=disk,
            static=self.static,
            wall_clock=lambda: self.wall_clock,
            say=None if self._trace is None else self.say,
        )
        slot.worker = worker
        self.say(f"{worker.process.name} starts")
        self.scheduler.start(worker.process, worker.live())

    def kill(self, worker: SimulatedWorker) -> None:
        """End a worker where it stands."""
        self.say(f"{worker.process.name} is killed")
        self.scheduler.kill(worker.process)
        if worker in self.zombies:
            self.zombies.remove(worker)
        for slot in self.slots:
            if slot.worker is worker:
                slot.worker = None

    @property
    def workers(self) -> list[SimulatedWorker]:
        """Those in their slots that are alive."""
        return [each.worker for each in self.slots if each.worker and not each.worker.process.dead]

    def _run(self) -> None:
        for slot in self.slots:
            self.start(slot)
        chance, step = self._random, self.scheduler.step
        while True:
            self._steps += 1
            if chance() < 0.15 or not step():
                self._environment()
                if self.healing and self._is_done():
                    break
                if self._steps > _STEPS:
                    raise WrongError(f"not done after {_STEPS} steps")
        for number in range(PARTITIONS):
            states, _ = check_partition(self.broker, number, self._known)
            for worker in self.workers:
                # One that was frozen may still believe that a partition is its own.
                current = self.broker.group.accepts(*worker.consumer.membership())
                if current and number in worker.assignment.ready:
                    table = worker.tables.held[number]["counts"]
                    held = {key: value for key in "kl" if (value := table.get(f"{key}{number}")) is not None}
                    check_states(states, {f"{key}{number}": value for key, value in held.items()})

    def _environment(self) -> None:
        chance = self._random()
        if chance < 0.45:
            self.broker.mark_one()
        elif chance < 0.75:
            self._arrive()
        else:
            self._reap()
            if self.faults_left:
                self.faults_left -= 1
                self._misbehave()
            else:
                self._mend()

    def _arrive(self) -> None:
        if not self._script:
            return
        arrival = self._script.pop()
        partition = TopicPartition(arrival.topic, arrival.partition)
        log = self.broker.logs[partition]
        transaction = None
        if arrival.biller is not None:
            transaction = self._billing.get(arrival.biller)
            if transaction is None:
                transaction = self._billing[arrival.biller] = self.broker.begin(arrival.biller)
        record = Record(
            arrival.topic, arrival.partition, log.end, 10 * log.end, arrival.key.encode(), arrival.value
        )
        if arrival.topic == TICKS:
            others = [TopicPartition(topic, arrival.partition) for topic in EVENTS]
            self._known[arrival.partition, log.end] = {each: self.broker.logs[each].stable for each in others}
        offset = log.append(record, transaction)
        self.say(f"{partition} offset {offset}: {arrival.key} {arrival.value!r} {arrival.biller or ''}")
        if arrival.ends and arrival.biller is not None:
            del self._billing[arrival.biller]
            commit = self._random() < 0.7
            self.say(f"{arrival.biller} {'commits' if commit else 'aborts'}")
            self.broker.decide(arrival.biller, commit=commit)

    def _misbehave(self) -> None:
        fault: Callable[[World], None] = FAULTS[int(self._random() * len(FAULTS))]
        fault(self)

    def _reap(self) -> None:
        """Notice who has ended; only some ends are allowed."""
        for worker in [*self.zombies, *(each.worker for each in self.slots if each.worker)]:
            if worker.process.dead:
                if worker.error is not None:
                    self.say(f"{worker.process.name} ends: {worker.error}")
                    if not isinstance(worker.error, FencedError | BrokerError):
                        raise WrongError(f"a worker ended with {worker.error!r}") from worker.error
                self.kill(worker)

    def _mend(self) -> None:
        """What supervisors and timeouts do in time."""
        for zombie in list(self.zombies):
            if self._random() < 0.5:
                self.say(f"{zombie.process.name} goes on")
                zombie.process.frozen = False
                if not any(each.worker is zombie for each in self.slots):
                    continue
                self.zombies.remove(zombie)
        for slot in self.slots:
            if slot.worker is None and self._random() < 0.7:
                self.start(slot)
        self.end_sessions()
        if not self._script:
            self.healing = True

    def end_sessions(self) -> None:
        """Members and transactions without a live process time out."""
        able = {
            each.consumer.member
            for each in [*self.workers, *self.zombies]
            if not each.process.frozen and not each.process.dead
        }
        for member in [each for each in self.broker.group.members if each not in able]:
            if self._random() < 0.5:
                self.say(f"the session of member {member.number} ends")
                self.broker.group.expel(member)
        for name in list(self.broker.open):
            if name not in self._billing and all(each.instance != name for each in self.workers):
                self.say(f"the transaction of {name} times out")
                self.broker.expire(name)

    def _is_done(self) -> bool:
        broker = self.broker
        if broker.open or broker.decided or self._script:
            return False
        for topic in INPUTS:
            for number in range(PARTITIONS):
                partition = TopicPartition(topic, number)
                log = broker.logs[partition]
                if log.read(broker.group.committed(partition).offset or 0, 1)[0]:
                    return False
        return True


def _script(chance: random.Random) -> list[_Arrival]:
    """What comes in, last first."""
    arrivals: list[_Arrival] = []
    now = 10
    billers: Sequence[str | None] = (None, None, None, "billing-1", "billing-2")
    for _ in range(chance.randrange(4, 22)):
        number = int(chance.random() * PARTITIONS)
        if chance.random() < 0.25:
            now += chance.randrange(8)
            arrivals.append(_Arrival(TICKS, number, "", b"%d" % now, None, ends=False))
            continue
        kind = chance.random()
        if kind < 0.35:
            value = b"%d" % (now + chance.randrange(12))
        elif kind < 0.9:
            value = b"0"
        else:
            value = FORGET if kind < 0.96 else POISON
        biller = billers[int(chance.random() * len(billers))]
        topic = EVENTS[int(chance.random() * 2)]
        key = f"{'kl'[int(chance.random() * 2)]}{number}"
        arrivals.append(_Arrival(topic, number, key, value, biller, chance.random() < 0.4))
    last: set[str | None] = {None}
    for place in range(len(arrivals) - 1, -1, -1):
        if arrivals[place].biller not in last:
            last.add(arrivals[place].biller)
            arrivals[place] = arrivals[place]._replace(ends=True)
    arrivals.reverse()
    return arrivals


@contextmanager
def _quiet() -> Iterator[None]:
    """The engine logs what it survives, which is all that happens here."""
    logger = logging.getLogger("streams.engine")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
