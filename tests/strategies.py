"""Hypothesis strategies for the histories of one customer: what happens, when it is heard of, and outages.

A report of a notification service is about a command, and which commands there are is only known when a
history is played; so histories hold `Report`s, which name a command by its place among those sent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

from streams.dunning.events import (
    Card,
    CardExpiring,
    CardUpdated,
    Channel,
    CustomerEvent,
    CustomerProfile,
    FeedbackKind,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
)

CUSTOMER = "customer-1"
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

ZONES = (
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Pacific/Pago_Pago",
    "UTC",
    "Nowhere/At_All",
)
PLACES = (("US", "FL"), ("US", "NY"), ("US", None), ("DE", None), ("KI", None), ("ZZ", None))
CODES = (
    *("insufficient_funds", "expired_card", "stolen_card", "authentication_required"),
    *("43", "65", "no_such_code", None),
)
CURRENCIES = ("USD", "EUR")
SUBSCRIPTIONS = ("sub-1", "sub-2", None)


class Report(NamedTuple):
    """Feedback about the `about`-th command sent so far, counted round and round."""

    event_id: str
    occurred_at: datetime
    kind: FeedbackKind
    about: int
    promised_until: datetime | None
    scope: Any
    text: str | None = None


class Happening(NamedTuple):
    """Something that occurs, and when it reaches the engine."""

    arrives: datetime
    what: CustomerEvent | Report


class History(NamedTuple):
    """Happenings in order of arrival, and times without a worker (start included, end excluded)."""

    happenings: tuple[Happening, ...]
    outages: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def end(self) -> datetime:
        return max(happening.arrives for happening in self.happenings)


class Bill(NamedTuple):
    """An invoice with what never changes about it."""

    invoice_id: str
    subscription_id: str | None
    currency: str


BILLS = tuple(
    Bill(f"inv-{number}-{subscription}-{currency}", subscription, currency)
    for subscription in SUBSCRIPTIONS
    for currency in CURRENCIES
    for number in (1, 2)
)


def starts() -> st.SearchStrategy[datetime]:
    """Any day of 2026, so that a history of four months meets both changes of the clock."""
    return st.integers(0, 364).map(lambda day: datetime(2026, 1, 1, tzinfo=UTC) + day * DAY)


@st.composite
def _moments(draw: st.DrawFn, start: datetime, days: range) -> datetime:
    return start + draw(st.integers(days.start * 24 * 60, days.stop * 24 * 60)) * MINUTE


def _delays() -> st.SearchStrategy[timedelta]:
    """Mostly none; sometimes minutes or days, and a sender's clock may be ahead of ours."""
    return st.one_of(
        st.just(timedelta()),
        st.just(timedelta()),
        st.integers(-30, 120).map(lambda minutes: minutes * MINUTE),
        *[st.integers(0, 20 * 24 * 60).map(lambda minutes: minutes * MINUTE)] * 2,
    )


def amounts() -> st.SearchStrategy[int]:
    """Around the smallest amount that is asked for, and well above it."""
    return st.sampled_from([0, 40, 60, 100, 2000, 2000, 2000, 123_456])


@st.composite
def settlement_events(draw: st.DrawFn, event_id: str, at: datetime, bills: Sequence[Bill]) -> CustomerEvent:
    """What decides which invoices are owed."""
    common: dict[str, Any] = {"event_id": event_id, "occurred_at": at, "customer_id": CUSTOMER}
    bill = draw(st.sampled_from(bills))
    owed: dict[str, Any] = {
        "invoice_id": bill.invoice_id,
        "subscription_id": bill.subscription_id,
        "currency": bill.currency,
    }
    match draw(
        st.sampled_from(["failed"] * 6 + ["paid"] * 2 + ["reversed", "closed", "disputed", "cancelled"])
    ):
        case "failed":
            retry = draw(st.none() | st.integers(-2, 5).map(lambda days: at + days * DAY))
            return PaymentFailed(
                **common,
                **owed,
                amount_minor=draw(amounts()),
                decline_code=draw(st.sampled_from(CODES)),
                network=draw(st.sampled_from([None, "visa", "mastercard"])),
                next_retry_at=retry,
                card=draw(st.none() | cards()),
                pay_url=draw(st.sampled_from([None, "https://pay.example/1"])),
            )
        case "paid":
            return PaymentRecovered(**common, **owed, amount_minor=2000)
        case "reversed":
            reason: Any = draw(st.sampled_from(["chargeback", "refund", "returned"]))
            return PaymentReversed(**common, **owed, amount_minor=draw(amounts()), reason=reason)
        case "cancelled":
            return SubscriptionCancelled(**common, subscription_id=bill.subscription_id or "sub-2")
        case kind:
            closings = (
                ["voided", "written_off", "credited"] if kind == "closed" else ["disputed", "dispute_won"]
            )
            closing: Any = draw(st.sampled_from(closings))
            return InvoiceClosed(**common, invoice_id=bill.invoice_id, reason=closing)


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """A few cards, so that events meet the same one."""
    return Card(
        payment_method_id=draw(st.sampled_from(["pm-1", "pm-2"])),
        brand="visa",
        last4="4242",
        exp_month=draw(st.integers(1, 12)),
        exp_year=draw(st.sampled_from([2026, 2027])),
    )


