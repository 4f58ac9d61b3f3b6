import io
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import msgspec
import pytest
from msgspec import Struct

from streams.dunning.events import (
    Card,
    CardExpiring,
    CustomerProfile,
    Feedback,
    PaymentFailed,
    RenewalUpcoming,
    SubscriptionCancelled,
    Tick,
)
from streams.messages.codec import Decoder, Encoder
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.instants import EPOCH
from streams.messages.schemas import present_schema, without_logical_types
from streams.messages.topics import INPUTS, topic_of
from streams.messages.validation import Limits, in_words, validate

from .test_card_numbers import AMEX, VISA

ENCODER = Encoder()
DECODER = Decoder()
FAILED = "billing.payment-failed.v1"
NOW_MS = 1_772_346_600_000


def example(struct: type[Struct], **changes: Any) -> Any:
    return msgspec.structs.replace(EXAMPLES[struct], **changes)


def refusal(
    event: Any, *, key: bytes | None = None, timestamp_ms: int | None = None, decoder: Decoder = DECODER
) -> BadRecord:
    """Decode an event that must be refused; its key is right unless another is given."""
    key = event.customer_id.encode() if key is None else key
    with pytest.raises(BadRecord) as caught:
        decoder.decode(topic_of(event).name, key, ENCODER.encode(event), timestamp_ms, [])
    return caught.value


def refusal_of_bytes(value: bytes | None, topic: str = FAILED) -> BadRecordCode:
    with pytest.raises(BadRecord) as caught:
        DECODER.decode(topic, b"cus-orchard", value, NOW_MS, [])
    return caught.value.code


def test_a_null_value() -> None:
    assert refusal_of_bytes(None) is BadRecordCode.NULL_VALUE


@pytest.mark.parametrize("value", [b"", b"{}", b"\xc3", b"\xc3\x01", b"\xc3\x02" + bytes(20), b"\x00\x00"])
def test_what_is_not_avro(value: bytes) -> None:
    assert refusal_of_bytes(value) is BadRecordCode.NOT_AVRO


def test_an_unknown_fingerprint() -> None:
    assert refusal_of_bytes(b"\xc3\x01" + bytes(8) + b"rest") is BadRecordCode.UNKNOWN_SCHEMA


def test_bytes_that_end_early_or_late() -> None:
    value = ENCODER.encode(EXAMPLES[PaymentFailed])
    assert refusal_of_bytes(value[:-1]) is BadRecordCode.UNDECODABLE
    assert refusal_of_bytes(value + b"\x00") is BadRecordCode.UNDECODABLE
    assert refusal_of_bytes(value[:10]) is BadRecordCode.UNDECODABLE


def test_no_key_and_no_customer() -> None:
    event = example(PaymentFailed)
    assert refusal(event, key=b"").code is BadRecordCode.MISSING_CUSTOMER
    with pytest.raises(BadRecord, match="no key") as caught:
        DECODER.decode(FAILED, None, ENCODER.encode(event), NOW_MS, [])
    assert (caught.value.code, caught.value.field) == (BadRecordCode.MISSING_CUSTOMER, "key")
    error = refusal(example(PaymentFailed, customer_id=""), key=b"cus-orchard")
    assert (error.code, error.field) == (BadRecordCode.MISSING_CUSTOMER, "customer_id")


@pytest.mark.parametrize("key", [b"cus-other", b"cus-orchard ", b"\xff\xfe"])
def test_a_key_that_is_not_the_customer(key: bytes) -> None:
    assert refusal(example(PaymentFailed), key=key).code is BadRecordCode.KEY_MISMATCH


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "ZZZ", "XXX", "XTS", "€"])
def test_unknown_currencies(currency: str) -> None:
    error = refusal(example(PaymentFailed, currency=currency))
    assert (error.code, error.field) == (BadRecordCode.UNKNOWN_CURRENCY, "currency")


def test_negative_amounts() -> None:
    assert refusal(example(PaymentFailed, amount_minor=-1)).code is BadRecordCode.NEGATIVE_AMOUNT
    error = refusal(example(RenewalUpcoming, previous_amount_minor=-1))
    assert (error.code, error.field) == (BadRecordCode.NEGATIVE_AMOUNT, "previous_amount_minor")


