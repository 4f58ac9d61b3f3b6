"""What the engine reports about itself; metrics are built on it."""

from collections.abc import Iterable, Mapping

from streams.engine.record import Record, TopicPartition

__all__ = ["Observer"]


class Observer:
    """Takes the engine's reports and does nothing with them; override what is wanted.

    All methods are called on the event loop's thread except where it says otherwise, are short, and must not
    raise: an exception ends the process.
    """

    def inputs(self, partitions: int) -> None:
        """The inputs have so many partitions, held by all workers together."""

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """The group gave this worker these partitions; they are not restored yet."""

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """The group took these partitions away."""

    def ready(self, partition: int) -> None:
        """A partition's tables are restored and its records are being processed."""

    def restoring(self, table: str, partition: int, restored: int, remaining: int) -> None:
        """Restore goes on: changelog records applied so far, and how many offsets are left."""

    def round_committed(self, *, duration_seconds: float, records: int, outputs: int, changes: int) -> None:
        """A round was committed: from delivery to the agents until the stores have it.

        Args:
            duration_seconds: as said.
            records: input records.
            outputs: records sent to output topics.
            changes: records sent to changelogs.
        """

    def transaction_ended(self, *, committed: bool, duration_seconds: float) -> None:
        """A round's transaction was committed or aborted, so long after its beginning."""

    def round_failed(self, *, cause: str, error: BaseException) -> None:
        """A round was given up; it will run again. ``cause``: agent, output, aborted or membership."""

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These offsets, the next ones to read, are committed."""

    def poisoned(self, record: Record, error: BaseException) -> None:
        """A record alone has failed every attempt and was put aside."""

    def ticks_held(self, partition: int, ticks: int) -> None:
        """So many ticks of a partition wait for its other inputs to be read to their end."""

    def lag(self, lags: Mapping[TopicPartition, int]) -> None:
        """Records not yet committed, per input partition held; on a thread of its own."""

    def table_size(self, table: str, partition: int, *, keys: int, size_bytes: int | None) -> None:
        """Number of keys in one partition of a table, on disk an estimate; and what it takes there."""

    def agenda(self, table: str, partition: int, *, earliest: int | None, due: int) -> None:
        """What one partition of a table has on its agenda, as committed.

        Args:
            table: its name.
            partition: its number.
            earliest: when the first of its keys is due, in microseconds since the epoch; ``None`` if none is.
            due: how many keys are due by the machine's clock; a thousand at most.
        """

    def stopped(self, exit_code: int, error: BaseException | None) -> None:
        """The engine has stopped, with this error if it was a fatal one."""
