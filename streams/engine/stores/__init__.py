"""Local stores: what a worker keeps of one partition of one table, beside the changelog in Kafka."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streams.engine.agenda import AgendaEntry

__all__ = ["Change", "PartitionStore"]


class Change(NamedTuple):
    """A key and its new envelope, or ``None`` where the key is deleted."""

    key: bytes
    envelope: bytes | None


class PartitionStore(Protocol):
    """One partition of one table: data, agenda and how much of the changelog they hold.

    The three change together or not at all, but for a restore, which loads in bulk: see `load`.
    """

    @property
    def position(self) -> int | None:
        """The changelog offset to read next, or ``None`` if nothing was ever read."""

    @property
    def synced_at(self) -> float | None:
        """Epoch seconds when the store last was known to be up to date, or ``None`` if never."""

    @property
    def size_bytes(self) -> int | None:
        """What its files take on disk, or ``None`` if it has none."""

    def get(self, key: bytes) -> bytes | None:
        """The key's envelope."""

    def apply(self, changes: Sequence[Change], position: int) -> None:
        """Write changes and the changelog offset to read next."""

    def load(self, keys: Sequence[bytes], envelopes: Sequence[bytes | None], position: int) -> None:
        """As `apply`, in bulk and faster, for a restore; to be followed by `settle` before the store is read.

        A process that dies meanwhile finds the store at an earlier position, and perhaps with some of what
        was loaded after it. Reading the changelog again from that position makes it whole.
        """

    def settle(self) -> None:
        """The store is up to date: all that was loaded is kept, and the agenda holds it.

        Does next to nothing if nothing was loaded.
        """

    def agenda_after(self, cursor: AgendaEntry | None, count: int) -> Sequence[AgendaEntry]:
        """The next ``count`` entries of the agenda after ``cursor``, in order, none outdated."""

    def clear(self) -> None:
        """Throw everything away, the position included."""

    def close(self) -> None:
        """Let go of files; the store holds all up to its position."""

    def __len__(self) -> int:
        """Number of keys; may be an estimate."""
