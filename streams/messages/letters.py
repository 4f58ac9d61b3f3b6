"""Dead letters read back: what was wrong with a record, and the record as it was, to be sent again.

The topic of dead letters also holds marks: records with a null key and value whose headers say what became
of a letter. A mark lies in the letter's partition, after it. Kafka deletes a partition from its beginning, so
a letter never outlives its mark and is never taken for one that nobody has dealt with.

A record that is sent again carries, after its own headers, how often that has been done
(`dunning.replay.count`), where it was read first (`dunning.replay.origin`), and the letter that it comes from
(`dunning.replay.letter`), each place as `topic/partition/offset`.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from streams.messages.dead_letters import CONNECT_PREFIX, CUSTOMER_HEADER, FIRST_ADDED_HEADER, Header
from streams.messages.topics import DEAD_LETTERS

MOST_REPLAYS = 3
"""So often a record is sent again by default: one that comes back each time needs mending, not sending."""

_NUMBER = re.compile(r"[0-9]{1,19}")
_REPLAY = "dunning.replay."
_MARK = "dunning.dlq."


class Fate(StrEnum):
    """What became of a letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class LetterId(NamedTuple):
    """Where a letter lies in the topic of dead letters; in text `PARTITION:OFFSET`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter.

    Attributes:
        id: where it lies.
        origin: where the record was read when it failed; `None` if the headers do not say.
        first_origin: where it was read the first time; differs from `origin` once it has been replayed.
        replays: how often it has been sent again.
        reason: a `BadRecordCode`; empty if the headers do not say, and so are the following.
        field: path of the field that is to blame, if it is one.
        stage: what was being done.
        error: the error's class.
        message: the error's words.
        customer_id: whose decision failed on a tick; `None` in letters of other records.
        key: the record's.
        value: the record's.
        headers: the record's own, as it came first.
        timestamp_ms: the record's, in epoch milliseconds.
    """

    id: LetterId
    origin: Place | None
    first_origin: Place | None
    replays: int
    reason: str
    field: str | None
    stage: str
    error: str
    message: str
    customer_id: str | None
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp_ms: int


class Mark(Struct, frozen=True):
    """Says what became of a letter."""

    letter: LetterId
    fate: Fate


class Replay(NamedTuple):
    """A record as it is to be sent again: key, value, timestamp and place are those it had."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    timestamp_ms: int


def read_letter(
    letter: LetterId,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[Header],
    timestamp_ms: int,
) -> Letter | Mark:
    """Read a record of the topic of dead letters. One that somebody else wrote is a letter without origin."""
    own, added = _divide(headers)
    # A record with such headers of its own must not hide a letter: a mark has neither a content nor an error.
    if key is None and value is None and not added:
        mark = _mark(letter, {name: _text(content) for name, content in headers})
        if mark is not None:
            return mark
    own, replay = _without_replay(own)
    origin = _place_of(added)
    return Letter(
        id=letter,
        origin=origin,
        first_origin=_place(replay.get("origin", "")) or origin,
        replays=_number(replay.get("count", "")) or 0,
        reason=added.get("dunning.reason", ""),
        field=added.get("dunning.field"),
        stage=added.get(f"{CONNECT_PREFIX}stage", ""),
        error=added.get(f"{CONNECT_PREFIX}exception.class.name", ""),
        message=added.get(f"{CONNECT_PREFIX}exception.message", ""),
        customer_id=added.get(CUSTOMER_HEADER),
        key=key,
        value=value,
        headers=own,
        timestamp_ms=timestamp_ms,
    )


def refusal(letter: Letter, *, partitions: Mapping[str, int], most_replays: int) -> str | None:
    """Why a letter must not be sent again, in words; `None` if it may.

    Args:
        letter: it.
        partitions: how many each input has, by its name on the cluster.
        most_replays: how often a record may be sent again.
    """
    if letter.origin is None:
        return "its headers do not say where it came from"
    count = partitions.get(letter.origin.topic)
    if count is None:
        return f"{letter.origin.topic} is no input that exists; only inputs are sent again"
    if letter.origin.partition >= count:
        return f"{letter.origin.topic} has only {count} partitions"
    if letter.timestamp_ms <= 0:
        return "it has no timestamp, and a new one would change what is decided"
    if letter.replays >= most_replays:
        times = "once" if letter.replays == 1 else f"{letter.replays} times"
        return f"it has been sent again {times} already and came back"
    return None


def replay(letter: Letter, dead_letters: str = DEAD_LETTERS.name) -> Replay:
    """Make the record that is to be sent again.

    Args:
        letter: one that `refusal` has nothing against.
        dead_letters: the name that the topic of dead letters has on the cluster.
    """
    assert letter.origin is not None
    assert letter.first_origin is not None
    added = {
        "count": str(letter.replays + 1),
        "origin": _path(letter.first_origin),
        "letter": _path(Place(dead_letters, *letter.id)),
    }
    return Replay(
        topic=letter.origin.topic,
        partition=letter.origin.partition,
        key=letter.key,
        value=letter.value,
        headers=[*letter.headers, *((_REPLAY + name, text.encode()) for name, text in added.items())],
        timestamp_ms=letter.timestamp_ms,
    )


def mark_headers(mark: Mark) -> list[Header]:
    """The headers of a mark's record, which has neither key nor value."""
    said = {"fate": mark.fate, "partition": mark.letter.partition, "offset": mark.letter.offset}
    return [(_MARK + name, str(value).encode()) for name, value in said.items()]


def _mark(place: LetterId, headers: dict[str, str]) -> Mark | None:
    fate = headers.get(f"{_MARK}fate")
    partition, offset = (_number(headers.get(f"{_MARK}{name}", "")) for name in ("partition", "offset"))
    if fate not in (Fate.REPLAYED, Fate.DROPPED) or partition != place.partition or offset is None:
        return None
    return Mark(LetterId(partition, offset), Fate(fate)) if offset < place.offset else None


def _divide(headers: Sequence[Header]) -> tuple[tuple[Header, ...], dict[str, str]]:
    """A letter's headers: the record's own, and those that were added last."""
    places = [index for index, (name, _) in enumerate(headers) if name == FIRST_ADDED_HEADER]
    start = places[-1] if places else len(headers)
    return tuple(headers[:start]), {name: _text(value) for name, value in headers[start:]}


def _without_replay(headers: tuple[Header, ...]) -> tuple[tuple[Header, ...], dict[str, str]]:
    end = len(headers)
    while end and headers[end - 1][0].startswith(_REPLAY):
        end -= 1
    return headers[:end], {name.removeprefix(_REPLAY): _text(value) for name, value in headers[end:]}


def _place_of(added: dict[str, str]) -> Place | None:
    partition, offset = (
        _number(added.get(f"{CONNECT_PREFIX}{name}", "")) for name in ("partition", "offset")
    )
    topic = added.get(FIRST_ADDED_HEADER)
    return None if not topic or partition is None or offset is None else Place(topic, partition, offset)


def _path(place: Place) -> str:
    return "/".join(map(str, place))


def _place(text: str) -> Place | None:
    topic, _, rest = text.partition("/")
    partition, offset = map(_number, rest.partition("/")[::2])
    return None if not topic or partition is None or offset is None else Place(topic, partition, offset)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="backslashreplace")