@st.composite
def profiles(draw: st.DrawFn, event_id: str, at: datetime, *, exempt: bool | None = None) -> CustomerProfile:
    """Somebody somewhere."""
    country, region = draw(st.sampled_from(PLACES))
    channels = draw(
        st.one_of(st.just(tuple(Channel)), st.lists(st.sampled_from(Channel), unique=True).map(tuple))
    )
    return CustomerProfile(
        event_id=event_id,
        occurred_at=at,
        customer_id=CUSTOMER,
        customer_since=datetime(2025, 1, 1, tzinfo=UTC),
        timezone=draw(st.sampled_from(ZONES)),
        locale=draw(st.sampled_from(["en", "en-GB", "de-AT", "xx"])),
        country=country,
        region=region,
        channels=channels,
        exempt=draw(st.integers(0, 9)) == 0 if exempt is None else exempt,
        preferred_channel=draw(st.none() | st.sampled_from(Channel)),
    )


@st.composite
def other_events(draw: st.DrawFn, event_id: str, at: datetime) -> CustomerEvent | Report:
    """What decides how, when and whether a customer is spoken to."""
    common: dict[str, Any] = {"event_id": event_id, "occurred_at": at, "customer_id": CUSTOMER}
    subscription_id = draw(st.sampled_from(["sub-1", "sub-2"]))
    match draw(
        st.sampled_from(
            ["report"] * 5 + ["card", "expiring", "expiring", "renewal", "renewal", "changed", "profile"]
        )
    ):
        case "report":
            return Report(
                event_id=event_id,
                occurred_at=at,
                kind=draw(st.sampled_from(FeedbackKind)),
                about=draw(st.integers(0, 5)),
                promised_until=draw(st.none() | st.integers(0, 60).map(lambda days: at + days * DAY)),
                scope=draw(st.sampled_from(["channel", "channel", "all"])),
                text=draw(st.sampled_from([None, "STOP", "START", "What is this about?"])),
            )
        case "card":
            source: Any = draw(st.sampled_from(["customer", "account_updater"]))
            return CardUpdated(**common, card=draw(cards()), source=source)
        case "expiring":
            return CardExpiring(
                **common, card=draw(cards()), subscription_ids=draw(st.sampled_from([(), ("sub-1",)]))
            )
        case "renewal":
            interval: Any = draw(st.sampled_from(["month", "year"]))
            return RenewalUpcoming(
                **common,
                subscription_id=subscription_id,
                renews_at=at + draw(st.integers(0, 45 * 24)) * timedelta(hours=1),
                amount_minor=2000,
                currency="USD",
                interval=interval,
                plan_name="Basic",
                previous_amount_minor=draw(st.sampled_from([None, 1500, 2000])),
                trial_ends=draw(st.booleans()),
            )
        case "changed":
            change: Any = draw(st.sampled_from(["upgrade", "downgrade", "pause", "resume"]))
            return SubscriptionChanged(
                **common, subscription_id=subscription_id, change=change, plan_name="Pro"
            )
        case _:
            return draw(profiles(event_id, at))


@st.composite
def histories(draw: st.DrawFn, *, longest: int = 24, days: range = range(120)) -> History:
    """Four months of a customer with everything that can happen, some of it told twice.

    Something fails in the first ten days; the rest happens on the `days` given: after 53 quiet ones most
    customers are about to be suspended.
    """
    start = draw(starts())
    happenings: list[Happening] = []
    if draw(st.integers(0, 4)):
        happenings.append(Happening(start, draw(profiles("profile-0", start, exempt=False))))
    bills = draw(st.lists(st.sampled_from(BILLS), min_size=1, max_size=4, unique=True))
    first = start + draw(st.integers(0, 10 * 24 * 60)) * MINUTE
    happenings.append(Happening(first, draw(_failure(first, bills[0]))))
    for number in range(draw(st.integers(0, longest))):
        at = draw(_moments(start, days))
        event_id = f"event-{number}"
        others = other_events(event_id, at)
        what = draw(st.one_of(settlement_events(event_id, at, bills), others, others))
        happenings.append(Happening(at + draw(_delays()), what))
    repeated = draw(st.lists(st.sampled_from(happenings), max_size=3))
    happenings += [
        Happening(each.arrives + draw(st.integers(0, 9)) * DAY, each.what)
        for each in repeated
        if not isinstance(each.what, Report)
    ]
    happenings.sort(key=lambda each: each.arrives)
    return History(tuple(happenings), draw(_outages(start)))


@st.composite
def _failure(draw: st.DrawFn, at: datetime, bill: Bill) -> PaymentFailed:
    return PaymentFailed(
        event_id="failure-0",
        occurred_at=at,
        customer_id=CUSTOMER,
        invoice_id=bill.invoice_id,
        subscription_id=bill.subscription_id,
        currency=bill.currency,
        amount_minor=draw(st.sampled_from([100, 2000])),
        decline_code=draw(st.sampled_from(CODES)),
    )


@st.composite
def _outages(draw: st.DrawFn, start: datetime) -> tuple[tuple[datetime, datetime], ...]:
    found: list[tuple[datetime, datetime]] = []
    since = start
    for gap, length in draw(
        st.lists(
            st.tuples(st.integers(0, 60), st.sampled_from([1, 30, 600, 3000, 20_000, 60_000])), max_size=2
        )
    ):
        down = since + gap * DAY
        since = down + length * MINUTE
        found.append((down, since))
    return tuple(found)


@st.composite
def debts(draw: st.DrawFn) -> History:
    """What decides which invoices are owed and nothing else; everything occurs at a moment of its own."""
    start = draw(starts())
    bills = draw(st.lists(st.sampled_from(BILLS), min_size=1, max_size=3, unique=True))
    minutes = draw(st.lists(st.integers(0, 60 * 24 * 60), min_size=1, max_size=12, unique=True))
    happenings = []
    for number, minute in enumerate(minutes):
        at = start + minute * MINUTE
        what = draw(settlement_events(f"event-{number}", at, bills))
        happenings.append(Happening(at + draw(_delays()), what))
    return History(tuple(sorted(happenings, key=lambda each: each.arrives)))
