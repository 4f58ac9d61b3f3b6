"""What every input must satisfy beyond its schema, whether it comes as Avro or as a line of JSON.

A field's name means the same in every event, so there is one rule per name. Not checked, on purpose: a time
zone, locale, country or region that is not known is no bad input; the engine falls back (the country's zone,
then UTC; the policy's fallback locale).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from streams.dunning.events import Card, Input, Tick
from streams.messages.card_numbers import holds_card_number
from streams.messages.control_characters import holds_control_character, prose_holds_control_character
from streams.messages.currencies import MINOR_UNITS
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.instants import from_millis
from streams.messages.topics import INPUTS

FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)
"""No time in a message lies before the one or at or after the other: outside, a unit was mistaken."""

FIRST_CUSTOMER_SINCE = datetime(1900, 1, 1, tzinfo=UTC)
"""Customers of old companies are older than Unix."""

HIGHEST_AMOUNT_MINOR = 10**15
"""Ten trillion in a currency with cents: above it, a unit was mistaken. Fits Avro's and JSON's integers."""

CARD_YEARS = range(1970, 2101)
HIGHEST_ATTEMPT = 10_000
HIGHEST_TRIAL_DAYS = 3_660


class Limits(Struct, frozen=True, kw_only=True):
    """How far an input may go; a deployment may set others.

    Attributes:
        ahead: how far `occurred_at` (of a tick: `now`) may lie after the record's timestamp. An hour is what
            Kafka grants a record's timestamp over the broker's clock.
        behind: how far it may lie before the record's timestamp: a year, and a month for stragglers.
        text_bytes: how long a text may be, in UTF-8.
        items: how many items a list may have.
    """

    ahead: timedelta = timedelta(hours=1)
    behind: timedelta = timedelta(days=400)
    text_bytes: int = 4096
    items: int = 1000


DEFAULT_LIMITS = Limits()


def validate(event: Input, *, timestamp_ms: int | None, limits: Limits = DEFAULT_LIMITS) -> None:
    """Check an input's fields, but not its texts (`validate_texts`).

    Args:
        event: the input.
        timestamp_ms: the record's timestamp in epoch milliseconds; `None` if it has none, in which case
            `occurred_at` is checked against the calendar only.
        limits: how far it may go.

    Raises:
        BadRecord: with the first rule that is broken.
    """
    if isinstance(event, Tick):
        _moment("now", event.now)
        _near(event.now, "now", timestamp_ms, limits)
        return
    if not event.customer_id:
        raise BadRecord(BadRecordCode.MISSING_CUSTOMER, "customer_id is empty", field="customer_id")
    _name("customer_id", event.customer_id)
    for name, rule in _RULES_BY_STRUCT[type(event)]:
        value = getattr(event, name)
        if value is not None:
            rule(name, value)
    _near(event.occurred_at, "occurred_at", timestamp_ms, limits)


def validate_texts(values: Any, *, limits: Limits = DEFAULT_LIMITS) -> None:
    """Check every text, key and list in a record's plain values, however deep.

    Raises:
        BadRecord: a text holds a card number or is too long, or a list is too long. Its message never has
            the text.
    """
    for path, text in _texts(values, "", limits):
        if holds_card_number(text):
            raise BadRecord(
                BadRecordCode.CARD_NUMBER, f"{path} holds what looks like a card number", field=path
            )
        # A character takes four bytes at most, so most texts need no encoding to be measured.
        if len(text) * 4 > limits.text_bytes and len(text.encode(errors="replace")) > limits.text_bytes:
            raise BadRecord(
                BadRecordCode.TOO_LONG,
                f"{path} is longer than {limits.text_bytes} bytes",
                field=path,
            )


def _texts(value: Any, path: str, limits: Limits) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f"a field name in {path or 'the record'}", name
            yield from _texts(item, f"{path}.{name}" if path else name, limits)
    elif isinstance(value, list | tuple):
        if len(value) > limits.items:
            raise BadRecord(BadRecordCode.TOO_LONG, f"{path} has more than {limits.items} items", field=path)
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]", limits)


def _near(moment: datetime, name: str, timestamp_ms: int | None, limits: Limits) -> None:
    if timestamp_ms is None:
        return
    try:
        distance = moment - from_millis(timestamp_ms)
    except OverflowError:
        raise BadRecord(
            BadRecordCode.TIME_OUT_OF_RANGE, "the record's own timestamp is in no calendar"
        ) from None
    if distance > limits.ahead:
        raise BadRecord(
            BadRecordCode.TIME_OUT_OF_RANGE,
            f"{name} is {in_words(distance)} after the record's timestamp; "
            f"the limit is {in_words(limits.ahead)}",
            field=name,
        )
    if -distance > limits.behind:
        raise BadRecord(
            BadRecordCode.TIME_OUT_OF_RANGE,
            f"{name} is {in_words(-distance)} before the record's timestamp; "
            f"the limit is {in_words(limits.behind)}",
            field=name,
        )


def in_words(duration: timedelta) -> str:
    """A duration above zero for people, by its two largest units: `400 days`, `1 hour 30 minutes`."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{duration.microseconds:06}".rstrip("0").rstrip(".")
    counts = {
        "day": str(duration.days),
        "hour": str(hours),
        "minute": str(minutes),
        "second": f"{seconds}{fraction}",
    }
    told = [f"{count} {unit}{'' if count == '1' else 's'}" for unit, count in counts.items() if count != "0"]
    return " ".join(told[:2]) or "0 seconds"


