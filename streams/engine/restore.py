"""Restore: bring the local stores of partitions up to their changelogs before the first record is processed.

1.  Open the partition's stores.
2.  Ask for the changelogs' first offsets and ends. The end is the high watermark, not the last stable offset:
    a former owner's transaction may still be open, and what it wrote counts if it commits.
3.  Check what is known of each changelog, from the store and from the note committed with the offsets: a
    position beyond the end means that it was made anew (fatal). A store last in step longer ago than the
    changelog's ``delete.retention.ms``, or whose position the log no longer holds, is thrown away, since
    deletions it never saw may be gone.
4.  Read committed records from each store's position on, or from the beginning, and load them into the
    stores.
5.  A changelog is done when the broker reports its end at or beyond the offset of step 2. Positions would not
    do: the last offsets may be control markers.
6.  Settle the store: what was loaded is kept from now on, with a position that was never ahead of it, and its
    agenda is complete.
7.  A partition is done with the last of its changelogs. Drop decoded values, for the store was written behind
    them.

Reading runs on a thread of its own while the consumer goes on polling, so a restore may take longer than
``max.poll.interval.ms``, and partitions that are ready go on meanwhile.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from streams.engine.clients import ChangelogReader, Cluster, Offload
from streams.engine.errors import InternalError, MissingChangelogError
from streams.engine.observer import Observer
from streams.engine.partitions import TablePartition, TableSet
from streams.engine.progress import Progress
from streams.engine.record import TopicPartition

__all__ = ["Restorer"]

logger = logging.getLogger(__name__)

_READ_SECONDS = 0.1


class Restorer:
    """Restores partitions.

    Args:
        tables: whose stores.
        cluster: for offsets and topic settings.
        reader: makes a reader of changelogs.
        offload: runs blocking calls, away from the consumer's.
        observer: is told how it goes.
        progress: is told, too.
        wall_clock: epoch seconds.
    """

    def __init__(
        self,
        *,
        tables: TableSet,
        cluster: Cluster,
        reader: Callable[[], ChangelogReader],
        offload: Offload,
        observer: Observer,
        progress: Progress,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._tables = tables
        self._cluster = cluster
        self._reader = reader
        self._offload = offload
        self._observer = observer
        self._progress = progress
        self._wall_clock = wall_clock
        self._retention: dict[str, float] = {}

    async def restore(
        self, partitions: Iterable[int], noted: Mapping[TopicPartition, int], cancelled: Callable[[], bool]
    ) -> AsyncIterator[int]:
        """Restore partitions; gives each as it is done, and ends early when cancelled.

        Args:
            partitions: their numbers.
            noted: up to where the changelogs had come when the offsets were committed, at least.
            cancelled: asked between steps.

        Raises:
            MissingChangelogError: a changelog holds less than a store.
            StoreError: a store cannot be read or written.
        """
        numbers = sorted(partitions)
        stores = await self._offload(lambda: self._open(numbers))
        targets = await self._offload(lambda: self._targets(stores, noted))
        pending = await self._offload(lambda: self._behind(stores, targets))
        for number in self._done(numbers, pending):
            yield number
        if not pending:
            return
        reader = await self._offload(self._reader)
        restored = dict.fromkeys(pending, 0)
        try:
            positions = {changelog: stores[changelog].store.position or 0 for changelog in pending}
            await self._offload(lambda: reader.assign(positions))
            while pending and not cancelled():
                before = set(pending)
                await self._offload(lambda: self._step(reader, stores, pending, restored))
                self._report(stores, before, targets, restored)
                for number in self._done(sorted({each.partition for each in before}), pending):
                    yield number
        finally:
            await self._offload(reader.close)
            for changelog in restored:
                self._progress.restoring.pop(self._name(stores[changelog], changelog), None)

    def _open(self, partitions: Iterable[int]) -> dict[TopicPartition, TablePartition[object]]:
        return {
            TopicPartition(table.specification.changelog, partition): table
            for partition in partitions
            for table in self._tables.open(partition).values()
        }

    def _targets(
        self, stores: Mapping[TopicPartition, TablePartition[object]], noted: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        first = self._cluster.first_offsets(stores)
        ends = self._cluster.end_offsets(stores, committed=False)
        for changelog, table in stores.items():
            position = table.store.position
            known = max(position or 0, noted.get(changelog, 0))
            if known > ends[changelog]:
                raise MissingChangelogError(
                    changelog.topic,
                    changelog.partition,
                    f"it ends at offset {ends[changelog]} but once reached {known}, so it was made anew",
                )
            if position is None:
                continue
            reason = self._outdated(changelog.topic, position, first[changelog], table.store.synced_at)
            if reason:
                logger.warning("the local store of %s is thrown away and restored: %s", changelog, reason)
                table.store.clear()
        return dict(ends)

    @staticmethod
    def _behind(
        stores: Mapping[TopicPartition, TablePartition[object]], targets: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        behind: dict[TopicPartition, int] = {}
        for changelog, target in targets.items():
            if (stores[changelog].store.position or 0) < target:
                behind[changelog] = target
            else:
                stores[changelog].store.settle()  # a restore that was cancelled may have left it unsettled
        return behind

    def _outdated(self, topic: str, position: int, first: int, synced_at: float | None) -> str | None:
        if position < first:
            return f"it has read up to {position}, but the changelog begins at {first}"
        if synced_at is None:
            return None
        if topic not in self._retention:
            self._retention[topic] = self._cluster.delete_retention_seconds(topic)
        age = self._wall_clock() - synced_at
        if age > self._retention[topic]:
            return f"it is {age:.0f} s old, and deletions are kept for {self._retention[topic]:.0f} s only"
        return None

    def _step(
        self,
        reader: ChangelogReader,
        stores: Mapping[TopicPartition, TablePartition[object]],
        pending: dict[TopicPartition, int],
        restored: dict[TopicPartition, int],
    ) -> None:
        chunk = reader.read(_READ_SECONDS)
        for changelog, (keys, values, position) in chunk.runs:
            if changelog not in pending:
                continue
            if not all(keys) and None in keys:
                raise InternalError(f"{changelog} holds a record without a key, which no engine wrote")
            stores[changelog].store.load(keys, values, position)
            restored[changelog] += len(keys)
            self._progress.mark()
        for changelog, end in chunk.ends.items():
            if changelog in pending and end >= pending[changelog]:
                store = stores[changelog].store
                store.load((), (), end)
                store.settle()
                del pending[changelog]
                self._progress.mark()

    def _done(self, partitions: Iterable[int], pending: Mapping[TopicPartition, int]) -> list[int]:
        left = {changelog.partition for changelog in pending}
        done = [number for number in partitions if number not in left]
        for number in done:
            for table in self._tables.open(number).values():
                table.restored()
        return done

    def _report(
        self,
        stores: Mapping[TopicPartition, TablePartition[object]],
        changelogs: Iterable[TopicPartition],
        targets: Mapping[TopicPartition, int],
        restored: Mapping[TopicPartition, int],
    ) -> None:
        for changelog in changelogs:
            table = stores[changelog]
            left = max(0, targets[changelog] - (table.store.position or 0))
            self._progress.restoring[self._name(table, changelog)] = left
            self._observer.restoring(table.specification.name, changelog.partition, restored[changelog], left)

    @staticmethod
    def _name(table: TablePartition[object], changelog: TopicPartition) -> tuple[str, int]:
        return table.specification.name, changelog.partition