@pytest.mark.parametrize(
    ("distance", "accepted"),
    [
        (timedelta(hours=1), True),
        (timedelta(hours=1, microseconds=1), False),
        (-timedelta(days=400), True),
        (-timedelta(days=400, microseconds=1), False),
    ],
)
def test_occurred_at_is_held_against_the_records_timestamp(distance: timedelta, *, accepted: bool) -> None:
    event = example(PaymentFailed, occurred_at=EPOCH + timedelta(milliseconds=NOW_MS) + distance)
    if accepted:
        assert DECODER.decode(FAILED, b"cus-orchard", ENCODER.encode(event), NOW_MS, []) == event
    else:
        error = refusal(event, timestamp_ms=NOW_MS)
        assert (error.code, error.field) == (BadRecordCode.TIME_OUT_OF_RANGE, "occurred_at")


def test_the_limits_are_settings() -> None:
    event = example(PaymentFailed, occurred_at=EPOCH + timedelta(milliseconds=NOW_MS, seconds=2))
    decoder = Decoder(limits=Limits(ahead=timedelta(seconds=1)))
    assert refusal(event, timestamp_ms=NOW_MS, decoder=decoder).code is BadRecordCode.TIME_OUT_OF_RANGE


def test_a_record_without_a_timestamp_is_held_against_the_calendar_only() -> None:
    event = example(PaymentFailed, occurred_at=datetime(1980, 1, 1, tzinfo=UTC))
    assert DECODER.decode(FAILED, b"cus-orchard", ENCODER.encode(event), -1, []) == event


def test_a_tick_far_ahead_of_its_timestamp_does_not_move_the_clock() -> None:
    value = ENCODER.encode(Tick(now=EPOCH + timedelta(milliseconds=NOW_MS, hours=2)))
    with pytest.raises(BadRecord) as caught:
        DECODER.decode("dunning.tick.v1", None, value, NOW_MS, [])
    assert (caught.value.code, caught.value.field) == (BadRecordCode.TIME_OUT_OF_RANGE, "now")


@pytest.mark.parametrize(
    ("struct", "field"),
    [
        (RenewalUpcoming, "renews_at"),
        (PaymentFailed, "next_retry_at"),
        (Feedback, "promised_until"),
        (CustomerProfile, "last_seen_at"),
        (CustomerProfile, "customer_since"),
    ],
)
@pytest.mark.parametrize("moment", [datetime(1899, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)])
def test_other_times_outside_the_calendar(struct: type[Struct], field: str, moment: datetime) -> None:
    error = refusal(example(struct, **{field: moment}))
    assert (error.code, error.field) == (BadRecordCode.TIME_OUT_OF_RANGE, field)


@pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63), 10**18])
def test_times_that_no_calendar_holds_are_refused_by_name(microseconds: int) -> None:
    schema = fastavro.parse_schema(without_logical_types(present_schema("dunning.tick.v1")))
    value = bytearray(ENCODER.encode(EXAMPLES[Tick])[:10])
    value += _written(schema, {"now": microseconds})
    with pytest.raises(BadRecord) as caught:
        DECODER.decode("dunning.tick.v1", None, bytes(value), NOW_MS, [])
    assert (caught.value.code, caught.value.field) == (BadRecordCode.TIME_OUT_OF_RANGE, "now")


