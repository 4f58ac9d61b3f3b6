"""The ladder and what holds it: card updates, promises, responses, outages."""

from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, FeedbackKind
from tests.dunning.customer import NEW_CARD, Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def test_steps_keep_the_local_hour_across_both_changes_of_the_clock() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), timezone="Europe/Berlin", country="DE")
    customer.failed(utc("2026-03-27 12:00"))
    customer.until(utc("2026-04-02 00:00"))
    customer.paid(utc("2026-04-02 00:00"))
    customer.failed(utc("2026-10-23 12:00"), "inv-2")
    customer.until(utc("2026-10-27 00:00"))

    assert customer.steps == [
        ("d0_email", utc("2026-03-27 12:00")),
        ("d3_email", utc("2026-03-30 07:00")),
        ("d5_sms", utc("2026-04-01 07:00")),
        ("d0_email", utc("2026-10-23 12:00")),
        ("d3_email", utc("2026-10-26 08:00")),
    ]


def test_days_are_counted_from_the_local_day_of_the_failure(customer: Customer) -> None:
    # Two in the morning in UTC is the evening before in New York.
    customer.failed(utc("2026-01-06 02:00"))
    customer.until(utc("2026-01-09 00:00"))

    assert customer.steps[1] == ("d3_email", local("2026-01-08 09:00"))


# A new card.


