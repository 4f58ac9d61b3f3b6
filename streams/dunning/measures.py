"""What is counted of the outcomes of dunning, and by what.

Counts add up: over customers, partitions, and groups. Rates and means are made of them where they are read.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "LAST_DAY",
    "About",
    "Counts",
    "Group",
    "Measure",
    "Tally",
    "add_up",
    "detailed",
    "name_and_detail",
]

LAST_DAY = 120
"""Days are counted one by one up to here, twice the shipped ladder; this one stands for all later ones."""


class About(StrEnum):
    """What a group's contacts, cases or plans are about."""

    DEBT = "debt"
    RENEWAL = "renewal"
    CARD = "card"
    OFFER = "offer"
    UNKNOWN = "unknown"
    """Reports on contacts that are not remembered (any more)."""
    OTHER = "other"
    """What is beyond the limit of groups."""


class Measure(StrEnum):
    """What is counted. One that has details is written `measure:detail`."""

    # Of contacts; each counts once, however often it is reported.
    SENT = "sent"
    SENT_HOURS = "sent_hours"
    """From the case's anchor to each contact, added up."""
    DELIVERED = "delivered"
    """Reported as delivered, or something that only follows a delivery."""
    OPENED = "opened"
    """Reported as opened or clicked."""
    CLICKED = "clicked"
    RESPONDED = "responded"
    """Clicked, replied, answered or promised."""
    PROMISED = "promised"
    UNANSWERED = "unanswered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPTED_OUT = "opted_out"
    # Of contacts, by attribution. `last`: the last contact before the payment has the credit for it; `any`:
    # every contact before it has.
    PAID_LAST = "paid_last"
    PAID_ANY = "paid_any"
    MINUTES_LAST = "minutes_last"
    """From the contact to its first payment, added up."""
    MINUTES_ANY = "minutes_any"
    DAY_LAST = "day_last"
    """Contacts by whole days to their first payment: the detail, at most `LAST_DAY`."""
    DAY_ANY = "day_any"
    AMOUNT_LAST = "amount_last"
    """Minor units by currency: the detail; every payment counts."""
    AMOUNT_ANY = "amount_any"
    UNMATCHED = "unmatched"
    """Reports on contacts that are not remembered; they count nowhere else."""
    # Of invoices: what becomes overdue and what it comes to.
    FAILED = "failed"
    """Invoices that enter a case; one that comes back after a dispute enters again."""
    FAILED_AMOUNT = "failed_amount"
    """Minor units by currency."""
    SETTLED = "settled"
    """Invoices that leave a case, by why: `paid`, or as it was closed or cancelled."""
    PAID_AMOUNT = "paid_amount"
    """Minor units by currency."""
    PAID_DAY = "paid_day"
    """Paid invoices by whole days since they are owed, at most `LAST_DAY`."""
    PAID_UNCONTACTED = "paid_uncontacted"
    """Paid invoices for which no contact has credit."""
    # Of cases.
    CASES = "cases"
    """Cases that opened."""
    CLOSED = "closed"
    """Cases that closed, by why."""
    SUSPENDED = "suspended"
    REACTIVATED = "reactivated"
    REVIEWED = "reviewed"
    # Of plans, the reminders of one card or renewal.
    PLANS = "plans"
    ENDED = "ended"
    """Plans that ended, by why. A renewal ends when it is heard what became of it, or nothing is in time."""
    ENDED_REMINDED = "ended_reminded"
    """Those of them of which a reminder went out."""


class Group(NamedTuple):
    """What counts are kept by. What does not apply is None: a case as a whole has no step.

    `arms` are the experiments' arms, `experiment:arm` each, in order.
    """

    about: str
    campaign: str | None = None
    step: str | None = None
    channel: str | None = None
    template: str | None = None
    segment: str | None = None
    locale: str | None = None
    arms: tuple[str, ...] = ()


class Tally(NamedTuple):
    """Something to be added to a group's count."""

    group: Group
    measure: str
    amount: int = 1


Counts = dict[Group, dict[str, int]]
"""What was counted, by group and measure."""


def add_up(counts: Counts, tallies: Iterable[Tally]) -> None:
    """Add tallies to counts, in place."""
    for group, measure, amount in tallies:
        counted = counts.get(group)
        if counted is None:
            counts[group] = {measure: amount}
        else:
            counted[measure] = counted.get(measure, 0) + amount


def detailed(measure: Measure, detail: object) -> str:
    """A measure with its detail."""
    return f"{measure}:{detail}"


def name_and_detail(measure: str) -> tuple[str, str]:
    """A measure's name and its detail, which is empty if it has none."""
    name, _, detail = measure.partition(":")
    return name, detail
