"""One budget of contacts, and one message a day about all that is owed in a currency."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Card, Channel, FeedbackKind
from streams.dunning.policy import Campaign
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"))
    return customer


def test_all_that_is_owed_in_a_currency_is_one_message_a_day(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0 + HOUR, "inv-b", subscription="sub-b", amount=700)
    assert customer.steps == [("d0_email", D0)]
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONSOLIDATED)[0].until == local("2026-01-06 09:00")
    customer.until(D0 + 2 * DAY)

    message = customer.sent[-1]
    assert (message.step_id, message.decided_at) == ("d0_email", local("2026-01-06 09:00"))
    assert [line.invoice_id for line in message.invoices] == ["inv-a", "inv-b"]
    assert message.total_minor == 2700


def test_cases_that_are_due_together_share_their_messages(customer: Customer) -> None:
    for number in range(5):
        customer.failed(D0 + number * HOUR, f"inv-{number}", subscription=f"sub-{number}")
    customer.until(D0 + 4 * DAY)

    assert customer.steps == [
        ("d0_email", D0),
        ("d0_email", local("2026-01-06 09:00")),
        ("d3_email", local("2026-01-08 09:00")),
    ]
    assert len(customer.said(Outcome.SUPPRESSED, ReasonCode.CONSOLIDATED, step="d3_email")) == 4
    assert len(customer.sent[-1].invoices) == 5


def test_first_contacts_in_two_currencies_both_go_out_at_once(customer: Customer) -> None:
    customer.failed(D0, "inv-usd")
    customer.failed(D0 + HOUR, "inv-eur", currency="EUR")

    assert [(message.currency, message.total_minor) for message in customer.sent] == [
        ("USD", 2000),
        ("EUR", 2000),
    ]


def test_what_does_not_fit_into_the_day_is_deferred_to_the_next(customer: Customer) -> None:
    customer.failed(D0, "inv-usd")
    customer.failed(D0 + HOUR, "inv-eur", currency="EUR")
    customer.until(D0 + 4 * DAY)

    third = [(command.currency, command.decided_at) for command in customer.sent[2:]]
    assert [at for _, at in third] == [local("2026-01-08 09:00")]
    (deferred,) = customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="d3_email")
    assert deferred.until == local("2026-01-12 09:00")


def test_three_contacts_in_seven_days_are_the_most(customer: Customer) -> None:
    customer.renewing(utc("2026-01-02 00:00"), local("2026-01-13 12:00"), subscription="sub-9")
    customer.failed(D0)
    customer.until(local("2026-01-12 12:00"))

    # The 5th, 6th and 8th are three; on the 10th nothing fits, and when it does, day 7 is due as well.
    assert customer.steps == [
        ("d0_email", local("2026-01-05 10:00")),
        ("renewal_7", local("2026-01-06 09:00")),
        ("d3_email", local("2026-01-08 09:00")),
        ("d7_email", local("2026-01-12 09:00")),
    ]
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="d5_sms")
    assert customer.said(Outcome.SUPERSEDED, step="d5_sms")


def test_a_reminder_that_fits_only_after_the_renewal_is_not_sent(customer: Customer) -> None:
    customer.failed(D0)
    customer.renewing(D0, local("2026-01-11 08:00"), subscription="sub-9")
    customer.until(D0 + 8 * DAY)

    assert "renewal_1" not in customer.step_ids
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.TOO_LATE, step="renewal_1")


def test_a_debt_goes_before_a_renewal_and_a_renewal_before_an_expiry() -> None:
    budget = replace(care().policy.budget, per_seven_days=50)
    customer = Customer(replace(care().policy, budget=budget))
    customer.profile(utc("2025-12-01 00:00"))
    # The first reminder of each is due on the 24th: a week before the 31st, and day 3 of the debt.
    old_card = Card(payment_method_id="pm-9", brand="visa", last4="4242", exp_month=1, exp_year=2026)
    customer.card_expiring(utc("2025-12-20 00:00"), old_card, arrives=local("2026-01-20 10:00"))
    customer.renewing(local("2026-01-20 11:00"), local("2026-01-31 12:00"), subscription="sub-9")
    customer.failed(local("2026-01-21 10:00"))
    customer.until(local("2026-01-27 12:00"))

    assert customer.steps == [
        ("card_30", local("2026-01-21 09:00")),
        ("d0_email", local("2026-01-21 10:00")),
        ("d3_email", local("2026-01-24 09:00")),
        ("renewal_7", local("2026-01-25 09:00")),
        ("d5_sms", local("2026-01-26 09:00")),
        ("card_7", local("2026-01-27 09:00")),
    ]


def test_a_final_notice_goes_out_whatever_the_budget(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(local("2026-02-24 00:00"))
    # Three first contacts in other currencies, the last on the very day of the notice.
    customer.failed(local("2026-02-25 10:00"), "inv-eur", currency="EUR")
    customer.failed(local("2026-02-26 10:00"), "inv-gbp", currency="GBP")
    customer.failed(local("2026-02-27 08:00"), "inv-chf", currency="CHF")
    customer.until(local("2026-02-27 09:00"))

    assert customer.steps[-2:] == [("d53_final_notice", local("2026-02-27 09:00"))] * 2


def test_a_final_notice_waits_for_tomorrow_if_the_debt_was_spoken_of_today(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(local("2026-02-27 00:00"))
    customer.failed(local("2026-02-27 08:00"), "inv-b", subscription="sub-b")
    customer.until(local("2026-03-20 00:00"))

    notices = {at for step, at in customer.steps if step == "d53_final_notice"}
    assert notices == {local("2026-02-28 09:00")}
    # Seven times 24 hours after the notice the clocks had not changed yet.
    assert customer.deeds == [("suspend", "sub-1", local("2026-03-07 09:00"))]


def test_final_notices_of_two_cases_are_one_message_and_both_are_suspended(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0, "inv-b", subscription="sub-b")
    customer.until(local("2026-03-10 00:00"))

    notices = [command for command in customer.sent if command.step_id == "d53_final_notice"]
    assert [command.channel for command in notices] == [Channel.EMAIL, Channel.LETTER]
    assert all(len(command.invoices) == 2 for command in notices)
    assert sorted(str(subscription) for _, subscription, _ in customer.deeds) == ["sub-a", "sub-b"]


def test_a_bounced_contact_takes_nothing_from_the_budget() -> None:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"), channels=[Channel.EMAIL])
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_SOFT)
    customer.card_updated(D0 + 2 * HOUR)
    customer.failed(D0 + 3 * HOUR)

    assert customer.steps[-1] == ("new_card_failed", D0 + 3 * HOUR)


def test_calls_have_a_limit_of_their_own() -> None:
    budget = replace(care().policy.budget, per_seven_days=50, calls_per_seven_days=2)
    customer = Customer(replace(care().policy, budget=budget))
    customer.profile(utc("2025-12-01 00:00"), channels=[Channel.PHONE])
    customer.failed(D0)
    customer.until(D0 + 13 * DAY)

    assert customer.steps == [
        ("d0_email", D0),
        ("d3_email", local("2026-01-08 09:00")),
        # The first call leaves the seven days on the twelfth.
        ("d7_email", local("2026-01-12 09:00")),
    ]
    assert customer.said(Outcome.DEFERRED, ReasonCode.CALL_BUDGET, step="d5_sms")


def test_the_day_of_the_budget_is_the_customers_own(customer: Customer) -> None:
    # Half past eleven at night and half past midnight: two days in New York, one in UTC.
    customer.failed(local("2026-01-05 23:30"), "inv-a", subscription="sub-a")
    customer.failed(local("2026-01-06 00:30"), "inv-b", subscription="sub-b")

    assert len(customer.sent) == 2


def test_a_message_today_by_another_channel_is_another_matter_than_the_budget() -> None:
    budget = replace(care().policy.budget, per_day=9, per_seven_days=9)
    customer = Customer(replace(care().policy, budget=budget))
    customer.profile(utc("2025-12-01 00:00"))
    customer.failed(local("2026-01-05 10:00"), "inv-a", subscription="sub-a")
    customer.failed(local("2026-01-07 10:00"), "inv-b", subscription="sub-b")
    customer.until(local("2026-01-10 12:00"))

    tenth = [command for command in customer.sent if command.decided_at >= local("2026-01-10 00:00")]
    assert [command.channel for command in tenth] == [Channel.SMS, Channel.EMAIL]


def test_a_notice_that_bounced_for_two_cases_goes_once_by_each_channel(customer: Customer) -> None:
    written = [channel for channel in Channel if channel is not Channel.LETTER]
    customer.profile(utc("2025-12-02 00:00"), channels=written)
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0, "inv-b", subscription="sub-b")
    bounced_at = local("2026-02-27 12:00")
    customer.until(bounced_at - HOUR)
    customer.profile(bounced_at - HOUR, channels=[*written, Channel.LETTER])
    customer.feedback(bounced_at, FeedbackKind.BOUNCED_HARD)
    customer.until(bounced_at + HOUR)

    again = [command for command in customer.sent if command.decided_at >= bounced_at]
    assert [command.channel for command in again] == [Channel.IN_APP, Channel.LETTER]
    (joined,) = customer.said(Outcome.SUPPRESSED, ReasonCode.CONSOLIDATED, step="d53_final_notice")[1:]
    assert joined.command_id == again[0].command_id
    customer.until(local("2026-03-20 00:00"))
    assert sorted(str(subscription) for _, subscription, _ in customer.deeds) == ["sub-a", "sub-b"]


def test_a_further_channel_carries_a_debt_once_a_day_as_well() -> None:
    first, third, *later = care().policy.campaigns["standard"].ladder
    ladder = (
        replace(first, channels=(Channel.EMAIL, Channel.LETTER)),
        replace(third, channels=(Channel.IN_APP, Channel.LETTER)),
        *later,
    )
    customer = Customer(replace(care().policy, campaigns={"standard": Campaign(ladder=ladder)}))
    customer.profile(utc("2025-12-01 00:00"))
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0 + 3 * DAY, "inv-b", subscription="sub-b")

    third_day = [command for command in customer.sent if command.decided_at >= local("2026-01-08 00:00")]
    assert [(command.step_id, command.channel) for command in third_day] == [
        ("d3_email", Channel.IN_APP),
        ("d3_email", Channel.LETTER),
        ("d0_email", Channel.EMAIL),
    ]
    (left_out,) = customer.said(Outcome.SUPPRESSED, ReasonCode.CONSOLIDATED)
    assert (left_out.channel, left_out.command_id) == (Channel.LETTER, third_day[1].command_id)
