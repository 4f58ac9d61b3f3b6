"""What is told of the tables now and then, by looking at the stores: sizes, and what has become due."""

import time

from streams.engine.observer import Observer
from streams.engine.partitions import TablePartition, TableSet

__all__ = ["report_tables"]

# Counting goes through the agenda: so far it costs milliseconds a partition, and an alert needs no more.
_MOST_DUE = 1_000


def report_tables(tables: TableSet, ready: frozenset[int], observer: Observer) -> None:
    """Tell the observer of every table's partition that is ready. Reads committed state only.

    Raises:
        StoreError: a store cannot be read.
    """
    now = time.time_ns() // 1_000
    for partition, held in list(tables.held.items()):
        if partition in ready:
            for name, table in held.items():
                store = table.store
                observer.table_size(name, partition, keys=len(store), size_bytes=store.size_bytes)
                if table.specification.due is not None:
                    _report_agenda(name, partition, table, now, observer)


def _report_agenda(
    name: str, partition: int, table: TablePartition[object], now: int, observer: Observer
) -> None:
    first = table.store.agenda_after(None, 1)
    earliest = first[0].due if first else None
    due = 0
    if earliest is not None and earliest <= now:
        due = sum(entry.due <= now for entry in table.store.agenda_after(None, _MOST_DUE))
    observer.agenda(name, partition, earliest=earliest, due=due)
