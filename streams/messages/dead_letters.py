"""Dead letters: records that cannot be used, kept whole; and the limit on how many there may be.

A dead letter has the record's key, value, headers and timestamp unchanged, so that it can be mended and sent
again (`streams.messages.letters`). Headers are added at the end: Kafka Connect's names (KIP-298,
`__connect.errors.*`), which tools know, and `dunning.reason` and `dunning.field`. If a record fails a second
time, the last header of each name is the latest.

A record that is here for a card number still holds it: who may read this topic is to be restricted.
"""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from streams.messages.card_numbers import mask
from streams.messages.errors import BadRecord, BadRecordCode

Header = tuple[str, bytes | None]

CUSTOMER_HEADER = "dunning.customer_id"
"""Whose decision failed, in the dead letter of a tick, which has no key."""

LONGEST_MESSAGE = 1000
"""Characters of an error's message that are kept; a validation error can be as long as its input."""

CONNECT_PREFIX = "__connect.errors."
FIRST_ADDED_HEADER = f"{CONNECT_PREFIX}topic"
"""Where the record's own headers end: the last one of this name is the first of those that are added."""


class Stage(StrEnum):
    """What was being done with the record.

    Attributes:
        component: the class or function that does it.
    """

    component: str

    def __new__(cls, value: str, component: str) -> Self:
        """Make a member from its value and its component."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.component = component
        return member

    DECODE = "decode", "streams.messages.codec.Decoder"
    DECIDE = "decide", "streams.dunning.decide"
    EMIT = "emit", "streams.messages.codec.Encoder"


class SourceRecord(Protocol):
    """A record as it was read."""

    @property
    def topic(self) -> str:
        """Where it was read."""
        ...

    @property
    def partition(self) -> int:
        """Of the topic."""
        ...

    @property
    def offset(self) -> int:
        """In the partition."""
        ...

    @property
    def key(self) -> bytes | None:
        """As it came."""
        ...

    @property
    def value(self) -> bytes | None:
        """As it came."""
        ...

    @property
    def headers(self) -> Sequence[Header]:
        """As they came, in their order."""
        ...

    @property
    def timestamp(self) -> int:
        """Epoch milliseconds; -1 if it has none."""
        ...


class DeadLetter(NamedTuple):
    """What is to be sent to the dead letters.

    Attributes:
        key: the record's.
        value: the record's.
        headers: the record's, and those that say what happened.
        timestamp_ms: the record's, in epoch milliseconds; `None` if it has none.
    """

    key: bytes | None
    value: bytes | None
    headers: list[Header]
    timestamp_ms: int | None


def dead_letter(
    record: SourceRecord,
    error: BaseException,
    stage: Stage,
    *,
    component: str | None = None,
) -> DeadLetter:
    """Make the dead letter of a record.

    Args:
        record: as it was read.
        error: what happened; numbers that could be a card's are masked in its message.
        stage: what was being done.
        component: the class or function that was doing it; the stage's unless given.
    """
    code = error.code if isinstance(error, BadRecord) else BadRecordCode.PROCESSING_FAILED
    kind = type(error)
    added = {
        FIRST_ADDED_HEADER: record.topic,
        f"{CONNECT_PREFIX}partition": str(record.partition),
        f"{CONNECT_PREFIX}offset": str(record.offset),
        f"{CONNECT_PREFIX}stage": stage.value,
        f"{CONNECT_PREFIX}class.name": component or stage.component,
        f"{CONNECT_PREFIX}exception.class.name": f"{kind.__module__}.{kind.__qualname__}",
        f"{CONNECT_PREFIX}exception.message": mask(str(error))[:LONGEST_MESSAGE],
        "dunning.reason": code.value,
    }
    if isinstance(error, BadRecord) and error.field is not None:
        added["dunning.field"] = error.field
    return DeadLetter(
        key=record.key,
        value=record.value,
        headers=[
            *record.headers,
            *((name, text.encode(errors="backslashreplace")) for name, text in added.items()),
        ],
        timestamp_ms=None if record.timestamp < 0 else record.timestamp,
    )


class DeadLetterLimit:
    """Tells when so many of the recent records are bad that the deployment, not the records, must be wrong.

    The worker should then stop with its round aborted: otherwise a wrong schema or topic would, in minutes,
    move a whole topic into the dead letters. It looks at the last `window` records; until `minimum` have
    been seen nothing is said, so that a few bad ones after a start do not stop it. The window starts empty
    with the process: a supervisor that starts it again at once lets up to `minimum` more through each time,
    unless the exit code tells it not to.

    Args:
        window: how many records are looked at.
        highest_share: the share of bad ones, above 0 and up to 1, that is still accepted.
        minimum: how many must have been seen; at most `window`.

    Raises:
        ValueError: the numbers make no sense.
    """

    def __init__(self, *, window: int = 200, highest_share: float = 0.5, minimum: int = 100) -> None:
        if not 1 <= minimum <= window:
            raise ValueError(f"minimum must be from 1 to the window of {window}, not {minimum}")
        if not 0 < highest_share <= 1:
            raise ValueError(f"highest_share must be above 0 and at most 1, not {highest_share}")
        self._recent: deque[bool] = deque(maxlen=window)
        self._bad = 0
        self._highest_share = highest_share
        self._minimum = minimum

    def observe(self, *, bad: bool) -> None:
        """Count one record."""
        if len(self._recent) == self._recent.maxlen:
            self._bad -= self._recent[0]
        self._recent.append(bad)
        self._bad += bad

    @property
    def share(self) -> float:
        """The share of bad records in the window, from 0 to 1; 0 before the first."""
        return self._bad / len(self._recent) if self._recent else 0.0

    @property
    def exceeded(self) -> bool:
        """Whether the worker should stop."""
        return len(self._recent) >= self._minimum and self.share > self._highest_share

    def __str__(self) -> str:
        return (
            f"{self._bad} of the last {len(self._recent)} records were bad; "
            f"more than {self._highest_share:.0%} stops the worker"
        )
