"""Responses: a reply waits for a person, a promise is trusted, and nothing waits for ever."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Missing, Outcome, ReasonCode
from streams.dunning.events import Channel, FeedbackKind
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")
REPLY = local("2026-01-06 12:00")
HANDED_OVER = REPLY + 7 * DAY


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    return customer


def replied(customer: Customer) -> Customer:
    """A customer who has written back a day after the first message."""
    customer.feedback(REPLY, FeedbackKind.REPLIED, text="I wrote to your support about this.")
    return customer


# A reply.


def test_a_reply_stops_the_mails_and_the_log_says_until_when(customer: Customer) -> None:
    replied(customer)
    customer.until(HANDED_OVER - timedelta(minutes=1))

    assert customer.step_ids == ["d0_email"]
    (held,) = customer.said(Outcome.HELD, ReasonCode.HOLD_FOR_REPLY)
    assert (held.case_id, held.until) == (customer.case.case_id, HANDED_OVER)
    assert customer.said(Outcome.RECORDED, ReasonCode.REPLIED)
    assert customer.state.responded_at == REPLY


def test_a_reply_that_nobody_deals_with_becomes_a_review_and_the_ladder_goes_on(customer: Customer) -> None:
    replied(customer)
    customer.until(HANDED_OVER)
    assert customer.deeds == [("review", "sub-1", HANDED_OVER)]
    assert customer.actions[0].reason == "hold_for_reply"
    assert len(customer.sent) == 1

    customer.until(D0 + 20 * DAY)
    # What was due meanwhile is one mail, at the next contact hour.
    assert customer.steps[1:] == [
        ("d7_email", local("2026-01-14 09:00")),
        ("d14_email", local("2026-01-19 09:00")),
    ]
    assert {each.step_id for each in customer.said(Outcome.SUPERSEDED)} == {"d3_email", "d5_sms"}
    assert len(customer.actions) == 1


def test_for_somebody_exempt_the_hold_ends_without_a_review_and_the_log_says_so(customer: Customer) -> None:
    replied(customer)
    customer.profile(REPLY + HOUR, exempt=True)
    customer.until(HANDED_OVER)

    assert customer.deeds == []
    said = customer.said(Outcome.SUPPRESSED, ReasonCode.EXEMPT)
    assert [each.case_id for each in said if each.step_id is None] == [customer.case.case_id]


def test_a_person_who_has_spoken_with_the_customer_ends_the_hold(customer: Customer) -> None:
    replied(customer)
    answered = local("2026-01-09 15:00")
    customer.feedback(answered, FeedbackKind.ANSWERED, customer.sent[0], channel=Channel.PHONE)
    customer.until(D0 + 20 * DAY)

    assert customer.said(Outcome.CANCELLED, ReasonCode.HOLD_FOR_REPLY)
    assert customer.steps[1] == ("d5_sms", local("2026-01-10 09:00"))
    assert customer.said(Outcome.SUPERSEDED, step="d3_email")
    assert customer.actions == []


def test_a_promise_takes_the_place_of_the_hold(customer: Customer) -> None:
    replied(customer)
    customer.feedback(REPLY + DAY, FeedbackKind.PROMISED, promised_until=REPLY + 3 * DAY)
    customer.until(D0 + 10 * DAY)

    assert customer.actions == []
    # Promised until Friday noon, trusted until Saturday noon.
    assert customer.steps[1] == ("d5_sms", local("2026-01-11 09:00"))


def test_a_click_is_no_letter_and_stops_nothing(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.CLICKED)
    customer.feedback(REPLY, FeedbackKind.OPENED)
    customer.until(D0 + 4 * DAY)

    assert customer.step_ids == ["d0_email", "d3_email"]


def test_writing_again_does_not_make_the_hold_longer(customer: Customer) -> None:
    replied(customer)
    for days in range(1, 7):
        customer.feedback(REPLY + days * DAY, FeedbackKind.REPLIED)
    customer.until(HANDED_OVER)

    assert customer.deeds == [("review", "sub-1", HANDED_OVER)]


def test_writing_after_the_review_holds_once_more(customer: Customer) -> None:
    replied(customer)
    customer.until(HANDED_OVER + HOUR)
    again = HANDED_OVER + 2 * HOUR
    customer.feedback(again, FeedbackKind.REPLIED)
    customer.until(D0 + 40 * DAY)

    assert customer.deeds == [("review", "sub-1", HANDED_OVER), ("review", "sub-1", again + 7 * DAY)]
    assert len({each.command_id for each in customer.actions}) == 2


def test_a_reply_written_before_the_review_and_heard_of_after_it_is_not_looked_at_twice(
    customer: Customer,
) -> None:
    replied(customer)
    back = HANDED_OVER + 10 * DAY
    customer.down(REPLY + HOUR, back)
    customer.until(back)
    customer.feedback(HANDED_OVER + DAY, FeedbackKind.REPLIED, arrives=back + HOUR)
    customer.until(back + 3 * DAY)

    assert customer.deeds == [("review", "sub-1", back)]


def test_writing_again_about_a_debt_that_was_too_small_meanwhile_holds_anew(customer: Customer) -> None:
    replied(customer)
    customer.failed(REPLY + HOUR, amount=40)
    again = HANDED_OVER + 10 * DAY
    customer.feedback(again, FeedbackKind.REPLIED)
    customer.failed(again + HOUR)
    customer.until(again + 7 * DAY - HOUR)

    assert customer.step_ids == ["d0_email", "d0_email"]
    assert customer.deeds == []
    customer.until(again + 7 * DAY)
    assert customer.deeds == [("review", "sub-1", again + 7 * DAY)]


def test_a_reply_heard_of_after_its_answer_holds_nothing(customer: Customer) -> None:
    customer.feedback(REPLY + HOUR, FeedbackKind.ANSWERED)
    customer.feedback(REPLY, FeedbackKind.REPLIED, arrives=REPLY + 2 * HOUR)
    customer.until(D0 + 4 * DAY)

    assert customer.step_ids == ["d0_email", "d3_email"]
    assert not customer.said(Outcome.HELD)


def test_an_answer_leaves_what_was_written_after_it(customer: Customer) -> None:
    replied(customer)
    customer.feedback(REPLY + 2 * DAY, FeedbackKind.REPLIED)
    customer.feedback(REPLY + DAY, FeedbackKind.ANSWERED, arrives=REPLY + 2 * DAY + HOUR)
    customer.until(REPLY + 8 * DAY)

    assert customer.step_ids == ["d0_email"]
    customer.until(REPLY + 9 * DAY)
    assert customer.deeds == [("review", "sub-1", REPLY + 9 * DAY)]


def test_a_first_message_about_something_else_is_not_held(customer: Customer) -> None:
    replied(customer)
    customer.failed(REPLY + DAY, "inv-2", subscription="sub-2")

    assert customer.steps[1:] == [("d0_email", REPLY + DAY)]


def test_only_the_cases_that_the_message_spoke_of_wait(customer: Customer) -> None:
    first = customer.sent[0]
    customer.failed(D0 + HOUR, "inv-2", currency="EUR")
    customer.feedback(REPLY, FeedbackKind.REPLIED, first)
    customer.until(D0 + 4 * DAY)

    assert {command.currency for command in customer.sent[2:]} == {"EUR"}


def test_a_reply_to_something_unknown_is_about_everything(customer: Customer) -> None:
    customer.failed(D0 + HOUR, "inv-2", currency="EUR")
    unknown = replace(customer.sent[0], command_id="a-letter-of-last-year")
    customer.feedback(REPLY, FeedbackKind.REPLIED, unknown)
    customer.until(D0 + 4 * DAY)

    assert len(customer.sent) == 2


def test_a_reply_to_a_reminder_is_not_about_a_debt(customer: Customer) -> None:
    customer.renewing(D0, local("2026-01-13 12:00"))
    customer.until(D0 + DAY)
    reminder = customer.sent[-1]
    assert reminder.step_id == "renewal_7"
    customer.feedback(D0 + DAY, FeedbackKind.REPLIED, reminder)
    customer.until(D0 + 4 * DAY)

    assert not customer.said(Outcome.HELD)


def test_a_reply_keeps_the_suspension_back() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.until(local("2026-03-05 12:00"))
    customer.feedback(local("2026-03-05 12:00"), FeedbackKind.REPLIED)
    customer.until(utc("2026-06-01 00:00"))

    assert customer.deeds == [
        ("review", "sub-1", local("2026-03-12 13:00")),
        ("suspend", "sub-1", local("2026-03-20 09:00")),
    ]
    (blocked, *_) = customer.said(Outcome.BLOCKED)
    assert blocked.missing == (Missing.NO_RECENT_RESPONSE,)


def test_a_reply_to_a_closed_case_asks_for_nothing(customer: Customer) -> None:
    replied(customer)
    customer.paid(REPLY + DAY)
    customer.until(D0 + 40 * DAY)

    assert len(customer.sent) == 1
    assert customer.actions == []


def test_the_hold_is_the_policys_and_may_be_none() -> None:
    customer = Customer(replace(care().policy, hold_after_reply=timedelta(0)))
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    replied(customer)
    customer.until(D0 + 4 * DAY)

    assert customer.deeds == [("review", "sub-1", REPLY)]
    assert customer.step_ids == ["d0_email", "d3_email"]


# Promises.


def test_a_promise_holds_the_ladder_for_a_day_past_its_date(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=local("2026-01-20 18:00"))
    customer.until(D0 + 30 * DAY)

    assert customer.steps[1] == ("d14_email", local("2026-01-22 09:00"))
    assert customer.said(Outcome.HELD, ReasonCode.PROMISE)[0].until == local("2026-01-21 18:00")


def test_what_is_left_after_a_part_was_paid_stays_promised(customer: Customer) -> None:
    customer.failed(D0 + HOUR, "inv-2", amount=500)
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=local("2026-01-20 18:00"))
    customer.paid(local("2026-01-10 12:00"))
    customer.until(local("2026-01-22 08:59"))
    assert len(customer.sent) == 1
    customer.until(local("2026-01-22 09:00"))

    assert customer.sent[-1].total_minor == 500


def test_a_promise_that_was_kept_is_forgotten_with_the_case(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=REPLY + 20 * DAY)
    customer.paid(REPLY + DAY)
    customer.failed(REPLY + 2 * DAY, "inv-2")
    customer.until(REPLY + 6 * DAY)

    assert customer.step_ids == ["d0_email", "d0_email", "d3_email"]


def test_the_longest_promise_stands_whichever_is_heard_of_last(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=REPLY + 10 * DAY)
    customer.feedback(REPLY + HOUR, FeedbackKind.PROMISED, promised_until=REPLY + 5 * DAY)

    assert customer.state.promised_until == REPLY + 10 * DAY


def test_a_promise_is_no_longer_than_the_policy_trusts(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=REPLY + 400 * DAY)
    assert customer.state.promised_until == REPLY + 45 * DAY


def test_nobody_who_has_promised_is_called(customer: Customer) -> None:
    customer.feedback(REPLY, FeedbackKind.PROMISED, promised_until=REPLY + DAY)
    customer.until(D0 + 50 * DAY)

    assert Channel.PHONE not in {command.channel for command in customer.sent}
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.CUSTOMER_RESPONDED, step="d21_phone")
