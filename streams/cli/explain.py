"""`dunning explain`: one customer, how things stand, what happened and why, and what is to come."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from textwrap import shorten
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from streams.cli.clients import client_properties, command_settings, connect
from streams.cli.console import Format, Output, data_console, print_json, print_line
from streams.cli.errors import CommandError
from streams.cli.outputs import money
from streams.cli.parameters import parse_duration, parse_moment
from streams.dunning.explanation import AHEAD, Explanation
from streams.dunning.reason_words import FACTORS
from streams.dunning.situation import OpenCase, OpenPlan, Situation
from streams.dunning.story import CHANNELS, Entry, Kind
from streams.lab.customer_log import Places
from streams.lab.explain import BACK, explain_customer
from streams.policy import load

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LONGEST_TEXT = 70
_MARKS = {Kind.EVENT: "·", Kind.CONTACT: "→", Kind.NOT_SENT: "○", Kind.ACCOUNT: "■", Kind.CASE: "-"}
_STYLES = {Kind.CONTACT: "cyan", Kind.NOT_SENT: "yellow", Kind.ACCOUNT: "bold red"}


def _duration(text: str | timedelta) -> timedelta:
    """Typer hands defaults in, too."""
    return text if isinstance(text, timedelta) else parse_duration(text)


@app.command(short_help="Explain one customer: state, what was sent and not sent and why, what is to come.")
def explain(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=parse_moment,
            metavar="TIME",
            show_default="now",
            help="As of this time: RFC 3339, or a date for its midnight in UTC.",
        ),
    ] = None,
    back: Annotated[
        timedelta,
        typer.Option(
            "--back",
            parser=_duration,
            metavar="DURATION",
            show_default="100d",
            help="How far back things are told.",
        ),
    ] = BACK,
    ahead: Annotated[
        timedelta,
        typer.Option(
            "--ahead",
            parser=_duration,
            metavar="DURATION",
            show_default="120d",
            help="How far things to come are told.",
        ),
    ] = AHEAD,
    output: Output = Format.TABLE,
) -> None:
    """Explain one customer: how things stand, what was sent and not sent and why, and what is to come.

    All of it is read from the customer's partition in Kafka: the state from the changelog, the rest from the
    log of decisions and from the commands and events that it is about. What is to come assumes silence:
    nobody pays, answers or changes anything, and nothing bounces. Times are by the customer's clock.

    With --at in the past the state is shown as far as the changelog has not been compacted since. The exit
    code is 1 if nothing is known of the customer.
    """
    settings = command_settings()
    connect(settings)
    places = Places(
        client_properties(settings),
        settings.topic,
        settings.engine("ticks").changelog,
        settings.registry(),
    )
    explanation = explain_customer(
        places, customer, partial(load, settings.policy), at=at, back=back, ahead=ahead
    )
    if not explanation.is_known:
        raise CommandError(f"nothing is known of a customer {customer!r}; ids are spelt exactly")
    if output is Format.TABLE:
        _print(data_console(), explanation)
    elif output is Format.JSON:
        print_json(explanation)
    else:
        print_line(msgspec.json.encode(explanation).decode())


def _print(console: Console, explanation: Explanation) -> None:
    zone = ZoneInfo(explanation.zone)
    console.print(Text(explanation.customer_id, style="bold"), Text(f"({explanation.zone})"))
    _print_lines(console, [f"as of {_moment(explanation.at, zone)}", *explanation.notes])
    if explanation.now is None and explanation.is_state_known:
        _print_lines(console, ["nothing is kept of this customer: nothing is open, and nothing is to come"])
    if explanation.now is not None:
        _print_lines(console, _situation(explanation.now, zone))
    for title, entries in (
        ("What happened", explanation.past),
        ("What is to come if nothing happens", explanation.ahead),
    ):
        console.print()
        console.print(Text(title, style="bold"))
        if not entries:
            _print_lines(console, ["nothing"])
        for entry in entries:
            _print_entry(console, entry, zone)


def _print_lines(console: Console, lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        console.print(Text(f"  {line}"), soft_wrap=True)


def _print_entry(console: Console, entry: Entry, zone: ZoneInfo) -> None:
    line = Text(f"  {_moment(entry.at, zone)}  ")
    line.append(f"{_MARKS[entry.kind]} {entry.what}", style=_STYLES.get(entry.kind, ""))
    for part in _details(entry, zone):
        line.append(f"  {part}")
    console.print(line, soft_wrap=True)


def _details(entry: Entry, zone: ZoneInfo) -> Iterator[str]:
    if entry.channel is not None and entry.kind is Kind.NOT_SENT:
        yield CHANNELS[entry.channel]
    if entry.steps:
        yield ", ".join(entry.steps)
    if entry.amount_minor is not None:
        yield money(entry.amount_minor, entry.currency)
    if entry.text:
        text = shorten(entry.text, _LONGEST_TEXT, placeholder=" …")
        yield f"“{text}”" if entry.kind is Kind.CONTACT else f"({text})"
    if entry.reports:
        yield f"[{', '.join(entry.reports)}]"
    if entry.why:
        yield f"— {entry.why}"
    if entry.missing:
        yield f"missing: {', '.join(entry.missing)}"
    if entry.last_at is not None:
        yield f"({entry.times} times, last {_moment(entry.last_at, zone)})"
    if entry.other_at is not None:
        yield f"{entry.other_is} {_moment(entry.other_at, zone)}"


def _situation(now: Situation, zone: ZoneInfo) -> Iterator[str]:
    factors = ", ".join(f"{FACTORS[each.factor]} {each.points}" for each in now.risk.factors)
    yield f"segment {now.segment or '-'}, risk {now.risk.score} of 100{f' ({factors})' if factors else ''}"
    if now.exempt:
        yield "never to be reminded"
    for subscription_id in now.suspended:
        yield f"suspended: {_subject(subscription_id)}"
    if now.promised_until is not None:
        has = "promised" if now.promised_until >= now.at else "had promised"
        yield f"{has} to pay by {_moment(now.promised_until, zone)}"
    if now.responded_at is not None:
        yield f"last response {_moment(now.responded_at, zone)}"
    if now.disputed:
        yield f"in dispute: {', '.join(now.disputed)}"
    usable = ", ".join(CHANNELS[each.channel] for each in now.channels if each.usable)
    closed = ", ".join(f"{CHANNELS[each.channel]} ({each.why})" for each in now.channels if not each.usable)
    yield f"reached by {usable or 'nothing'}{f'; not by {closed}' if closed else ''}"
    for case in now.cases:
        yield from _case(case, zone)
    for plan in now.plans:
        yield from _plan(plan, zone)
    if not now.cases:
        yield "nothing is owed"


def _case(case: OpenCase, zone: ZoneInfo) -> Iterator[str]:
    total = money(case.total_minor, case.currency)
    until = "" if case.held_until is None else f" until {_moment(case.held_until, zone)}"
    yield (
        f"{total} owed for {_subject(case.subscription_id)} since {_moment(case.since, zone)}, campaign "
        f"{case.campaign}: {'; '.join(case.stands)}{until}"
    )
    for owed in case.owed:
        again = "" if owed.next_retry_at is None else f", tried again {_moment(owed.next_retry_at, zone)}"
        yield (
            f"    invoice {owed.invoice_id}  {money(owed.amount_minor, owed.currency)}  failed "
            f"{_moment(owed.since, zone)}, attempts {owed.attempts}, {owed.decline}{again}"
        )


def _plan(plan: OpenPlan, zone: ZoneInfo) -> Iterator[str]:
    amount = "" if plan.amount_minor is None else f" for {money(plan.amount_minor, plan.currency)}"
    yield f"{plan.what} {_moment(plan.ends_at, zone)}{amount}"


def _subject(subscription_id: str | None) -> str:
    return "the account" if subscription_id is None else f"subscription {subscription_id}"


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
