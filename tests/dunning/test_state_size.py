"""Whatever happens to a customer, and however often, little is kept."""

import random
import string
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


def test_a_company_with_every_limit_reached_stays_small() -> None:
    """Forty subscriptions fail every third day for two months, under names as long as vendors' are."""
    chance, policy = random.Random(3), care().policy
    names = {kind: [f"{kind}_1N{_letters(chance, 20)}" for _ in range(80)] for kind in ("sub", "in", "pm")}
    customer: dict[str, Any] = {"customer_id": "cus_1N5Fh8kq"}
    start = utc("2026-01-05 15:00")
    events: list[CustomerEvent] = [
        CustomerProfile(
            event_id="profile",
            occurred_at=start,
            **customer,
            customer_since=start,
            timezone="Europe/Berlin",
            locale="de-DE",
            country="DE",
            channels=tuple(Channel),
            segments=tuple(f"segment-{each}" for each in range(16)),
        )
    ]
    for number in range(80):
        subscription = names["sub"][number % 40]
        card = Card(names["pm"][number % 10], "visa", "4242", 7, 2028)
        common: dict[str, Any] = {**customer, "amount_minor": 4_900 + number, "currency": "USD"}
        owed = {**common, "invoice_id": names["in"][number], "subscription_id": subscription}
        pay_url = f"https://pay.example.com/{names['in'][number]}"

        def at(day: float) -> datetime:
            return start + timedelta(days=day, microseconds=chance.randrange(10**10))

        for day in range(0, 60, 3):
            event_id = f"{number}/{day}"
            failed = PaymentFailed(event_id=event_id, occurred_at=at(day), **owed, card=card, pay_url=pay_url)
            events.append(failed)
        other = {**owed, "invoice_id": _letters(chance, 20)}
        events += [
            PaymentRecovered(event_id=f"{number}/p", occurred_at=at(number / 2), **other),
            SubscriptionCancelled(
                event_id=f"{number}/c",
                occurred_at=at(number / 2),
                **customer,
                subscription_id=_letters(chance, 20),
            ),
            CardUpdated(event_id=f"{number}/u", occurred_at=at(30), **customer, card=card, source="customer"),
            RenewalUpcoming(
                event_id=f"{number}/r",
                occurred_at=at(1),
                **common,
                subscription_id=subscription,
                renews_at=start + timedelta(days=40 + number),
                interval="month",
                plan_name="Team",
            ),
        ]
        if number % 6 == 0:
            events.append(
                InvoiceClosed(
                    event_id=f"{number}/d",
                    occurred_at=at(20),
                    **customer,
                    invoice_id=names["in"][number],
                    reason="disputed",
                )
            )
    state: CustomerState | None = None
    largest = invoices = 0
    for event in sorted(events, key=lambda each: each.occurred_at):
        while state is not None and state.due is not None and state.due <= event.occurred_at:
            state = decide(state, Tick(state.due), state.due, policy).state
        state = decide(state, event, event.occurred_at, policy).state
        largest = max(largest, len(encode_state(state)))
        invoices = max(invoices, sum(len(case.invoices) for case in state.cases))
    assert invoices == policy.memory.invoices_in_all
    assert largest < MOST_BYTES


def _letters(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.ascii_letters + string.digits, k=count))
