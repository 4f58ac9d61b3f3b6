from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.messages.dead_letters import LONGEST_MESSAGE, DeadLetterLimit, Stage, dead_letter
from streams.messages.errors import BadRecord, BadRecordCode

from .test_card_numbers import VISA

Header = tuple[str, bytes | None]


class Read(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int


BAD = BadRecord(BadRecordCode.NEGATIVE_AMOUNT, "amount_minor is below zero", field="amount_minor")
bytes_or_null = st.none() | st.binary(max_size=20)


@given(
    key=bytes_or_null,
    value=bytes_or_null,
    headers=st.lists(st.tuples(st.sampled_from(["a", "ce_id", "dunning.reason"]), bytes_or_null)),
    timestamp=st.integers(0, 2**62),
)
def test_everything_of_the_record_is_kept(
    key: bytes | None, value: bytes | None, headers: list[Header], timestamp: int
) -> None:
    letter = dead_letter(Read("t", 1, 2, key, value, headers, timestamp), BAD, Stage.DECODE)
    assert (letter.key, letter.value, letter.timestamp_ms) == (key, value, timestamp)
    assert letter.headers[: len(headers)] == headers


def test_what_happened_is_said_in_headers() -> None:
    letter = dead_letter(Read("billing.payment-failed.v1", 3, 41, b"k", b"v", [], 5), BAD, Stage.DECODE)
    assert letter.headers == [
        ("__connect.errors.topic", b"billing.payment-failed.v1"),
        ("__connect.errors.partition", b"3"),
        ("__connect.errors.offset", b"41"),
        ("__connect.errors.stage", b"decode"),
        ("__connect.errors.class.name", b"streams.messages.codec.Decoder"),
        ("__connect.errors.exception.class.name", b"streams.messages.errors.BadRecord"),
        ("__connect.errors.exception.message", b"amount_minor is below zero"),
        ("dunning.reason", b"negative_amount"),
        ("dunning.field", b"amount_minor"),
    ]


def test_a_good_record_whose_processing_failed() -> None:
    error = ValueError(f"cannot charge {VISA}: " + "x" * 5000)
    record = Read("t", 0, 0, None, None, [], -1)
    letter = dead_letter(record, error, Stage.DECIDE, component="streams.agents.decide")
    headers = dict(letter.headers)
    assert letter.timestamp_ms is None
    assert headers["dunning.reason"] == b"processing_failed"
    assert "dunning.field" not in headers
    assert headers["__connect.errors.exception.class.name"] == b"builtins.ValueError"
    message = headers["__connect.errors.exception.message"]
    assert message is not None
    assert message.startswith(b"cannot charge [long number]: ")
    assert len(message) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("stage", "component", "told"),
    [
        (Stage.DECODE, None, b"streams.messages.codec.Decoder"),
        (Stage.DECIDE, None, b"streams.dunning.decide"),
        (Stage.EMIT, None, b"streams.messages.codec.Encoder"),
        (Stage.DECIDE, "streams.agents.decide", b"streams.agents.decide"),
    ],
)
def test_the_component_is_the_stages_unless_given(stage: Stage, component: str | None, told: bytes) -> None:
    letter = dead_letter(Read("t", 0, 0, None, None, [], -1), BAD, stage, component=component)
    assert dict(letter.headers)["__connect.errors.class.name"] == told


def exceeded_after_each(limit: DeadLetterLimit, seen: list[bool]) -> list[bool]:
    told = []
    for bad in seen:
        limit.observe(bad=bad)
        told.append(limit.exceeded)
    return told


def test_nothing_is_said_before_the_minimum() -> None:
    limit = DeadLetterLimit(window=10, highest_share=0.5, minimum=4)
    assert exceeded_after_each(limit, [True] * 4) == [False, False, False, True]
    assert str(limit) == "4 of the last 4 records were bad; more than 50% stops the worker"


def test_the_limit_itself_is_accepted_and_old_records_are_forgotten() -> None:
    limit = DeadLetterLimit(window=4, highest_share=0.5, minimum=2)
    assert not any(exceeded_after_each(limit, [True, False, False, True]))
    # The first pushes out a bad one, the second a good one.
    assert exceeded_after_each(limit, [True, True]) == [False, True]
    assert exceeded_after_each(limit, [False] * 4)[-1] is False
    assert limit.share == 0


@given(st.lists(st.booleans(), max_size=50), st.integers(1, 12))
def test_the_share_is_that_of_the_window(seen: list[bool], window: int) -> None:
    limit = DeadLetterLimit(window=window, minimum=1)
    for bad in seen:
        limit.observe(bad=bad)
    recent = seen[-window:]
    assert limit.share == (sum(recent) / len(recent) if recent else 0)


@pytest.mark.parametrize(
    "numbers",
    [{"minimum": 0}, {"window": 10, "minimum": 11}, {"highest_share": 0.0}, {"highest_share": 1.1}],
)
def test_numbers_that_make_no_sense(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        DeadLetterLimit(**numbers)  # type: ignore[arg-type]
