"""What the synthetic biller does: renewals, charges, retries, and what customers do of their own accord."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from streams.lab.biller.billing_events import (
    card_expiring,
    card_updated,
    invoice_closed,
    payment_failed,
    payment_recovered,
    payment_reversed,
    renewal_upcoming,
    subscription_cancelled,
)
from streams.lab.biller.draws import Draws
from streams.lab.biller.people import (
    Customer,
    Invoice,
    InvoiceStatus,
    Subscription,
    card_ends,
    next_renewal,
)
from streams.lab.biller.timeline import Timeline

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

_CARD_NOTICE = timedelta(days=65)
_YEARLY_NOTICE = timedelta(days=33)
_TRIAL_NOTICE = timedelta(days=9)

# About what card networks see: most failures are a lack of money; few say that a card is gone.
_DECLINES: dict[str, float] = {
    "insufficient_funds": 44,
    "do_not_honor": 14,
    "generic_decline": 10,
    "authentication_required": 9,
    "card_velocity_exceeded": 5,
    "processing_error": 5,
    "expired_card": 6,
    "lost_card": 3,
    "stolen_card": 2,
    "incorrect_number": 2,
}
_RETRIED = frozenset(
    {"insufficient_funds", "do_not_honor", "generic_decline", "card_velocity_exceeded", "processing_error"}
)
_RETRY_AFTER = (3 * _DAY, 5 * _DAY, 7 * _DAY, 7 * _DAY)
_RETRY_SUCCEEDS = 0.2
_NEW_CARD_SUCCEEDS = 0.88


class Billing:
    """Charges customers and tells what came of it.

    Args:
        draws: chance.
        timeline: time.
        customers: all of them.
    """

    def __init__(self, draws: Draws, timeline: Timeline, customers: Iterable[Customer]) -> None:
        self._draws = draws
        self._timeline = timeline
        self._invoices: dict[str, Invoice] = {}
        self._cancelled: set[str] = set()
        for customer in customers:
            self._begin(customer)

    def invoice(self, invoice_id: str) -> Invoice | None:
        """The invoice of that id."""
        return self._invoices.get(invoice_id)

    def update_card(self, customer: Customer, at: datetime) -> None:
        """The customer puts another card on file; what is open is charged to it within hours."""
        card = customer.replace_card(at)
        self._timeline.tell(card_updated(customer, at))
        for invoice in self._invoices.values():
            if invoice.customer is customer and invoice.status is InvoiceStatus.OPEN:
                self._charge_new_card(invoice, card.payment_method_id, at)

    def pay(self, invoice: Invoice, at: datetime) -> None:
        """The customer pays an invoice by themselves, unless it is paid or closed."""
        if invoice.status is not InvoiceStatus.OPEN:
            return
        invoice.status = InvoiceStatus.PAID
        invoice.payments += 1
        self._timeline.tell(payment_recovered(invoice, at))
        if self._draws.happens(0.004, invoice.invoice_id, "reversed"):
            later = self._draws.within(2 * _DAY, 20 * _DAY, invoice.invoice_id, "reversed at")
            self._timeline.schedule(at + later, invoice.invoice_id, lambda then: self._reverse(invoice, then))

    def cancel(self, customer: Customer, subscription: Subscription, at: datetime) -> None:
        """The customer ends a subscription; it is not billed again."""
        if subscription.subscription_id in self._cancelled:
            return
        self._cancelled.add(subscription.subscription_id)
        for invoice in self._invoices.values():
            if invoice.subscription is subscription and invoice.status is InvoiceStatus.OPEN:
                invoice.status = InvoiceStatus.CLOSED
        self._timeline.tell(subscription_cancelled(customer, subscription, at))

    def _begin(self, customer: Customer) -> None:
        timeline, start = self._timeline, self._timeline.now
        name = customer.customer_id
        timeline.schedule(start, name, lambda _: timeline.tell(customer.profile))
        ends = card_ends(customer.card)
        if start < ends:
            timeline.schedule(
                ends - _CARD_NOTICE, f"{name} card", lambda at: self._announce_end(customer, at)
            )
        for subscription in customer.subscriptions:
            self._expect_renewal(customer, subscription, subscription.renews_at)

    def _expect_renewal(self, customer: Customer, subscription: Subscription, renews_at: datetime) -> None:
        name = subscription.subscription_id
        first = renews_at == subscription.renews_at
        if subscription.interval == "year" or (subscription.trial and first):
            notice = _YEARLY_NOTICE if subscription.interval == "year" else _TRIAL_NOTICE
            self._timeline.schedule(
                renews_at - notice,
                f"{name} upcoming",
                lambda at: self._announce_renewal(customer, subscription, renews_at, at),
            )
        self._timeline.schedule(renews_at, name, lambda at: self._renew(customer, subscription, at))

    def _announce_renewal(
        self, customer: Customer, subscription: Subscription, renews_at: datetime, at: datetime
    ) -> None:
        if subscription.subscription_id in self._cancelled:
            return
        raised = self._draws.happens(0.3, subscription.subscription_id, "raised", str(renews_at))
        self._timeline.tell(renewal_upcoming(customer, subscription, renews_at, at, raised=raised))

    def _announce_end(self, customer: Customer, at: datetime) -> None:
        active = (each.subscription_id for each in customer.subscriptions)
        subscriptions = tuple(each for each in active if each not in self._cancelled)
        self._timeline.tell(card_expiring(customer, subscriptions, at))

    def _renew(self, customer: Customer, subscription: Subscription, at: datetime) -> None:
        if subscription.subscription_id in self._cancelled:
            return
        invoice_id = f"in-{subscription.subscription_id.removeprefix('sub-')}-{at:%Y%m%d}"
        invoice = Invoice(invoice_id, customer, subscription)
        self._invoices[invoice_id] = invoice
        if card_ends(customer.card) <= at:
            self._fail(invoice, "expired_card", at)
        elif self._draws.happens(customer.short_of_money, invoice_id, "fails"):
            self._fail(invoice, self._draws.pick(_DECLINES, invoice_id, "decline"), at)
        else:
            self.pay(invoice, at)
        self._expect_renewal(customer, subscription, next_renewal(at, subscription.interval))

    def _fail(self, invoice: Invoice, code: str, at: datetime) -> None:
        first = invoice.attempts == 0
        again = None
        if code in _RETRIED and invoice.attempts < len(_RETRY_AFTER):
            again = at + _RETRY_AFTER[invoice.attempts]
            self._timeline.schedule(
                again, f"{invoice.invoice_id} retry", lambda then: self._retry(invoice, code, then)
            )
        invoice.attempts += 1
        self._timeline.tell(payment_failed(invoice, code, again, at))
        if first:
            self._may_end_otherwise(invoice, at)

    def _retry(self, invoice: Invoice, code: str, at: datetime) -> None:
        if invoice.status is not InvoiceStatus.OPEN:
            return
        if self._draws.happens(_RETRY_SUCCEEDS, invoice.invoice_id, "retry", str(invoice.attempts)):
            self.pay(invoice, at)
        else:
            self._fail(invoice, code, at)

    def _charge_new_card(self, invoice: Invoice, card_id: str, at: datetime) -> None:
        wait = self._draws.within(_HOUR, 5 * _HOUR, invoice.invoice_id, card_id, "charged")

        def charge(then: datetime) -> None:
            if invoice.status is not InvoiceStatus.OPEN:
                return
            if self._draws.happens(_NEW_CARD_SUCCEEDS, invoice.invoice_id, card_id, "succeeds"):
                self.pay(invoice, then)
            else:
                self._fail(invoice, "do_not_honor", then)

        self._timeline.schedule(at + wait, f"{invoice.invoice_id} {card_id}", charge)

    def _may_end_otherwise(self, invoice: Invoice, at: datetime) -> None:
        """Some customers leave, some invoices turn out to be wrong, some are disputed."""
        fate = self._draws.pick(
            {"none": 88.0, "cancel": 6.0, "void": 2.0, "dispute": 4.0}, invoice.invoice_id, "fate"
        )
        then = at + self._draws.within(2 * _DAY, 40 * _DAY, invoice.invoice_id, "fate at")
        name = f"{invoice.invoice_id} {fate}"
        if fate == "cancel":
            self._timeline.schedule(
                then, name, lambda moment: self.cancel(invoice.customer, invoice.subscription, moment)
            )
        elif fate == "void":
            self._timeline.schedule(then, name, lambda moment: self._void(invoice, moment))
        elif fate == "dispute":
            self._timeline.schedule(then, name, lambda moment: self._dispute(invoice, moment))

    def _void(self, invoice: Invoice, at: datetime) -> None:
        if invoice.status is InvoiceStatus.OPEN:
            invoice.status = InvoiceStatus.CLOSED
            self._timeline.tell(invoice_closed(invoice, "voided", at))

    def _dispute(self, invoice: Invoice, at: datetime) -> None:
        if invoice.status is not InvoiceStatus.OPEN:
            return
        invoice.status = InvoiceStatus.CLOSED
        self._timeline.tell(invoice_closed(invoice, "disputed", at))
        if self._draws.happens(0.6, invoice.invoice_id, "dispute won"):
            decided = at + self._draws.within(5 * _DAY, 21 * _DAY, invoice.invoice_id, "dispute decided")
            self._timeline.schedule(
                decided, f"{invoice.invoice_id} won", lambda then: self._win_dispute(invoice, then)
            )

    def _win_dispute(self, invoice: Invoice, at: datetime) -> None:
        if invoice.subscription.subscription_id not in self._cancelled:
            invoice.status = InvoiceStatus.OPEN
            self._timeline.tell(invoice_closed(invoice, "dispute_won", at))

    def _reverse(self, invoice: Invoice, at: datetime) -> None:
        invoice.status = InvoiceStatus.OPEN
        self._timeline.tell(payment_reversed(invoice, at))
