"""Histories as files: JSON lines in, JSON lines out.

A line of a history is one input: `type` (the topic's middle word), `arrived_at` (optional: when it reaches
the engine; `occurred_at` if left out) and the fields of its message. It must satisfy what an Avro record
must, with `arrived_at` in the place of the record's timestamp; there is no key. Empty lines are skipped, and
so is a byte order mark. Ticks are not in a history: whoever runs it makes them.

Lines that are written have `type` first, then the fields in the order of the struct, absent ones as null;
only within `outcomes` of a decision are fields left out that do not apply. Times are RFC 3339 in UTC, with
`Z`.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from streams.dunning.events import CustomerEvent
from streams.messages.card_numbers import mask
from streams.messages.control_characters import visible
from streams.messages.errors import BadRecord, MessageError
from streams.messages.instants import EPOCH, from_millis
from streams.messages.topics import INPUTS, topic_of
from streams.messages.validation import (
    DEFAULT_LIMITS,
    FIRST_MOMENT,
    LAST_MOMENT,
    Limits,
    validate,
    validate_texts,
)

MOST_PROBLEMS = 20
"""After so many bad lines reading stops: the file is of another kind, or one mistake runs through it."""

_KINDS: dict[str, type[Struct]] = {topic.kind: topic.struct for topic in INPUTS if topic.struct is not None}
_MILLISECOND = timedelta(milliseconds=1)


class Arrival(NamedTuple):
    """An input and when it reaches the engine (UTC, whole milliseconds, as Kafka's timestamps are)."""

    arrived_at: datetime
    event: CustomerEvent


class Problem(NamedTuple):
    """What is wrong with one line.

    Attributes:
        line: its number, from 1.
        field: path of the field that is to blame; `None` if it is the line as a whole.
        message: what is wrong, for people.
    """

    line: int
    field: str | None
    message: str

    @property
    def sentence(self) -> str:
        """The field, if there is one, and the message."""
        return self.message if self.field is None else f"{self.field}: {self.message}"


class HistoryError(MessageError):
    """A history has bad lines.

    Attributes:
        source: the file's name.
        problems: one for each bad line, `MOST_PROBLEMS` at most.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        lines = [f"{source}:{problem.line}: {problem.sentence}" for problem in problems]
        if len(problems) == MOST_PROBLEMS:
            lines.append(f"{source}: reading stopped after {MOST_PROBLEMS} bad lines")
        super().__init__("\n".join(lines))


class _LineError(Exception):
    def __init__(self, message: str, field: str | None = None) -> None:
        self.field = None if field is None else visible(field)
        super().__init__(visible(mask(message)))


def read_history(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> list[Arrival]:
    """Read a history from a file.

    Returns:
        The inputs in order of arrival; those that arrive in the same millisecond in order of their lines.

    Raises:
        HistoryError: there are bad lines; all are named, up to `MOST_PROBLEMS`.
        OSError: the file cannot be read.
    """
    with path.open("rb") as lines:
        return parse_history(lines, source=str(path), limits=limits)


def parse_history(
    lines: Iterable[bytes | str], *, source: str, limits: Limits = DEFAULT_LIMITS
) -> list[Arrival]:
    """Read a history from its lines; see `read_history`.

    Args:
        lines: one input each.
        source: what errors call the file.
        limits: how far an input may go.

    Raises:
        HistoryError: there are bad lines.
    """
    arrivals: list[Arrival] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines, start=1):
        line = _without_byte_order_mark(text) if number == 1 else text
        if number == 1 and _is_utf_16(line):
            raise HistoryError(source, (Problem(number, None, "is UTF-16; save the file as UTF-8"),))
        if not line.strip():
            continue
        try:
            arrivals.append(_parse_line(line, limits))
        except _LineError as error:
            problems.append(Problem(number, error.field, str(error)))
        except RecursionError:
            problems.append(Problem(number, None, "is nested too deeply"))
        except BadRecord as error:
            problems.append(Problem(number, error.field, str(error).removeprefix(f"{error.field} ")))
        if len(problems) == MOST_PROBLEMS:
            break
    if problems:
        raise HistoryError(source, tuple(problems))
    arrivals.sort(key=lambda arrival: arrival.arrived_at)
    return arrivals


def to_json_line(message: Struct, *, arrived_at: datetime | None = None) -> str:
    """Write an event, a command or a decision as one line, without the line's end.

    Args:
        message: a struct that has a topic.
        arrived_at: when an event reaches the engine, if it is to be said.

    Raises:
        UnknownTopicError: the struct has no topic.
    """
    kind = topic_of(message).kind
    text = _ENCODER.encode(message).decode()
    if arrived_at is None:
        return text
    start = f'{{"type":"{kind}",'
    assert text.startswith(start)
    return f'{start}"arrived_at":{_ENCODER.encode(arrived_at).decode()},{text.removeprefix(start)}'


# "Deterministic" sorts the keys of maps; a struct's fields keep their order.
_ENCODER = msgspec.json.Encoder(order="deterministic")


def _without_byte_order_mark(line: bytes | str) -> bytes | str:
    return line.removeprefix(BOM_UTF8) if isinstance(line, bytes) else line.removeprefix("\ufeff")


def _is_utf_16(line: bytes | str) -> bool:
    # Without a byte order mark, the other half of an ASCII character tells.
    return isinstance(line, bytes) and (line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in line[:2])


def _parse_line(line: bytes | str, limits: Limits) -> Arrival:
    try:
        values = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise _LineError(f"is not JSON: {error}") from error
    except UnicodeEncodeError as error:
        raise _LineError(f"is not UTF-8: {error.reason}") from error
    if not isinstance(values, dict):
        raise _LineError("is not a JSON object")
    struct = _struct_of(values.pop("type", None))
    validate_texts(values, limits=limits)
    said = values.pop("arrived_at", None)
    _refuse_unknown_fields(values, msgspec.inspect.type_info(struct), "")
    event = _in_utc(_convert(values, struct, None))
    arrived_at = (
        event.occurred_at if said is None else _utc(_convert(said, datetime, "arrived_at"), "arrived_at")
    )
    if not FIRST_MOMENT <= arrived_at < LAST_MOMENT:
        raise _LineError(f"lies outside {FIRST_MOMENT.year} to {LAST_MOMENT.year}", "arrived_at")
    timestamp_ms = (arrived_at - EPOCH) // _MILLISECOND
    validate(event, timestamp_ms=timestamp_ms, limits=limits)
    return Arrival(from_millis(timestamp_ms), event)


def _struct_of(kind: Any) -> type[Struct]:
    known = ", ".join(_KINDS)
    if kind is None:
        raise _LineError(f"is missing; it is one of {known}", "type")
    if kind == "tick":
        raise _LineError("ticks are not part of a history; whoever runs it makes them", "type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _LineError(f"{str(kind)[:64]!r} is not known; it is one of {known}", "type")
    return _KINDS[kind]


def _refuse_unknown_fields(values: dict[str, Any], info: msgspec.inspect.Type, path: str) -> None:
    """The domain's structs take what they know and leave the rest; a misspelt field must not pass unseen."""
    if isinstance(info, msgspec.inspect.UnionType):
        info = next(branch for branch in info.types if not isinstance(branch, msgspec.inspect.NoneType))
    if not isinstance(info, msgspec.inspect.StructType):
        return
    types = {field.encode_name: field.type for field in info.fields}
    for name, value in values.items():
        if name not in types:
            raise _LineError(f"is not a field; known are {', '.join(types)}", f"{path}{mask(name[:64])}")
        if isinstance(value, dict):
            _refuse_unknown_fields(value, types[name], f"{path}{name}.")


# How msgspec says where in a value something is wrong, and which field is missing.
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]+)`$")


def _convert(value: Any, type_: Any, field: str | None) -> Any:
    try:
        return msgspec.convert(value, type=type_)
    except msgspec.ValidationError as error:
        text = str(error)
        path = match["path"] if (match := _AT.search(text)) else ""
        text = _AT.sub("", text)
        if (match := _MISSING.match(text)) is not None:
            raise _LineError("is missing", f"{path}.{match['name']}".removeprefix(".")) from error
        raise _LineError(f"{text[:1].lower()}{text[1:]}", field or path or None) from error


def _in_utc(event: Any) -> Any:
    times = {
        name: _utc(value, name)
        for name in event.__struct_fields__
        if isinstance(value := getattr(event, name), datetime) and value.tzinfo is not UTC
    }
    return msgspec.structs.replace(event, **times) if times else event


def _utc(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise _LineError("has no offset from UTC; write for example 2026-01-01T10:00:00Z", field)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _LineError("lies outside the calendar", field) from error