def test_a_timestamp_that_no_calendar_holds() -> None:
    assert refusal(example(PaymentFailed), timestamp_ms=2**62).code is BadRecordCode.TIME_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (example(Feedback, text=f"please use {VISA} instead"), "text"),
        (example(Feedback, text=f"please use {VISA[:4]} {VISA[4:8]} {VISA[8:12]} {VISA[12:]}"), "text"),
        (example(PaymentFailed, invoice_id=f"inv-{AMEX}"), "invoice_id"),
        (example(PaymentFailed, card=Card(VISA, "visa", "0341", 4, 2026)), "card.payment_method_id"),
        (example(CardExpiring, subscription_ids=("sub-1", VISA)), "subscription_ids[1]"),
        (example(CustomerProfile, segments=("vip", VISA)), "segments[1]"),
        (example(PaymentFailed, customer_id=VISA), "customer_id"),
        (example(PaymentFailed, currency=VISA), "currency"),
    ],
)
def test_card_numbers_are_refused_wherever_they_are_and_never_repeated(event: Any, field: str) -> None:
    error = refusal(event)
    assert (error.code, error.field) == (BadRecordCode.CARD_NUMBER, field)
    assert VISA not in str(error)
    assert AMEX not in str(error)


def test_a_card_number_as_key() -> None:
    error = refusal(example(PaymentFailed), key=VISA.encode())
    assert (error.code, error.field) == (BadRecordCode.CARD_NUMBER, "key")
    assert VISA not in str(error)


def test_a_symbol_of_the_future() -> None:
    value = ENCODER.encode(example(RenewalUpcoming))
    schema = fastavro.parse_schema(without_logical_types(present_schema("billing.renewal-upcoming.v1")))
    values = msgspec.to_builtins(EXAMPLES[RenewalUpcoming]) | {
        "occurred_at": NOW_MS * 1000,
        "renews_at": NOW_MS * 1000,
        "interval": "unknown",
    }
    with pytest.raises(BadRecord) as caught:
        DECODER.decode(
            "billing.renewal-upcoming.v1", b"cus-orchard", value[:10] + _written(schema, values), NOW_MS, []
        )
    assert (caught.value.code, caught.value.field) == (BadRecordCode.UNKNOWN_SYMBOL, "interval")


def test_texts_and_lists_that_are_too_long() -> None:
    error = refusal(example(Feedback, text="é" * 2049))
    assert (error.code, error.field) == (BadRecordCode.TOO_LONG, "text")
    error = refusal(example(CardExpiring, subscription_ids=("sub",) * 1001 + ("x" * 4000,)))
    assert (error.code, error.field) == (BadRecordCode.TOO_LONG, "subscription_ids")
    fits = example(Feedback, text="é" * 2048)
    topic = topic_of(fits).name
    assert DECODER.decode(topic, b"cus-orchard", ENCODER.encode(fits), None, []) == fits


CARD = Card("pm-1", "visa", "0341", 4, 2026)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (example(PaymentFailed, event_id=""), "event_id"),
        (example(PaymentFailed, invoice_id=""), "invoice_id"),
        (example(PaymentFailed, subscription_id=""), "subscription_id"),
        (example(CardExpiring, subscription_ids=("",)), "subscription_ids"),
        (example(Feedback, command_id=""), "command_id"),
        (example(PaymentFailed, amount_minor=10**15 + 1), "amount_minor"),
        (example(PaymentFailed, attempt=-1), "attempt"),
        (example(PaymentFailed, pay_url="javascript:alert(1)"), "pay_url"),
        (example(RenewalUpcoming, trial_days=-1), "trial_days"),
        (example(PaymentFailed, card=msgspec.structs.replace(CARD, exp_month=0)), "card.exp_month"),
        (example(PaymentFailed, card=msgspec.structs.replace(CARD, exp_month=13)), "card.exp_month"),
        (example(PaymentFailed, card=msgspec.structs.replace(CARD, exp_year=26)), "card.exp_year"),
        (example(PaymentFailed, card=msgspec.structs.replace(CARD, last4="341")), "card.last4"),
        (example(PaymentFailed, card=msgspec.structs.replace(CARD, last4="34x1")), "card.last4"),
        (
            example(PaymentFailed, card=msgspec.structs.replace(CARD, payment_method_id="")),
            "card.payment_method_id",
        ),
        (example(CustomerProfile, engagement=1.01), "engagement"),
        (example(CustomerProfile, engagement=float("nan")), "engagement"),
        (example(CustomerProfile, satisfaction=11), "satisfaction"),
    ],
)
def test_values_that_a_field_cannot_have(event: Any, field: str) -> None:
    error = refusal(event)
    assert (error.code, error.field) == (BadRecordCode.INVALID_FIELD, field)
    assert field in str(error)


