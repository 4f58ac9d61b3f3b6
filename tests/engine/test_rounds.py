"""The round protocol against clients in memory: no broker, no Faust."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from streams.engine import (
    BrokerError,
    Codec,
    EngineSettings,
    FatalError,
    Observer,
    Output,
    Progress,
    Record,
    TopicPartition,
)
from streams.engine.assignment import Assignment
from streams.engine.clients import ChangelogChunk, ChangelogRun, ChangelogWrites, CommittedOffset, Poll
from streams.engine.errors import MembershipLostError, RejectedOutputError
from streams.engine.isolation import Task
from streams.engine.partitions import TableSet, TableSpecification
from streams.engine.restore import Restorer
from streams.engine.rounds import Failure, Rounds
from streams.engine.stores.memory import MemoryStore

T = TypeVar("T")
P = TopicPartition

SETTINGS = EngineSettings(
    application_id="app", bootstrap_servers="memory", tick_topic="tick", max_retries=3, max_attempts=3
)


class Broker:
    """Topics, one group and one changelog, in memory; plays all of the engine's clients."""

    def __init__(self) -> None:
        self.log: dict[TopicPartition, list[Record]] = {P("a", 0): [], P("b", 0): [], P("tick", 0): []}
        self.offsets: dict[TopicPartition, CommittedOffset] = {}
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.out: list[Output] = []
        self.commits: list[list[str]] = []
        self.position: dict[TopicPartition, int] = {}
        self.polls: list[Poll] = []
        self.refusals: list[Exception] = []
        self.unreadable: set[TopicPartition] = set()
        self.backlog = False

    def append(self, topic: str, value: str, key: str = "k", timestamp: int = 0) -> None:
        log = self.log[P(topic, 0)]
        log.append(Record(topic, 0, len(log), timestamp, key.encode(), value.encode()))

    def subscribe(self, topics: Sequence[str]) -> None:
        self.polls.append(Poll(assigned=frozenset(P(topic, 0) for topic in topics)))

    def poll_ready(self, max_records: int) -> Poll | None:
        return self.poll(max_records, 0) if self.backlog else None

    def poll(self, max_records: int, timeout_seconds: float) -> Poll:
        del timeout_seconds
        if self.polls:
            return self.polls.pop(0)
        poll = Poll(membership="generation")
        for partition, position in self.position.items():
            records = self.log[partition][position : position + max_records]
            if records and partition not in self.unreadable:
                poll.records[partition] = records
                self.position[partition] = position + len(records)
        return poll

    def committed(
        self, partitions: Iterable[TopicPartition], timeout_seconds: float
    ) -> Mapping[TopicPartition, CommittedOffset] | None:
        del timeout_seconds
        return {each: self.offsets.get(each, CommittedOffset(None, "")) for each in partitions}

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.position.update(offsets)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.unreadable.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.unreadable.difference_update(partitions)

    def close(self) -> None:
        pass

    def start(self) -> None:
        pass

    def begin(self, outputs: Sequence[Output], writes: Sequence[ChangelogWrites]) -> None:
        self.begun = outputs, writes

    def commit(
        self, offsets: Mapping[TopicPartition, int], notes: Mapping[int, str], membership: Any
    ) -> Mapping[TopicPartition, int]:
        assert membership == "generation"
        outputs, writes = self.begun
        if any((output.value or b"").startswith(b"huge") for output in outputs):
            raise RejectedOutputError("out", "too large")
        if self.refusals:
            raise self.refusals.pop(0)
        self.out += outputs
        self.commits.append([(output.value or b"").decode() for output in outputs])
        for partition, offset in offsets.items():
            before = self.offsets.get(partition, CommittedOffset(None, "")).offset or 0
            assert offset > before, "offsets only go forwards"
            self.offsets[partition] = CommittedOffset(offset, notes.get(partition.partition, ""))
        for write in writes:
            self.changelog += write.changes
        return {write.changelog: len(self.changelog) for write in writes}

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        self.reading = dict(positions)

    def read(self, timeout_seconds: float) -> ChangelogChunk:
        del timeout_seconds
        (changelog, position), *_ = self.reading.items()
        keys, values = zip(*self.changelog[position:], strict=True)
        end = len(self.changelog)
        return ChangelogChunk([(changelog, ChangelogRun(keys, values, end))], {changelog: end})

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        return dict.fromkeys(topics, 1)

    def create_changelog(self, topic: str, partitions: int) -> None:
        pass

    def group_has_offsets(self, topics: Mapping[str, int]) -> bool:
        return any(topic in topics for topic, _ in self.offsets)

    def first_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(
        self, partitions: Iterable[TopicPartition], *, committed: bool
    ) -> Mapping[TopicPartition, int]:
        del committed
        return {each: len(self.log.get(each, self.changelog)) for each in partitions}

    def delete_retention_seconds(self, topic: str) -> float:
        return 86_400.0 + len(topic)


