"""Customers to whom everything happens, always the same: their states show every field that there is."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

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
from streams.dunning.measures import Counts, add_up
from streams.dunning.outcomes import outcomes
from streams.dunning.policy import Policy
from streams.dunning.state import CustomerState

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
_EVENTS = 60
_REMEMBERED_COMMANDS = 6
_REPORTS = list(FeedbackKind)


def lives(policy: Policy, customers: int, counts: Counts) -> Iterator[CustomerState]:
    """Every state of so many customers, one after the other; the outcomes are added to the counts."""
    for seed in range(customers):
        yield from _life(random.Random(seed), f"cus-{seed:04}", policy, counts)


def _life(chance: random.Random, customer_id: str, policy: Policy, counts: Counts) -> Iterator[CustomerState]:
    state: CustomerState | None = None
    sent: list[NotificationCommand] = []

    def after(cause: CustomerEvent | Tick, clock: datetime) -> CustomerState | None:
        decision = decide(state, cause, clock, policy)
        add_up(counts, outcomes(state, cause, decision, policy))
        sent.extend(each for each in decision.commands if isinstance(each, NotificationCommand))
        del sent[:-_REMEMBERED_COMMANDS]
        return None if decision.forgotten else decision.state

    moment = START
    hours = chance.choice([6, 24, 96])
    for number in range(_EVENTS):
        moment += timedelta(hours=chance.uniform(0.1, hours))
        while state is not None and state.due is not None and state.due <= moment:
            state = after(Tick(state.due), state.due)
            if state is not None:
                yield state
        state = after(_event(chance, customer_id, number, moment, sent), moment)
        if state is not None:
            yield state


def _event(
    chance: random.Random, customer_id: str, number: int, at: datetime, sent: list[NotificationCommand]
) -> CustomerEvent:
    who: dict[str, Any] = {"event_id": f"evt-{number:04}", "customer_id": customer_id, "occurred_at": at}
    subscription = chance.choice(["sub-1", "sub-2", None])
    invoice = f"inv-{chance.randrange(5)}"
    card = Card(f"pm-{chance.randrange(3)}", chance.choice(["visa", "mastercard"]), "4242", 7, 2026)
    money: dict[str, Any] = {"amount_minor": chance.choice([50, 2_900, 49_900]), "currency": "USD"}
    owed: dict[str, Any] = {**who, **money, "invoice_id": invoice, "subscription_id": subscription}
    late = {**owed, "occurred_at": at - timedelta(days=chance.choice([0, 0, 1, 20]))}

    def failed() -> CustomerEvent:
        return PaymentFailed(
            **late,
            network=card.brand,
            decline_code=chance.choice(
                ["insufficient_funds", "expired_card", "stolen_card", "authentication_required", "r0", "51"]
            ),
            advice_code=chance.choice([None, "03", "24", "40"]),
            attempt=chance.randrange(1, 5),
            next_retry_at=chance.choice([None, at + timedelta(days=3)]),
            card=card,
            customer_initiated=chance.random() < 0.1,
            pay_url="https://pay.example/1",
        )

    def reported() -> CustomerEvent:
        if not sent:
            return failed()
        about = chance.choice(sent)
        kind = chance.choice(_REPORTS)
        return Feedback(
            **who,
            command_id=about.command_id,
            channel=about.channel,
            kind=kind,
            promised_until=at + timedelta(days=4) if kind is FeedbackKind.PROMISED else None,
            text="I will look at it" if kind is FeedbackKind.REPLIED else None,
        )

    def told_who() -> CustomerEvent:
        return CustomerProfile(
            **who,
            customer_since=START - timedelta(days=700),
            timezone="America/New_York",
            locale=chance.choice(["en-US", "de-DE"]),
            country="US",
            region="NY",
            channels=tuple(Channel),
            marketing_consent=True,
            preferred_channel=Channel.SMS,
            segments=("vip",),
            engagement=0.5,
            last_seen_at=at - timedelta(days=2),
            satisfaction=8,
            exempt=chance.random() < 0.05,
            seasonal_tags=("summer",),
        )

    makers: list[Callable[[], CustomerEvent]] = [
        failed,
        lambda: CardExpiring(**who, card=card, subscription_ids=("sub-1",)),
        lambda: RenewalUpcoming(
            **who,
            **money,
            subscription_id=subscription or "sub-3",
            renews_at=at + timedelta(days=chance.choice([2, 9, 40])),
            interval=chance.choice(["month", "year"]),
            plan_name="Team",
        ),
        lambda: PaymentRecovered(**owed),
        lambda: CardUpdated(**who, card=card, source=chance.choice(["customer", "account_updater"])),
        lambda: SubscriptionCancelled(**who, subscription_id="sub-4"),
        lambda: SubscriptionChanged(
            **who, subscription_id="sub-1", change=chance.choice(["downgrade", "upgrade"]), plan_name="Solo"
        ),
        lambda: InvoiceClosed(
            **who,
            invoice_id=invoice,
            reason=chance.choice(["voided", "disputed", "dispute_won", "written_off"]),
        ),
        lambda: PaymentReversed(**owed, reason=chance.choice(["chargeback", "refund"])),
        told_who,
        reported,
    ]
    weights = [8, 1, 1, 2, 1, 0.3, 0.5, 1, 0.5, 1, 6]
    return chance.choices(makers, weights)[0]()
