"""A worker's tables as the round protocol sees them: per partition a store, layers over it, and an agenda.

Agents write to the overlay of the round in hand. At its end each changed key is encoded once, and the overlay
takes off: it becomes the layer of the round whose commit is in flight, which the next round reads through.
When Kafka has committed it, it lands in the store. A round that fails leaves no trace, and takes along the
one that was built upon it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from streams.engine.agenda import RoundAgenda
from streams.engine.clients import ChangelogWrites
from streams.engine.codec import Codec, due_of, open_envelope, seal
from streams.engine.errors import PoisonError
from streams.engine.record import TopicPartition
from streams.engine.stores import Change, PartitionStore

__all__ = ["StoreFactory", "TablePartition", "TableSet", "TableSpecification"]

V = TypeVar("V")

StoreFactory = Callable[[str, int], PartitionStore]


class _Deleted:
    def __repr__(self) -> str:
        return "<deleted>"


_DELETED: Any = _Deleted()
_UNKNOWN: Any = object()


@dataclass(frozen=True, slots=True)
class TableSpecification(Generic[V]):
    """What an application says about a table.

    Attributes:
        name: unique in the application.
        changelog: its topic.
        codec: values and keys to bytes and back.
        due: when a value is due, a pure function of the value; ``None`` for a table without an agenda.
    """

    name: str
    changelog: str
    codec: Codec[V]
    due: Callable[[V], int | None] | None


class TablePartition(Generic[V]):
    """One partition of one table.

    Args:
        specification: of the table.
        store: what is committed.
        cached_values: how many decoded values to keep.
    """

    def __init__(
        self, specification: TableSpecification[V], store: PartitionStore, cached_values: int
    ) -> None:
        self.specification = specification
        self.store = store
        self._codec = specification.codec
        self._due = specification.due
        self._limit = cached_values
        self._cache: dict[Any, V] = {}
        self._overlay: dict[Any, V] = {}
        self._encoded: Sequence[Change] = ()
        # The round whose commit is in flight: its values, and the same encoded.
        self._flying: dict[Any, V] = {}
        self._flying_encoded: Sequence[Change] = ()
        # Due times of overlay entries, worked out when first asked for: at a commit or by an agenda.
        self._dues: dict[Any, int | None] = {}
        self._unindexed: set[Any] = set()
        self._flying_indexed = True
        self._changed: set[bytes] = set()
        self._agenda = RoundAgenda(store.agenda_after, self._changed)

    def get(self, key: Any, default: Any = None) -> Any:
        """The key's value as the round in hand sees it."""
        value = self._overlay.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self._flying.get(key, _UNKNOWN)
            if value is _UNKNOWN:
                value = self._cache.get(key, _UNKNOWN)
                if value is _UNKNOWN:
                    return self._load(key, default)
        return default if value is _DELETED else value

    def __setitem__(self, key: Any, value: V) -> None:
        self._overlay[key] = value
        if self._due is not None:
            self._unindexed.add(key)

    def delete(self, key: Any) -> None:
        """Delete in the overlay."""
        self[key] = _DELETED

    def due(self, until: int, limit: int | None) -> list[Any]:
        """Keys due at or before ``until``, in order of due time, all changes not yet landed included."""
        if not self._flying_indexed:
            self._index_flying()
        if self._unindexed:
            self._index()
        entries = self._agenda.due(until, limit)
        return [self._codec.decode_key(entry.key) for entry in entries] if entries else []

    def changes(self) -> Sequence[Change]:
        """What the round in hand has changed, encoded.

        Raises:
            PoisonError: a value or key cannot be encoded.
        """
        name, codec = self.specification.name, self._codec
        encode_key, encode, has_due = codec.encode_key, codec.encode, self._due is not None
        encoded: list[Change] = []
        for key, value in self._overlay.items():
            try:
                key_bytes = encode_key(key)
                if value is _DELETED:
                    encoded.append(Change(key_bytes, None))
                else:
                    due = self._due_of(key, value) if has_due else None
                    encoded.append(Change(key_bytes, seal(encode(value), due)))
            except Exception as error:
                raise PoisonError(
                    f"table {name}: the value of key {key!r} cannot be encoded: {error}"
                ) from error
        self._encoded = encoded
        return encoded

    def take_off(self) -> None:
        """The commit of the round in hand begins; the next round writes to an overlay of its own."""
        assert not self._flying, "one round is in flight at a time"
        self._flying, self._flying_encoded = self._overlay, self._encoded
        self._overlay = {}
        self.forget()

    def land(self, position: int) -> None:
        """The round in flight is committed: write its changes to the store."""
        self.store.apply(self._flying_encoded, position)
        self._remember(self._flying)
        self._leave_the_air()

    def crash(self) -> None:
        """The round in flight has failed: drop it, and what the next one has built upon it."""
        self._leave_the_air()
        self.forget()

    def forget(self) -> None:
        """The round in hand is over or has failed: drop the overlay."""
        self._overlay.clear()
        self._encoded = ()
        self._reset_agenda()

    def restored(self) -> None:
        """The store was written behind the cache's back."""
        self._cache.clear()
        self.crash()

    def _leave_the_air(self) -> None:
        self._flying, self._flying_encoded = {}, ()
        self._reset_agenda()

    def _reset_agenda(self) -> None:
        """Begin again from the store; what is not landed is indexed when next asked for."""
        self._dues.clear()
        self._unindexed = set(self._overlay) if self._due is not None else set()
        self._flying_indexed = not self._flying or self._due is None
        self._changed.clear()
        self._agenda.forget()

    def _load(self, key: Any, default: Any) -> Any:
        envelope = self.store.get(self._codec.encode_key(key))
        if envelope is None:
            return default
        value = self._cache[key] = self._codec.decode(open_envelope(envelope))
        self._shrink()
        return value

    def _remember(self, values: dict[Any, V]) -> None:
        cache = self._cache
        for key, value in values.items():
            if value is _DELETED:
                cache.pop(key, None)
            else:
                cache[key] = value
        self._shrink()

    def _shrink(self) -> None:
        """Drop those that came longest ago; one that is used all the time is soon loaded again."""
        cache = self._cache
        while len(cache) > self._limit:
            del cache[next(iter(cache))]

    def _due_of(self, key: Any, value: V) -> int | None:
        assert self._due is not None
        if key in self._unindexed or key not in self._dues:
            self._dues[key] = None if value is _DELETED else self._due(value)
        return self._dues[key]

    def _index(self) -> None:
        for key in self._unindexed:
            key_bytes = self._codec.encode_key(key)
            value = self._overlay[key]
            due = None if value is _DELETED or self._due is None else self._due(value)
            self._dues[key] = due
            self._changed.add(key_bytes)
            self._agenda.change(key_bytes, due)
        self._unindexed.clear()

    def _index_flying(self) -> None:
        for key_bytes, envelope in self._flying_encoded:
            self._changed.add(key_bytes)
            self._agenda.change(key_bytes, None if envelope is None else due_of(envelope))
        self._flying_indexed = True


