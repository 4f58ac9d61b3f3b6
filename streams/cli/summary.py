"""The end of the demo: what happened, counted, and one customer's story."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from streams.cli.outputs import money
from streams.dunning.commands import AccountCommand, NotificationCommand, Outcome, Reason
from streams.dunning.events import (
    CardUpdated,
    CustomerEvent,
    CustomerProfile,
    Feedback,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
)
from streams.dunning.measures import About, Counts
from streams.lab.outcome_page import percent
from streams.lab.outcome_report import outcome_report
from streams.lab.simulate import Output
from streams.lab.tally import Story, Tally
from streams.messages.history import Arrival
from streams.messages.topics import topic_of

# Said by the command beside it, or of interest to nobody.
_QUIET = frozenset({Outcome.SENT, Outcome.RECORDED, Outcome.SUSPENDED, Outcome.REACTIVATED, Outcome.UPDATED})


def print_summary(console: Console, tally: Tally) -> None:
    """Events, contacts, recoveries, what was done to accounts, and what was not sent and why."""
    console.print()
    console.print(_counts("events", ((kind, count) for kind, count in tally.events.most_common())))
    console.print()
    console.print(_contacts(tally))
    console.print()
    recovered = [
        (f"{currency} ({count} invoices)", money(tally.recovered_minor[currency], currency))
        for currency, count in tally.recovered.most_common()
    ]
    console.print(_counts("recovered after a failure", recovered))
    console.print()
    console.print(_counts("accounts", _joined(tally.account_commands)))
    console.print()
    console.print(_counts("not sent, and why", _joined(tally.not_sent)))


def print_ladder(console: Console, counts: Counts) -> None:
    """The steps of the ladder, and what came of them; payments are credited to the last contact before."""
    debts = {group: counted for group, counted in counts.items() if group.about == About.DEBT}
    table = Table(title="what came of each step", box=None, pad_edge=False, title_justify="left")
    table.add_column("", min_width=34)
    for column in ("sent", "opened", "responded", "paid", "median days"):
        table.add_column(column, justify="right")
    for row in outcome_report(debts, ("step",)).contacts:
        days = row.median_days_to_payment
        figures = [f"{row.sent:,}", percent(row.open_rate), percent(row.response_rate), f"{row.paid:,}"]
        table.add_row(f"  {row.by['step']}", *figures, "" if days is None else str(days))
    console.print()
    console.print(table)


def print_story(console: Console, customer_id: str, story: Story) -> None:
    """One customer's timeline, in their local time."""
    profile = next(
        (
            entry.event
            for _, entry in story.entries
            if isinstance(entry, Arrival) and isinstance(entry.event, CustomerProfile)
        ),
        None,
    )
    zone = ZoneInfo(profile.timezone if profile else "UTC")
    console.print()
    console.print(Text(f"the story of {customer_id} ({zone.key})", style="bold"))
    for at, entry in story.entries:
        for mark, style, text in _told(entry):
            local = at.astimezone(zone)
            line = Text(f"  {local:%b %d %H:%M}  ")
            line.append(f"{mark} ", style=style)
            line.append(text)
            console.print(line, no_wrap=True, overflow="ellipsis")


def _counts(title: str, rows: Iterable[tuple[str, int | str]]) -> Table | Group:
    table = Table(title=title, box=None, pad_edge=False, show_header=False, title_justify="left")
    table.add_column(min_width=34)
    table.add_column(justify="right")
    for name, count in rows:
        table.add_row(f"  {name}", str(count))
    return table if table.row_count else Group(Text(title, style="italic"), Text("  none"))


def _contacts(tally: Tally) -> Table:
    channels = sorted({channel for channel, _ in tally.contacts})
    table = Table(title="contacts by kind and channel", box=None, pad_edge=False, title_justify="left")
    table.add_column("", min_width=34)
    for channel in (*channels, "total"):
        table.add_column(channel, justify="right")
    kinds: Counter[str] = Counter()
    for (_, kind), count in tally.contacts.items():
        kinds[kind] += count
    for kind, total in kinds.most_common():
        counts = (tally.contacts[channel, kind] for channel in channels)
        table.add_row(f"  {kind}", *(str(count or "") for count in counts), str(total))
    return table


def _joined(counter: Counter[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    for (what, why), count in counter.most_common():
        yield f"{what}: {why.replace('_', ' ')}", count


def _told(entry: Arrival | Output) -> Iterator[tuple[str, str, str]]:
    if isinstance(entry, Arrival):
        text = _event(entry.event)
        if text:
            yield "·", "dim", text
    elif isinstance(entry, NotificationCommand):
        total = money(entry.total_minor, entry.currency)
        text = (entry.subject or entry.body).partition("\n")[0]
        yield (
            "→",
            "cyan",
            " ".join(part for part in (entry.channel, entry.step_id, total, f"“{text}”") if part),
        )
    elif isinstance(entry, AccountCommand):
        yield "→", "bold red", f"{entry.action} {entry.subscription_id or 'account'}: {entry.reason}"
    else:
        shown = (each for each in entry.outcomes if each.outcome not in _QUIET)
        # What ends a case ends all of its steps: one line for them.
        for _, alike in groupby(shown, key=lambda each: (each.outcome, each.reason, each.until)):
            yield "-", "yellow", _outcome(list(alike))


def _outcome(alike: Sequence[Reason]) -> str:
    reason = alike[0]
    steps = ", ".join(each.step_id for each in alike if each.step_id is not None)
    parts = [reason.outcome, steps, f"({reason.reason.replace('_', ' ')})"]
    if reason.missing:
        parts.append(f"missing {', '.join(reason.missing)}")
    if reason.until is not None:
        parts.append(f"until {_day(reason.until)}")
    return " ".join(part for part in parts if part)


def _event(event: CustomerEvent) -> str:
    if isinstance(event, PaymentFailed):
        again = f", to be tried again {_day(event.next_retry_at)}" if event.next_retry_at else ""
        return f"payment of {money(event.amount_minor, event.currency)} failed: {event.decline_code}{again}"
    if isinstance(event, PaymentRecovered):
        return f"paid {money(event.amount_minor, event.currency)}"
    if isinstance(event, PaymentReversed):
        return f"payment of {money(event.amount_minor, event.currency)} reversed: {event.reason}"
    if isinstance(event, Feedback):
        return f"{event.channel} {event.kind.replace('_', ' ')}"
    if isinstance(event, CardUpdated):
        return f"new card, {event.card.brand} {event.card.last4}"
    if isinstance(event, InvoiceClosed):
        return f"invoice {event.reason.replace('_', ' ')}"
    if isinstance(event, RenewalUpcoming):
        return f"{event.plan_name} renews {_day(event.renews_at)}"
    return topic_of(event).kind.replace("-", " ")


def _day(moment: datetime) -> str:
    return f"{moment:%b} {moment.day}"
