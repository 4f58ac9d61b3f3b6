"""A store in memory: the fastest, and filled from the changelog from its beginning at every start."""

from collections.abc import Sequence

from streams.engine.agenda import AgendaEntry, SortedAgenda
from streams.engine.codec import due_bytes
from streams.engine.stores import Change

__all__ = ["MemoryStore"]

# Building the agenda anew costs per key about a tenth of changing it: worth it for larger loads only.
_LARGE_SHARE = 10


class MemoryStore:
    """Keeps encoded values in a dict and the agenda beside it; see `PartitionStore`.

    Everything it holds is bytes, which Python's garbage collector need not look at, however many there are.
    """

    def __init__(self) -> None:
        self._data: dict[bytes, bytes | None] = {}  # a deleted key is there as None until it is settled
        self._agenda: SortedAgenda[bytes] = SortedAgenda()
        self._position: int | None = None
        self._loading = False

    @property
    def position(self) -> int | None:
        """The changelog offset to read next."""
        return self._position

    @property
    def synced_at(self) -> float | None:
        """Never older than the process."""
        return None

    @property
    def size_bytes(self) -> int | None:
        """It has no files."""
        return None

    def get(self, key: bytes) -> bytes | None:
        """The key's envelope."""
        return self._data.get(key)

    def apply(self, changes: Sequence[Change], position: int) -> None:
        """Write changes and the changelog offset to read next."""
        self.settle()
        data, agenda = self._data, self._agenda
        for key, envelope in changes:
            due = None if envelope is None else due_bytes(envelope)
            earlier = data.get(key)
            before = None if earlier is None else due_bytes(earlier)
            if envelope is None:
                data.pop(key, None)
            else:
                data[key] = envelope
            if before == due:
                continue
            if before is not None:
                agenda.remove(before + key)
            if due is not None:
                agenda.add(due + key)
        self._position = position

    def load(self, keys: Sequence[bytes], envelopes: Sequence[bytes | None], position: int) -> None:
        """Write to the data only, if that is worth building the agenda anew."""
        if self._loading or len(keys) * _LARGE_SHARE > len(self._data):
            self._data.update(zip(keys, envelopes, strict=True))
            self._loading = self._loading or bool(keys)
            self._position = position
        else:
            self.apply([Change(*change) for change in zip(keys, envelopes, strict=True)], position)

    def settle(self) -> None:
        """Build the agenda."""
        if not self._loading:
            return
        data = self._data
        for key in [key for key, envelope in data.items() if envelope is None]:
            del data[key]
        self._agenda = SortedAgenda(
            [
                due + key
                for key, envelope in data.items()
                if envelope is not None and (due := due_bytes(envelope)) is not None
            ]
        )
        self._loading = False

    def agenda_after(self, cursor: AgendaEntry | None, count: int) -> Sequence[AgendaEntry]:
        """The next entries of the agenda."""
        self.settle()
        found = self._agenda.after(None if cursor is None else cursor.pack(), count)
        return [AgendaEntry.unpack(raw) for raw in found]

    def clear(self) -> None:
        """Throw everything away."""
        self.__init__()  # type: ignore[misc]

    def close(self) -> None:
        """Give the memory back."""
        self.clear()

    def __len__(self) -> int:
        return len(self._data)
