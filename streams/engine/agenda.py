"""The agenda: which keys of a table are due, in order of time, without a scan.

`SortedAgenda` is the ordered index that the memory store keeps. `RoundAgenda` lays over a store's committed
agenda what the round in hand has changed, so that an agent sees its own writes, and forgets it with the
round.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Container, Sequence
from heapq import heappop, heappush
from typing import Any, Generic, NamedTuple, Self, TypeVar

from streams.engine.codec import DUE_BYTES, decode_due, encode_due

__all__ = ["AgendaEntry", "RoundAgenda", "SortedAgenda"]

# Entries per chunk. Inserting moves half a chunk in memory, finding a chunk halves the list of chunks:
# 512 keeps both small up to some ten million entries.
_CHUNK = 512

# Entries read ahead from the committed agenda at a time: enough that a tick with thousands due costs few
# reads, small enough that a tick with nothing due reads next to nothing.
_READ_AHEAD = 64

E = TypeVar("E", bound=Any)  # what can be ordered


class AgendaEntry(NamedTuple):
    """A key and when it is due; entries sort by time, then key."""

    due: int
    key: bytes

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        """From the bytes that stores keep."""
        return cls(decode_due(raw), raw[DUE_BYTES:])

    def pack(self) -> bytes:
        """As bytes, which sort as entries do: what stores keep, and far cheaper to sort and to hold."""
        return encode_due(self.due) + self.key


class SortedAgenda(Generic[E]):
    """Entries in order, in chunks; every operation is logarithmic but for a move within one chunk.

    Args:
        entries: to begin with, in any order. Sorting them once is far cheaper than adding one by one.
    """

    def __init__(self, entries: Sequence[E] = ()) -> None:
        ordered = sorted(entries)
        self._chunks: list[list[E]] = [
            ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK)
        ]
        self._last: list[E] = [chunk[-1] for chunk in self._chunks]  # the last entry of each chunk

    def add(self, entry: E) -> None:
        """Insert an entry, which must not be there yet."""
        if not self._chunks:
            self._chunks.append([entry])
            self._last.append(entry)
            return
        index = min(bisect_left(self._last, entry), len(self._chunks) - 1)
        chunk = self._chunks[index]
        insort(chunk, entry)
        if len(chunk) > 2 * _CHUNK:
            self._chunks.insert(index + 1, chunk[_CHUNK:])
            del chunk[_CHUNK:]
            self._last.insert(index, chunk[-1])
        self._last[index] = chunk[-1]
        if index + 1 < len(self._chunks):
            self._last[index + 1] = self._chunks[index + 1][-1]

    def remove(self, entry: E) -> None:
        """Take an entry out, which must be there."""
        index = bisect_left(self._last, entry)
        chunk = self._chunks[index]
        place = bisect_left(chunk, entry)
        assert chunk[place] == entry, "the entry is in the agenda"
        del chunk[place]
        if chunk:
            self._last[index] = chunk[-1]
        else:
            del self._chunks[index]
            del self._last[index]

    def after(self, cursor: E | None, count: int) -> list[E]:
        """The first ``count`` entries that come after ``cursor``, or from the beginning."""
        if not self._chunks:
            return []
        index, place = 0, 0
        if cursor is not None:
            index = bisect_right(self._last, cursor)
            if index == len(self._chunks):
                return []
            place = bisect_right(self._chunks[index], cursor)
        found = self._chunks[index][place : place + count]
        while len(found) < count and (index := index + 1) < len(self._chunks):
            found += self._chunks[index][: count - len(found)]
        return found

    def __len__(self) -> int:
        return sum(map(len, self._chunks))


class RoundAgenda:
    """A store's committed agenda as the round in hand sees it.

    Args:
        committed: reads the store's agenda: ``(after this entry, so many)``.
        changed: the keys that the round has changed; their committed entries do not count.
    """

    def __init__(
        self,
        committed: Callable[[AgendaEntry | None, int], Sequence[AgendaEntry]],
        changed: Container[bytes],
    ) -> None:
        self._committed = committed
        self._changed = changed
        # Read from the store and not yet given up: in order, ``_cursor`` is the last that was read.
        self._read: list[AgendaEntry] = []
        self._cursor: AgendaEntry | None = None
        self._exhausted = False
        # What the round has written: the truth by key, and a heap that may hold entries since outdated.
        self._own: dict[bytes, int] = {}
        self._heap: list[AgendaEntry] = []

    def change(self, key: bytes, due: int | None) -> None:
        """The round has written ``key`` with this due time, or none."""
        if due is None:
            self._own.pop(key, None)
        elif self._own.get(key) != due:
            self._own[key] = due
            heappush(self._heap, AgendaEntry(due, key))

    def due(self, until: int, limit: int | None) -> list[AgendaEntry]:
        """Entries due at or before ``until``, in order, at most ``limit``."""
        committed = self._committed_due(until, limit)
        own = self._own_due(until, limit)
        if not own:
            return committed
        merged = sorted(committed + own) if committed else own
        return merged if limit is None else merged[:limit]

    def forget(self) -> None:
        """The round is over, committed or not: begin again from the store."""
        self._read = []
        self._cursor = None
        self._exhausted = False
        self._own.clear()
        self._heap.clear()

    def _committed_due(self, until: int, limit: int | None) -> list[AgendaEntry]:
        if self._read and self._read[0].due > until and self._read[0].key not in self._changed:
            return []  # by far the most frequent answer: one comparison
        self._read = [entry for entry in self._read if entry.key not in self._changed]
        while not self._exhausted and (not self._read or self._read[-1].due <= until):
            if limit is not None and len(self._read) >= limit:
                break
            # One entry answers the tick that finds nothing due.
            count = 1 if self._cursor is None else _READ_AHEAD
            more = self._committed(self._cursor, count)
            if len(more) < count:
                self._exhausted = True
            if more:
                self._cursor = more[-1]
                self._read += [entry for entry in more if entry.key not in self._changed]
        end = bisect_left(self._read, (until + 1,))
        return self._read[: end if limit is None else min(end, limit)]

    def _own_due(self, until: int, limit: int | None) -> list[AgendaEntry]:
        found: list[AgendaEntry] = []
        while self._heap and self._heap[0].due <= until and (limit is None or len(found) < limit):
            entry = heappop(self._heap)
            if self._own.get(entry.key) == entry.due and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heappush(self._heap, entry)
        return found
