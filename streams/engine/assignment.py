"""Assignment: what happens when the group gives and takes partitions.

1.  On revoke or assign, which only a poll brings, the caller drops all that is in hand. Everything read so
    far and not committed will be read again.
2.  A revoke alone leaves the stores open, for most partitions come back at once; no record is processed and
    none can be committed, for the generation is over.
3.  On assign, check that this worker holds the same partition numbers of every input (that is why the
    assignor is ``range``), and close the stores of partitions that went elsewhere.
4.  Wait for stable committed offsets of *all* assigned partitions, kept ones too: a former owner's
    transaction may still be on its way. A partition without an offset starts at the oldest record.
5.  Restore (`restore`), from each store's own position; for a partition that stayed this finds nothing to do.
6.  Only then set the positions to the committed offsets and let records come. Setting them matters for kept
    partitions as well: what the client had fetched and the worker dropped would be skipped otherwise.

Steps 4 and 5 run while the caller polls on. If the group changes meanwhile, they are cancelled and begin
anew.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial

from streams.engine.clients import Cluster, CommittedOffset, InputConsumer, Offload
from streams.engine.errors import BrokerError, InternalError, SeekRefusedError
from streams.engine.observer import Observer
from streams.engine.partitions import TableSet
from streams.engine.progress import Progress
from streams.engine.record import TopicPartition
from streams.engine.restore import Restorer

__all__ = ["Assignment"]

logger = logging.getLogger(__name__)

# Asked again and again between polls, so that waiting for stability never stops polling.
_COMMITTED_SECONDS = 1.0
_UNSTABLE_PAUSE_SECONDS = 0.05
# So long may a partition refuse to be positioned, polls between the tries.
_SEEKS_SECONDS = 60.0


class Assignment:
    """The partitions that this worker holds.

    Args:
        topics: the inputs.
        consumer: of the inputs.
        cluster: for the oldest offsets.
        tables: whose stores are opened and closed.
        restorer: restores them.
        offload: for calls to the consumer and the cluster.
        observer: is told what comes and goes.
        progress: is told, too.

    Attributes:
        ready: partition numbers whose records are being processed.
        read: the offset after the last record read of each input.
        reached: up to which offset each input was read, by its records or by a report of its end.
        committed: the committed offset of each input.
    """

    def __init__(
        self,
        *,
        topics: Sequence[str],
        consumer: InputConsumer,
        cluster: Cluster,
        tables: TableSet,
        restorer: Restorer,
        offload: Offload,
        observer: Observer,
        progress: Progress,
    ) -> None:
        self._topics = topics
        self._consumer = consumer
        self._cluster = cluster
        self._tables = tables
        self._restorer = restorer
        self._offload = offload
        self._observer = observer
        self._progress = progress
        self.ready: set[int] = set()
        self.read: dict[TopicPartition, int] = {}
        self.reached: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._restored: list[int] = []
        self._starts: dict[TopicPartition, int] = {}
        self._refused_since: float | None = None
        self._cancelled = False
        self._preparing: asyncio.Task[None] | None = None

    async def change(self, assigned: frozenset[TopicPartition] | None) -> None:
        """The group has changed; ``None`` if it only took the partitions away.

        Raises:
            InternalError: the partitions given are not the same of every input.
        """
        await self.cancel()
        if self._assigned:
            self._observer.revoked(self._assigned)
        self.ready.clear()
        self.read.clear()
        self.reached.clear()
        self.committed.clear()
        self._restored.clear()
        self._refused_since = None
        self._assigned = assigned or frozenset()
        numbers = frozenset(each.partition for each in self._assigned)
        self._progress.assigned, self._progress.ready = numbers, frozenset()
        self._progress.rebalancing = assigned is None
        self._progress.mark()
        if assigned is None:
            return
        self._progress.joined = True
        self._check(numbers)
        for number in set(self._tables.held) - numbers:
            self._tables.close(number)
        self._observer.assigned(assigned)
        self._progress.started = self._progress.started or not numbers
        if numbers:
            self._preparing = asyncio.create_task(self._prepare(numbers), name="restore")

    async def resume_restored(self) -> None:
        """Let the records of partitions come that were restored since the last call.

        Raises:
            FatalError: the restore failed.
        """
        if self._preparing is not None and self._preparing.done():
            preparing, self._preparing = self._preparing, None
            preparing.result()
        while self._restored:
            number = self._restored.pop()
            starts = {each: self._starts[each] for each in self._starts if each.partition == number}
            try:
                await self._offload(partial(self._start, starts))
            except SeekRefusedError as error:
                self._try_again(number, error)
                return
            self._refused_since = None
            self.read.update(starts)
            self.reached.update(starts)
            self.committed.update(starts)
            self.ready.add(number)
            self._progress.ready = frozenset(self.ready)
            self._progress.started = self._progress.started or self._progress.settled
            self._progress.mark()
            self._observer.ready(number)

    def _try_again(self, number: int, error: SeekRefusedError) -> None:
        """The partition stays paused, and comes up again after the next poll."""
        self._restored.append(number)
        self._refused_since = self._refused_since or time.monotonic()
        if time.monotonic() - self._refused_since > _SEEKS_SECONDS:
            raise BrokerError("positioning the inputs", str(error)) from error

    def lags(self, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Records not yet committed, by input; safe to call from another thread.

        At the end there may be control markers only, which nobody ever commits past: an input that was read
        to its end, and of which all records read are committed, has no lag.
        """
        read, reached, lags = dict(self.read), dict(self.reached), {}
        for each, offset in dict(self.committed).items():
            end = ends.get(each, 0)
            finished = reached.get(each, 0) >= end and read.get(each, 0) <= offset
            lags[each] = 0 if finished else max(0, end - offset)
        return lags

    async def cancel(self) -> None:
        """Stop preparing; the stores are at rest when this returns."""
        if self._preparing is None:
            return
        self._cancelled = True
        preparing, self._preparing = self._preparing, None
        try:
            await preparing
        finally:
            self._cancelled = False

    async def close(self) -> None:
        """Give everything up."""
        await self.cancel()
        self.ready.clear()
        self._tables.close_all()

    def _start(self, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.start_at(starts)
        self._consumer.resume(list(starts))

    def _check(self, numbers: frozenset[int]) -> None:
        missing = [
            str(each)
            for topic in self._topics
            for number in sorted(numbers)
            if (each := TopicPartition(topic, number)) not in self._assigned
        ]
        if missing:
            raise InternalError(
                f"the group gave this worker partitions {sorted(numbers)} of some inputs but not "
                f"{', '.join(missing)}; do all workers of the group run one version with the same inputs?"
            )

    async def _prepare(self, numbers: frozenset[int]) -> None:
        offsets = await self._committed()
        if offsets is None:
            return
        self._starts = await self._offload(lambda: self._first_or_committed(offsets))
        noted: dict[TopicPartition, int] = {}
        for each, committed in offsets.items():
            for topic, position in (json.loads(committed.note) if committed.note else {}).items():
                changelog = TopicPartition(topic, each.partition)
                noted[changelog] = max(position, noted.get(changelog, 0))
        async for number in self._restorer.restore(numbers, noted, lambda: self._cancelled):
            self._restored.append(number)

    async def _committed(self) -> Mapping[TopicPartition, CommittedOffset] | None:
        assigned = self._assigned
        offsets: Mapping[TopicPartition, CommittedOffset] | None = None
        while offsets is None:
            if self._cancelled:
                return None
            offsets = await self._offload(lambda: self._consumer.committed(assigned, _COMMITTED_SECONDS))
            if offsets is None:
                await asyncio.sleep(_UNSTABLE_PAUSE_SECONDS)
        return offsets

    def _first_or_committed(
        self, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> dict[TopicPartition, int]:
        first = self._cluster.first_offsets(offsets)
        for each, (offset, _) in offsets.items():
            if offset is not None and offset < first[each]:
                logger.error(
                    "%s: retention deleted %d records after the committed offset %d before they were read",
                    each,
                    first[each] - offset,
                    offset,
                )
        return {each: max(offset or 0, first[each]) for each, (offset, _) in offsets.items()}
