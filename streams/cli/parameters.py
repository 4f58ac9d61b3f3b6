"""How times, durations and outages are written on the command line."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer

from streams.lab.ticks import Outage

_SHORT_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_moment(text: str) -> datetime:
    """An RFC 3339 time with its offset, or a date, which means its midnight in UTC.

    Raises:
        typer.BadParameter: It is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-03-01T09:00:00Z, and no date") from None
    if moment.tzinfo is None:
        if len(text) > len("2026-03-01"):
            raise typer.BadParameter(f"{text!r} does not say in which zone; write {text}Z for UTC")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def parse_duration(text: str) -> timedelta:
    """A number with `ms`, `s`, `m`, `h` or `d`, or an ISO 8601 duration such as PT1H.

    Raises:
        typer.BadParameter: It is neither.
    """
    short = _SHORT_DURATION.fullmatch(text)
    try:
        if short is not None:
            return int(short[1]) * _UNITS[short[2]]
        return msgspec.convert(text, timedelta)
    except (msgspec.ValidationError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no duration such as 30s, 1m, 6h, 1d or PT1H30M") from None


def parse_tick_interval(text: str | timedelta) -> timedelta:
    """A duration that ticks may lie apart: positive, in whole milliseconds. Typer hands defaults in, too."""
    interval = text if isinstance(text, timedelta) else parse_duration(text)
    if interval <= timedelta(0) or interval % _UNITS["ms"]:
        raise typer.BadParameter(f"{text!r} is not a positive number of whole milliseconds")
    return interval


def parse_outage(text: str) -> Outage:
    """Two times with a slash between.

    Raises:
        typer.BadParameter: They are not, or the second lies before the first.
    """
    start, separator, end = text.partition("/")
    if not separator:
        raise typer.BadParameter(f"{text!r} is no FROM/TO such as 2026-01-03T00:00:00Z/2026-01-05T12:00:00Z")
    try:
        return Outage(parse_moment(start), parse_moment(end))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@dataclass(frozen=True, slots=True)
class Publication:
    """A policy, by its name or path, and when it is published (UTC)."""

    at: datetime
    policy: str


def parse_publication(text: str) -> Publication:
    """A time, an equals sign, and the name or path of a policy.

    Raises:
        typer.BadParameter: It is not.
    """
    moment, separator, policy = text.partition("=")
    if not separator or not policy:
        raise typer.BadParameter(f"{text!r} is no TIME=FILE such as 2026-03-01T09:00:00Z=gentle.yaml")
    return Publication(parse_moment(moment), policy)


TickEvery = Annotated[
    timedelta,
    typer.Option(
        "--tick-every",
        parser=parse_tick_interval,
        metavar="DURATION",
        show_default="1m",
        help="How far the ticks of virtual time lie apart: 30s, 1m, 1h ...",
    ),
]

Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=parse_moment,
        metavar="TIME",
        help="Stop here (included): RFC 3339, or a date for its midnight in UTC.",
    ),
]

Outages = Annotated[
    list[Outage] | None,
    typer.Option(
        "--outage",
        parser=parse_outage,
        metavar="FROM/TO",
        help="No worker runs from FROM to TO; what arrives meanwhile is handled at TO. May be repeated.",
    ),
]
