"""Two weeks without a worker: everything waits in Kafka, in an order that nobody chose."""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from streams.dunning import decide
from streams.dunning.commands import AccountCommand
from streams.dunning.events import (
    Channel,
    CustomerProfile,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    Tick,
)
from streams.dunning.state import CustomerState
from streams.messages.history import Arrival
from streams.messages.topics import TICKS, topic_of
from streams.policy import load
from tests.app.histories import START, random_history
from tests.app.recompute import kept_states

from .stage import Stage

__all__ = ["overtaking_is_noticed", "two_weeks_of_backlog"]

# The shipped policy suspends on day 60 who was told the date a week before: the telling happens before the
# outage, the suspension and half of the payments fall into it.
_OUTAGE_BEGINS = START + timedelta(days=55)
_OUTAGE_ENDS = _OUTAGE_BEGINS + timedelta(days=14)
_OVER = START + timedelta(days=80)
_PAYMENTS = "billing.payment-recovered.v1"


def two_weeks_of_backlog(
    stage: Stage, *, workers: int = 1, breaks: str = "late_payments:3", topic_by_topic: bool = False
) -> str:
    """No suspension for an invoice whose payment lay in Kafka when the workers came back.

    And in the end the same is owed, and the same of the late payers are suspended, as if nothing had been.
    """
    history = random_history(stage.chance, customers=30 * stage.scale, days=80)
    history += _late_payers(stage.chance, 40 * stage.scale)
    ticks = [Tick(START + timedelta(hours=12 * number)) for number in range((_OVER - START).days * 2)]
    timeline: list[Arrival | Tick] = sorted([*history, *ticks], key=_moment)
    stage.publish([each for each in timeline if _moment(each) < _OUTAGE_BEGINS])
    worker = stage.start()
    stage.wait_until_done()
    assert worker.stop() == 0
    known = _suspensions(stage)

    backlog = [each for each in timeline if _in_outage(each)]
    stage.publish(_topic_by_topic(stage, backlog) if topic_by_topic else _in_any_order(stage, backlog))
    # Small rounds, and payments that are fetched late: a tick that may overtake will.
    running = [stage.start(str(number), max_records=10, breaks=breaks) for number in range(workers)]
    stage.wait_until_done()
    caught_up = {name: each for name, each in _suspensions(stage).items() if name not in known}
    assert caught_up, "nobody was suspended at all, so this shows nothing"
    _hold_against_payments(stage, list(caught_up.values()))

    stage.publish([each for each in timeline if _moment(each) >= _OUTAGE_ENDS])
    told = stage.finish(*running)
    _hold_against_an_undisturbed_run(kept_states(stage), timeline)
    return f"{len(caught_up)} suspended, none of whom had paid; {told}, the same is owed as without an outage"


def overtaking_is_noticed(stage: Stage) -> str:
    """The same with a worker whose ticks overtake: it must not pass."""
    told = ""
    try:
        two_weeks_of_backlog(stage, breaks="ticks_at_once:3")
    except AssertionError as error:
        told = str(error)
    assert "paid before" in told, told or "a worker whose ticks overtake payments has passed"
    return f"noticed: {told}"


def _late_payers(chance: random.Random, customers: int) -> list[Arrival]:
    """Who fails on the first day, and pays in the outage or not at all."""
    arrivals: list[Arrival] = []
    for number in range(customers):
        customer_id = f"late-{number:05d}"
        of_customer: dict[str, Any] = {
            "customer_id": customer_id,
            "invoice_id": f"{customer_id}/i",
            "subscription_id": f"{customer_id}/s",
            "amount_minor": 4_900,
            "currency": "USD",
        }
        failed = START + timedelta(minutes=chance.randrange(600))
        profile = CustomerProfile(
            event_id=f"{customer_id}/0",
            occurred_at=failed,
            customer_id=customer_id,
            customer_since=START - timedelta(days=100),
            timezone="Europe/Berlin",
            locale="en-US",
            country="DE",
            channels=(Channel.EMAIL,),
        )
        failure = PaymentFailed(event_id=f"{customer_id}/1", occurred_at=failed, **of_customer)
        arrivals += [Arrival(failed, profile), Arrival(failed, failure)]
        if number % 2:
            paid = _OUTAGE_BEGINS + timedelta(hours=1 + chance.randrange(13 * 24))
            payment = PaymentRecovered(event_id=f"{customer_id}/2", occurred_at=paid, **of_customer)
            arrivals.append(Arrival(paid, payment))
    return arrivals


