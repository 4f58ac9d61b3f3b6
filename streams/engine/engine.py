"""The engine as a service of a Faust app: puts the pieces together, runs them, and stops them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import faust
from faust.types import TP

from streams.engine.agents import AgentProcessor
from streams.engine.assignment import Assignment
from streams.engine.changelog_reader import LibrdkafkaChangelogReader
from streams.engine.client_thread import ClientThread
from streams.engine.cluster import LibrdkafkaCluster
from streams.engine.errors import ConfigurationError, ExitCode, FatalError, InternalError
from streams.engine.input_consumer import LibrdkafkaConsumer
from streams.engine.measuring import report_tables
from streams.engine.observer import Observer
from streams.engine.partitions import TableSet
from streams.engine.progress import Progress
from streams.engine.restore import Restorer
from streams.engine.rounds import PoisonHandler, Rounds
from streams.engine.settings import EngineSettings
from streams.engine.stores import PartitionStore
from streams.engine.stores.memory import MemoryStore
from streams.engine.stores.rocksdb import RocksDBOptions, RocksDBStore
from streams.engine.ticks import TickEncoder, Ticker
from streams.engine.topics import ensure_changelogs
from streams.engine.transactional_producer import LibrdkafkaProducer
from streams.engine.watchdog import Watchdog

__all__ = ["Engine"]

logger = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0


class Engine:
    """Runs rounds for a Faust app.

    Args:
        app: whose agents and tables.
        settings: of the engine.
        observer: is told what happens.
        poison: says what to send in place of a record that cannot be processed.
        tick: makes the value of a tick.

    Attributes:
        progress: facts about its health.
        tables: the application's tables.
        error: the fatal error, once there is one.
        finished: set when it has stopped.
    """

    def __init__(
        self,
        app: faust.App,
        settings: EngineSettings,
        *,
        observer: Observer,
        poison: PoisonHandler,
        tick: TickEncoder | None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._observer = observer
        self._poison = poison
        self._tick = tick
        self._rocksdb: RocksDBOptions | None = None
        self.progress = Progress()
        self.tables = TableSet(self._new_store, settings.cached_values)
        self.error: FatalError | None = None
        self.finished = asyncio.Event()
        self.on_stuck: Callable[[FatalError], None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        self._processor: AgentProcessor | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the process is to end with."""
        return ExitCode.OK if self.error is None else self.error.exit_code

    def begin(self, topics: frozenset[str]) -> None:
        """Start to run; the conductor has subscribed to these topics."""
        if self._running is not None:
            logger.warning("agents were added after the start; their topics %s are not read", sorted(topics))
            return
        self._app.flow_control.resume()
        self._running = asyncio.create_task(self._run(), name="engine")

    def fail(self, error: FatalError) -> None:
        """End with a fatal error; the first one counts."""
        self.error = self.error or error
        self._stopping = True
        if self._processor is not None:
            self._processor.abandon(error)
        if self._running is None:
            self.finished.set()

    async def stop(self) -> None:
        """Finish the round, commit it, and leave."""
        self._stopping = self.progress.stopping = True
        if self._running is None:
            self.finished.set()
            return
        await self.finished.wait()

    def assignment(self) -> set[TP]:
        """What Faust should think is assigned; nothing when stopping."""
        if self._stopping or self._running is None:
            return set()
        return {TP(topic, number) for topic in self._topics() for number in self.progress.assigned}

    async def _run(self) -> None:
        calls = ClientThread("engine-kafka")
        commits = ClientThread("engine-commit")
        restores = ClientThread("engine-restore")
        try:
            await self._work(calls, commits, restores)
        except Exception as error:  # noqa: BLE001 - the process ends with the cause on its last line
            self._fail_with(error)
        finally:
            calls.close(_CLOSE_SECONDS)
            commits.close(_CLOSE_SECONDS)
            restores.close(_CLOSE_SECONDS)
            self._observer.stopped(int(self.exit_code), self.error)
            self.finished.set()

    async def _work(self, calls: ClientThread, commits: ClientThread, restores: ClientThread) -> None:
        settings, observer, progress = self._settings, self._observer, self.progress
        processor = self._processor = self._new_processor()
        topics = self._topics()
        cluster = await calls(lambda: LibrdkafkaCluster(settings))
        changelogs = [each.changelog for each in self.tables.specifications.values()]
        observer.inputs(await calls(lambda: ensure_changelogs(cluster, topics, changelogs)))
        progress.heard()
        progress.mark()
        producer = await commits(lambda: LibrdkafkaProducer(settings))
        await commits(producer.start)
        progress.heard()
        progress.mark()  # on a broker that has just started it takes its time
        consumer = await calls(lambda: LibrdkafkaConsumer(settings))
        restorer = Restorer(
            tables=self.tables,
            cluster=await calls(lambda: LibrdkafkaCluster(settings)),
            reader=lambda: LibrdkafkaChangelogReader(settings),
            offload=restores,
            observer=observer,
            progress=progress,
        )
        assignment = Assignment(
            topics=topics,
            consumer=consumer,
            cluster=cluster,
            tables=self.tables,
            restorer=restorer,
            offload=calls,
            observer=observer,
            progress=progress,
        )
        rounds = Rounds(
            settings=settings,
            consumer=consumer,
            producer=producer,
            cluster=cluster,
            tables=self.tables,
            assignment=assignment,
            processor=processor,
            poison=self._poison,
            observer=observer,
            progress=progress,
            offload=calls,
            offload_commits=commits,
        )
        watchdog = Watchdog(
            settings=settings,
            cluster=partial(LibrdkafkaCluster, settings),
            assignment=assignment,
            progress=progress,
            observer=observer,
            bark=self._bark,
        )
        helpers = [self._helper(self._report_tables())]
        if self._tick is not None and settings.tick_topic and settings.tick_interval_seconds:
            helpers.append(self._helper(self._send_ticks(settings.tick_interval_seconds)))
        watchdog.start()
        try:
            await calls(lambda: consumer.subscribe(topics))
            while not self._stopping:
                await rounds.turn()
            if self.error is None:
                await rounds.finish()
        except Exception as error:  # noqa: BLE001 - noted before closing, which may fail for the same cause
            self._fail_with(error)
        self._stopping = progress.stopping = True
        watchdog.stop()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)  # their errors were noted when they came
        for closing in (partial(calls, consumer.close), assignment.close, partial(commits, producer.close)):
            try:
                await closing()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                self._fail_with(error)

    def _fail_with(self, error: BaseException) -> None:
        if isinstance(error, FatalError):
            self.fail(error)
            return
        logger.error("the engine failed", exc_info=error)
        self.fail(InternalError(f"{type(error).__name__}: {error}"))

    def _helper(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._fail_with(error)

        task = asyncio.create_task(work)
        task.add_done_callback(done)
        return task

    async def _send_ticks(self, interval_seconds: float) -> None:
        assert self._tick is not None
        ticker = Ticker(self._settings, self._tick, self.progress)
        try:
            while True:
                ticker.send()
                await asyncio.sleep(interval_seconds)
        finally:
            ticker.close()

    async def _report_tables(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lag_interval_seconds)
            report_tables(self.tables, self.progress.ready, self._observer)

    def _bark(self, error: FatalError) -> None:
        self.error = self.error or error
        self._stopping = True
        if self.on_stuck is not None:
            self.on_stuck(error)

    def _new_processor(self) -> AgentProcessor:
        processor = AgentProcessor(self._app, self._settings.agent_timeout_seconds)
        owners: dict[str, str] = {}
        problems: list[str] = []
        for channel in self._app.topics:
            names = list(channel.topics)
            name = ",".join(names)
            for topic in names:
                if topic in owners:
                    problems.append(f"topic {topic} is read by two agents; one agent has to do both")
                owners[topic] = name
            tick = self._settings.tick_topic
            if tick in names and len(names) > 1:
                problems.append(
                    f"the tick topic {tick} shares an agent with other topics; give it one of its own"
                )
            processor.add(name, names, channel.queue)
        if self._settings.tick_topic and self._settings.tick_topic not in owners:
            problems.append(f"tick_topic is {self._settings.tick_topic}, but no agent reads it")
        if not owners:
            problems.append("the application has no agent that reads a topic")
        if problems:
            raise ConfigurationError(*problems)
        return processor

    def _topics(self) -> list[str]:
        return sorted({topic for channel in self._app.topics for topic in channel.topics})

    def _new_store(self, table: str, partition: int) -> PartitionStore:
        if self._settings.store == "memory":
            return MemoryStore()
        if self._rocksdb is None:
            self._rocksdb = RocksDBOptions(self._settings.rocksdb_cache_bytes)
        directory = self._settings.data_directory / self._settings.application_id / table / str(partition)
        return RocksDBStore(directory, table, partition, self._rocksdb)
