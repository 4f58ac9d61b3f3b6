"""Whatever happens to a customer, and however often, little is kept."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from streams.dunning import decide
from streams.dunning.commands import NotificationCommand
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
    Tick,
)
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state, encode_state

from .customer import care, utc

MOST_BYTES = 8 * 1024
EVENTS = 10_000


@pytest.mark.parametrize("seed", [1, 2])
def test_a_customer_with_ten_thousand_events_of_every_kind_stays_small(seed: int) -> None:
    chance, policy = random.Random(seed), care().policy
    state: CustomerState | None = None
    commands: list[str] = []
    moment, largest = utc("2026-01-05 15:00"), 0
    for number in range(EVENTS):
        moment += timedelta(minutes=chance.randrange(5, 60))
        if state is not None and state.due is not None and state.due <= moment:
            decision = decide(state, Tick(moment), moment, policy)
            state = decision.state
            commands += [
                each.command_id for each in decision.commands if isinstance(each, NotificationCommand)
            ]
        decision = decide(state, _event(chance, number, moment, commands), moment, policy)
        state = decision.state
        commands += [each.command_id for each in decision.commands if isinstance(each, NotificationCommand)]
        del commands[:-50]
        largest = max(largest, len(encode_state(state)))
    assert state is not None
    assert decode_state(encode_state(state)) == state
    assert largest < MOST_BYTES


def _event(chance: random.Random, number: int, at: datetime, commands: list[str]) -> CustomerEvent:
    common: dict[str, Any] = {
        "event_id": f"evt-{number:012}",
        "occurred_at": at,
        "customer_id": "cus-0000000001",
    }
    invoice = f"inv-{chance.randrange(2_000):08}"
    subscription = f"sub-{chance.randrange(60):08}"
    card = Card(f"pm-{chance.randrange(50):08}", "visa", "4242", chance.randrange(1, 13), 2028)
    money: dict[str, Any] = {"amount_minor": 4_900, "currency": chance.choice(["USD", "EUR"])}
    owed: dict[str, Any] = {**common, **money, "invoice_id": invoice, "subscription_id": subscription}
    pay_url = f"https://pay.example/{invoice}"
    makers: tuple[Callable[[], CustomerEvent], ...] = (
        lambda: PaymentFailed(**owed, card=card, pay_url=pay_url),
        lambda: CardExpiring(**common, card=card, subscription_ids=(subscription,)),
        lambda: RenewalUpcoming(
            **common,
            **money,
            subscription_id=subscription,
            renews_at=at + timedelta(days=20),
            interval="month",
            plan_name="Team",
        ),
        lambda: PaymentRecovered(**owed),
        lambda: CardUpdated(**common, card=card, source="customer"),
        lambda: SubscriptionCancelled(**common, subscription_id=f"sub-{number:08}"),
        lambda: SubscriptionChanged(
            **common, subscription_id=subscription, change="upgrade", plan_name="Pro"
        ),
        lambda: InvoiceClosed(
            **common, invoice_id=invoice, reason=chance.choice(["voided", "disputed", "dispute_won"])
        ),
        lambda: PaymentReversed(**owed, reason="chargeback"),
        lambda: CustomerProfile(
            **common,
            customer_since=at,
            timezone="Europe/Berlin",
            locale="de-DE",
            country="DE",
            channels=tuple(Channel),
            marketing_consent=True,
            segments=tuple(f"tag-{each}" for each in range(20)),
        ),
        lambda: Feedback(
            **common,
            command_id=chance.choice(commands or ["none"]),
            channel=Channel.EMAIL,
            kind=chance.choice([FeedbackKind.DELIVERED, FeedbackKind.OPENED, FeedbackKind.BOUNCED_SOFT]),
        ),
    )
    return chance.choice(makers)()