async def offload(call: Callable[[], T]) -> T:
    await asyncio.sleep(0)
    return call()


def refuse_poison(value: str) -> None:
    if value.startswith("poison"):
        raise ValueError(value)


class Counting:
    """Counts per key, says each record, and raises what a value asks for."""

    channels: Mapping[str, Sequence[str]] = {"events": ["a", "b"], "ticks": ["tick"]}

    def __init__(self, tables: TableSet) -> None:
        self.tables = tables
        self.handed: list[str] = []

    async def process(self, tasks: Sequence[Task]) -> Sequence[Failure]:
        failures: list[Failure] = []
        for task in tasks:
            table = self.tables.held[task.batch.partition]["counts"]
            try:
                for record in task.batch:
                    value = (record.value or b"").decode()
                    self.handed.append(value)
                    refuse_poison(value)
                    key = (record.key or b"").decode()
                    table[key] = table.get(key, 0) + 1
                    task.batch.emit("out", value=value.encode())
            except ValueError as error:
                failures.append(Failure(task, error))
        return failures


class Telling(Observer):
    """Keeps what transactions came to."""

    def __init__(self) -> None:
        self.transactions: list[bool] = []

    def transaction_ended(self, *, committed: bool, duration_seconds: float) -> None:
        assert duration_seconds >= 0
        self.transactions.append(committed)


