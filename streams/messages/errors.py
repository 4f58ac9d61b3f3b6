"""What can go wrong with a message: one tree, told to the person who has to put it right."""

from enum import StrEnum
from typing import Self

from streams.messages.card_numbers import mask


class MessageError(Exception):
    """The root of this package's errors."""


class SchemaError(MessageError):
    """A schema file is missing, is not Avro, or does not fit the struct that it describes: a defect."""


class UnknownTopicError(MessageError):
    """A topic that is not in the list of topics was asked for.

    Attributes:
        topic: its name.
    """

    def __init__(self, topic: str, known: str) -> None:
        self.topic = topic
        super().__init__(f"there is no topic or kind {mask(topic)!r}; known are: {known}")


class EncodingError(MessageError):
    """A struct cannot be written with its topic's schema: a defect of whoever made the struct.

    Attributes:
        topic: where it was to go.
    """

    def __init__(self, topic: str, reason: str) -> None:
        self.topic = topic
        super().__init__(f"a message for {topic} cannot be written: {mask(reason)}")


class BadRecordCode(StrEnum):
    """Why a record cannot be used: the closed list. Dead letters carry it and are counted by it.

    Attributes:
        meaning: the code in words.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a member from its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    NULL_VALUE = "null_value", "The value is null (a tombstone): there is nothing to act on."
    NOT_AVRO = "not_avro", "The value starts with no framing that is known."
    UNKNOWN_SCHEMA = "unknown_schema", "The framing names a schema that cannot be found."
    WRONG_SCHEMA = (
        "wrong_schema",
        "The value was written with another topic's schema, or one that cannot be read as this topic's.",
    )
    UNDECODABLE = "undecodable", "The schema is known, and the bytes do not follow it."
    MISSING_CUSTOMER = "missing_customer", "The key or `customer_id` is missing or empty."
    KEY_MISMATCH = "key_mismatch", "The key is not `customer_id` in UTF-8."
    UNKNOWN_CURRENCY = "unknown_currency", "`currency` is no ISO 4217 code."
    NEGATIVE_AMOUNT = "negative_amount", "An amount is below zero."
    TIME_OUT_OF_RANGE = "time_out_of_range", "A time lies in the far future or past."
    CARD_NUMBER = "card_number", "A text holds what looks like a card number."
    UNKNOWN_SYMBOL = "unknown_symbol", "An enumeration has a symbol that this version does not know."
    TOO_LONG = "too_long", "A text or a list is longer than the limit."
    INVALID_FIELD = (
        "invalid_field",
        "A field has a value that it cannot have, for example a thirteenth month, or a control character.",
    )
    PROCESSING_FAILED = "processing_failed", "The record was good; what was done with it failed every time."


class BadRecord(MessageError):  # noqa: N818 - it is what the record is, and the word that dead letters use
    """A record that cannot be used, now or later; it belongs to the dead letters.

    Attributes:
        code: why.
        field: path of the field that is to blame, for example `card.exp_month`; `None` if it is no field.
    """

    def __init__(self, code: BadRecordCode, message: str, *, field: str | None = None) -> None:
        self.code = code
        self.field = field
        super().__init__(mask(message))
