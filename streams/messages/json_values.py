"""Inputs as JSON instead of Avro: the form of a history's line, without `arrived_at`.

Fields that are not known are left out of account, as Avro's readers do with a newer writer's. `type` may be
left out; if it is there, it must be the topic's.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from streams.dunning.events import CustomerEvent
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.topics import Topic
from streams.messages.validation import Limits, validate_texts

# How msgspec says where in a value something is wrong.
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
# What it says of a symbol, which it then quotes.
_UNKNOWN_SYMBOL = re.compile(r"Invalid (enum )?value ")


def looks_like_json(value: bytes) -> bool:
    """Whether a value is a JSON object: no framing of Avro begins so."""
    return value[:1] == b"{"


def json_reader(topic: Topic) -> Callable[[bytes, Limits], CustomerEvent]:
    """Make what turns a topic's JSON into its event.

    What it makes raises `BadRecord`, whose message never quotes the value.
    """
    struct = topic.struct
    assert struct is not None

    def read(value: bytes, limits: Limits) -> CustomerEvent:
        try:
            values = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRecord(BadRecordCode.UNDECODABLE, "the value is no JSON") from error
        assert isinstance(values, dict)
        if values.pop("type", topic.kind) != topic.kind:
            raise BadRecord(
                BadRecordCode.WRONG_SCHEMA, f"the value's `type` is not {topic.kind}", field="type"
            )
        validate_texts(values, limits=limits)
        try:
            event: CustomerEvent = _in_utc(msgspec.convert(values, struct))
        except msgspec.ValidationError as error:
            raise _bad(str(error)) from error
        return event

    return read


def _bad(text: str) -> BadRecord:
    found = _AT.search(text)
    path = found["path"] if found else ""
    if _UNKNOWN_SYMBOL.match(text):
        words = f"{path} has a symbol that this version does not know"
        return BadRecord(BadRecordCode.UNKNOWN_SYMBOL, words, field=path)
    return BadRecord(
        BadRecordCode.INVALID_FIELD, f"{path or 'the value'}: {_AT.sub('', text)}", field=path or None
    )


def _in_utc(event: Any) -> Any:
    times: dict[str, datetime] = {}
    for name in event.__struct_fields__:
        moment = getattr(event, name)
        if not isinstance(moment, datetime):
            continue
        if moment.tzinfo is None:
            raise BadRecord(
                BadRecordCode.INVALID_FIELD,
                f"{name} has no offset from UTC; write for example 2026-01-01T10:00:00Z",
                field=name,
            )
        try:
            times[name] = moment.astimezone(UTC)
        except OverflowError as error:
            raise BadRecord(
                BadRecordCode.TIME_OUT_OF_RANGE, f"{name} lies outside the calendar", field=name
            ) from error
    return replace(event, **times)
