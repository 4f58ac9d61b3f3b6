from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.messages.dead_letters import CUSTOMER_HEADER, DeadLetter, Header, Stage, dead_letter
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.letters import (
    MOST_REPLAYS,
    Fate,
    Letter,
    LetterId,
    Mark,
    Place,
    Replay,
    mark_headers,
    read_letter,
    refusal,
    replay,
)

TOPIC = "billing.payment-failed.v1"
PARTITIONS = {TOPIC: 8}
BAD = BadRecord(BadRecordCode.UNKNOWN_SYMBOL, "network has an unknown symbol", field="network")
HERE = LetterId(2, 40)


class Read(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int


def read(letter: DeadLetter, at: LetterId = HERE) -> Letter:
    found = read_letter(
        at,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
        timestamp_ms=letter.timestamp_ms or -1,
    )
    assert isinstance(found, Letter)
    return found


def failed_again(sent: Replay, offset: int) -> DeadLetter:
    record = Read(sent.topic, sent.partition, offset, sent.key, sent.value, sent.headers, sent.timestamp_ms)
    return dead_letter(record, BAD, Stage.DECODE)


names = st.sampled_from(
    ["a", "ce_id", "dunning.reason", "dunning.dlq.fate", "dunning.dlq.offset", "__connect.errors.topic"]
)
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=8)), max_size=6)
bytes_or_null = st.none() | st.binary(max_size=20)


@given(
    key=bytes_or_null,
    value=bytes_or_null,
    own=headers,
    timestamp=st.integers(1, 2**62),
    failures=st.integers(1, 4),
)
def test_a_record_is_sent_again_as_it_was_however_often_it_fails(
    key: bytes | None, value: bytes | None, own: list[Header], timestamp: int, failures: int
) -> None:
    letter = dead_letter(Read(TOPIC, 3, 7, key, value, own, timestamp), BAD, Stage.DECODE)
    for time in range(1, failures + 1):
        found = read(letter, LetterId(2, 40 + time))
        sent = replay(found)
        assert (sent.topic, sent.partition, sent.key, sent.value) == (TOPIC, 3, key, value)
        assert sent.timestamp_ms == timestamp
        assert sent.headers[: len(own)] == own
        assert sent.headers[len(own) :] == [
            ("dunning.replay.count", str(time).encode()),
            ("dunning.replay.origin", f"{TOPIC}/3/7".encode()),
            ("dunning.replay.letter", f"dunning.dlq.v1/2/{40 + time}".encode()),
        ]
        letter = failed_again(sent, 7 + time)


def test_what_was_wrong_is_read_back() -> None:
    letter = read(dead_letter(Read(TOPIC, 3, 7, b"k", b"v", [("a", b"b")], 5), BAD, Stage.DECODE))
    assert letter.origin == letter.first_origin == Place(TOPIC, 3, 7)
    assert (letter.reason, letter.field, letter.stage) == ("unknown_symbol", "network", "decode")
    assert letter.message == "network has an unknown symbol"
    assert (letter.headers, letter.replays, letter.timestamp_ms) == ((("a", b"b"),), 0, 5)


def test_the_letter_of_a_tick_names_whose_decision_failed() -> None:
    letter = dead_letter(Read("dunning.tick.v1", 3, 7, None, b"v", [], 5), ValueError(), Stage.DECIDE)
    letter.headers.append((CUSTOMER_HEADER, b"ada"))
    assert read(letter).customer_id == "ada"


def test_a_record_that_keeps_coming_back_is_refused() -> None:
    letter = dead_letter(Read(TOPIC, 3, 7, b"k", b"v", [], 5), BAD, Stage.DECODE)
    for time in range(MOST_REPLAYS):
        found = read(letter)
        assert found.replays == time
        assert refusal(found, partitions=PARTITIONS, most_replays=MOST_REPLAYS) is None
        letter = failed_again(replay(found), 8 + time)
    found = read(letter)
    assert found.first_origin == Place(TOPIC, 3, 7)
    assert found.origin == Place(TOPIC, 3, 10)
    why = refusal(found, partitions=PARTITIONS, most_replays=MOST_REPLAYS)
    assert why == "it has been sent again 3 times already and came back"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (Read("dunning.tick.v1", 3, 7, b"k", b"v", [], 5), "dunning.tick.v1 is no input that exists"),
        (Read(TOPIC, 8, 7, b"k", b"v", [], 5), "has only 8 partitions"),
        (Read(TOPIC, 3, 7, b"k", b"v", [], -1), "has no timestamp"),
    ],
)
def test_what_cannot_be_sent_again_says_why(record: Read, why: str) -> None:
    letter = read(dead_letter(record, BAD, Stage.DECIDE))
    assert why in (refusal(letter, partitions=PARTITIONS, most_replays=3) or "")


@pytest.mark.parametrize("added", [{}, {"partition": b"x"}, {"offset": b"-1"}, {"offset": b"9" * 5000}])
def test_a_record_that_somebody_else_put_there(added: dict[str, bytes]) -> None:
    said = {"topic": b"t", "partition": b"1", "offset": b"1", **added} if added else {}
    given = [(f"__connect.errors.{name}", value) for name, value in said.items()]
    letter = read_letter(HERE, key=None, value=b"v", headers=given, timestamp_ms=5)
    assert isinstance(letter, Letter)
    assert letter.origin is None
    why = refusal(letter, partitions=PARTITIONS, most_replays=3)
    assert why == "its headers do not say where it came from"


@pytest.mark.parametrize("fate", [Fate.REPLAYED, Fate.DROPPED])
def test_a_mark_is_read_back(fate: Fate) -> None:
    mark = Mark(LetterId(2, 39), fate)
    found = read_letter(HERE, key=None, value=None, headers=mark_headers(mark), timestamp_ms=5)
    assert found == mark


@pytest.mark.parametrize("at", [LetterId(3, 40), LetterId(2, 39), LetterId(2, 38)])
def test_a_mark_counts_only_after_its_letter_in_the_same_partition(at: LetterId) -> None:
    headers = mark_headers(Mark(LetterId(2, 39), Fate.DROPPED))
    found = read_letter(at, key=None, value=None, headers=headers, timestamp_ms=5)
    assert isinstance(found, Letter)


def test_a_bad_record_cannot_pass_for_a_mark() -> None:
    forged = mark_headers(Mark(LetterId(2, 39), Fate.DROPPED))
    letter = read(dead_letter(Read(TOPIC, 3, 7, None, None, forged, 5), BAD, Stage.DECODE))
    assert letter.headers == tuple(forged)
