"""What is remembered has bounds, and nobody is suspended for what is forgotten."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Missing, Outcome, ReasonCode
from streams.dunning.identity import fingerprint
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")
SUSPENSION = local("2026-03-06 09:00")


def remembering(**limits: int) -> Customer:
    """A customer of whom so little is remembered."""
    memory: Any = limits
    customer = Customer(replace(care().policy, memory=replace(care().policy.memory, **memory)))
    customer.profile(utc("2025-12-01 00:00"))
    return customer


def not_suspended_but_looked_at(customer: Customer, missing: Missing) -> bool:
    """Whether the gate stays shut for this and nothing else, and a person is asked in the end."""
    customer.until(SUSPENSION + 40 * DAY)
    blocked = customer.said(Outcome.BLOCKED, ReasonCode.GATE_NOT_MET)
    assert {reason.missing for reason in blocked} == {(missing,)}
    return [action for action, _, _ in customer.deeds] == ["review"]


# Payments.


def paid_and_forgotten() -> Customer:
    """A failure arrives after its payment, and after that of another invoice, the only one remembered."""
    customer = remembering(settlements=1)
    customer.paid(D0 - HOUR, "inv-1")
    customer.paid(D0, "inv-2")
    customer.failed(D0 - 2 * HOUR, "inv-1", arrives=D0 + HOUR)
    return customer


def test_who_may_have_paid_is_not_suspended_and_a_person_is_asked_to_look() -> None:
    customer = paid_and_forgotten()
    assert customer.said(Outcome.WARNED, ReasonCode.LIMIT_REACHED)[0].invoice_id == "inv-1"

    assert not_suspended_but_looked_at(customer, Missing.KNOWN_UNPAID)


def test_another_failure_says_that_it_was_not_paid() -> None:
    customer = paid_and_forgotten()
    customer.failed(D0 + 3 * DAY, "inv-1")
    customer.until(SUSPENSION + DAY)

    assert [action for action, _, _ in customer.deeds] == ["suspend"]
    assert len(customer.said(Outcome.WARNED, ReasonCode.LIMIT_REACHED)) == 1


def test_what_failed_after_the_forgotten_payments_is_certain() -> None:
    customer = remembering(settlements=1)
    for number in range(3):
        customer.paid(D0 - HOUR, f"inv-{number}")
    customer.failed(D0)

    assert not customer.said(Outcome.WARNED)
    assert not customer.case.invoices[0].unconfirmed


# Disputes.


def test_an_open_dispute_that_is_forgotten_keeps_everybody_from_being_suspended() -> None:
    customer = remembering(disputes=1)
    customer.failed(D0)
    for number in (2, 3):
        customer.failed(D0, f"inv-{number}", subscription=f"sub-{number}")
        customer.closed(D0 + HOUR, "disputed", f"inv-{number}")

    assert not_suspended_but_looked_at(customer, Missing.NO_DISPUTE)


@pytest.mark.parametrize("decided", ["dispute_won", "credited"])
def test_decided_disputes_are_forgotten_first(decided: str) -> None:
    customer = remembering(disputes=1)
    customer.failed(D0, "inv-2", subscription="sub-2")
    customer.closed(D0 + HOUR, "disputed", "inv-2")
    customer.failed(D0 + 2 * HOUR, "inv-3", subscription="sub-3")
    customer.closed(D0 + 3 * HOUR, decided, "inv-2")
    customer.closed(D0 + 4 * HOUR, "disputed", "inv-3")

    assert [dispute.invoice_id for dispute in customer.state.disputes] == ["inv-3"]
    assert not customer.state.dispute_forgotten


# Cancelled subscriptions.


def test_many_cancelled_subscriptions_are_remembered() -> None:
    customer = remembering()
    for number in range(48):
        customer.cancelled(D0, f"sub-{number}")
    customer.failed(D0 + HOUR, subscription="sub-0")

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED)
    customer.cancelled(D0 + 2 * HOUR, "sub-48")
    assert fingerprint("sub-0") not in customer.state.cancelled


# Invoices and their attempts.


def test_the_invoices_of_all_cases_have_one_limit() -> None:
    customer = remembering(invoices_in_all=3)
    for number in range(5):
        customer.failed(D0, f"inv-{number}", subscription=f"sub-{number % 2}")

    assert sum(len(case.invoices) for case in customer.state.cases) == 3
    assert len(customer.said(Outcome.IGNORED, ReasonCode.LIMIT_REACHED)) == 2


def test_what_was_ignored_is_followed_up_once_there_is_room() -> None:
    customer = remembering(invoices_in_all=1)
    customer.failed(D0)
    customer.failed(D0, "inv-2", subscription="sub-2")
    customer.paid(D0 + DAY)
    customer.failed(D0 + 2 * DAY, "inv-2", subscription="sub-2")

    assert customer.case.subscription_id == "sub-2"
    assert customer.case.anchor == D0 + 2 * DAY


def test_open_invoices_share_what_is_remembered_of_attempts() -> None:
    customer = remembering(attempts_in_all=24)
    for number in range(3):
        for day in range(10):
            customer.failed(D0 + day * DAY + number * HOUR, f"inv-{number}", network="visa")

    for number, invoice in enumerate(customer.case.invoices):
        first, *latest = invoice.failures
        assert first == D0 + number * HOUR
        assert latest == [D0 + day * DAY + number * HOUR for day in (7, 8, 9)]
        assert invoice.retries is not None
        assert invoice.retries.attempted_at[-1] == latest[-1]
        assert len(invoice.retries.attempted_at) == 4
        assert invoice.attempts == 10


@pytest.mark.parametrize(("paid_on", "is_owed"), [(4, True), (8, True), (9, False)])
def test_a_payment_still_beats_the_attempts_before_it(paid_on: int, *, is_owed: bool) -> None:
    customer = remembering(attempts_in_all=4)
    for day in range(10):
        customer.failed(D0 + day * DAY)
    customer.paid(D0 + paid_on * DAY, arrives=D0 + 10 * DAY)

    assert bool(customer.state.cases) is is_owed
