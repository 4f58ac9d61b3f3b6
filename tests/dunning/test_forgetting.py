"""Customers about whom nothing is open and nothing happens are forgotten, and nothing sooner than that."""

from datetime import timedelta

import pytest

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, FeedbackKind
from streams.lab.simulate import Simulator
from streams.lab.ticks import TickGrid
from streams.messages.history import Arrival
from streams.messages.validation import DEFAULT_LIMITS

from .customer import Customer, care, utc

D0 = utc("2026-01-05 15:00")
DAY = timedelta(days=1)
QUIET = care().policy.memory.quiet_customers


def test_who_has_paid_and_is_quiet_is_forgotten() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.paid(D0 + DAY)
    customer.until(D0 + DAY + QUIET - timedelta(minutes=1))
    assert customer.state.settlements
    customer.until(D0 + DAY + QUIET)
    assert customer.state_bytes is None


def test_nothing_is_forgotten_while_a_late_failure_may_still_come() -> None:
    """No record is taken whose `occurred_at` is further behind its timestamp than the limit."""
    customer = Customer()
    customer.paid(D0)
    customer.failed(D0 - timedelta(minutes=1), arrives=D0 + DEFAULT_LIMITS.behind - timedelta(minutes=1))
    assert customer.said(Outcome.IGNORED, ReasonCode.SETTLED_BEFORE)
    assert not customer.sent
    assert DEFAULT_LIMITS.behind < QUIET


def test_every_event_begins_the_time_anew() -> None:
    customer = Customer()
    customer.paid(D0)
    customer.paid(D0 + 300 * DAY, invoice="inv-2")
    customer.until(D0 + QUIET + 10 * DAY)
    assert customer.state_bytes is not None
    customer.until(D0 + 300 * DAY + QUIET)
    assert customer.state_bytes is None


def test_an_open_case_is_not_forgotten_however_long_it_is_quiet() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.until(D0 + 3 * QUIET)
    assert customer.case.invoices


def test_what_ended_a_channel_is_kept_and_the_rest_goes() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.OPTED_OUT)
    customer.paid(D0 + 2 * DAY)
    before = customer.state
    customer.until(D0 + 3 * QUIET)
    after = customer.state
    assert after.channels == before.channels
    assert not after.channels[Channel.EMAIL].alive
    assert not after.settlements
    assert not after.event_ids
    assert after.due is None


def test_a_profile_is_kept() -> None:
    customer = Customer()
    customer.profile(D0)
    customer.paid(D0)
    customer.until(D0 + 3 * QUIET)
    assert customer.state.profile is not None
    assert not customer.state.settlements


@pytest.mark.parametrize("forgotten", [False, True])
def test_the_simulator_keeps_nothing_of_who_is_forgotten(*, forgotten: bool) -> None:
    customer = Customer()
    customer.paid(D0)
    simulator = Simulator(care(), TickGrid())
    for each in customer.decided:
        list(simulator.arrive(Arrival(D0, each.event)))  # type: ignore[arg-type]
    list(simulator.tick_until(D0 + QUIET - (timedelta(0) if forgotten else DAY)))
    assert simulator.customers == (0 if forgotten else 1)
    assert simulator.next_tick() is None or not forgotten