def _invalid(name: str, what: str) -> BadRecord:
    return BadRecord(BadRecordCode.INVALID_FIELD, f"{name} {what}", field=name)


def _name(name: str, value: str) -> None:
    if holds_control_character(value):
        raise _invalid(name, "holds a control character")


def _names(name: str, values: tuple[str, ...]) -> None:
    for index, value in enumerate(values):
        _name(f"{name}[{index}]", value)


def _prose(name: str, value: str) -> None:
    if prose_holds_control_character(value):
        raise _invalid(name, "holds a control character other than a tab or the end of a line")


def _identifier(name: str, value: str) -> None:
    if not value:
        raise _invalid(name, "is empty")
    _name(name, value)


def _identifiers(name: str, values: tuple[str, ...]) -> None:
    if not all(values):
        raise _invalid(name, "has an empty identifier")
    _names(name, values)


def _moment(name: str, value: datetime) -> None:
    if not FIRST_MOMENT <= value < LAST_MOMENT:
        raise BadRecord(
            BadRecordCode.TIME_OUT_OF_RANGE,
            f"{name} lies outside {FIRST_MOMENT.year} to {LAST_MOMENT.year}",
            field=name,
        )


def _customer_since(name: str, value: datetime) -> None:
    if not FIRST_CUSTOMER_SINCE <= value < LAST_MOMENT:
        raise BadRecord(
            BadRecordCode.TIME_OUT_OF_RANGE,
            f"{name} lies outside {FIRST_CUSTOMER_SINCE.year} to {LAST_MOMENT.year}",
            field=name,
        )


def _amount(name: str, value: int) -> None:
    if value < 0:
        raise BadRecord(BadRecordCode.NEGATIVE_AMOUNT, f"{name} is below zero", field=name)
    if value > HIGHEST_AMOUNT_MINOR:
        raise _invalid(name, f"is above {HIGHEST_AMOUNT_MINOR:.0e} minor units")


def _currency(name: str, value: str) -> None:
    if value not in MINOR_UNITS:
        raise BadRecord(
            BadRecordCode.UNKNOWN_CURRENCY,
            f"{name} {value[:8]!r} is no ISO 4217 code (three capitals, for example EUR)",
            field=name,
        )


def _card(name: str, value: Card) -> None:
    _identifier(f"{name}.payment_method_id", value.payment_method_id)
    _name(f"{name}.brand", value.brand)
    if len(value.last4) != 4 or not value.last4.isdecimal() or not value.last4.isascii():
        raise _invalid(f"{name}.last4", "is not four digits")
    if not 1 <= value.exp_month <= 12:
        raise _invalid(f"{name}.exp_month", "is not from 1 to 12")
    if value.exp_year not in CARD_YEARS:
        raise _invalid(f"{name}.exp_year", f"is not from {CARD_YEARS[0]} to {CARD_YEARS[-1]}")


def _web_address(name: str, value: str) -> None:
    # It is put into messages as a link: nothing that a browser would run.
    if not value.lower().startswith(("https://", "http://")):
        raise _invalid(name, "starts with neither https:// nor http://")
    _name(name, value)


def _within(lowest: float, highest: float) -> Callable[[str, float], None]:
    def check(name: str, value: float) -> None:
        # Written so that "not a number", which compares as false, is refused.
        if not lowest <= value <= highest:
            raise _invalid(name, f"is not from {lowest} to {highest}")

    return check


_RULES: Mapping[str, Callable[[str, Any], None]] = {
    "event_id": _identifier,
    "occurred_at": _moment,
    "invoice_id": _identifier,
    "subscription_id": _identifier,
    "subscription_ids": _identifiers,
    "command_id": _identifier,
    "amount_minor": _amount,
    "previous_amount_minor": _amount,
    "currency": _currency,
    "attempt": _within(0, HIGHEST_ATTEMPT),
    "next_retry_at": _moment,
    "renews_at": _moment,
    "trial_days": _within(0, HIGHEST_TRIAL_DAYS),
    "card": _card,
    "pay_url": _web_address,
    "customer_since": _customer_since,
    "last_seen_at": _moment,
    "engagement": _within(0, 1),
    "satisfaction": _within(0, 10),
    "promised_until": _moment,
    "text": _prose,
}


def _rules_of(struct: type[Struct]) -> tuple[tuple[str, Callable[[str, Any], None]], ...]:
    fields = msgspec.structs.fields(struct)
    rules = ((field.name, _RULES.get(field.name) or _rule_of_texts(field.type)) for field in fields)
    # The customer comes before all rules.
    return tuple((name, rule) for name, rule in rules if rule is not None and name != "customer_id")


def _rule_of_texts(type_: Any) -> Callable[[str, Any], None] | None:
    """What every text must satisfy that has no rule of its own."""
    if type_ in (str, str | None):
        return _name
    return _names if type_ == tuple[str, ...] else None


_RULES_BY_STRUCT = {topic.struct: _rules_of(topic.struct) for topic in INPUTS if topic.struct is not None}
