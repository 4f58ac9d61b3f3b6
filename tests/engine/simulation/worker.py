"""One worker: the engine's own classes over clients in memory, and a disk that outlives it."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.engine import EngineSettings, FatalError, Observer, Progress, Record, TopicPartition
from streams.engine.agenda import AgendaEntry
from streams.engine.assignment import Assignment
from streams.engine.partitions import TableSet
from streams.engine.restore import Restorer
from streams.engine.rounds import Rounds
from streams.engine.stores import Change, PartitionStore
from streams.engine.stores.memory import MemoryStore

from .broker import Broker
from .clients import MemoryChangelogReader, MemoryCluster, MemoryConsumer, MemoryProducer
from .job import TICKS, Job, put_aside
from .scheduler import KilledError, Process, Thread

__all__ = ["Disk", "DurableStore", "SimulatedWorker"]

SETTINGS = EngineSettings(
    application_id="simulated",
    bootstrap_servers="memory",
    tick_topic=TICKS,
    tick_interval_seconds=None,
    max_records=6,
    max_attempts=2,
    max_held_ticks=2,
    cached_values=2,
)

Disk = dict[tuple[str, int], list[tuple[tuple[Change, ...], int]]]
"""By table and partition: what was written in one go each, and the changelog position with it."""


class DurableStore:
    """A store whose writes survive its process, whole or not at all; see `PartitionStore`.

    Of what is loaded any part may survive, without its position, until the store is settled.
    """

    def __init__(
        self,
        written: list[tuple[tuple[Change, ...], int]],
        doom: Callable[[], None],
        chance: Callable[[], float],
    ) -> None:
        self._written = written
        self._doom = doom
        self._chance = chance
        self._loaded: list[tuple[Change, ...]] = []
        self._memory = MemoryStore()
        for changes, position in written:
            self._memory.apply(changes, position)

    @property
    def position(self) -> int | None:
        """The changelog offset to read next."""
        return self._memory.position

    @property
    def size_bytes(self) -> int | None:
        """Of no interest here."""
        return None

    @property
    def synced_at(self) -> float | None:
        """Always the same moment; the wall clock decides whether that is long ago."""
        return 0.0 if self._written else None

    def get(self, key: bytes) -> bytes | None:
        """The key's envelope."""
        return self._memory.get(key)

    def apply(self, changes: Sequence[Change], position: int) -> None:
        """Write, unless the process dies of it: before or after."""
        self._doom()
        self._written.append((tuple(changes), position))
        self._memory.apply(changes, position)
        self._doom()

    def load(self, keys: Sequence[bytes], envelopes: Sequence[bytes | None], position: int) -> None:
        """Keep in memory; some of it is written at some time, in order within a key."""
        self._doom()
        self._memory.load(keys, envelopes, position)
        self._loaded.append(tuple(Change(*change) for change in zip(keys, envelopes, strict=True)))
        if self._chance() < 0.3:
            self._flush()
        self._doom()

    def settle(self) -> None:
        """Write all that was loaded, then the position."""
        self._flush()
        self._doom()
        if self._memory.position is not None:
            self._written.append(((), self._memory.position))
        self._memory.settle()

    def agenda_after(self, cursor: AgendaEntry | None, count: int) -> Sequence[AgendaEntry]:
        """The next entries."""
        return self._memory.agenda_after(cursor, count)

    def clear(self) -> None:
        """Throw all away."""
        self._written.clear()
        self._loaded.clear()
        self._memory.clear()

    def close(self) -> None:
        """What was loaded and not settled is gone; all else is written already."""

    def __len__(self) -> int:
        return len(self._memory)

    def _flush(self) -> None:
        position = self._written[-1][1] if self._written else 0
        self._written += [(changes, position) for changes in self._loaded]
        self._loaded.clear()


