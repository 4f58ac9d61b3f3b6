"""Partitions as a broker keeps them: records, control markers, open transactions, compaction."""

from typing import Any

__all__ = ["PartitionLog", "Transaction"]


class Transaction:
    """One transaction of one producer.

    Attributes:
        producer: its transactional id.
        committed: ``None`` until it is decided; irrevocable from then on.
        unmarked: partitions that it wrote to and that have no marker yet.
        offsets: the group's offsets in it, and whether their marker is still to come.
    """

    __slots__ = ("committed", "offsets", "producer", "unmarked")

    def __init__(self, producer: str) -> None:
        self.producer = producer
        self.committed: bool | None = None
        self.unmarked: list[PartitionLog] = []
        self.offsets: dict[Any, Any] | None = None


class PartitionLog:
    """One partition. Payloads are whatever the caller puts in; a marker or a compacted hole has none."""

    __slots__ = ("entries", "opened")

    def __init__(self) -> None:
        self.entries: list[tuple[Any, Transaction | None]] = []
        # First offset of each transaction that has no marker here yet, oldest first.
        self.opened: dict[Transaction, int] = {}

    @property
    def end(self) -> int:
        """The high watermark."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """The last stable offset: committed readers get no further."""
        return next(iter(self.opened.values())) if self.opened else len(self.entries)

    def append(self, payload: Any, transaction: Transaction | None = None) -> int:
        """Write; returns the offset."""
        offset = len(self.entries)
        if transaction is not None and transaction not in self.opened:
            self.opened[transaction] = offset
            transaction.unmarked.append(self)
        self.entries.append((payload, transaction))
        return offset

    def mark(self, transaction: Transaction) -> None:
        """Write the control marker of a decided transaction, which takes an offset."""
        del self.opened[transaction]
        self.entries.append((None, None))

    def read(self, position: int, most: int) -> tuple[list[tuple[int, Any]], int]:
        """Committed records from a position on, and the position after them."""
        found: list[tuple[int, Any]] = []
        stable, entries = self.stable, self.entries
        while position < stable and len(found) < most:
            payload, transaction = entries[position]
            if payload is not None and (transaction is None or transaction.committed):
                found.append((position, payload))
            position += 1
        return found, position

    def compact(self) -> None:
        """Keep of each key the newest committed record only; payloads begin with the key."""
        seen: set[Any] = set()
        for offset in range(self.stable - 1, -1, -1):
            payload, transaction = self.entries[offset]
            if payload is None:
                continue
            aborted = transaction is not None and not transaction.committed
            if aborted or payload[0] in seen:
                self.entries[offset] = (None, None)
            else:
                seen.add(payload[0])
