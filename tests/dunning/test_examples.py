"""The examples that the domain's description gives, each with its exact times; a customer in New York, 2026.

The worker is restarted after every input: see `tests.dunning.customer`.
"""

import pytest

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel
from tests.dunning.customer import Customer, care, local, utc


@pytest.fixture
def customer() -> Customer:
    """Somebody in New York who can be reached by every channel; messages are rendered."""
    customer = Customer(content=care().content)
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def test_a_payment_that_arrives_before_its_earlier_failure_leads_to_nothing(customer: Customer) -> None:
    customer.paid(local("2026-01-05 10:05"))
    customer.failed(local("2026-01-05 10:00"), arrives=local("2026-01-05 10:06"))
    customer.until(local("2026-06-01 00:00"))

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.SETTLED_BEFORE)


def test_the_same_failure_three_times_gives_one_email(customer: Customer) -> None:
    for minute in ("10:00", "10:01", "10:02"):
        customer.failed(
            local("2026-01-05 10:00"), event_id="failure-1", arrives=local(f"2026-01-05 {minute}")
        )

    (email,) = customer.sent
    assert (email.step_id, email.channel, email.decided_at) == (
        "d0_email",
        Channel.EMAIL,
        utc("2026-01-05 15:00"),
    )
    assert len(customer.said(Outcome.IGNORED, ReasonCode.DUPLICATE_EVENT)) == 2


def test_only_the_subscription_that_owes_is_suspended(customer: Customer) -> None:
    customer.paid(utc("2026-01-02 12:00"), "inv-a", subscription="yearly-a")
    customer.failed(utc("2026-01-05 15:00"), "inv-b", subscription="monthly-b")
    customer.until(utc("2026-06-01 00:00"))

    assert customer.steps == [
        ("d0_email", utc("2026-01-05 15:00")),
        ("d3_email", utc("2026-01-08 14:00")),
        ("d5_sms", utc("2026-01-10 14:00")),
        ("d7_email", utc("2026-01-12 14:00")),
        ("d14_email", utc("2026-01-19 14:00")),
        ("d21_phone", utc("2026-01-26 14:00")),
        ("d35_phone", utc("2026-02-09 14:00")),
        # Daylight saving time began on 8 March: nine in the morning is thirteen o'clock by now.
        ("d53_final_notice", utc("2026-02-27 14:00")),
        ("d53_final_notice", utc("2026-02-27 14:00")),
    ]
    assert [command.channel for command in customer.sent[-2:]] == [Channel.EMAIL, Channel.LETTER]
    assert customer.deeds == [("suspend", "monthly-b", utc("2026-03-06 14:00"))]


def test_a_stolen_card_asks_for_a_new_one_and_the_new_one_failing_is_one_message(customer: Customer) -> None:
    customer.failed(local("2026-01-05 10:00"), code="43")
    (first,) = customer.sent
    assert first.template == "payment_failed_hard"
    assert first.variables["decline_class"] == "hard"
    assert "next_retry_on" not in first.variables
    assert "again" not in first.body
    assert "stolen" not in first.body + str(first.subject)
    case_id = customer.case.case_id

    customer.card_updated(local("2026-01-07 10:00"))
    (held,) = customer.said(Outcome.HELD, ReasonCode.CARD_UPDATED)
    assert held.until == local("2026-01-10 10:00")
    customer.failed(local("2026-01-07 12:00"))

    assert customer.steps == [
        ("d0_email", local("2026-01-05 10:00")),
        ("new_card_failed", local("2026-01-07 12:00")),
    ]
    assert customer.case.case_id == case_id


def test_the_ladder_waits_three_days_for_the_new_card(customer: Customer) -> None:
    customer.failed(local("2026-01-05 10:00"), code="43")
    customer.card_updated(local("2026-01-07 10:00"))
    customer.until(local("2026-01-11 23:00"))

    # The third day's email is superseded by that of the fifth: both are due when the wait is over.
    assert customer.steps == [
        ("d0_email", local("2026-01-05 10:00")),
        ("d5_sms", local("2026-01-11 09:00")),
    ]


def test_nothing_is_sent_or_reactivated_after_a_cancellation(customer: Customer) -> None:
    customer.failed(local("2026-01-05 10:00"))
    customer.cancelled(local("2026-01-09 10:00"))
    customer.paid(local("2026-01-11 10:00"))
    customer.until(local("2026-06-01 00:00"))

    assert customer.step_ids == ["d0_email", "d3_email"]
    assert customer.actions == []


def test_renewal_reminders_keep_the_hour_across_the_change_to_summer_time(customer: Customer) -> None:
    customer.renewing(utc("2026-02-20 00:00"), local("2026-03-15 09:00"))
    customer.until(utc("2026-04-01 00:00"))

    assert customer.steps == [
        ("renewal_7", utc("2026-03-08 13:00")),
        ("renewal_1", utc("2026-03-14 13:00")),
    ]


def test_a_text_message_due_at_half_past_nine_in_the_evening_waits_for_eight(customer: Customer) -> None:
    customer.failed(local("2026-02-25 10:00"))
    customer.down(local("2026-03-02 08:00"), utc("2026-03-03 02:30"))
    customer.until(utc("2026-03-03 23:00"))

    assert customer.steps[-1] == ("d5_sms", utc("2026-03-03 13:00"))
    (deferred,) = customer.said(Outcome.DEFERRED, ReasonCode.OUTSIDE_WINDOW)
    assert deferred.until == utc("2026-03-03 13:00")


def test_after_an_outage_of_two_weeks_only_the_last_reminder_goes_out(customer: Customer) -> None:
    customer.failed(local("2026-01-05 10:00"))
    customer.down(local("2026-01-07 00:00"), local("2026-01-20 12:00"))
    customer.until(local("2026-01-25 00:00"))

    assert customer.steps == [
        ("d0_email", local("2026-01-05 10:00")),
        ("d14_email", local("2026-01-20 12:00")),
    ]
    assert [reason.step_id for reason in customer.said(Outcome.SUPERSEDED)] == [
        "d3_email",
        "d5_sms",
        "d7_email",
    ]


def test_a_final_notice_that_an_outage_delayed_moves_the_suspension(customer: Customer) -> None:
    customer.failed(local("2026-01-05 10:00"))
    customer.down(local("2026-02-24 00:00"), local("2026-03-07 12:00"))
    customer.until(local("2026-04-01 00:00"))

    notices = [command for command in customer.sent if command.step_id == "d53_final_notice"]
    assert {command.decided_at for command in notices} == {local("2026-03-07 12:00")}
    assert {command.variables["suspension_date"] for command in notices} == {"2026-03-14"}
    # Seven days are 168 hours: the clocks went forward in between.
    assert customer.deeds == [("suspend", "sub-1", local("2026-03-14 13:00"))]
