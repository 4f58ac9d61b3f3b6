"""A store in memory: the fastest, and filled from the changelog from its beginning at every start."""

from collections.abc import Sequence

from streams.engine.agenda import AgendaEntry, SortedAgenda
from streams.engine.codec import due_of
from streams.engine.stores import Change

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps encoded values in a dict and the agenda beside it; see `PartitionStore`."""

    def __init__(self) -> None:
        self._data: dict[bytes, bytes] = {}
        self._due: dict[bytes, int] = {}
        self._agenda = SortedAgenda()
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """The changelog offset to read next."""
        return self._position

    @property
    def synced_at(self) -> float | None:
        """Never older than the process."""
        return None

    def get(self, key: bytes) -> bytes | None:
        """The key's envelope."""
        return self._data.get(key)

    def apply(self, changes: Sequence[Change], position: int) -> None:
        """Write changes and the changelog offset to read next."""
        data, dues, agenda = self._data, self._due, self._agenda
        for key, envelope in changes:
            due = None
            if envelope is None:
                data.pop(key, None)
            else:
                data[key] = envelope
                due = due_of(envelope)
            before = dues.get(key)
            if before == due:
                continue
            if before is not None:
                agenda.remove(AgendaEntry(before, key))
                del dues[key]
            if due is not None:
                agenda.add(AgendaEntry(due, key))
                dues[key] = due
        self._position = position

    def agenda_after(self, cursor: AgendaEntry | None, count: int) -> Sequence[AgendaEntry]:
        """The next entries of the agenda."""
        return self._agenda.after(cursor, count)

    def clear(self) -> None:
        """Throw everything away."""
        self.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """Give the memory back."""
        self.clear()

    def __len__(self) -> int:
        return len(self._data)
