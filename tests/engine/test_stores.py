"""Both stores against a dict, and the disk store over a restart."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.engine import InternalError, StoreError
from streams.engine.agenda import AgendaEntry
from streams.engine.codec import due_of, open_envelope, seal
from streams.engine.stores import Change, PartitionStore
from streams.engine.stores.memory import MemoryStore
from streams.engine.stores.rocksdb import RocksDBOptions, RocksDBStore

Opener = Callable[[], PartitionStore]


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PartitionStore:
    if request.param == "memory":
        return MemoryStore()
    return RocksDBStore(tmp_path / "0", "counts", 0, RocksDBOptions(8 << 20))


def change(key: bytes, value: bytes, due: int | None = None) -> Change:
    return Change(key, seal(value, due))


def test_envelopes_keep_value_and_due_time() -> None:
    for due in (None, 0, -5, 1_700_000_000_000_000, -(1 << 63), (1 << 63) - 1):
        envelope = seal(b"\x01value", due)
        assert due_of(envelope) == due
        assert open_envelope(envelope) == b"\x01value"
    with pytest.raises(InternalError, match="no format"):
        due_of(b'{"count": 1}')


def test_data_agenda_and_position_change_together(store: PartitionStore) -> None:
    assert store.synced_at is None
    store.apply([change(b"a", b"1", 30), change(b"b", b"2", 10), change(b"c", b"3")], 7)
    assert store.position == 7
    assert open_envelope(store.get(b"a") or b"") == b"1"
    assert list(store.agenda_after(None, 10)) == [AgendaEntry(10, b"b"), AgendaEntry(30, b"a")]
    assert len(store) == 3
    store.apply([change(b"a", b"4", 5), Change(b"b", None)], 9)
    assert store.get(b"b") is None
    assert list(store.agenda_after(None, 10)) == [AgendaEntry(5, b"a")]
    store.apply([change(b"a", b"5")], 10)
    assert list(store.agenda_after(None, 10)) == []
    store.clear()
    assert store.synced_at is None
    assert store.get(b"a") is None


def test_agenda_is_read_on_from_a_cursor(store: PartitionStore) -> None:
    store.apply([change(b"k%02d" % number, b"v", number // 2) for number in range(20)], 1)
    first = store.agenda_after(None, 7)
    rest = store.agenda_after(first[-1], 100)
    assert [entry.key for entry in [*first, *rest]] == [b"k%02d" % number for number in range(20)]


def test_rocksdb_finds_all_again(tmp_path: Path) -> None:
    options = RocksDBOptions(8 << 20)
    store = RocksDBStore(tmp_path / "0", "counts", 0, options)
    store.apply([change(b"a", b"1", 30), change(b"b", b"2", -10)], 7)
    store.close()
    store = RocksDBStore(tmp_path / "0", "counts", 0, options)
    assert store.position == 7
    assert store.synced_at is not None
    assert list(store.agenda_after(None, 10)) == [AgendaEntry(-10, b"b"), AgendaEntry(30, b"a")]
    store.close()


def test_rocksdb_forgets_outdated_agenda_entries(tmp_path: Path) -> None:
    store = RocksDBStore(tmp_path / "0", "counts", 0, RocksDBOptions(8 << 20))
    for due in range(100):
        store.apply([change(b"a", b"1", due)], due)
    assert list(store.agenda_after(None, 10)) == [AgendaEntry(99, b"a")]
    store.apply([], 100)
    raw = store._agenda.iter()
    raw.seek_to_first()
    assert raw.valid()
    raw.next()
    assert not raw.valid(), "one entry is left"
    del raw
    store.close()


def test_a_store_that_cannot_be_opened_says_where(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("no directory")
    with pytest.raises(StoreError, match="table counts, partition 3") as caught:
        RocksDBStore(tmp_path / "0", "counts", 3, RocksDBOptions(8 << 20))
    assert str(tmp_path / "0") in str(caught.value)