def _in_outage(each: Arrival | Tick) -> bool:
    return _OUTAGE_BEGINS <= _moment(each) < _OUTAGE_ENDS


def _moment(each: Arrival | Tick) -> datetime:
    return each.now if isinstance(each, Tick) else each.arrived_at


def _in_any_order(stage: Stage, backlog: list[Arrival | Tick]) -> list[Arrival | Tick]:
    """Each topic's own order is kept, as Kafka keeps it; between the topics there is none."""
    shuffled: list[Arrival | Tick] = []
    left = list(_by_topic(backlog).values())
    while left:
        chosen = stage.chance.choice(left)
        # In stretches: sometimes nearly a whole topic, the ticks for example, comes before all others.
        stretch = min(len(chosen), stage.chance.choice((1, 10, 200, 2_000)))
        shuffled.extend(chosen.popleft() for _ in range(stretch))
        left = [each for each in left if each]
    return shuffled


def _topic_by_topic(stage: Stage, backlog: list[Arrival | Tick]) -> list[Arrival | Tick]:
    """Whole topics one after the other: the ticks first and the payments last, between them in any order."""
    topics = _by_topic(backlog)
    names = sorted(topics)
    stage.chance.shuffle(names)
    names.sort(key=lambda name: (name != TICKS.name, name == _PAYMENTS))
    return [each for name in names for each in topics[name]]


def _by_topic(backlog: list[Arrival | Tick]) -> dict[str, deque[Arrival | Tick]]:
    topics: dict[str, deque[Arrival | Tick]] = {}
    for each in sorted(backlog, key=_moment):
        name = TICKS.name if isinstance(each, Tick) else topic_of(each.event).name
        topics.setdefault(name, deque()).append(each)
    return topics


def _hold_against_an_undisturbed_run(
    states: Mapping[str, CustomerState], timeline: Sequence[Arrival | Tick]
) -> None:
    """When occurred-at decides and arrival does not, an outage changes nothing about what is owed."""
    undisturbed = _folded(timeline)
    assert states.keys() == undisturbed.keys()
    for customer_id, state in states.items():
        assert _owed(state) == _owed(undisturbed[customer_id]), f"{customer_id} owes something else"
        if customer_id.startswith("late-"):
            assert _suspended(state) == _suspended(undisturbed[customer_id]), f"{customer_id}'s suspension"


def _folded(timeline: Sequence[Arrival | Tick]) -> dict[str, CustomerState]:
    """The states if every event is decided as it arrives, and every tick in its time."""
    policy = load("care").policy
    states: dict[str, CustomerState] = {}
    for each in timeline:
        if isinstance(each, Arrival):
            customer_id = each.event.customer_id
            states[customer_id] = decide(states.get(customer_id), each.event, each.arrived_at, policy).state
            continue
        for customer_id, state in states.items():
            states[customer_id] = decide(state, each, each.now, policy).state
    return states


def _owed(state: CustomerState) -> dict[tuple[str | None, str], dict[str, tuple[datetime, int]]]:
    return {
        (case.subscription_id, case.currency): {
            invoice.invoice_id: (invoice.owed_since, invoice.amount_minor) for invoice in case.invoices
        }
        for case in state.cases
    }


def _suspended(state: CustomerState) -> set[str | None]:
    return {each.subscription_id for each in state.suspended}


def _suspensions(stage: Stage) -> dict[str, AccountCommand]:
    return {
        each.command_id: each
        for each in stage.outputs()
        if isinstance(each, AccountCommand) and each.action == "suspend"
    }


def _hold_against_payments(stage: Stage, suspensions: list[AccountCommand]) -> None:
    """Where a payment came back later, or failed anew, a suspension may be right: those do not count."""
    paid: dict[str, datetime] = {}
    unpaid: dict[str, datetime] = {}
    for event in stage.inputs().values():
        if isinstance(event, PaymentRecovered | PaymentFailed | PaymentReversed):
            latest = paid if isinstance(event, PaymentRecovered) else unpaid
            latest[event.invoice_id] = max(event.occurred_at, latest.get(event.invoice_id, event.occurred_at))
    settled = {invoice_id for invoice_id, at in paid.items() if at >= unpaid.get(invoice_id, at)}
    for command in suspensions:
        wrong = settled.intersection(line.invoice_id for line in command.invoices)
        assert not wrong, f"{command.customer_id} is suspended for {sorted(wrong)}, paid before"
