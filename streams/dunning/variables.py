"""Which variables each kind of message is given: the agreement between the domain and the content.

Values are raw strings: ISO local dates, whole days, minor units. An optional variable may be absent.
"""

from enum import StrEnum

from msgspec import Struct


class MessageKind(StrEnum):
    """What a message is for, and so what it can speak of."""

    FAILURE = "failure"
    FINAL_NOTICE = "final_notice"
    AUTHENTICATION = "authentication"
    NEW_CARD_FAILED = "new_card_failed"
    APOLOGY = "apology"
    CARD_EXPIRING = "card_expiring"
    RENEWAL_UPCOMING = "renewal_upcoming"


class Variables(Struct, frozen=True):
    """The names that a template may use: those that are always there, and those that may be absent."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


_PAYMENT = frozenset({"pay_url", "card_brand", "card_last4"})

CALL_VARIABLES = frozenset(
    {
        "attempts",
        "closed_channels",
        "contacts_made",
        "customer_since",
        "open_since",
        "promised_until",
        "responded_on",
    }
)
"""What a text for a call may use as well, each of which may be absent: since when somebody is a customer,
since when something is open and how often its collection was tried, when they last responded and until when
they last promised to pay, the channels with an address that are closed, and the contacts made, one a line,
the latest first: local day, channel, step, and `sent` `tried` `delivered` `bounced` or `responded`."""

OFFER_VARIABLES = frozenset(
    {
        "offer_discount_minor",
        "offer_kind",
        "offer_percent",
        "offer_plan",
        "offer_price_minor",
        "offer_price_part",
        "offer_until",
    }
)
"""What a reminder that carries an offer may use as well: its kind and the last day on which it holds; what it
takes off, in percent or not, and what is left to pay; the plan that it is about, and at which part of its
price (percent)."""

VARIABLES: dict[MessageKind, Variables] = {
    MessageKind.FAILURE: Variables(
        frozenset({"decline_class", "days_overdue"}), _PAYMENT | {"next_retry_on", "reason"}
    ),
    MessageKind.FINAL_NOTICE: Variables(frozenset({"suspension_date", "days_overdue"}), _PAYMENT),
    MessageKind.AUTHENTICATION: Variables(frozenset(), _PAYMENT),
    MessageKind.NEW_CARD_FAILED: Variables(frozenset(), _PAYMENT),
    MessageKind.APOLOGY: Variables(),
    MessageKind.CARD_EXPIRING: Variables(
        frozenset({"card_brand", "card_last4", "exp_month", "exp_year", "days_left", "subscription_count"})
    ),
    MessageKind.RENEWAL_UPCOMING: Variables(
        frozenset({"plan_name", "renews_on", "amount_minor", "currency", "interval", "days_left"}),
        frozenset({"previous_amount_minor", "trial_ends", "trial_days"}) | OFFER_VARIABLES,
    ),
}