class TableSet:
    """All tables of an application, and the partitions of them that this worker holds.

    Args:
        store: opens the store of a table's partition.
        cached_values: per table and partition.
    """

    def __init__(self, store: StoreFactory, cached_values: int) -> None:
        self._store = store
        self._cached_values = cached_values
        self.specifications: dict[str, TableSpecification[Any]] = {}
        self.held: dict[int, dict[str, TablePartition[Any]]] = {}

    def add(self, specification: TableSpecification[Any]) -> None:
        """Declare a table."""
        self.specifications[specification.name] = specification

    def open(self, partition: int) -> Mapping[str, TablePartition[Any]]:
        """The partition's tables; their stores are opened if they are not yet."""
        if partition not in self.held:
            self.held[partition] = {
                name: TablePartition(each, self._store(name, partition), self._cached_values)
                for name, each in self.specifications.items()
            }
        return self.held[partition]

    def close(self, partition: int) -> None:
        """Close the partition's stores."""
        for table in self.held.pop(partition).values():
            table.crash()
            table.store.close()

    def close_all(self) -> None:
        """Close all that is open."""
        for partition in list(self.held):
            self.close(partition)

    def changes(self, partitions: set[int]) -> list[ChangelogWrites]:
        """What the round has changed in these partitions."""
        return [
            ChangelogWrites(TopicPartition(table.specification.changelog, partition), changes)
            for partition in sorted(partitions)
            for table in self.held[partition].values()
            if (changes := table.changes())
        ]

    def notes(self, partitions: set[int]) -> dict[int, str]:
        """How far each partition's changelogs have come, to be committed with the next offsets.

        A worker that takes the partition over finds out by it if a changelog was deleted and made anew.
        """
        return {
            number: json.dumps(
                {
                    table.specification.changelog: table.store.position
                    for table in self.held[number].values()
                    if table.store.position
                }
            )
            for number in partitions
        }

    def take_off(self, partitions: set[int]) -> None:
        """The commit of the round in hand begins."""
        for partition in partitions:
            for table in self.held[partition].values():
                table.take_off()

    def land(self, positions: Mapping[TopicPartition, int], partitions: set[int]) -> None:
        """The round in flight is committed; ``positions`` say how far each changelog has come."""
        for partition in partitions:
            for table in self.held[partition].values():
                position = positions.get(TopicPartition(table.specification.changelog, partition))
                if position is not None:
                    table.land(position)

    def crash(self) -> None:
        """The round in flight has failed, and with it the one in hand."""
        for tables in self.held.values():
            for table in tables.values():
                table.crash()

    def forget(self, partitions: set[int]) -> None:
        """The round in hand has failed."""
        for partition in partitions:
            for table in self.held.get(partition, {}).values():
                table.forget()
