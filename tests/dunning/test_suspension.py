"""The gate before a suspension, its review, and the way back."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Missing, Outcome, ReasonCode
from streams.dunning.events import Channel, FeedbackKind
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")
NOTICE = local("2026-02-27 09:00")
SUSPENSION = local("2026-03-06 09:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def missing_at(customer: Customer, moment: datetime) -> set[Missing]:
    """What the gate lacked when it was tried at the moment."""
    customer.until(moment)
    (reason,) = [
        reason
        for _, decision in customer.decided
        if decision.clock == moment
        for reason in decision.reasons
        if reason.outcome is Outcome.BLOCKED
    ]
    return set(reason.missing)


def suspended(customer: Customer) -> Customer:
    """A customer who owes for `sub-1` and was suspended on day 60."""
    customer.failed(D0)
    customer.until(SUSPENSION)
    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]
    return customer


def test_a_suspension_names_the_case_its_invoices_and_their_total(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + DAY, "inv-2", amount=500)
    customer.until(SUSPENSION)

    (command,) = customer.actions
    assert (command.action, command.reason, command.case_id) == (
        "suspend",
        "gate_met",
        customer.case.case_id,
    )
    assert [line.invoice_id for line in command.invoices] == ["inv-1", "inv-2"]
    assert (command.total_minor, command.currency) == (2500, "USD")


def test_the_final_notice_names_the_day_of_the_suspension(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)

    assert [command.channel for command in customer.sent[-2:]] == [Channel.EMAIL, Channel.LETTER]
    assert {command.variables["suspension_date"] for command in customer.sent[-2:]} == {"2026-03-06"}


# What can be missing, each by itself.


def test_bounced_contacts_are_none() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL])
    customer.failed(D0)
    customer.until(NOTICE)
    for command in customer.sent[:-1]:
        customer.feedback(NOTICE + HOUR, FeedbackKind.BOUNCED_SOFT, command)
    customer.feedback(NOTICE + HOUR, FeedbackKind.DELIVERED)

    assert missing_at(customer, SUSPENSION) == {Missing.DELIVERED_CONTACTS}


def test_two_contacts_on_one_channel_are_not_enough_where_two_are_live() -> None:
    policy = care().policy
    ladder = tuple(
        step if step.action == "suspend" else replace(step, channels=(Channel.EMAIL,))
        for step in policy.campaigns["standard"].ladder
    )
    email_only = replace(
        policy,
        campaigns={"standard": replace(policy.campaigns["standard"], ladder=ladder)},
        suspension=replace(policy.suspension, widen_notice=False),
    )
    customer = Customer(email_only)
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)

    assert missing_at(customer, SUSPENSION) == {Missing.DELIVERED_CHANNELS}


def test_one_channel_is_enough_for_whom_there_is_but_one() -> None:
    for channels in ([Channel.EMAIL], None):
        customer = Customer()
        if channels is not None:
            customer.profile(utc("2026-01-01 00:00"), channels=channels)
        customer.failed(D0)
        customer.until(utc("2026-04-01 00:00"))

        assert [action for action, _, _ in customer.deeds] == ["suspend"]


def test_a_final_notice_that_may_not_have_arrived_is_missing_for_senders_that_always_report(
    customer: Customer,
) -> None:
    waits = dict.fromkeys(care().policy.assume_delivered_after)
    customer.policy = replace(care().policy, assume_delivered_after=waits)
    customer.failed(D0)
    customer.feedback(D0, FeedbackKind.OPENED)
    customer.until(D0 + 6 * DAY)
    customer.feedback(D0 + 6 * DAY, FeedbackKind.DELIVERED)

    assert missing_at(customer, SUSPENSION) == {Missing.FINAL_NOTICE_DELIVERED}
    customer.feedback(SUSPENSION + HOUR, FeedbackKind.DELIVERED, customer.sent[-1])
    customer.until(SUSPENSION + DAY)
    assert customer.deeds == [("suspend", "sub-1", local("2026-03-07 09:00"))]


def test_a_call_that_nobody_answered_is_a_contact(customer: Customer) -> None:
    waits = dict.fromkeys(care().policy.assume_delivered_after)
    customer.policy = replace(care().policy, assume_delivered_after=waits)
    customer.failed(D0)
    customer.until(D0 + 22 * DAY)
    customer.feedback(D0 + 22 * DAY, FeedbackKind.NO_ANSWER)
    customer.until(NOTICE)
    customer.feedback(NOTICE + HOUR, FeedbackKind.DELIVERED, customer.sent[-2])
    customer.until(SUSPENSION)

    assert customer.sent[-3].channel is Channel.PHONE
    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]


def test_a_recent_response_postpones_the_suspension(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)
    customer.feedback(NOTICE + HOUR, FeedbackKind.CLICKED)

    assert missing_at(customer, SUSPENSION) == {Missing.NO_RECENT_RESPONSE}
    customer.until(utc("2026-04-15 00:00"))
    assert customer.deeds == [("suspend", "sub-1", local("2026-03-14 09:00"))]


def test_a_promise_postpones_the_suspension(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)
    customer.feedback(NOTICE + HOUR, FeedbackKind.PROMISED, promised_until=NOTICE + 20 * DAY)
    customer.until(utc("2026-04-15 00:00"))

    assert customer.deeds == [("suspend", "sub-1", local("2026-03-21 09:00"))]


def test_a_disputed_invoice_keeps_its_subscription_from_being_suspended(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0, "inv-2")
    customer.until(NOTICE)
    customer.closed(NOTICE + DAY, "disputed", "inv-2")

    assert missing_at(customer, SUSPENSION) == {Missing.NO_DISPUTE}
    customer.closed(SUSPENSION + DAY, "voided", "inv-2")
    customer.until(SUSPENSION + 3 * DAY)
    assert [action for action, _, _ in customer.deeds] == ["suspend"]


def test_a_dispute_about_another_subscription_keeps_nothing(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0, "inv-2", subscription="sub-2")
    customer.closed(D0 + DAY, "disputed", "inv-2")
    customer.until(SUSPENSION)

    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]


def test_an_exempt_customer_is_not_suspended(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)
    customer.profile(NOTICE + DAY, exempt=True)
    customer.until(utc("2026-08-01 00:00"))

    assert customer.actions == []
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.EXEMPT, step="d60_suspend")


def test_who_is_no_longer_exempt_is_suspended_only_after_a_notice(customer: Customer) -> None:
    customer.failed(D0)
    customer.profile(NOTICE - DAY, exempt=True)
    customer.until(SUSPENSION + DAY)
    sent = len(customer.sent)
    back = SUSPENSION + 10 * DAY
    customer.profile(back)
    customer.until(back + 20 * DAY)

    assert {step for step, _ in customer.steps[sent:]} == {"d53_final_notice"}
    ((_, _, at),) = customer.deeds
    assert at >= customer.sent[-1].decided_at + 7 * DAY


# Trying again, and the review.


def test_a_gate_that_stays_shut_is_tried_daily_and_reviewed_once(customer: Customer) -> None:
    customer.policy = replace(care().policy, suspension=replace(care().policy.suspension, contacts=50))
    customer.failed(D0)
    customer.until(utc("2026-12-01 00:00"))

    blocked = [
        decision.clock
        for _, decision in customer.decided
        for reason in decision.reasons
        if reason.outcome is Outcome.BLOCKED
    ]
    assert blocked == [local(f"2026-03-{day:02d} 09:00") for day in range(6, 32)] + [
        local(f"2026-04-0{day} 09:00") for day in range(1, 6)
    ]
    # Thirty days are 720 hours; the clocks went forward in between.
    assert customer.deeds == [("review", "sub-1", local("2026-04-05 10:00"))]
    assert customer.said(Outcome.REVIEWED)[0].missing == (Missing.DELIVERED_CONTACTS,)
    assert customer.state.next_due is None


def test_nobody_is_reviewed_twice_in_one_case(customer: Customer) -> None:
    customer.policy = replace(care().policy, suspension=replace(care().policy.suspension, contacts=50))
    customer.failed(D0)
    customer.failed(D0 + 20 * DAY, "inv-2")
    customer.until(utc("2026-05-01 00:00"))
    customer.paid(utc("2026-05-01 00:00"))
    customer.until(utc("2026-12-01 00:00"))

    assert [action for action, _, _ in customer.deeds] == ["review"]


def test_without_a_live_channel_nobody_is_suspended_unwarned(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.OPTED_OUT, scope="all")
    customer.until(utc("2026-12-01 00:00"))

    assert customer.step_ids == ["d0_email"]
    assert [action for action, _, _ in customer.deeds] == ["review"]
    assert Missing.FINAL_NOTICE in customer.said(Outcome.BLOCKED)[0].missing
    (last,) = customer.said(Outcome.SUPPRESSED, ReasonCode.GATE_NOT_MET)
    assert Missing.FINAL_NOTICE in last.missing


def test_a_channel_that_comes_back_brings_the_final_notice_first(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.OPTED_OUT, scope="all")
    customer.until(SUSPENSION + DAY)
    customer.feedback(SUSPENSION + 2 * DAY, FeedbackKind.OPTED_IN, customer.sent[0])
    customer.until(SUSPENSION + 20 * DAY)

    notice = customer.sent[-1]
    assert notice.step_id == "d53_final_notice"
    assert notice.decided_at == local("2026-03-09 09:00")
    assert customer.deeds == [
        ("review", "sub-1", local("2026-01-08 09:00")),
        ("suspend", "sub-1", local("2026-03-16 09:00")),
    ]


def test_a_final_notice_goes_by_a_further_channel_where_the_gate_would_lack_one() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL, Channel.PUSH, Channel.SMS])
    customer.down(D0 + HOUR, D0 + 13 * DAY)
    customer.failed(D0)
    customer.feedback(D0 + 14 * DAY, FeedbackKind.CLICKED)
    customer.until(SUSPENSION)

    # The only text of the ladder was superseded, and whoever has responded is not called.
    assert [(each.step_id, each.channel) for each in customer.sent[-2:]] == [
        ("d53_final_notice", Channel.EMAIL),
        ("d53_final_notice", Channel.PUSH),
    ]
    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]


def test_who_responded_once_early_is_not_called_and_can_be_suspended_all_the_same() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL, Channel.PHONE])
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    customer.until(utc("2026-08-01 00:00"))

    assert {command.channel for command in customer.sent} == {Channel.EMAIL}
    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]


def test_a_final_notice_too_old_to_be_remembered_is_sent_again(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)
    customer.feedback(NOTICE + HOUR, FeedbackKind.PROMISED, promised_until=NOTICE + 40 * DAY)
    customer.feedback(NOTICE + 30 * DAY, FeedbackKind.PROMISED, promised_until=NOTICE + 70 * DAY)
    customer.until(NOTICE + 100 * DAY)

    notices = sorted({at for step, at in customer.steps if step == "d53_final_notice"})
    assert len(notices) == 2
    ((action, _, at),) = customer.deeds
    assert (action, at) == ("suspend", notices[1] + 7 * DAY)


def test_a_bounced_final_notice_is_sent_again_and_moves_the_suspension(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(NOTICE)
    email, letter = customer.sent[-2:]
    customer.feedback(NOTICE + HOUR, FeedbackKind.BOUNCED_HARD, letter)
    assert len(customer.sent) == 9
    customer.feedback(NOTICE + 3 * DAY, FeedbackKind.BOUNCED_HARD, email)
    customer.until(SUSPENSION + 10 * DAY)

    again = customer.sent[-1]
    assert (again.step_id, again.channel, again.decided_at) == (
        "d53_final_notice",
        Channel.IN_APP,
        NOTICE + 3 * DAY,
    )
    assert customer.deeds == [("suspend", "sub-1", NOTICE + 10 * DAY)]


@pytest.mark.parametrize("second", [Channel.SMS, Channel.LETTER])
def test_a_bounced_final_notice_of_two_cases_is_made_good_for_both(second: Channel) -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL, second])
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0, "inv-b", subscription="sub-b")
    customer.until(NOTICE)
    email = next(command for command in reversed(customer.sent) if command.channel is Channel.EMAIL)
    assert (email.step_id, len(email.invoices)) == ("d53_final_notice", 2)
    customer.feedback(NOTICE + HOUR, FeedbackKind.BOUNCED_HARD, email)
    customer.until(SUSPENSION + 10 * DAY)

    notices = [command for command in customer.sent if command.step_id == "d53_final_notice"]
    assert [command.channel for command in notices] == [Channel.EMAIL, second]
    assert sorted(str(subscription) for _, subscription, _ in customer.deeds) == ["sub-a", "sub-b"]


def test_a_final_notice_that_bounces_after_the_suspension_threatens_nobody_again(customer: Customer) -> None:
    suspended(customer)
    for command in customer.sent[-2:]:
        customer.feedback(SUSPENSION + DAY, FeedbackKind.BOUNCED_HARD, command)
    customer.until(SUSPENSION + 30 * DAY)

    assert customer.step_ids.count("d53_final_notice") == 2


# The way back.


def test_the_payment_reactivates_at_once(customer: Customer) -> None:
    suspended(customer)
    customer.paid(SUSPENSION + DAY)

    assert customer.deeds[1:] == [("reactivate", "sub-1", SUSPENSION + DAY)]
    assert customer.actions[1].reason == "paid"
    assert "apology" not in customer.step_ids


def test_nothing_else_is_sent_while_suspended_and_no_second_suspension_follows(customer: Customer) -> None:
    suspended(customer)
    customer.until(SUSPENSION + 300 * DAY)

    assert len(customer.actions) == 1
    assert customer.state.next_due is None


def test_a_payment_that_had_been_made_before_is_answered_with_an_apology_once(customer: Customer) -> None:
    suspended(customer)
    customer.paid(SUSPENSION - HOUR, arrives=SUSPENSION + DAY, event_id="payment-1")
    customer.paid(SUSPENSION - HOUR, arrives=SUSPENSION + DAY, event_id="payment-1")
    customer.paid(SUSPENSION - 2 * HOUR, arrives=SUSPENSION + DAY, event_id="payment-2")
    customer.until(SUSPENSION + 30 * DAY)

    assert customer.deeds[1:] == [("reactivate", "sub-1", SUSPENSION + DAY)]
    assert customer.actions[1].reason == "paid_before_suspension"
    assert customer.steps[-1] == ("apology", SUSPENSION + DAY)
    assert customer.step_ids.count("apology") == 1


def test_an_apology_keeps_to_the_hours_of_the_only_channel() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.SMS])
    suspended(customer)
    customer.paid(SUSPENSION - HOUR, arrives=local("2026-03-06 23:00"))

    apology = customer.sent[-1]
    assert (apology.decided_at, apology.send_after) == (
        local("2026-03-06 23:00"),
        local("2026-03-07 08:00"),
    )


def test_paying_a_part_before_the_suspension_is_wrong_to_be_suspended_for_as_well(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 20 * DAY, "inv-2")
    customer.until(SUSPENSION)
    customer.paid(SUSPENSION - DAY, arrives=SUSPENSION + DAY)

    assert customer.actions[-1].action == "reactivate"
    assert customer.actions[-1].reason == "paid_before_suspension"
    assert customer.step_ids.count("apology") == 1


def test_an_anchor_that_moves_back_under_the_suspension_reactivates(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 30 * DAY, "inv-2")
    customer.until(SUSPENSION)
    customer.paid(SUSPENSION + DAY)
    customer.until(SUSPENSION + 60 * DAY)

    # Day 60 of the second invoice is 5 April; its own final notice goes out a week before.
    assert customer.deeds == [
        ("suspend", "sub-1", SUSPENSION),
        ("reactivate", "sub-1", SUSPENSION + DAY),
        ("suspend", "sub-1", local("2026-04-05 09:00")),
    ]
    notices = {at for step, at in customer.steps if step == "d53_final_notice"}
    assert notices == {NOTICE, local("2026-03-29 09:00")}


def test_an_anchor_that_is_still_past_the_suspension_changes_nothing(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + DAY, "inv-2")
    customer.until(SUSPENSION + 5 * DAY)
    customer.paid(SUSPENSION + 5 * DAY)
    customer.until(SUSPENSION + 60 * DAY)

    assert customer.deeds == [("suspend", "sub-1", SUSPENSION)]
    customer.paid(SUSPENSION + 60 * DAY, "inv-2")
    assert [action for action, _, _ in customer.deeds] == ["suspend", "reactivate"]


@pytest.mark.parametrize("reason", ["voided", "written_off", "credited", "disputed"])
def test_an_invoice_that_is_not_collected_any_more_reactivates(customer: Customer, reason: str) -> None:
    suspended(customer)
    customer.closed(SUSPENSION - DAY, reason, arrives=SUSPENSION + DAY)

    assert customer.deeds[1:] == [("reactivate", "sub-1", SUSPENSION + DAY)]
    assert customer.actions[1].reason == reason
    assert "apology" not in customer.step_ids


def test_falling_below_the_minimum_reactivates(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0, "inv-2", amount=50)
    customer.until(SUSPENSION)
    customer.paid(SUSPENSION + DAY)

    assert [action for action, _, _ in customer.deeds] == ["suspend", "reactivate"]
    assert customer.case.dormant


def test_becoming_exempt_reactivates_and_losing_it_may_suspend_again(customer: Customer) -> None:
    suspended(customer)
    customer.profile(SUSPENSION + DAY, exempt=True)
    customer.profile(SUSPENSION + 2 * DAY)
    customer.until(SUSPENSION + 30 * DAY)

    assert [action for action, _, _ in customer.deeds] == ["suspend", "reactivate", "suspend"]
    assert len({command.command_id for command in customer.actions}) == 3


def test_a_cancelled_subscription_is_never_reactivated(customer: Customer) -> None:
    suspended(customer)
    customer.cancelled(SUSPENSION + DAY)
    customer.paid(SUSPENSION - DAY, arrives=SUSPENSION + 2 * DAY)
    customer.until(SUSPENSION + 100 * DAY)

    assert [action for action, _, _ in customer.deeds] == ["suspend"]
    assert "apology" not in customer.step_ids


# One subscription that owes in two currencies.


def owing_in_two_currencies(customer: Customer) -> Customer:
    customer.failed(D0, "inv-usd")
    customer.failed(D0, "inv-eur", currency="EUR")
    customer.until(SUSPENSION + 3 * DAY)
    assert [action for action, _, _ in customer.deeds] == ["suspend"]
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.ALREADY_SUSPENDED)
    return customer


def test_two_cases_of_a_subscription_suspend_it_once_and_the_last_payment_reactivates(
    customer: Customer,
) -> None:
    owing_in_two_currencies(customer)
    customer.paid(SUSPENSION + 4 * DAY, "inv-usd")
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.STILL_OWED)
    assert len(customer.actions) == 1
    customer.paid(SUSPENSION + 5 * DAY, "inv-eur", currency="EUR")

    assert [action for action, _, _ in customer.deeds] == ["suspend", "reactivate"]


def test_becoming_exempt_lets_go_of_both_and_another_suspension_is_another_command(
    customer: Customer,
) -> None:
    owing_in_two_currencies(customer)
    customer.profile(SUSPENSION + 4 * DAY, exempt=True)
    customer.profile(SUSPENSION + 5 * DAY)
    customer.until(SUSPENSION + 30 * DAY)

    assert [action for action, _, _ in customer.deeds] == ["suspend", "reactivate", "suspend"]


def test_nobody_is_told_sorry_while_still_suspended(customer: Customer) -> None:
    owing_in_two_currencies(customer)
    at = SUSPENSION + 4 * DAY
    customer.paid(SUSPENSION - DAY, "inv-usd", arrives=at)
    assert "apology" not in customer.step_ids
    customer.paid(SUSPENSION - DAY, "inv-eur", currency="EUR", arrives=at)

    assert customer.step_ids.count("apology") == 1
    assert customer.actions[-1].reason == "paid_before_suspension"
