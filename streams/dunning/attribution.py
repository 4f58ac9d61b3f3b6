"""What is known of a contact, each thing once; and which contacts have the credit for a payment.

A payment is credited to the contacts of its case that went out after the invoice failed and before it was
paid, and did not bounce. By `last` attribution the latest of them has it, by `any` each of them. A contact
that is not remembered any more has none.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from streams.dunning.events import FeedbackKind, PaymentRecovered
from streams.dunning.measures import Measure
from streams.dunning.state import Case, Contact, ContactStatus, CustomerState, Invoice

# A bit each of `Contact.counted`, so the order is part of the state: more may be added at the end.
_COUNTED_ONCE = (
    Measure.DELIVERED,
    Measure.OPENED,
    Measure.CLICKED,
    Measure.RESPONDED,
    Measure.PROMISED,
    Measure.UNANSWERED,
    Measure.BOUNCED,
    Measure.COMPLAINED,
    Measure.OPTED_OUT,
    Measure.PAID_LAST,
    Measure.PAID_ANY,
)
_BIT = {measure: 1 << place for place, measure in enumerate(_COUNTED_ONCE)}


def _bits(*measures: Measure) -> int:
    return sum(_BIT[measure] for measure in measures)


# What somebody does with a message shows that it has arrived; who clicks has opened it, seen or not.
_SHOWN = {
    FeedbackKind.DELIVERED: _bits(Measure.DELIVERED),
    FeedbackKind.OPENED: _bits(Measure.DELIVERED, Measure.OPENED),
    FeedbackKind.CLICKED: _bits(Measure.DELIVERED, Measure.OPENED, Measure.CLICKED, Measure.RESPONDED),
    FeedbackKind.REPLIED: _bits(Measure.DELIVERED, Measure.RESPONDED),
    FeedbackKind.ANSWERED: _bits(Measure.DELIVERED, Measure.RESPONDED),
    FeedbackKind.PROMISED: _bits(Measure.DELIVERED, Measure.RESPONDED, Measure.PROMISED),
    FeedbackKind.NO_ANSWER: _bits(Measure.UNANSWERED),
    FeedbackKind.BOUNCED_SOFT: _bits(Measure.BOUNCED),
    FeedbackKind.BOUNCED_HARD: _bits(Measure.BOUNCED),
    FeedbackKind.COMPLAINED: _bits(Measure.DELIVERED, Measure.COMPLAINED),
    FeedbackKind.OPTED_OUT: _bits(Measure.DELIVERED, Measure.OPTED_OUT),
}
_LAST = _bits(Measure.PAID_LAST)
_ANY = _bits(Measure.PAID_ANY)


def with_report(contact: Contact, kind: FeedbackKind) -> int:
    """`Contact.counted` after a report of this kind."""
    return contact.counted | _SHOWN.get(kind, 0)


def newly_shown(contact: Contact, kind: FeedbackKind) -> Iterator[Measure]:
    """What a report of this kind shows of the contact for the first time."""
    fresh = _SHOWN.get(kind, 0) & ~contact.counted
    return (measure for measure in _COUNTED_ONCE if fresh & _BIT[measure])


class Credit(NamedTuple):
    """The contacts that have the credit for a payment, in order of their time: by `any`, and by `last`."""

    any: tuple[Contact, ...] = ()
    last: Contact | None = None

    def first_times(self) -> Iterator[tuple[Contact, Measure]]:
        """The contacts that had no credit by that attribution before."""
        for contact in self.any:
            if not contact.counted & _ANY:
                yield contact, Measure.PAID_ANY
        if self.last is not None and not self.last.counted & _LAST:
            yield self.last, Measure.PAID_LAST


def credit(contacts: Iterable[Contact], since: datetime, paid_at: datetime) -> Credit:
    """Of some contacts those that have the credit for a payment of what they ask for, since it is owed.

    Of several at the latest moment the first is the last contact: it went by the step's own channel.
    """
    asked = tuple(
        contact
        for contact in contacts
        if since <= contact.sent_at <= paid_at and contact.status is not ContactStatus.BOUNCED
    )
    return Credit(asked, max(asked, key=lambda contact: contact.sent_at, default=None))


class Payment(NamedTuple):
    """An overdue invoice that was paid, the case that it was in, and who has the credit for it."""

    case: Case
    invoice: Invoice
    credit: Credit


def payment(before: CustomerState, after: CustomerState, event: PaymentRecovered) -> Payment | None:
    """What a payment took out of its case; None if nothing was owed, or is owed still."""
    found = _owed(before, event.invoice_id)
    if found is None or _owed(after, event.invoice_id) is not None:
        return None
    case, invoice = found
    contacts = (contact for contact in before.contacts if case.case_id in contact.case_ids)
    return Payment(case, invoice, credit(contacts, invoice.failures[0], event.occurred_at))


def _owed(state: CustomerState, invoice_id: str) -> tuple[Case, Invoice] | None:
    for case in state.cases:
        for invoice in case.invoices:
            if invoice.invoice_id == invoice_id:
                return case, invoice
    return None


def credited(before: CustomerState, after: CustomerState, event: PaymentRecovered) -> CustomerState:
    """The state after a payment, with the credit for it remembered."""
    paid = payment(before, after, event)
    if paid is None or not paid.credit.any:
        return after
    earned = {contact.command_id: _ANY for contact in paid.credit.any}
    if paid.credit.last is not None:
        earned[paid.credit.last.command_id] |= _LAST
    contacts = tuple(
        replace(contact, counted=contact.counted | bits)
        if (bits := earned.get(contact.command_id))
        else contact
        for contact in after.contacts
    )
    return replace(after, contacts=contacts)
