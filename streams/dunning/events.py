"""What billing, the CRM and the notification services tell the engine: the inputs of the fold.

Every event carries `event_id` (counts once), `occurred_at` (UTC; decides between events, whatever their
order of arrival) and `customer_id` (the key of every record and of all state). Money is an integer number
of ISO 4217 minor units. The tag of a struct is the middle word of its topic.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct


class Channel(StrEnum):
    """A way to reach a customer. Their order of fallback is the policy's."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    IN_APP = "in_app"
    PHONE = "phone"
    LETTER = "letter"


class Card(Struct, frozen=True):
    """What may be known of a payment card: never its number."""

    payment_method_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """The fields that every input has."""

    event_id: str
    occurred_at: datetime
    customer_id: str


class PaymentFailed(Event, frozen=True, kw_only=True, tag="payment-failed"):
    """An attempt to collect an invoice was declined.

    `decline_code` is the vendor's word, or the ISO 8583 or network code; `advice_code` is the network's
    advice to the merchant. `attempt` counts from 1. `customer_initiated` says that the customer was present.
    """

    invoice_id: str
    amount_minor: int
    currency: str
    subscription_id: str | None = None
    decline_code: str | None = None
    network: str | None = None
    advice_code: str | None = None
    attempt: int | None = None
    next_retry_at: datetime | None = None
    card: Card | None = None
    customer_initiated: bool = False
    pay_url: str | None = None


class CardExpiring(Event, frozen=True, kw_only=True, tag="card-expiring"):
    """A card on file ends soon. `subscription_ids` are the active paid ones that it pays for."""

    card: Card
    subscription_ids: tuple[str, ...] = ()


class RenewalUpcoming(Event, frozen=True, kw_only=True, tag="renewal-upcoming"):
    """A subscription will renew at `renews_at` for the amount."""

    subscription_id: str
    renews_at: datetime
    amount_minor: int
    currency: str
    interval: Literal["day", "week", "month", "quarter", "year"]
    plan_name: str
    previous_amount_minor: int | None = None
    trial_ends: bool = False
    trial_days: int | None = None


class PaymentRecovered(Event, frozen=True, kw_only=True, tag="payment-recovered"):
    """An invoice was paid, by whatever means; also on time, without ever having failed."""

    invoice_id: str
    amount_minor: int
    currency: str
    subscription_id: str | None = None


class CardUpdated(Event, frozen=True, kw_only=True, tag="card-updated"):
    """The customer, or the network's account updater, replaced the card on file."""

    card: Card
    source: Literal["customer", "account_updater"]


class SubscriptionCancelled(Event, frozen=True, kw_only=True, tag="subscription-cancelled"):
    """The subscription has ended for good."""

    subscription_id: str
    reason: str | None = None


class SubscriptionChanged(Event, frozen=True, kw_only=True, tag="subscription-changed"):
    """The plan of a subscription changed, or the subscription was paused or resumed."""

    subscription_id: str
    change: Literal["upgrade", "downgrade", "pause", "resume"]
    plan_name: str


class InvoiceClosed(Event, frozen=True, kw_only=True, tag="invoice-closed"):
    """An invoice is no longer to be collected, or, with `dispute_won`, is so again."""

    invoice_id: str
    reason: Literal["voided", "written_off", "credited", "disputed", "dispute_won"]


class PaymentReversed(Event, frozen=True, kw_only=True, tag="payment-reversed"):
    """A payment that had been made was taken back: the invoice is unpaid again."""

    invoice_id: str
    amount_minor: int
    currency: str
    reason: Literal["chargeback", "refund", "returned"]
    subscription_id: str | None = None


class CustomerProfile(Event, frozen=True, kw_only=True, tag="customer-profile"):
    """Who the customer is and how they may be reached; each one replaces the one before.

    `timezone` is an IANA zone, `locale` a BCP 47 tag, `country` and `region` ISO 3166 codes, `engagement`
    lies between 0 and 1, `satisfaction` between 0 and 10. `channels` are those with an address on file.
    `exempt` customers are never dunned.
    """

    customer_since: datetime
    timezone: str
    locale: str
    country: str
    channels: tuple[Channel, ...]
    region: str | None = None
    marketing_consent: bool = False
    preferred_channel: Channel | None = None
    segments: tuple[str, ...] = ()
    engagement: float | None = None
    last_seen_at: datetime | None = None
    satisfaction: int | None = None
    exempt: bool = False
    seasonal_tags: tuple[str, ...] = ()


class FeedbackKind(StrEnum):
    """What became of a notification command."""

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    PROMISED = "promised"
    BOUNCED_SOFT = "bounced_soft"
    BOUNCED_HARD = "bounced_hard"
    COMPLAINED = "complained"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"


class Feedback(Event, frozen=True, kw_only=True, tag="feedback"):
    """What a notification service reports about a command. `scope` matters for opting out and in only."""

    command_id: str
    channel: Channel
    kind: FeedbackKind
    promised_until: datetime | None = None
    scope: Literal["channel", "all"] = "channel"
    text: str | None = None


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """The partition's clock has reached `now` (UTC); all that arrived before has been decided."""

    now: datetime


CustomerEvent = (
    PaymentFailed
    | CardExpiring
    | RenewalUpcoming
    | PaymentRecovered
    | CardUpdated
    | SubscriptionCancelled
    | SubscriptionChanged
    | InvoiceClosed
    | PaymentReversed
    | CustomerProfile
    | Feedback
)
"""Everything that is keyed by a customer."""

Input = CustomerEvent | Tick
"""Everything that the fold is given."""
