"""Two weeks without a worker: everything waits in Kafka, in an order that nobody chose."""

import random
from collections import deque
from datetime import datetime, timedelta
from typing import Any

from streams.dunning.commands import AccountCommand
from streams.dunning.events import (
    Channel,
    CustomerProfile,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    Tick,
)
from streams.messages.history import Arrival
from streams.messages.topics import topic_of
from tests.app.histories import START, random_history

from .stage import Stage

__all__ = ["overtaking_is_noticed", "two_weeks_of_backlog"]

# The shipped policy suspends on day 60 who was told the date a week before: the telling happens before the
# outage, the suspension and half of the payments fall into it.
_OUTAGE_BEGINS = START + timedelta(days=55)
_OUTAGE_ENDS = _OUTAGE_BEGINS + timedelta(days=14)
_OVER = START + timedelta(days=80)


def two_weeks_of_backlog(stage: Stage, *, workers: int = 1, breaks: str = "late_payments:3") -> str:
    """No suspension for an invoice whose payment lay in Kafka when the workers came back."""
    history = random_history(stage.chance, customers=30 * stage.scale, days=80)
    history += _late_payers(stage.chance, 40 * stage.scale)
    ticks = [Tick(START + timedelta(hours=12 * number)) for number in range((_OVER - START).days * 2)]
    timeline: list[Arrival | Tick] = sorted([*history, *ticks], key=_moment)
    stage.publish([each for each in timeline if _moment(each) < _OUTAGE_BEGINS])
    worker = stage.start()
    stage.wait_until_done()
    assert worker.stop() == 0
    known = _suspensions(stage)

    stage.publish(_in_any_order(stage, [each for each in timeline if _in_outage(each)]))
    # Small rounds, and payments that are fetched late: a tick that may overtake will.
    running = [stage.start(str(number), max_records=10, breaks=breaks) for number in range(workers)]
    stage.wait_until_done()
    caught_up = {name: each for name, each in _suspensions(stage).items() if name not in known}
    assert caught_up, "nobody was suspended at all, so this shows nothing"
    _hold_against_payments(stage, list(caught_up.values()))

    stage.publish([each for each in timeline if _moment(each) >= _OUTAGE_ENDS])
    return f"{len(caught_up)} suspended, none of whom had paid; " + stage.finish(*running)


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
    topics: dict[str, deque[Arrival | Tick]] = {}
    for each in sorted(backlog, key=_moment):
        name = "tick" if isinstance(each, Tick) else topic_of(each.event).name
        topics.setdefault(name, deque()).append(each)
    shuffled: list[Arrival | Tick] = []
    left = list(topics.values())
    while left:
        chosen = stage.chance.choice(left)
        # In stretches: sometimes nearly a whole topic, the ticks for example, comes before all others.
        stretch = min(len(chosen), stage.chance.choice((1, 10, 200, 2_000)))
        shuffled.extend(chosen.popleft() for _ in range(stretch))
        left = [each for each in left if each]
    return shuffled


def _suspensions(stage: Stage) -> dict[str, AccountCommand]:
    return {
        each.command_id: each
        for each in stage.outputs()
        if isinstance(each, AccountCommand) and each.action == "suspend"
    }


def _hold_against_payments(stage: Stage, suspensions: list[AccountCommand]) -> None:
    """Where a payment came back later, or failed anew, a suspension may be right: those do not count."""
    paid: set[str] = set()
    reversed_later: set[str] = set()
    for event in stage.inputs().values():
        if isinstance(event, PaymentRecovered):
            paid.add(event.invoice_id)
        elif isinstance(event, PaymentReversed):
            reversed_later.add(event.invoice_id)
    for command in suspensions:
        invoices = {line.invoice_id for line in command.invoices}
        wrong = (invoices & paid) - reversed_later
        assert not wrong, f"{command.customer_id} is suspended for {sorted(wrong)}, paid before"
