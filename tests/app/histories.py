"""Histories of many customers, from a seed."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.dunning.events import (
    Card,
    CardExpiring,
    CardUpdated,
    Channel,
    CustomerEvent,
    CustomerProfile,
    Feedback,
    FeedbackKind,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
)
from streams.messages.history import Arrival

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
_ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "Nowhere/At_All")
_CODES = ("51", "43", "insufficient_funds", "authentication_required", "54", None)


def random_history(chance: random.Random, *, customers: int, days: int) -> list[Arrival]:
    """All kinds of events, in order of arrival; one in twenty is delivered twice."""
    arrivals: list[Arrival] = []
    for number in range(customers):
        arrivals += _customer(chance, f"customer-{number:05d}", days)
    arrivals += [
        Arrival(each.arrived_at + timedelta(minutes=chance.randrange(1, 600)), each.event)
        for each in arrivals
        if chance.random() < 0.05
    ]
    return sorted(arrivals, key=lambda each: each.arrived_at)


def _customer(chance: random.Random, customer_id: str, days: int) -> list[Arrival]:
    made: list[Arrival] = []

    def at(day: float, build: type[CustomerEvent], **fields: Any) -> None:
        moment = START + timedelta(days=day, milliseconds=chance.randrange(60_000))
        event_id = f"{customer_id}/{len(made)}"
        event = build(event_id=event_id, occurred_at=moment, customer_id=customer_id, **fields)
        made.append(Arrival(moment + timedelta(milliseconds=chance.randrange(2_000)), event))

    def day() -> float:
        return chance.random() * days

    at(
        0,
        CustomerProfile,
        customer_since=START - timedelta(days=chance.randrange(1, 2_000)),
        timezone=chance.choice(_ZONES),
        locale=chance.choice(("en-US", "de-DE")),
        country=chance.choice(("US", "DE", "IN")),
        channels=tuple(chance.sample(list(Channel), chance.randrange(1, 7))),
        exempt=chance.random() < 0.03,
        preferred_channel=chance.choice((None, *Channel)),
    )
    for invoice in range(chance.randrange(1, 4)):
        subscription_id = f"{customer_id}/s{invoice % 2}"
        common = {
            "invoice_id": f"{customer_id}/i{invoice}",
            "amount_minor": chance.randrange(500, 50_000),
            "currency": chance.choice(("USD", "EUR")),
        }
        failed = day() * 0.6
        for attempt in range(chance.randrange(1, 4)):
            at(
                failed + 3 * attempt,
                PaymentFailed,
                **common,
                subscription_id=subscription_id,
                decline_code=chance.choice(_CODES),
                attempt=attempt + 1,
            )
        if chance.random() < 0.6:
            at(failed + chance.random() * 40, PaymentRecovered, **common, subscription_id=subscription_id)
        if chance.random() < 0.1:
            at(day(), PaymentReversed, **common, subscription_id=subscription_id, reason="returned")
        if chance.random() < 0.1:
            at(
                day(),
                InvoiceClosed,
                invoice_id=common["invoice_id"],
                reason=chance.choice(("voided", "disputed", "dispute_won")),
            )
    card = Card("pm-1", "visa", "4242", 3, 2026)
    if chance.random() < 0.5:
        at(day(), CardExpiring, card=card, subscription_ids=(f"{customer_id}/s0",))
    if chance.random() < 0.3:
        at(day(), CardUpdated, card=Card("pm-2", "visa", "1881", 9, 2030), source="customer")
    if chance.random() < 0.4:
        at(
            day(),
            RenewalUpcoming,
            subscription_id=f"{customer_id}/s1",
            renews_at=START + timedelta(days=days * 0.8),
            amount_minor=9_900,
            currency="USD",
            interval=chance.choice(("month", "year")),
            plan_name="Team",
        )
    if chance.random() < 0.1:
        at(day(), SubscriptionCancelled, subscription_id=f"{customer_id}/s0")
    if chance.random() < 0.1:
        at(
            day(),
            SubscriptionChanged,
            subscription_id=f"{customer_id}/s1",
            change="upgrade",
            plan_name="Plus",
        )
    if chance.random() < 0.3:
        at(
            day(),
            Feedback,
            command_id="none-of-ours",
            channel=chance.choice(list(Channel)),
            kind=chance.choice(list(FeedbackKind)),
            text=chance.choice((None, "STOP", "START", "What is this about?")),
        )
    return made


def moments(history: list[Arrival], every: timedelta, until: timedelta) -> list[datetime]:
    """The times of ticks from the first arrival on."""
    first = history[0].arrived_at
    return [first + every * number for number in range(int(until / every))]
