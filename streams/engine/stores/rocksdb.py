"""A store on disk: a restart reads from the changelog only what it missed.

One database per partition of a table, with two column families: the data, and the agenda as ``due + key``.
The changelog position lies beside the data and is written in the same batch, so data, agenda and position
never differ, whenever the process dies. Kafka has committed a round before it is written here, so a store can
be behind its changelog but never ahead of it.

Writing never reads: an agenda entry that a later write made outdated stays until its time comes, is
recognised by the due time in the data, and is deleted with the next batch.

Loading in bulk, for a restore, goes around the write-ahead log and the sorted write buffers:

1.  The first records are written as ever. Only if there are many more the database is opened anew for
    loading; the position on disk stays behind from now on.
2.  What is loaded lies in memory, and in files whenever a buffer is full; for each column family when it
    happens to be.
3.  Every so often both column families are flushed, and then the position is written: it is never ahead of
    the data. A process that dies before reads from the position again, over data that may be newer. Reading
    on to the end makes it whole, for each key ends with its last record.
4.  To settle is to do step 3 and open the database as ever.

The time when the store was up to date is not moved by loading, since deletions that a half-restored store has
not seen may vanish from the changelog while it waits.
"""

import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    MemtableFactory,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from streams.engine.agenda import AgendaEntry
from streams.engine.codec import due_bytes, due_of
from streams.engine.errors import StoreError
from streams.engine.stores import Change

__all__ = ["RocksDBOptions", "RocksDBStore"]

T = TypeVar("T")

_META_KEY = b"m"
_DATA = b"d"
_META = struct.Struct(">Qd")  # changelog position, epoch seconds of the write
_AGENDA = "agenda"

# RocksDB's own defaults are 64 MiB x 2 per column family and, through rocksdict, a cache of 2 GiB per
# database: too much where a worker opens one per table and partition.
_DATA_BUFFER_BYTES = 16 << 20
_AGENDA_BUFFER_BYTES = 4 << 20
_BLOOM_BITS = 10
_BLOCK_BYTES = 8 << 10
_LOG_FILES_KEPT = 2
_OPEN_FILES = 128

# Opening anew, twice, costs about as much as writing so many records as ever.
_LOAD_RECORDS = 20_000
# What a process that dies while loading loads again, at most.
_CHECKPOINT_BYTES = 128 << 20


class RocksDBOptions:
    """What all databases of one worker share: one block cache.

    Args:
        cache_bytes: size of the block cache.
    """

    def __init__(self, cache_bytes: int) -> None:
        self._cache = Cache(cache_bytes)

    def data(self, *, loading: bool = False) -> Options:
        """For the column family of the data, and for the database as a whole."""
        options = self._family(_DATA_BUFFER_BYTES, loading=loading)
        options.create_if_missing(create_if_missing=True)
        options.create_missing_column_families(create_missing_cfs=True)
        options.set_max_open_files(_OPEN_FILES)
        options.set_keep_log_file_num(_LOG_FILES_KEPT)
        options.set_max_total_wal_size(4 * _DATA_BUFFER_BYTES)
        # A buffer that is a plain vector allows no two writers; there never are.
        options.set_allow_concurrent_memtable_write(allow=not loading)
        return options

    def agenda(self, *, loading: bool = False) -> Options:
        """For the column family of the agenda."""
        return self._family(_AGENDA_BUFFER_BYTES, loading=loading)

    def _family(self, buffer_bytes: int, *, loading: bool) -> Options:
        table = BlockBasedOptions()
        table.set_block_cache(self._cache)
        table.set_block_size(_BLOCK_BYTES)
        table.set_bloom_filter(_BLOOM_BITS, block_based=False)
        table.set_cache_index_and_filter_blocks(True)
        table.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options = Options(raw_mode=True)
        options.set_block_based_table_factory(table)
        options.set_write_buffer_size(buffer_bytes)
        options.set_max_write_buffer_number(2)
        if loading:
            # Sorted when it is flushed, on RocksDB's own thread, and not at every write on ours.
            options.set_memtable_factory(MemtableFactory.vector())
        return options


