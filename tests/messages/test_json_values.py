"""Inputs as JSON: read and checked as Avro is, and never quoted when they are wrong."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from streams.messages.codec import Decoder
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.topics import INPUTS, Topic, topic_of_kind

DECODER = Decoder(json=True)
FAILED = topic_of_kind("payment-failed")
# In parts, so that no text of this project looks like a card's number.
CARD_NUMBER = "4111" + "1111" * 3


def _example(topic: Topic) -> Any:
    assert topic.struct is not None
    return EXAMPLES[topic.struct]


def _values(topic: Topic = FAILED, **changes: object) -> dict[str, Any]:
    return msgspec.to_builtins(_example(topic)) | changes  # type: ignore[no-any-return]


def _decode(values: Mapping[str, Any] | bytes, topic: Topic = FAILED) -> Struct:
    value = values if isinstance(values, bytes) else msgspec.json.encode(values)
    example = _example(topic)
    return DECODER.decode(
        topic.name, example.customer_id.encode(), value, int(example.occurred_at.timestamp() * 1000)
    )


@pytest.mark.parametrize("topic", INPUTS, ids=lambda topic: topic.kind)
def test_every_input_can_be_json(topic: Topic) -> None:
    assert _decode(_values(topic), topic) == _example(topic)


def test_the_type_may_be_left_out_and_what_is_not_known_is_left_out_of_account() -> None:
    values = _values(shop="Kiel")
    del values["type"]
    assert _decode(values) == _example(FAILED)


def test_times_may_have_any_offset() -> None:
    occurred_at = _example(FAILED).occurred_at
    there = occurred_at.astimezone(tz=None).isoformat()
    assert _decode(_values(occurred_at=there)) == _example(FAILED)


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        (b"{", BadRecordCode.UNDECODABLE, None),
        (b'{"a": "\xff"}', BadRecordCode.UNDECODABLE, None),
        (_values(type="tick"), BadRecordCode.WRONG_SCHEMA, "type"),
        (_values(amount_minor="hush"), BadRecordCode.INVALID_FIELD, "amount_minor"),
        (_values(occurred_at="hush"), BadRecordCode.INVALID_FIELD, "occurred_at"),
        (_values(occurred_at="2026-01-01T10:00:00"), BadRecordCode.INVALID_FIELD, "occurred_at"),
        (_values(occurred_at="9999-12-31T23:59:59-23:00"), BadRecordCode.TIME_OUT_OF_RANGE, "occurred_at"),
        (_values(invoice_id=f"paid by {CARD_NUMBER}"), BadRecordCode.CARD_NUMBER, "invoice_id"),
        (_values(amount_minor=-1), BadRecordCode.NEGATIVE_AMOUNT, "amount_minor"),
        (_values(customer_id="somebody"), BadRecordCode.KEY_MISMATCH, "key"),
    ],
)
def test_what_cannot_be_used(values: dict[str, Any] | bytes, code: BadRecordCode, field: str | None) -> None:
    with pytest.raises(BadRecord) as caught:
        _decode(values)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert "hush" not in str(caught.value)


def test_a_symbol_that_is_not_known() -> None:
    topic = topic_of_kind("subscription-changed")
    with pytest.raises(BadRecord) as caught:
        _decode(_values(topic, change="hush"), topic)
    assert (caught.value.code, caught.value.field) == (BadRecordCode.UNKNOWN_SYMBOL, "change")
    assert "hush" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    values = _values()
    del values["invoice_id"]
    with pytest.raises(BadRecord, match="missing required field `invoice_id`"):
        _decode(values)


def test_without_the_setting_json_is_no_input() -> None:
    with pytest.raises(BadRecord) as caught:
        Decoder().decode(FAILED.name, b"any", msgspec.json.encode(_values()), None)
    assert caught.value.code is BadRecordCode.NOT_AVRO
