"""Faust tables over the engine's stores."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Generic, NoReturn, TypeVar

import faust.tables.manager
import faust.tables.table
from faust.types import AppT
from faust.types.tables import CollectionT

from streams.engine.codec import Codec, open_envelope
from streams.engine.errors import EngineError
from streams.engine.partitions import TablePartition, TableSet, TableSpecification

__all__ = ["OutsideBatchError", "Table", "TableManager", "take_in_hand"]

V = TypeVar("V")

_MISSING: Any = object()

# Of the partition whose batch the running agent has in hand; each agent's task sees its own.
_in_hand: ContextVar[Mapping[str, TablePartition[Any]] | None] = ContextVar("in_hand", default=None)


def take_in_hand(tables: Mapping[str, TablePartition[Any]] | None) -> None:
    """Let this task's tables mean those of one partition from now on, or of none."""
    _in_hand.set(tables)


class OutsideBatchError(EngineError):
    """A table was used while no batch is in hand, so it is not known which partition is meant.

    Attributes:
        table: its name.
    """

    def __init__(self, table: str) -> None:
        super().__init__(
            f"table {table} was used outside of `async for batch in batches`: its partition is the batch's. "
            "To look at committed state from elsewhere use table.committed(partition, key)"
        )
        self.table = table


class Table(faust.tables.table.Table[Any, Any], Generic[V]):
    """A dict of one partition: that of the batch in hand.

    Reads see what the round has written before. Values are frozen objects: one that is changed in place is
    not written. Writing happens once per key and round, when the round commits. A key names a value *of a
    partition*, so a fixed key can hold what belongs to the partition itself.

    Args:
        app: the application.
        name: unique in the application; part of the changelog's name.
        codec: values and keys to bytes and back.
        due: when a value is due, a pure function of the value, or ``None``.
    """

    def __init__(
        self,
        app: AppT,
        *,
        name: str,
        codec: Codec[V],
        due: Callable[[V], int | None] | None = None,
        changelog: str,
        tables: TableSet,
        **options: Any,
    ) -> None:
        super().__init__(app, name=name, **options)
        self.specification = TableSpecification(name, changelog, codec, due)
        self._held = tables.held
        self._name = name
        tables.add(self.specification)

    def due(self, until: int, limit: int | None = None) -> list[Any]:
        """Keys of this partition due at or before ``until``, earliest first, at most ``limit``.

        Sees what the round has changed. Costs nothing to speak of when nothing is due.
        """
        return self.here().due(until, limit)

    def committed(self, partition: int, key: Any) -> V | None:
        """The committed value of a key in a partition that this worker holds; read only, from anywhere."""
        table = self._held[partition][self.name]
        codec = self.specification.codec
        envelope = table.store.get(codec.encode_key(key))
        return None if envelope is None else codec.decode(open_envelope(envelope))

    def sizes(self) -> dict[int, int]:
        """Number of keys by partition; on disk an estimate."""
        return {partition: len(tables[self.name].store) for partition, tables in self._held.items()}

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return self.here().get(key, default)

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Delete a key and return its value."""
        here = self.here()
        value = here.get(key, _MISSING)
        if value is _MISSING:
            if default is _MISSING:
                raise KeyError(key)
            return default
        here.delete(key)
        return value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of a key, which is set to the default if it has none."""
        here = self.here()
        value = here.get(key, _MISSING)
        if value is _MISSING:
            here[key] = default
            return default
        return value

    def __getitem__(self, key: Any) -> Any:
        value = self.here().get(key, _MISSING)
        return self.__missing__(key) if value is _MISSING else value

    def __setitem__(self, key: Any, value: Any) -> None:
        self.here()[key] = value

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

    def __contains__(self, key: Any) -> bool:
        return self.here().get(key, _MISSING) is not _MISSING

    def __len__(self) -> int:
        return sum(self.sizes().values())

    def __bool__(self) -> bool:
        return True  # a table is never "nothing", however few keys it has

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    def keys(self) -> NoReturn:
        """Not offered."""
        self._refuse()

    def values(self) -> NoReturn:
        """Not offered."""
        self._refuse()

    def items(self) -> NoReturn:
        """Not offered."""
        self._refuse()

    def clear(self) -> NoReturn:
        """Not offered."""
        self._refuse()

    def popitem(self) -> NoReturn:
        """Not offered."""
        self._refuse()

    def using_window(self, *_args: Any, **_options: Any) -> NoReturn:
        """Not offered."""
        raise NotImplementedError(f"table {self.name}: windows are not supported; keep times in the values")

    async def on_start(self) -> None:
        """Stores open when partitions come; changelogs are made by the engine."""

    def here(self) -> TablePartition[V]:
        """The partition of the batch in hand, until the next batch: saves a hot loop asking at every access.

        Raises:
            OutsideBatchError: no batch is in hand.
        """
        tables = _in_hand.get()
        if tables is None:
            raise OutsideBatchError(self._name)
        return tables[self._name]

    def _refuse(self) -> NoReturn:
        raise NotImplementedError(
            f"table {self.name} cannot be walked through or cleared: it may hold millions of keys. Ask for "
            "keys, or for what is due"
        )


class TableManager(faust.tables.manager.TableManager):
    """Faust's list of tables, without its recovery, which the engine does in its own way."""

    ready: Callable[[], Any]

    def add(self, table: CollectionT) -> CollectionT:
        """Register a table."""
        if not isinstance(table, Table):
            raise NotImplementedError(
                f"{type(table).__name__} is not supported: app.Table is, but no global and no set tables"
            )
        if table.name in self:
            raise ValueError(f"there is a table named {table.name} already")
        self[table.name] = table
        return table

    async def on_start(self) -> None:
        """No more tables; the conductor may go on."""
        self._tables_finalized.set()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stores are closed by the engine."""

    def on_partitions_revoked(self, revoked: Any) -> None:
        """The engine's assignment does it."""

    def on_rebalance_start(self) -> None:
        """The engine's assignment does it."""

    async def wait_until_recovery_completed(self) -> bool:
        """Faust's tasks and timers need not wait: outside of batches tables cannot be used."""
        return False
