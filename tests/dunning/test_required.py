"""A reminder that a network or a law asks for does not wait for the budget until it is too late."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel
from streams.dunning.policy import Policy, Reminder
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
ANNOUNCED = local("2026-01-05 10:00")
RENEWS = local("2026-03-13 12:00")


def morning(days_before: int) -> datetime:
    """The contact hour so many days before the renewal; the clocks change in between."""
    return local(f"{(RENEWS - days_before * DAY).date()} 09:00")


def reminding(*reminders: tuple[int, Channel]) -> Policy:
    """The shipped policy with other reminders of renewals."""
    made = tuple(
        Reminder(id=f"renewal_{days}", days_before=days, channels=(channel,), template="renewal_upcoming")
        for days, channel in reminders
    )
    return replace(care().policy, renewals=replace(care().policy.renewals, reminders=made))


def fill_the_week(customer: Customer, days_before: int) -> None:
    """Three first contacts on the days before that morning, about what is paid an hour later."""
    for days, currency in enumerate(("USD", "EUR", "GBP"), start=1):
        failed = morning(days_before + 4 - days) + timedelta(hours=1)
        customer.failed(failed, currency, currency=currency)
        customer.paid(failed + timedelta(hours=1), currency, currency=currency)


def busy(days_before: int, policy: Policy | None = None, *, place: str = "US", **renewal: Any) -> Customer:
    """A customer who is told of a renewal, and whose week is full on that morning."""
    customer = Customer(policy)
    customer.profile(utc("2025-12-01 00:00"), country=place)
    customer.renewing(ANNOUNCED, RENEWS, subscription="sub-9", **renewal)
    fill_the_week(customer, days_before)
    return customer


def reminded(customer: Customer) -> list[tuple[str, datetime]]:
    return [(step, at) for step, at in customer.steps if step.startswith("renewal")]


@pytest.mark.parametrize(
    "occasion",
    [{"trial_ends": True}, {"trial_ends": True, "trial_days": 14}, {"previous_amount_minor": 1500}],
)
def test_on_the_windows_last_day_it_goes_out_whatever_the_budget(occasion: dict[str, Any]) -> None:
    customer = busy(7, **occasion)
    customer.until(morning(6))

    assert reminded(customer) == [("renewal_7", morning(7))]
    assert customer.said(Outcome.SENT, ReasonCode.REQUIRED_REMINDER, step="renewal_7")


def test_where_nobody_asks_for_it_the_budget_holds() -> None:
    customer = busy(7)
    customer.until(morning(6))

    assert reminded(customer) == []
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="renewal_7")


def test_while_the_window_lasts_it_waits_for_the_budget() -> None:
    customer = busy(30, interval="year")
    customer.until(morning(20))

    assert reminded(customer) == [("renewal_30", morning(26))]
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="renewal_30")
    assert customer.said(Outcome.SENT, ReasonCode.STEP_DUE, step="renewal_30")


def test_it_waits_for_the_windows_last_day_and_no_longer() -> None:
    # California asks for a reminder of a yearly term 15 days before at the latest.
    customer = busy(16, reminding((16, Channel.EMAIL), (1, Channel.EMAIL)), interval="year")
    customer.until(morning(10))

    (deferred,) = customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="renewal_16")
    assert deferred.until == morning(15)
    assert reminded(customer) == [("renewal_16", morning(15))]
    assert customer.said(Outcome.SENT, ReasonCode.REQUIRED_REMINDER, step="renewal_16")


def test_a_law_binds_where_the_customer_lives() -> None:
    customer = busy(16, reminding((16, Channel.EMAIL), (1, Channel.EMAIL)), place="DE", interval="year")
    customer.until(morning(10))

    # The networks ask for it 7 days before at the latest, and there is room before.
    assert reminded(customer) == [("renewal_16", morning(12))]
    assert not customer.said(Outcome.SENT, ReasonCode.REQUIRED_REMINDER)


def test_what_one_reminder_has_met_asks_for_no_second() -> None:
    customer = busy(7, interval="year")
    customer.until(morning(6))

    assert reminded(customer) == [("renewal_30", morning(30))]
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="renewal_7")


def test_a_price_that_changes_after_a_reminder_asks_for_another() -> None:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"))
    customer.renewing(ANNOUNCED, RENEWS, subscription="sub-9", interval="year")
    customer.until(morning(29))
    customer.renewing(
        morning(20), RENEWS, subscription="sub-9", interval="year", amount=2500, previous_amount_minor=2000
    )
    fill_the_week(customer, 7)
    customer.until(morning(6))

    assert reminded(customer) == [("renewal_30", morning(30)), ("renewal_7", morning(7))]
    assert customer.said(Outcome.SENT, ReasonCode.REQUIRED_REMINDER, step="renewal_7")


def test_a_call_that_does_not_count_takes_nobodys_place() -> None:
    customer = busy(9, reminding((9, Channel.EMAIL), (7, Channel.PHONE)), trial_ends=True)
    customer.until(morning(6))

    assert reminded(customer) == [("renewal_9", morning(8))]


def test_a_trial_too_short_for_the_rule_is_no_occasion() -> None:
    compliance = care().policy.compliance
    mastercard = tuple(each for each in compliance.windows if each.applies_to == "mastercard")
    policy = replace(reminding((4, Channel.EMAIL)), compliance=replace(compliance, windows=mastercard))
    for trial_days, mornings in ((7, [morning(0)]), (8, [morning(3)])):
        customer = busy(4, policy, trial_ends=True, trial_days=trial_days)
        customer.until(RENEWS)
        assert reminded(customer) == [("renewal_4", at) for at in mornings]
