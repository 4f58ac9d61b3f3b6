"""Both stores against a dict, and the disk store over a restart."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import InternalError, StoreError
from streams.engine.agenda import AgendaEntry
from streams.engine.codec import due_of, open_envelope, seal
from streams.engine.stores import Change, PartitionStore, rocksdb
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


def test_a_store_on_disk_says_what_it_takes(tmp_path: Path) -> None:
    assert MemoryStore().size_bytes is None
    store = RocksDBStore(tmp_path / "0", "counts", 0, RocksDBOptions(8 << 20))
    before = store.size_bytes
    store.apply([change(b"a", os.urandom(100_000))], 1)
    assert before is not None
    assert (store.size_bytes or 0) >= before + 100_000
    files = sum(file.stat().st_size for file in (tmp_path / "0").iterdir())
    assert store.size_bytes == files
    store.close()


def test_an_outdated_entry_that_is_seen_again_and_again_is_noted_once(tmp_path: Path) -> None:
    store = RocksDBStore(tmp_path / "0", "counts", 0, RocksDBOptions(8 << 20))
    store.apply([change(b"a", b"1", 30)], 1)
    store.apply([change(b"a", b"1")], 2)
    for _ in range(5):
        assert not store.agenda_after(None, 1)
    assert len(store._outdated) == 1
    store.close()


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


def a_changelog(seed: int, records: int, keys: int) -> list[tuple[bytes, bytes | None]]:
    chance = random.Random(seed)
    changelog: list[tuple[bytes, bytes | None]] = []
    for number in range(records):
        key = b"k%d" % chance.randrange(keys)
        due = chance.choice([None, chance.randrange(1_000)])
        deleted = chance.random() < 0.2
        changelog.append((key, None if deleted else seal(b"%d" % number, due)))
    return changelog


def load(store: PartitionStore, changelog: list[tuple[bytes, bytes | None]], most: int) -> Iterator[int]:
    """From the store's position to the end; gives the position after each chunk."""
    while (position := store.position or 0) < len(changelog):
        keys, envelopes = zip(*changelog[position : position + most], strict=True)
        store.load(keys, envelopes, position + len(keys))
        yield position + len(keys)


def assert_holds(store: PartitionStore, changelog: list[tuple[bytes, bytes | None]]) -> None:
    truth = dict(changelog)
    assert all(store.get(key) == envelope for key, envelope in truth.items())
    dues = {key: due_of(envelope) for key, envelope in truth.items() if envelope is not None}
    expected = sorted(AgendaEntry(due, key) for key, due in dues.items() if due is not None)
    assert list(store.agenda_after(None, len(changelog))) == expected


@pytest.mark.parametrize("written", [0, 50, 300])
def test_loading_is_writing(store: PartitionStore, written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocksdb, "_LOAD_RECORDS", 60)
    monkeypatch.setattr(rocksdb, "_CHECKPOINT_BYTES", 500)
    changelog = a_changelog(1, 400, 120)
    store.apply([Change(*change) for change in changelog[:written]], written)
    assert list(load(store, changelog, 17))[-1] == store.position == 400
    store.settle()
    assert_holds(store, changelog)
    changelog += a_changelog(2, 30, 120)
    store.apply([Change(*change) for change in changelog[400:]], 430)
    assert_holds(store, changelog)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 5), st.integers(1, 4))))
def test_writing_and_loading_in_turn_give_the_same_memory(steps: list[tuple[int, int | None, int]]) -> None:
    store, changelog = MemoryStore(), list[tuple[bytes, bytes | None]]()
    for key, due, kind in steps:
        envelope = None if kind == 1 else seal(b"v", due)
        changelog.append((b"k%d" % key, envelope))
        if kind == 2:
            store.apply([Change(*changelog[-1])], len(changelog))
        else:
            store.load([changelog[-1][0]], [envelope], len(changelog))
        if kind == 3:
            store.settle()
            assert len(store) == sum(envelope is not None for envelope in dict(changelog).values())
    assert_holds(store, changelog)


_LOADER = """
import os, sys
from pathlib import Path
from streams.engine.stores import rocksdb
from tests.engine.test_stores import a_changelog, load

directory, last, settles = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "settles"
rocksdb._LOAD_RECORDS, rocksdb._CHECKPOINT_BYTES = 100, 20_000
store = rocksdb.RocksDBStore(directory, "counts", 0, rocksdb.RocksDBOptions(8 << 20))
for position in load(store, a_changelog(3, 5_000, 900), 70):
    if position >= last:
        break
if settles:
    store.settle()
    store.apply((), position)
os._exit(9)
"""


@pytest.mark.parametrize("last", [30, 150, 1_000, 4_000])
@pytest.mark.parametrize("settles", ["settles", "dies"])
def test_a_process_that_dies_while_loading_leaves_no_position_ahead_of_the_data(
    tmp_path: Path, last: int, settles: str
) -> None:
    directory = tmp_path / "0"
    command = [sys.executable, "-c", _LOADER, str(directory), str(last), settles]
    died = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert died.returncode == 9
    changelog = a_changelog(3, 5_000, 900)
    store = RocksDBStore(directory, "counts", 0, RocksDBOptions(8 << 20))
    position = store.position or 0
    assert position >= last if settles == "settles" else position <= last + 70
    if settles == "settles":
        assert_holds(store, changelog[:position])
    elif last == 4_000:
        assert position > 1_000, "what was loaded before the last checkpoint is not loaded again"
    *_, end = load(store, changelog, 333)
    store.settle()
    assert end == store.position == 5_000
    assert_holds(store, changelog)
    store.close()


def test_loading_does_not_make_a_store_look_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocksdb, "_LOAD_RECORDS", 60)
    now = 1_000.0
    monkeypatch.setattr("time.time", lambda: now)
    options = RocksDBOptions(8 << 20)
    store = RocksDBStore(tmp_path / "0", "counts", 0, options)
    store.apply([change(b"a", b"1")], 1)
    changelog = a_changelog(4, 300, 50)
    for end in load(store, changelog, 50):
        now += 1.0
        if end > 200:
            break
    store.close()
    store = RocksDBStore(tmp_path / "0", "counts", 0, options)
    assert (store.synced_at, store.position) == (1_000.0, 201)
    list(load(store, changelog, 50))
    store.settle()
    assert store.synced_at == now
    store.close()


def test_a_store_that_cannot_be_opened_says_where(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("no directory")
    with pytest.raises(StoreError, match="table counts, partition 3") as caught:
        RocksDBStore(tmp_path / "0", "counts", 3, RocksDBOptions(8 << 20))
    assert str(tmp_path / "0") in str(caught.value)