class Engine:
    """One worker over a broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.tables = TableSet(lambda _table, _partition: MemoryStore(), 100)
        codec = Codec[int](lambda value: b"%d" % value, int)
        self.tables.add(TableSpecification("counts", "changelog", codec, None))
        self.agents = Counting(self.tables)
        self.progress = progress = Progress()
        self.observer = observer = Telling()

        def restorer_clients() -> Broker:
            return broker

        restorer = Restorer(
            tables=self.tables,
            cluster=broker,
            reader=restorer_clients,
            offload=offload,
            observer=observer,
            progress=progress,
        )
        topics = ["a", "b", "tick"]
        self.assignment = Assignment(
            topics=topics,
            consumer=broker,
            cluster=broker,
            tables=self.tables,
            restorer=restorer,
            offload=offload,
            observer=observer,
            progress=progress,
        )
        self.rounds = Rounds(
            settings=SETTINGS,
            consumer=broker,
            producer=broker,
            cluster=broker,
            tables=self.tables,
            assignment=self.assignment,
            processor=self.agents,
            poison=lambda record, error: [Output("dead", value=f"{record.offset} {error}".encode())],
            observer=observer,
            progress=progress,
            offload=offload,
            offload_commits=offload,
        )
        broker.subscribe(topics)
        self._loop = asyncio.Runner()

    def turn(self, times: int = 1) -> None:
        async def run() -> None:
            for _ in range(times):
                await self.rounds.turn()
                for _ in range(20):
                    await asyncio.sleep(0)

        self.run(run())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def count(self, key: str = "k") -> int:
        return int(self.tables.held[0]["counts"].get(key, 0))


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def engine(broker: Broker) -> Engine:
    engine = Engine(broker)
    engine.turn(2)
    return engine


def test_a_round_commits_outputs_changes_and_offsets_together(broker: Broker, engine: Engine) -> None:
    for number in range(3):
        broker.append("a", f"a{number}", timestamp=10 * number)
        broker.append("b", f"b{number}", timestamp=10 * number + 5)
    engine.turn(2)
    assert broker.commits == [["a0", "b0", "a1", "b1", "a2", "b2"]], "merged by timestamp"
    assert broker.offsets[P("a", 0)].offset == broker.offsets[P("b", 0)].offset == 3
    assert len(broker.changelog) == 1, "once per key"
    assert engine.count() == 6


@pytest.mark.parametrize("backlog", [False, True])
def test_only_a_backlog_is_worked_on_while_a_commit_is_in_flight(
    broker: Broker, engine: Engine, *, backlog: bool
) -> None:
    """A record without a backlog waits for the commit, so that those behind it come along."""
    handed = engine.agents.handed

    async def run() -> list[str]:
        may_commit = asyncio.Event()

        async def offload_commits(call: Callable[[], T]) -> T:
            await may_commit.wait()
            return call()

        engine.rounds._offload_commits = offload_commits
        broker.backlog = backlog
        broker.append("a", "1")
        await engine.rounds.turn()
        broker.append("a", "2")
        turning = asyncio.ensure_future(engine.rounds.turn())
        for _ in range(20):
            await asyncio.sleep(0)
        meanwhile = list(handed)
        may_commit.set()
        await turning
        await engine.rounds.finish()
        return meanwhile

    assert engine.run(run()) == (["1", "2"] if backlog else ["1"])
    assert broker.commits == [["1"], ["2"]]
    assert engine.count() == 2


def test_a_poisonous_record_is_alone_and_the_order_is_kept(broker: Broker, engine: Engine) -> None:
    for value in ("1", "2", "poison", "3", "4"):
        broker.append("a", value)
    engine.turn(10)
    assert broker.commits == [["1", "2"], ["2 poison"], ["3", "4"]]
    assert engine.agents.handed.count("poison") == 1 + SETTINGS.max_attempts
    assert engine.count() == 4
    assert broker.offsets[P("a", 0)].offset == 5


def test_a_refused_output_is_found_by_halving(broker: Broker, engine: Engine) -> None:
    for value in ("1", "2", "huge", "3", "4", "5", "6"):
        broker.append("a", value)
    engine.turn(20)
    said = [value for commit in broker.commits for value in commit]
    assert said == ["1", "2", "2 Kafka refuses a record for out: too large", "3", "4", "5", "6"]
    assert engine.count() == 6


def test_an_aborted_transaction_runs_again_and_leaves_no_trace(broker: Broker, engine: Engine) -> None:
    broker.append("a", "1")
    broker.refusals = [MembershipLostError("ILLEGAL_GENERATION"), MembershipLostError("ILLEGAL_GENERATION")]
    engine.turn(5)
    assert engine.observer.transactions == [False, False, True]
    assert broker.commits == [["1"]]
    assert engine.count() == 1


def test_a_round_is_not_retried_for_ever(broker: Broker, engine: Engine) -> None:
    broker.append("a", "1")
    broker.refusals = [MembershipLostError("ILLEGAL_GENERATION")] * 10
    with pytest.raises(BrokerError, match="4th time"):
        engine.turn(10)
    assert broker.commits == []


def test_a_rebalance_inside_a_poll_reads_again_what_was_dropped(broker: Broker, engine: Engine) -> None:
    broker.append("a", "1")
    engine.turn(2)
    broker.append("a", "2")
    # The client has fetched the record and moved on when the group changes.
    broker.position[P("a", 0)] = 2
    broker.polls += [Poll(revoked=True), Poll(assigned=frozenset(broker.log))]
    engine.turn(5)
    assert broker.commits == [["1"], ["2"]]
    assert engine.count() == 2


def test_a_rebalance_drops_a_round_that_is_being_taken_apart(broker: Broker, engine: Engine) -> None:
    for value in ("1", "poison", "2"):
        broker.append("a", value)
    engine.turn(1)
    broker.polls += [Poll(revoked=True), Poll(assigned=frozenset(broker.log))]
    engine.turn(12)
    assert broker.commits == [["1"], ["1 poison"], ["2"]]


def test_a_tick_waits_for_the_other_inputs_ends(broker: Broker, engine: Engine) -> None:
    broker.unreadable.add(P("b", 0))
    broker.append("b", "payment")
    broker.append("tick", "tick")
    broker.append("a", "1")
    engine.turn(3)
    assert broker.commits == [["1"]], "the tick is held"
    broker.unreadable.clear()
    engine.turn(2)
    assert broker.commits == [["1"], ["payment", "tick"]], "and goes last"


def test_a_report_of_the_end_frees_a_tick_where_only_markers_are_left(broker: Broker, engine: Engine) -> None:
    broker.unreadable.add(P("b", 0))
    broker.append("b", "a control marker")
    broker.append("tick", "tick")
    engine.turn(3)
    assert broker.commits == []
    broker.polls.append(Poll(ends={P("b", 0): 1}, membership="generation"))
    engine.turn(2)
    assert broker.commits == [["tick"]]


def test_another_worker_finds_the_state(broker: Broker, engine: Engine) -> None:
    for _ in range(5):
        broker.append("a", "1")
    engine.turn(2)
    other = Engine(broker)
    other.turn()
    broker.append("a", "2")
    other.turn(3)
    assert other.count() == 6
    assert broker.commits[-1] == ["2"]


def test_a_fatal_error_of_an_agent_is_no_poison(broker: Broker, engine: Engine) -> None:
    async def refuse(tasks: Sequence[Task]) -> Sequence[Failure]:
        return [Failure(tasks[0], FatalError("too many bad records"))]

    engine.agents.process = refuse  # type: ignore[method-assign]
    broker.append("a", "1")
    with pytest.raises(FatalError, match="too many"):
        engine.turn(3)


def test_a_value_that_cannot_be_encoded_is_poison(broker: Broker, engine: Engine) -> None:
    async def corrupt(tasks: Sequence[Task]) -> Sequence[Failure]:
        if tasks:
            engine.tables.held[0]["counts"]["k"] = "no number"
        return []

    engine.agents.process = corrupt  # type: ignore[method-assign]
    broker.append("a", "1")
    engine.turn(5)
    (said,) = broker.commits[0]
    assert "table counts: the value of key 'k' cannot be encoded" in said
