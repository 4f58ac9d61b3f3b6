"""Who the synthetic biller bills: customers in several countries, their subscriptions and their cards."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

from streams.dunning.events import Card, Channel, CustomerProfile
from streams.lab.biller.draws import Draws

Interval = Literal["month", "year"]


class Place(NamedTuple):
    """Where a customer lives."""

    country: str
    region: str | None
    timezone: str
    locale: str
    currency: str


_PLACES: dict[Place, float] = {
    Place("US", "NY", "America/New_York", "en-US", "USD"): 20,
    Place("US", "IL", "America/Chicago", "en-US", "USD"): 10,
    Place("US", "CA", "America/Los_Angeles", "en-US", "USD"): 14,
    Place("US", "FL", "America/New_York", "es-US", "USD"): 6,
    Place("GB", None, "Europe/London", "en-GB", "GBP"): 12,
    Place("DE", None, "Europe/Berlin", "de-DE", "EUR"): 12,
    Place("FR", None, "Europe/Paris", "fr-FR", "EUR"): 8,
    Place("BR", None, "America/Sao_Paulo", "pt-BR", "BRL"): 6,
    Place("IN", None, "Asia/Kolkata", "en-IN", "INR"): 6,
    Place("JP", None, "Asia/Tokyo", "ja-JP", "JPY"): 4,
    Place("AU", "NSW", "Australia/Sydney", "en-AU", "AUD"): 4,
}

_HAS_CHANNEL: dict[Channel, float] = {
    Channel.EMAIL: 0.98,
    Channel.SMS: 0.6,
    Channel.PUSH: 0.3,
    Channel.IN_APP: 0.5,
    Channel.PHONE: 0.55,
    Channel.LETTER: 0.4,
}

# Monthly price in units of about one dollar, and how many take it.
_PLANS: dict[tuple[str, int], float] = {("Starter", 9): 5, ("Team", 29): 4, ("Business", 99): 1}
# What about one dollar is in minor units. Prices differ by country, so this need not follow the market.
_UNIT_MINOR: dict[str, int] = {
    "USD": 100,
    "GBP": 80,
    "EUR": 95,
    "BRL": 500,
    "INR": 8_000,
    "JPY": 150,
    "AUD": 150,
}
_BRANDS: dict[str, float] = {"visa": 6, "mastercard": 4, "amex": 1}
_MONTHS_PAID_IN_A_YEAR = 10


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a customer pays for; it first renews at `renews_at`."""

    subscription_id: str
    plan_name: str
    amount_minor: int
    currency: str
    interval: Interval
    renews_at: datetime
    trial: bool


@dataclass(slots=True)
class Customer:
    """A customer as the biller knows them; the card and the ended subscriptions change with time.

    Attributes:
        responsive: how likely they do what a message asks for, 0 to 1.
        short_of_money: how likely a charge fails, 0 to 1.
        new_card_at: since when the present card is on file, if it replaced another.
    """

    customer_id: str
    place: Place
    profile: CustomerProfile
    subscriptions: tuple[Subscription, ...]
    card: Card
    responsive: float
    short_of_money: float
    new_card_at: datetime | None = None

    def replace_card(self, at: datetime) -> Card:
        """Put another card on file: it ends three years later."""
        number = int(self.card.payment_method_id.rpartition("-")[2]) + 1
        self.card = Card(
            payment_method_id=f"pm-{self.customer_id}-{number}",
            brand=self.card.brand,
            last4=f"{(int(self.card.last4) * 7 + 13) % 10_000:04}",
            exp_month=self.card.exp_month,
            exp_year=at.year + 3,
        )
        self.new_card_at = at
        return self.card


class InvoiceStatus(StrEnum):
    """What the biller holds of an invoice."""

    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(slots=True)
class Invoice:
    """One charge of one subscription."""

    invoice_id: str
    customer: Customer
    subscription: Subscription
    status: InvoiceStatus = InvoiceStatus.OPEN
    attempts: int = 0
    payments: int = 0


def card_ends(card: Card) -> datetime:
    """The first moment at which a card is no longer good (UTC)."""
    year, month = divmod(card.exp_year * 12 + card.exp_month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def next_renewal(renewed_at: datetime, interval: Interval) -> datetime:
    """The same day of the next month or year, or the last that there is."""
    year, month = divmod(renewed_at.year * 12 + renewed_at.month - 1 + (1 if interval == "month" else 12), 12)
    day = min(renewed_at.day, monthrange(year, month + 1)[1])
    return datetime.combine(date(year, month + 1, day), renewed_at.timetz())


def make_customer(draws: Draws, number: int, start: datetime) -> Customer:
    """The customer of that number, as of the start."""
    customer_id = f"cus-{number:04}"
    place = draws.pick(_PLACES, customer_id, "place")
    traits = draws.source(customer_id, "traits")
    channels = tuple(channel for channel, share in _HAS_CHANNEL.items() if traits.random() < share)
    profile = CustomerProfile(
        event_id=f"{customer_id}-profile",
        occurred_at=start,
        customer_id=customer_id,
        customer_since=start - timedelta(days=traits.randint(5, 2_000)),
        timezone=place.timezone,
        locale=place.locale,
        country=place.country,
        region=place.region,
        channels=channels or (Channel.EMAIL,),
        marketing_consent=traits.random() < 0.5,
        engagement=round(traits.random(), 2),
        exempt=traits.random() < 0.01,
    )
    ends = start + timedelta(days=traits.randint(-20, 1_100))
    card = Card(
        payment_method_id=f"pm-{customer_id}-1",
        brand=draws.pick(_BRANDS, customer_id, "brand"),
        last4=f"{traits.randint(0, 9_999):04}",
        exp_month=ends.month,
        exp_year=ends.year,
    )
    count = 2 if traits.random() < 0.15 else 1
    return Customer(
        customer_id=customer_id,
        place=place,
        profile=profile,
        subscriptions=tuple(_subscription(draws, customer_id, place, which, start) for which in range(count)),
        card=card,
        responsive=traits.betavariate(2, 2),
        short_of_money=traits.betavariate(1.2, 8),
    )


def _subscription(draws: Draws, customer_id: str, place: Place, which: int, start: datetime) -> Subscription:
    subscription_id = f"sub-{customer_id.removeprefix('cus-')}-{which + 1}"
    plan_name, price = draws.pick(_PLANS, subscription_id, "plan")
    interval: Interval = draws.pick({"month": 4.0, "year": 1.0}, subscription_id, "interval")
    longest = timedelta(days=30 if interval == "month" else 365)
    months = 1 if interval == "month" else _MONTHS_PAID_IN_A_YEAR
    return Subscription(
        subscription_id=subscription_id,
        plan_name=plan_name,
        amount_minor=price * _UNIT_MINOR[place.currency] * months,
        currency=place.currency,
        interval=interval,
        renews_at=start + draws.within(timedelta(hours=1), longest, subscription_id, "renews"),
        trial=interval == "month" and draws.happens(0.08, subscription_id, "trial"),
    )
