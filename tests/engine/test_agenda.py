"""The agenda against a plain sorted list."""

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.agenda import AgendaEntry, RoundAgenda, SortedAgenda

keys = st.integers(0, 40).map(lambda number: b"k%d" % number)
times = st.integers(-50, 50)


@given(st.lists(st.tuples(keys, st.none() | times)), times)
def test_sorted_agenda_is_a_sorted_list(writes: list[tuple[bytes, int | None]], at: int) -> None:
    agenda, dues = SortedAgenda[AgendaEntry](), dict[bytes, int]()
    for key, written in writes:
        if key in dues:
            agenda.remove(AgendaEntry(dues.pop(key), key))
        if written is not None:
            agenda.add(AgendaEntry(written, key))
            dues[key] = written
    expected = sorted(AgendaEntry(due, key) for key, due in dues.items())
    assert agenda.after(None, 1000) == expected
    cursor = AgendaEntry(at, b"k20")
    assert agenda.after(cursor, 3) == [entry for entry in expected if entry > cursor][:3]
    assert len(agenda) == len(expected)


@given(st.lists(st.tuples(times, keys), unique=True), st.lists(st.tuples(times, keys), unique=True))
def test_sorted_agenda_built_at_once_is_one_built_in_steps(
    first: list[tuple[int, bytes]], later: list[tuple[int, bytes]]
) -> None:
    entries = [AgendaEntry(*entry) for entry in first]
    agenda = SortedAgenda([entry.pack() for entry in entries])
    for entry in later:
        if entry not in first:
            entries.append(AgendaEntry(*entry))
            agenda.add(entries[-1].pack())
    for entry in entries[::2]:
        agenda.remove(entry.pack())
    found = [AgendaEntry.unpack(raw) for raw in agenda.after(None, 1000)]
    assert found == sorted(entries[1::2])


def test_sorted_agenda_over_many_chunks() -> None:
    agenda = SortedAgenda[AgendaEntry]()
    entries = [AgendaEntry(number * 7919 % 10007, b"%d" % number) for number in range(10_000)]
    for entry in entries:
        agenda.add(entry)
    for entry in entries[::3]:
        agenda.remove(entry)
    left = sorted(set(entries) - set(entries[::3]))
    assert agenda.after(None, 20_000) == left
    assert agenda.after(left[4321], 700) == left[4322:5022]


@given(
    st.dictionaries(keys, times),
    st.lists(st.tuples(keys, st.none() | times, times, st.none() | st.integers(1, 5))),
)
def test_round_agenda_sees_its_own_changes(
    committed: dict[bytes, int], steps: list[tuple[bytes, int | None, int, int | None]]
) -> None:
    store = SortedAgenda[AgendaEntry]()
    for key, at in committed.items():
        store.add(AgendaEntry(at, key))
    changed: set[bytes] = set()
    agenda = RoundAgenda(store.after, changed)
    truth = dict(committed)
    for key, due, until, limit in steps:
        changed.add(key)
        agenda.change(key, due)
        truth.pop(key, None)
        if due is not None:
            truth[key] = due
        expected = sorted(AgendaEntry(at, each) for each, at in truth.items() if at <= until)
        assert agenda.due(until, limit) == (expected if limit is None else expected[:limit])
    changed.clear()
    agenda.forget()
    assert agenda.due(100, None) == sorted(AgendaEntry(at, each) for each, at in committed.items())


def test_a_tick_with_nothing_due_reads_one_entry_once() -> None:
    store, reads = SortedAgenda[AgendaEntry](), list[int]()
    for number in range(100_000):
        store.add(AgendaEntry(1_000 + number, b"%d" % number))

    def after(cursor: AgendaEntry | None, count: int) -> list[AgendaEntry]:
        reads.append(count)
        return store.after(cursor, count)

    agenda = RoundAgenda(after, set())
    for now in range(1_000):
        assert agenda.due(now, None) == []
    assert reads == [1]
