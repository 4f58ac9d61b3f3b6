"""A test build of the worker that breaks at an exact moment: `DUNNING_TEST_BREAKS=moment:number`.

Production code has no such switch; this replaces methods of the engine before it starts.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from streams.agents.desk import Sitting
from streams.engine import EngineSettings, Record, TopicPartition, changelog_reader
from streams.engine.assignment import Assignment
from streams.engine.changelog_reader import LibrdkafkaChangelogReader
from streams.engine.clients import Poll
from streams.engine.input_consumer import LibrdkafkaConsumer
from streams.engine.overtaking import HeldTicks
from streams.engine.partitions import TablePartition, TableSet
from streams.engine.stores import rocksdb
from streams.engine.stores.memory import MemoryStore
from streams.engine.stores.rocksdb import RocksDBStore
from streams.engine.transactional_producer import LibrdkafkaProducer
from streams.settings import Settings

__all__ = ["POISONOUS", "main"]

SHORT_POLL_INTERVAL_SECONDS = 6.0
POISONOUS = b"poison-"
"""How the keys of records begin that `poison` fails upon."""


def _die_at(owner: type, method: str, number: int, *, where: Callable[..., bool] | None = None) -> None:
    """Die as by ``kill -9`` when the method is called for the ``number``-th time."""
    original = getattr(owner, method)
    calls = count(1)

    def dying(*arguments: Any, **named: Any) -> Any:
        if (where is None or where(*arguments)) and next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(owner, method, dying)


def between_commit_and_store(number: int) -> None:
    """Kafka has the round, the stores have nothing of it."""
    _die_at(TableSet, "land", number)


def between_two_stores(number: int) -> None:
    """The first table has the round, the second has not."""
    _die_at(TablePartition, "land", 2 * number)


def before_the_commit(number: int) -> None:
    """Outputs, changes and offsets are in the transaction, which stays open."""
    _die_at(
        LibrdkafkaProducer, "_attempt", number, where=lambda _self, step, _call: step == "committing a round"
    )


def during_restore(number: int) -> None:
    """Some of the changelog is in the stores; on disk it was loaded in bulk, with a checkpoint or two."""
    changelog_reader._RESTORE_RECORDS = 20
    rocksdb._LOAD_RECORDS, rocksdb._CHECKPOINT_BYTES = 10, 4_000
    _die_at(MemoryStore, "load", number)
    _die_at(RocksDBStore, "load", number)


def during_rebalance(number: int) -> None:
    """The group has given or taken partitions, and nothing has been done about it."""
    _die_at(Assignment, "change", number)


def slow_restore(seconds: int) -> None:
    """Partition 0 takes longer to restore than `max.poll.interval.ms`, which is short."""
    assign, read = LibrdkafkaChangelogReader.assign, LibrdkafkaChangelogReader.read
    began = time.monotonic()
    waiting: dict[LibrdkafkaChangelogReader, Mapping[TopicPartition, int]] = {}

    def slow_assign(self: LibrdkafkaChangelogReader, positions: Mapping[TopicPartition, int]) -> None:
        waiting[self] = positions
        assign(self, {each: at for each, at in positions.items() if each.partition != 0})

    def slow_read(self: LibrdkafkaChangelogReader, timeout_seconds: float) -> Any:
        if self in waiting and time.monotonic() - began > seconds:
            assign(self, {each: at for each, at in waiting.pop(self).items() if each.partition == 0})
        return read(self, timeout_seconds)

    _replace(LibrdkafkaChangelogReader, assign=slow_assign, read=slow_read)
    engine = Settings.engine

    def short(self: Settings, tick_topic: str) -> EngineSettings:
        made = engine(self, tick_topic)
        named = {name: getattr(made, name) for name in EngineSettings.__dataclass_fields__}
        named |= {"max_poll_interval_seconds": SHORT_POLL_INTERVAL_SECONDS, "agent_timeout_seconds": 5.0}
        return EngineSettings(**named)

    _replace(Settings, engine=short)


def stall(number: int) -> None:
    """After so many polls the consumer brings nothing any more and says nothing."""
    poll = LibrdkafkaConsumer.poll
    calls = count(1)

    def stalled(self: LibrdkafkaConsumer, max_records: int, timeout_seconds: float) -> Poll:
        if next(calls) > number:
            time.sleep(timeout_seconds)
            return Poll()
        return poll(self, max_records, timeout_seconds)

    _replace(LibrdkafkaConsumer, poll=stalled, poll_ready=_never_ready)


def slow_commits(seconds: int) -> None:
    """Every commit takes so long, as with a broker that can hardly keep up; it says so in the log."""
    commit = LibrdkafkaProducer.commit

    def slow(self: LibrdkafkaProducer, *arguments: Any) -> Any:
        sys.stderr.write("a slow commit begins\n")
        time.sleep(seconds)
        return commit(self, *arguments)

    _replace(LibrdkafkaProducer, commit=slow)


def _never_ready(_consumer: LibrdkafkaConsumer, _max_records: int) -> None:
    """All comes by way of `poll`."""


def late_payments(seconds: int) -> None:
    """Payments are fetched later than all other inputs, as from a slow broker of their own."""
    resume, poll = LibrdkafkaConsumer.resume, LibrdkafkaConsumer.poll
    held: dict[TopicPartition, float] = {}

    def late_resume(self: LibrdkafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        late = [each for each in partitions if "payment-recovered" in each.topic]
        held.update(dict.fromkeys(late, time.monotonic() + seconds))
        resume(self, [each for each in partitions if each not in held])

    def late_poll(self: LibrdkafkaConsumer, max_records: int, timeout_seconds: float) -> Poll:
        now = time.monotonic()
        for each in [each for each, at in held.items() if at < now]:
            del held[each]
            resume(self, [each])
        return poll(self, max_records, timeout_seconds)

    _replace(LibrdkafkaConsumer, resume=late_resume, poll=late_poll, poll_ready=_never_ready)


def ticks_at_once(seconds: int) -> None:
    """The same, and ticks overtake what lies in Kafka."""
    late_payments(seconds)
    release = HeldTicks.release

    class Reached(dict[TopicPartition, int]):
        def get(self, _key: Any, _default: Any = None) -> Any:
            return 1 << 60

    _replace(HeldTicks, release=lambda self, partition, _reached: release(self, partition, Reached()))


def poison(_number: int) -> None:
    """Nothing can be decided about some customers."""
    decide = Sitting.decide

    def failing(self: Sitting, record: Record) -> None:
        if (record.key or b"").startswith(POISONOUS):
            message = "this cannot be decided"
            raise ValueError(message)
        decide(self, record)

    _replace(Sitting, decide=failing)


def _replace(owner: type, **methods: Any) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)


MOMENTS: Mapping[str, Callable[[int], None]] = {
    each.__name__: each
    for each in (
        between_commit_and_store,
        between_two_stores,
        before_the_commit,
        during_restore,
        during_rebalance,
        slow_restore,
        stall,
        slow_commits,
        late_payments,
        ticks_at_once,
        poison,
    )
}


def main() -> None:
    """Break what the environment says, then be a worker."""
    moment, number = os.environ["DUNNING_TEST_BREAKS"].split(":")
    MOMENTS[moment](int(number))
    from streams.cli.main import main as work  # noqa: PLC0415 - imports the app after it was broken

    work()
