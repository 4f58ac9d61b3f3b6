import time

from streams.engine import Codec, Observer
from streams.engine.codec import seal
from streams.engine.measuring import report_tables
from streams.engine.partitions import TableSet, TableSpecification
from streams.engine.stores import Change
from streams.engine.stores.memory import MemoryStore

NOW = time.time_ns() // 1_000
HOUR = 3_600_000_000


class Told(Observer):
    def __init__(self) -> None:
        self.sizes: dict[tuple[str, int], tuple[int, int | None]] = {}
        self.agendas: dict[tuple[str, int], tuple[int | None, int]] = {}

    def table_size(self, table: str, partition: int, *, keys: int, size_bytes: int | None) -> None:
        self.sizes[table, partition] = keys, size_bytes

    def agenda(self, table: str, partition: int, *, earliest: int | None, due: int) -> None:
        self.agendas[table, partition] = earliest, due


def told(*dues: int | None, ready: frozenset[int] = frozenset({0})) -> Told:
    """What is told of two tables, of which one has due times."""
    tables = TableSet(lambda _table, _partition: MemoryStore(), 10)
    codec = Codec[int](lambda value: b"%d" % value, int)
    tables.add(TableSpecification("customers", "customers-changelog", codec, lambda value: value))
    tables.add(TableSpecification("plain", "plain-changelog", codec, None))
    store = tables.open(0)["customers"].store
    store.apply([Change(b"%d" % place, seal(b"", due)) for place, due in enumerate(dues)], 1)
    observer = Told()
    report_tables(tables, ready, observer)
    return observer


def test_sizes_are_told_of_every_table_and_agendas_of_those_that_have_one() -> None:
    observer = told(NOW + HOUR, None)
    assert observer.sizes == {("customers", 0): (2, None), ("plain", 0): (0, None)}
    assert observer.agendas == {("customers", 0): (NOW + HOUR, 0)}


def test_who_is_due_is_counted_and_the_longest_due_is_named() -> None:
    assert told(NOW - 1, NOW + HOUR, NOW - HOUR).agendas == {("customers", 0): (NOW - HOUR, 2)}
    assert told(None).agendas == {("customers", 0): (None, 0)}


def test_counting_ends_at_a_thousand() -> None:
    assert told(*range(1, 1_500)).agendas == {("customers", 0): (1, 1_000)}


def test_nothing_is_told_of_what_is_not_ready() -> None:
    observer = told(NOW, ready=frozenset())
    assert not observer.sizes
    assert not observer.agendas