class RocksDBStore:
    """One partition of one table in a directory of its own; see `PartitionStore`.

    Args:
        directory: made if missing; nothing else may be in it.
        table: for errors.
        partition: for errors.
        options: shared by the worker's stores.

    Raises:
        StoreError: from every method, when RocksDB fails.
    """

    def __init__(self, directory: Path, table: str, partition: int, options: RocksDBOptions) -> None:
        self._directory = directory
        self._table = table
        self._partition = partition
        self._options = options
        self._position: int | None = None
        self._synced_at: float | None = None
        self._outdated: set[bytes] = set()
        self._loaded_records = 0
        self._loaded_bytes = 0
        self._loading = False
        # Held while the database is opened anew: others may look at a store that is being restored.
        self._opening = threading.RLock()
        self._attempt(self._open)

    @property
    def position(self) -> int | None:
        """The changelog offset to read next."""
        return self._position

    @property
    def synced_at(self) -> float | None:
        """Epoch seconds of the last write or of the close."""
        return self._synced_at

    @property
    def size_bytes(self) -> int | None:
        """What its files take on disk, the write-ahead log included."""
        return self._attempt(self._measure)

    def get(self, key: bytes) -> bytes | None:
        """The key's envelope."""
        return self._attempt(lambda: self._database.get(_DATA + key))

    def apply(self, changes: Sequence[Change], position: int) -> None:
        """Write changes and the changelog offset to read next, in one batch."""
        self.settle()
        self._write(changes, position, time.time())

    def load(self, keys: Sequence[bytes], envelopes: Sequence[bytes | None], position: int) -> None:
        """Write; in memory only, with the position, once there is much of it."""
        changes = zip(keys, envelopes, strict=True)
        self._loaded_records += len(keys)
        if not self._loading:
            self._write(changes, position, self._synced_at or time.time())
            if self._loaded_records > _LOAD_RECORDS:
                self._attempt(lambda: self._open_anew(loading=True))
            return
        batch = self._batch(changes)
        options = WriteOptions()
        options.disable_wal = True  # type: ignore[method-assign, assignment] # an attribute, whatever the stub
        self._loaded_bytes += batch.size_in_bytes()
        self._attempt(lambda: self._database.write(batch, options))
        self._outdated.clear()
        self._position = position
        if self._loaded_bytes > _CHECKPOINT_BYTES:
            self._attempt(self._checkpoint)

    def settle(self) -> None:
        """Keep what was loaded."""
        if not self._loaded_records:
            return
        if self._loading:
            self._attempt(self._checkpoint)
            self._attempt(lambda: self._open_anew(loading=False))
        self._loaded_records = 0
        if self._position is not None:
            self._write((), self._position, time.time())

    def agenda_after(self, cursor: AgendaEntry | None, count: int) -> Sequence[AgendaEntry]:
        """The next entries of the agenda."""
        return self._attempt(lambda: self._read_agenda(cursor, count))

    def clear(self) -> None:
        """Throw everything away and begin with an empty database."""
        self._attempt(self._destroy)
        self._position = self._synced_at = None
        self._loaded_records = self._loaded_bytes = 0
        self._attempt(self._open)

    def close(self) -> None:
        """Note that the store is up to date now, unless it is half restored, and close the files."""
        if self._loading:
            self._attempt(self._checkpoint)
        elif self._position is not None and not self._loaded_records:
            self._write((), self._position, time.time())
        self._attempt(self._release)

    def __len__(self) -> int:
        estimate = self._attempt(lambda: self._database.property_int_value("rocksdb.estimate-num-keys"))
        return max(0, int(estimate or 0) - 1)  # without the position

    def _measure(self) -> int:
        size = 0
        with os.scandir(self._directory) as files:
            for file in files:
                with suppress(FileNotFoundError):  # a compaction removed it meanwhile
                    size += file.stat().st_size
        return size

    def _batch(self, changes: Iterable[tuple[bytes, bytes | None]]) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        put, agenda = batch.put, self._agenda_handle
        for stale in self._outdated:
            batch.delete(stale, agenda)
        for key, envelope in changes:
            if envelope is None:
                batch.delete(_DATA + key)
                continue
            put(_DATA + key, envelope)
            due = due_bytes(envelope)
            if due is not None:
                put(due + key, b"", agenda)
        return batch

    def _write(self, changes: Iterable[tuple[bytes, bytes | None]], position: int, synced_at: float) -> None:
        batch = self._batch(changes)
        batch.put(_META_KEY, _META.pack(position, synced_at))
        self._attempt(lambda: self._database.write(batch))
        self._outdated.clear()
        self._position, self._synced_at = position, synced_at

    def _checkpoint(self) -> None:
        assert self._position is not None, "the first records were written as ever"
        self._agenda.flush(wait=True)
        self._database.flush(wait=True)
        self._database[_META_KEY] = _META.pack(self._position, self._synced_at)
        self._loaded_bytes = 0

    def _open_anew(self, *, loading: bool) -> None:
        with self._opening:
            self._release()
            self._open(loading=loading)

    def _open(self, *, loading: bool = False) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        families = {_AGENDA: self._options.agenda(loading=loading)}
        self._loading = loading
        self._database = Rdict(str(self._directory), self._options.data(loading=loading), families)
        self._agenda = self._database.get_column_family(_AGENDA)
        self._agenda_handle = self._database.get_column_family_handle(_AGENDA)
        meta = self._database.get(_META_KEY)
        if meta is not None:
            self._position, self._synced_at = _META.unpack(meta)

    def _release(self) -> None:
        # The files close when the last handle is gone.
        with suppress(AttributeError):
            del self._agenda_handle
            self._agenda.close()
            del self._agenda
        self._database.close()

    def _destroy(self) -> None:
        self._release()
        Rdict.destroy(str(self._directory))
        self._outdated.clear()

    def _read_agenda(self, cursor: AgendaEntry | None, count: int) -> list[AgendaEntry]:
        entries = self._agenda.iter()
        seen = None if cursor is None else cursor.pack()
        if seen is None:
            entries.seek_to_first()
        else:
            entries.seek(seen)
            if entries.valid() and entries.key() == seen:
                entries.next()
        found: list[AgendaEntry] = []
        while len(found) < count and entries.valid():
            raw: bytes = entries.key()
            entries.next()
            entry = AgendaEntry.unpack(raw)
            envelope = self._database.get(_DATA + entry.key)
            if envelope is not None and due_of(envelope) == entry.due:
                found.append(entry)
            else:
                self._outdated.add(raw)
        return found

    def _attempt(self, action: Callable[[], T]) -> T:
        try:
            try:
                return action()
            except DbClosedError:
                with self._opening:
                    return action()
        except StoreError:
            raise
        except Exception as error:
            # rocksdict raises plain Exception for every failure of RocksDB.
            raise StoreError(
                self._table,
                self._partition,
                f"{error} (in {self._directory}; is the disk full or read-only?)",
            ) from error