def test_a_new_card_that_is_never_tried_lets_the_ladder_go_on(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(local("2026-01-06 08:00"))
    customer.until(D0 + 5 * DAY)

    assert customer.steps[1:] == [
        ("d3_email", local("2026-01-09 09:00")),
        ("d5_sms", local("2026-01-10 09:00")),
    ]


def test_a_new_card_that_failed_before_it_was_heard_of_holds_nothing(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 2 * HOUR)
    customer.card_updated(D0 + HOUR, arrives=D0 + 3 * HOUR)

    assert customer.case.held_until is None
    assert customer.said(Outcome.IGNORED, ReasonCode.STALE)


def test_each_new_card_that_fails_is_one_message(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    customer.failed(D0 + DAY + HOUR)
    customer.failed(D0 + DAY + 2 * HOUR)
    customer.card_updated(D0 + 2 * DAY)
    customer.failed(D0 + 2 * DAY + HOUR)
    customer.until(D0 + 2 * DAY + 2 * HOUR)

    assert customer.step_ids == ["d0_email", "new_card_failed", "new_card_failed"]
    assert len({command.command_id for command in customer.sent}) == 3


def test_after_the_new_card_failed_the_ladder_goes_on(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    customer.failed(D0 + DAY + HOUR)
    customer.until(D0 + 3 * DAY)

    assert customer.steps[-1] == ("d3_email", local("2026-01-08 09:00"))


def test_a_message_about_a_failed_card_is_dropped_when_yet_another_card_is_given(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + HOUR)
    customer.failed(D0 + 2 * HOUR)
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONSOLIDATED, step="new_card_failed")
    customer.card_updated(D0 + 3 * HOUR, NEW_CARD)
    customer.until(D0 + 2 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert customer.said(Outcome.CANCELLED, ReasonCode.CARD_UPDATED, step="new_card_failed")


def test_a_message_about_a_failed_card_is_sent_about_what_is_still_owed(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + HOUR, "inv-2", amount=700)
    customer.card_updated(D0 + 2 * HOUR)
    customer.failed(D0 + 3 * HOUR)
    customer.paid(D0 + 4 * HOUR)
    customer.until(D0 + 2 * DAY)

    message = customer.sent[-1]
    assert (message.step_id, message.total_minor) == ("new_card_failed", 700)


# Promises and responses.


def test_a_promise_holds_the_ladder_until_a_day_after_it(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED, promised_until=D0 + 8 * DAY)
    customer.until(D0 + 20 * DAY)

    # Held to the tenth day, ten o'clock; what was missed is superseded by the last that was due.
    assert customer.steps[1:] == [
        ("d7_email", local("2026-01-15 09:00")),
        ("d14_email", local("2026-01-19 09:00")),
    ]


def test_a_promise_without_a_date_has_the_policys_length(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED)

    (held,) = customer.said(Outcome.HELD, ReasonCode.PROMISE)
    assert held.until == D0 + 9 * DAY


def test_the_longest_promise_counts_and_none_for_ever(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED, promised_until=D0 + 400 * DAY)
    customer.feedback(D0 + 2 * DAY, FeedbackKind.PROMISED, promised_until=D0 + 5 * DAY)

    assert customer.state.promised_until == D0 + 46 * DAY


def test_a_promise_ends_with_the_last_case(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED, promised_until=D0 + 30 * DAY)
    customer.paid(D0 + 2 * DAY)
    customer.failed(D0 + 3 * DAY, "inv-2")
    customer.until(D0 + 7 * DAY)

    assert customer.steps[-1] == ("d3_email", local("2026-01-11 09:00"))


def test_a_hold_never_delays_a_first_contact(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED, promised_until=D0 + 30 * DAY)
    customer.failed(D0 + 2 * DAY, "inv-2", subscription="sub-2")

    assert customer.steps[-1] == ("d0_email", D0 + 2 * DAY)


@pytest.mark.parametrize(
    "kind", [FeedbackKind.CLICKED, FeedbackKind.REPLIED, FeedbackKind.ANSWERED, FeedbackKind.PROMISED]
)
def test_who_has_responded_is_not_called(customer: Customer, kind: FeedbackKind) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, kind)
    customer.until(D0 + 40 * DAY)

    assert Channel.PHONE not in {command.channel for command in customer.sent}
    assert [
        reason.step_id for reason in customer.said(Outcome.SUPPRESSED, ReasonCode.CUSTOMER_RESPONDED)
    ] == [
        "d21_phone",
        "d35_phone",
    ]


@pytest.mark.parametrize("kind", [FeedbackKind.OPENED, FeedbackKind.DELIVERED])
def test_opening_is_no_response(customer: Customer, kind: FeedbackKind) -> None:
    customer.failed(D0)
    customer.feedback(D0 + DAY, kind)
    customer.until(D0 + 22 * DAY)

    assert customer.step_ids[-1] == "d21_phone"


def test_a_response_from_before_the_anchor_is_none(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    customer.paid(D0 + 2 * HOUR)
    customer.failed(D0 + DAY, "inv-2")
    customer.until(D0 + 23 * DAY)

    assert customer.step_ids[-1] == "d21_phone"


# Outages.


def test_after_an_outage_the_last_step_that_applies_goes_out(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    customer.down(D0 + 8 * DAY, D0 + 22 * DAY)
    customer.until(D0 + 25 * DAY)

    # The call of day 21 is not for somebody who has responded: the message of day 14 is the last one due.
    assert customer.steps[-1] == ("d14_email", D0 + 22 * DAY)
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.CUSTOMER_RESPONDED, step="d21_phone")


def test_an_outage_past_the_final_notice_sends_nothing_but_it(customer: Customer) -> None:
    customer.failed(D0)
    customer.down(D0 + DAY, D0 + 80 * DAY)
    customer.until(D0 + 82 * DAY)

    assert customer.step_ids == ["d0_email", "d53_final_notice", "d53_final_notice"]
    assert customer.actions == []


def test_a_payment_that_arrived_in_the_outage_is_heard_before_anything_is_sent(customer: Customer) -> None:
    customer.failed(D0)
    customer.down(D0 + DAY, D0 + 80 * DAY)
    customer.paid(D0 + 40 * DAY)
    customer.until(D0 + 90 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert customer.actions == []


# The wording follows the class of the decline.


@pytest.mark.parametrize(
    "code", ["expired_card", "stolen_card", "lost_card", "pickup_card", "41", "43", "04"]
)
def test_who_needs_a_new_card_is_never_promised_a_retry_nor_told_why(code: str) -> None:
    customer = Customer(content=care().content)
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0, code=code, next_retry_at=D0 + 2 * DAY)
    customer.failed(D0 + HOUR, "inv-2", code="insufficient_funds", next_retry_at=D0 + 2 * DAY)
    customer.until(D0 + 52 * DAY)

    assert {command.template for command in customer.sent} == {"payment_failed_hard"}
    assert len(customer.sent) == 7
    for command in customer.sent:
        assert command.variables["decline_class"] == "hard"
        assert "next_retry_on" not in command.variables
        said = f"{command.subject} {command.body}".lower()
        assert not any(word in said for word in ("try again", "retry", "fraud", "stolen", "lost", "pick")), (
            said
        )


def test_a_soft_decline_says_when_it_is_tried_again(customer: Customer) -> None:
    customer.failed(D0, next_retry_at=utc("2026-01-09 02:00"))
    customer.until(D0 + 4 * DAY)

    # Two in the morning in UTC is still the eighth in New York.
    assert [command.variables.get("next_retry_on") for command in customer.sent] == [
        "2026-01-08",
        "2026-01-08",
    ]


def test_a_retry_of_the_past_is_not_announced(customer: Customer) -> None:
    customer.failed(D0, next_retry_at=D0 + DAY)
    customer.until(D0 + 4 * DAY)

    assert "next_retry_on" not in customer.sent[-1].variables


def test_the_networks_advice_can_forbid_a_retry_but_not_allow_one() -> None:
    for code, advice, expected in (("05", "03", "hard"), ("14", "02", "hard"), ("05", "02", "soft")):
        customer = Customer()
        customer.failed(D0, code=code, network="mastercard", advice_code=advice)
        assert customer.sent[0].variables["decline_class"] == expected


def test_an_unknown_code_has_the_policys_class() -> None:
    for code in (None, "", "no_such_code", "ZZ"):
        customer = Customer()
        customer.failed(D0, code=code)
        assert customer.sent[0].variables["decline_class"] == "soft"


# The bank's confirmation.

AUTHENTICATION = "authentication_required"


def test_the_banks_confirmation_is_asked_for_once_in_twenty_four_hours(customer: Customer) -> None:
    customer.failed(D0, code=AUTHENTICATION)
    for hours in range(1, 23):
        customer.failed(D0 + hours * HOUR, code=AUTHENTICATION)
    customer.until(D0 + 2 * DAY)
    assert [command.template for command in customer.sent] == ["payment_failed_authentication"]

    customer.failed(D0 + 2 * DAY, code=AUTHENTICATION)

    assert customer.steps[1:] == [("authentication", D0 + 2 * DAY)]
    assert customer.sent[1].template == "authentication_required"


def test_the_banks_confirmation_is_asked_for_once_for_all_subscriptions(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a", code=AUTHENTICATION)
    customer.failed(D0 + HOUR, "inv-b", subscription="sub-b", code=AUTHENTICATION)
    customer.until(D0 + 10 * DAY)

    times = [command.decided_at for command in customer.sent]
    assert all(later - earlier >= DAY for earlier, later in pairwise(times)), times


def test_it_is_once_in_twenty_four_hours_beside_a_card_that_must_be_replaced(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a", code="expired_card")
    customer.failed(D0 + DAY, "inv-b", subscription="sub-b")
    # Late in the evening, and early in the next morning.
    customer.failed(local("2026-01-07 23:00"), "inv-b", subscription="sub-b", code=AUTHENTICATION)
    customer.failed(local("2026-01-08 01:00"), "inv-b", subscription="sub-b", code=AUTHENTICATION)

    assert customer.step_ids.count("authentication") == 1


def test_a_confirmation_is_not_asked_for_when_nothing_waits_for_it_any_more(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + HOUR, "inv-2", code=AUTHENTICATION)
    customer.failed(D0 + 2 * HOUR, "inv-2", code=AUTHENTICATION)
    assert customer.said(Outcome.DEFERRED, step="authentication")
    customer.paid(D0 + 3 * HOUR, "inv-2")
    customer.until(D0 + 2 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert customer.said(Outcome.SUPPRESSED, step="authentication")


def test_the_link_is_that_of_the_payment_to_be_confirmed(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + HOUR, code=AUTHENTICATION, pay_url="https://pay/1")
    customer.failed(D0 + 2 * HOUR, "inv-2", subscription="sub-2", pay_url="https://pay/2")
    customer.until(D0 + 2 * DAY)

    asked = customer.sent[-1]
    assert asked.template == "payment_failed_authentication"
    assert asked.variables["pay_url"] == "https://pay/1"
    assert asked.total_minor == 4000


def test_a_new_card_that_must_be_confirmed_is_not_called_failed(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    customer.failed(D0 + DAY + HOUR, code=AUTHENTICATION)

    assert customer.step_ids == ["d0_email", "authentication"]
    assert customer.case.held_until is None


def test_a_bounced_confirmation_goes_by_another_channel_at_once(customer: Customer) -> None:
    customer.failed(D0, code=AUTHENTICATION)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    customer.until(D0 + 2 * HOUR)

    assert [(command.channel, command.decided_at) for command in customer.sent] == [
        (Channel.EMAIL, D0),
        (Channel.IN_APP, D0 + HOUR),
    ]


# A policy of another shape.


def test_a_changed_policy_goes_on_with_the_case_and_says_so(customer: Customer) -> None:
    customer.failed(D0)
    customer.policy = replace(care().policy, version="another", hold_after_card_update=DAY)
    customer.until(D0 + 4 * DAY)

    assert customer.said(Outcome.UPDATED, ReasonCode.POLICY_REPLACED)
    assert customer.sent[-1].policy_version == "another"


def test_a_campaign_that_is_gone_falls_to_the_default_one(customer: Customer) -> None:
    customer.failed(D0)
    policy = care().policy
    (ladder,) = policy.campaigns.values()
    customer.policy = replace(policy, campaigns={"other": ladder}, default_campaign="other", version="2")
    customer.until(D0 + 4 * DAY)

    assert customer.step_ids == ["d0_email", "d3_email"]
