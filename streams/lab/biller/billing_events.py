"""The events that the synthetic biller tells, made from what it knows."""

from datetime import datetime
from typing import Literal

from streams.dunning.events import (
    CardExpiring,
    CardUpdated,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
)
from streams.lab.biller.people import Customer, Invoice, Subscription

_TRIAL_DAYS = 14


def payment_failed(
    invoice: Invoice, code: str, next_retry_at: datetime | None, at: datetime
) -> PaymentFailed:
    """A charge of the invoice was declined; `invoice.attempts` counts it already."""
    return PaymentFailed(
        event_id=f"{invoice.invoice_id}-failed-{invoice.attempts}",
        occurred_at=at,
        customer_id=invoice.customer.customer_id,
        invoice_id=invoice.invoice_id,
        subscription_id=invoice.subscription.subscription_id,
        amount_minor=invoice.subscription.amount_minor,
        currency=invoice.subscription.currency,
        decline_code=code,
        attempt=invoice.attempts,
        next_retry_at=next_retry_at,
        card=invoice.customer.card,
        pay_url=f"https://pay.example/{invoice.invoice_id}",
    )


def payment_recovered(invoice: Invoice, at: datetime) -> PaymentRecovered:
    """The invoice was paid; `invoice.payments` counts it already."""
    return PaymentRecovered(
        event_id=f"{invoice.invoice_id}-paid-{invoice.payments}",
        occurred_at=at,
        customer_id=invoice.customer.customer_id,
        invoice_id=invoice.invoice_id,
        subscription_id=invoice.subscription.subscription_id,
        amount_minor=invoice.subscription.amount_minor,
        currency=invoice.subscription.currency,
    )


def payment_reversed(invoice: Invoice, at: datetime) -> PaymentReversed:
    """The bank took the payment back."""
    return PaymentReversed(
        event_id=f"{invoice.invoice_id}-reversed",
        occurred_at=at,
        customer_id=invoice.customer.customer_id,
        invoice_id=invoice.invoice_id,
        subscription_id=invoice.subscription.subscription_id,
        amount_minor=invoice.subscription.amount_minor,
        currency=invoice.subscription.currency,
        reason="returned",
    )


def invoice_closed(
    invoice: Invoice, reason: Literal["voided", "disputed", "dispute_won"], at: datetime
) -> InvoiceClosed:
    """The invoice is no longer to be collected, or is so again."""
    return InvoiceClosed(
        event_id=f"{invoice.invoice_id}-{reason}",
        occurred_at=at,
        customer_id=invoice.customer.customer_id,
        invoice_id=invoice.invoice_id,
        reason=reason,
    )


def card_updated(customer: Customer, at: datetime) -> CardUpdated:
    """The customer's card is a new one."""
    return CardUpdated(
        event_id=f"{customer.card.payment_method_id}-updated",
        occurred_at=at,
        customer_id=customer.customer_id,
        card=customer.card,
        source="customer",
    )


def card_expiring(customer: Customer, subscription_ids: tuple[str, ...], at: datetime) -> CardExpiring:
    """The customer's card ends soon."""
    return CardExpiring(
        event_id=f"{customer.card.payment_method_id}-expiring",
        occurred_at=at,
        customer_id=customer.customer_id,
        card=customer.card,
        subscription_ids=subscription_ids,
    )


def renewal_upcoming(
    customer: Customer, subscription: Subscription, renews_at: datetime, at: datetime, *, raised: bool
) -> RenewalUpcoming:
    """The subscription renews soon, for more than before if `raised`; the first time a trial may end."""
    trial = subscription.trial and renews_at == subscription.renews_at
    return RenewalUpcoming(
        event_id=f"{subscription.subscription_id}-upcoming-{renews_at:%Y%m%d}",
        occurred_at=at,
        customer_id=customer.customer_id,
        subscription_id=subscription.subscription_id,
        renews_at=renews_at,
        amount_minor=subscription.amount_minor,
        currency=subscription.currency,
        interval=subscription.interval,
        plan_name=subscription.plan_name,
        previous_amount_minor=subscription.amount_minor * 9 // 10 if raised and not trial else None,
        trial_ends=trial,
        trial_days=_TRIAL_DAYS if trial else None,
    )


def subscription_cancelled(
    customer: Customer, subscription: Subscription, at: datetime
) -> SubscriptionCancelled:
    """The customer has ended the subscription."""
    return SubscriptionCancelled(
        event_id=f"{subscription.subscription_id}-cancelled",
        occurred_at=at,
        customer_id=customer.customer_id,
        subscription_id=subscription.subscription_id,
        reason="customer_request",
    )