@pytest.mark.parametrize("character", ["\0", "\n", "\t", "\x1b", "\x1f", "\x7f", "\x9b", "\u2028", "\u2029"])
@pytest.mark.parametrize(
    ("struct", "field", "named"),
    [
        (PaymentFailed, "event_id", "event_id"),
        (PaymentFailed, "customer_id", "customer_id"),
        (PaymentFailed, "invoice_id", "invoice_id"),
        (PaymentFailed, "subscription_id", "subscription_id"),
        (PaymentFailed, "decline_code", "decline_code"),
        (PaymentFailed, "network", "network"),
        (PaymentFailed, "advice_code", "advice_code"),
        (PaymentFailed, "pay_url", "pay_url"),
        (PaymentFailed, "card.payment_method_id", "card.payment_method_id"),
        (PaymentFailed, "card.brand", "card.brand"),
        (CardExpiring, "subscription_ids", "subscription_ids[0]"),
        (RenewalUpcoming, "plan_name", "plan_name"),
        (SubscriptionCancelled, "reason", "reason"),
        (CustomerProfile, "timezone", "timezone"),
        (CustomerProfile, "segments", "segments[0]"),
        (CustomerProfile, "seasonal_tags", "seasonal_tags[0]"),
        (Feedback, "command_id", "command_id"),
    ],
)
def test_control_characters(struct: type[Struct], field: str, named: str, character: str) -> None:
    value: Any = f"https://a{character}b"
    if field.startswith("card."):
        field, _, part = field.partition(".")
        value = msgspec.structs.replace(CARD, **{part: value})
    elif named.endswith("[0]"):
        value = (value,)
    error = refusal(example(struct, **{field: value}))
    assert (error.code, error.field) == (BadRecordCode.INVALID_FIELD, named)
    assert character not in str(error)


def test_every_text_of_every_input_is_looked_at() -> None:
    for topic in INPUTS:
        assert topic.struct is not None
        event = example(topic.struct)
        for field in msgspec.structs.fields(topic.struct):
            if isinstance(getattr(event, field.name), str) and field.type in (str, str | None):
                with pytest.raises(BadRecord):
                    validate(example(topic.struct, **{field.name: "https://\x1f"}), timestamp_ms=None)


def test_what_a_customer_wrote_may_have_lines_and_names_any_letters() -> None:
    for event in (
        example(Feedback, text="I will pay\r\n\ton Friday\u2028\x92thanks"),
        example(RenewalUpcoming, plan_name="Équipe\u00a0Ñandú 👩\u200d🌾"),
    ):
        assert DECODER.decode(topic_of(event).name, b"cus-orchard", ENCODER.encode(event), None, []) == event
    error = refusal(example(Feedback, text="stop\x1b[2J"))
    assert (error.code, error.field) == (BadRecordCode.INVALID_FIELD, "text")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(days=400), "400 days"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(days=1, minutes=30), "1 day 30 minutes"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), "2 days 3 hours"),
        (timedelta(hours=1, microseconds=1), "1 hour 0.000001 seconds"),
        (timedelta(seconds=61), "1 minute 1 second"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_durations_are_told_as_people_say_them(duration: timedelta, words: str) -> None:
    assert in_words(duration) == words


@pytest.mark.parametrize(
    "changes",
    [
        {"timezone": "Mars/Olympus"},
        {"locale": "tlh"},
        {"country": "??"},
        {"region": ""},
        {"channels": ()},
    ],
)
def test_what_the_engine_falls_back_from_is_no_bad_input(changes: dict[str, Any]) -> None:
    event = example(CustomerProfile, **changes)
    topic = topic_of(event).name
    assert DECODER.decode(topic, b"cus-orchard", ENCODER.encode(event), None, []) == event


def test_every_code_has_a_meaning() -> None:
    assert all(code.meaning.endswith(".") for code in BadRecordCode)


def _written(schema: Any, values: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, values)
    return stream.getvalue()