class _Telling(Observer):
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        self._say(f"is given partitions {sorted({each.partition for each in partitions})}")

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        self._say(f"loses partitions {sorted({each.partition for each in partitions})}")

    def ready(self, partition: int) -> None:
        self._say(f"is ready for partition {partition}")

    def round_failed(self, *, cause: str, error: BaseException) -> None:
        self._say(f"gives a round up ({cause}): {error}")

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._say(f"knows that it has committed {', '.join(f'{a}:{b}' for a, b in offsets.items())}")

    def poisoned(self, record: Record, error: BaseException) -> None:
        self._say(f"puts {record} aside: {error}")


class SimulatedWorker:
    """A worker's life.

    Attributes:
        process: what the scheduler runs, kills and freezes.
        disk: of its machine; ``None`` where stores are in memory.
        stopping: finish the round and leave.
        doomed: die at one of the next writes to a store.
        error: what ended it, if it ended by itself.
    """

    def __init__(
        self,
        broker: Broker,
        chance: random.Random,
        instance: str,
        life: int,
        *,
        disk: Disk | None,
        static: bool,
        wall_clock: Callable[[], float],
        say: Callable[[str], None] | None,
    ) -> None:
        name = f"{instance}.{life}"
        self.instance = instance
        self.process = Process(name)
        self.stopping = False
        self.doomed = False
        self.error: BaseException | None = None
        self._random = chance.random
        self.disk = disk
        self._calls = calls = Thread(self.process, chance)
        self._commits = commits = Thread(self.process, chance)
        self.consumer = MemoryConsumer(broker, chance, instance, static=static)
        self.producer = MemoryProducer(broker, instance)
        self.tables = TableSet(self._open, SETTINGS.cached_values)
        self.job = Job(self.tables)
        cluster, progress = MemoryCluster(broker), Progress()
        observer = Observer() if say is None else _Telling(lambda text: say(f"{name} {text}"))
        restorer = Restorer(
            tables=self.tables,
            cluster=cluster,
            reader=lambda: MemoryChangelogReader(broker, chance),
            offload=Thread(self.process, chance),
            observer=observer,
            progress=progress,
            wall_clock=wall_clock,
        )
        self.assignment = Assignment(
            topics=broker.inputs,
            consumer=self.consumer,
            cluster=cluster,
            tables=self.tables,
            restorer=restorer,
            offload=calls,
            observer=observer,
            progress=progress,
        )
        self._topics = broker.inputs
        self.rounds = Rounds(
            settings=SETTINGS,
            consumer=self.consumer,
            producer=self.producer,
            cluster=cluster,
            tables=self.tables,
            assignment=self.assignment,
            processor=self.job,
            poison=put_aside,
            observer=observer,
            progress=progress,
            offload=calls,
            offload_commits=commits,
        )

    async def live(self) -> None:
        """From the start to the end, in the engine's own order."""
        try:
            await self._commits(self.producer.start)
            await self._calls(lambda: self.consumer.subscribe(self._topics))
            turn = self.rounds.turn
            while not self.stopping:
                await turn()
            await self.rounds.finish()
        except (FatalError, Exception) as error:  # noqa: BLE001 - the run decides what may end a worker
            self.error = error
        except KilledError:
            return
        try:
            await self._calls(self.consumer.close)
            await self.assignment.close()
        except KilledError:
            return
        except FatalError as error:
            self.error = self.error or error
        self.process.dead = True

    def _open(self, table: str, partition: int) -> PartitionStore:
        if self.disk is None:
            return _MortalStore(self._die)
        return DurableStore(self.disk.setdefault((table, partition), []), self._die, self._random)

    def _die(self) -> None:
        if self.process.dead:
            raise KilledError
        if self.doomed and self._random() < 0.4:
            self.process.dead = True
            raise KilledError


class _MortalStore(MemoryStore):
    """A store in memory at whose writes a process may die."""

    def __init__(self, doom: Callable[[], None] | None = None) -> None:
        super().__init__()
        if doom is not None:  # not when it is cleared
            self._doom = doom

    def apply(self, changes: Sequence[Change], position: int) -> None:
        self._doom()
        super().apply(changes, position)

    def load(self, keys: Sequence[bytes], envelopes: Sequence[bytes | None], position: int) -> None:
        self._doom()
        super().load(keys, envelopes, position)
