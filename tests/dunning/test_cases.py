"""Cases and settlement: what is owed, since when, and what ends it."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from streams.dunning import decide
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Tick
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
D0 = local("2026-01-05 10:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def test_the_first_failure_is_followed_up_at_once_at_any_hour(customer: Customer) -> None:
    customer.failed(local("2026-01-05 03:17"))

    assert customer.steps == [("d0_email", local("2026-01-05 03:17"))]


def test_a_further_attempt_neither_restarts_nor_advances_the_ladder(customer: Customer) -> None:
    customer.failed(D0)
    for hours in range(1, 200, 7):
        customer.failed(D0 + timedelta(hours=hours), attempt=hours + 1)
    customer.until(D0 + 13 * DAY)

    assert customer.step_ids == ["d0_email", "d3_email", "d5_sms", "d7_email"]
    (invoice,) = customer.case.invoices
    assert invoice.attempts == 198
    assert customer.case.anchor == D0


def test_attempts_are_counted_without_the_biller_counting(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + DAY, arrives=D0 + 3 * DAY)
    customer.failed(D0 + 2 * DAY, arrives=D0 + 3 * DAY)
    (invoice,) = customer.case.invoices

    assert invoice.attempts == 3


def test_the_latest_attempt_says_how_things_stand_whichever_arrives_first(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 2 * DAY, code="expired_card", arrives=D0 + 2 * DAY)
    customer.failed(D0 + DAY, code="insufficient_funds", arrives=D0 + 2 * DAY)
    (invoice,) = customer.case.invoices

    assert invoice.decline_class == "hard"


def test_a_second_invoice_joins_the_case_and_the_next_message_lists_both(customer: Customer) -> None:
    customer.failed(D0)
    commands = customer.failed(D0 + DAY, "inv-2", amount=500)
    customer.until(D0 + 4 * DAY)

    assert commands == []
    message = customer.sent[-1]
    assert message.step_id == "d3_email"
    assert [line.invoice_id for line in message.invoices] == ["inv-1", "inv-2"]
    assert (message.total_minor, message.currency) == (2500, "USD")


def test_an_event_known_already_changes_nothing_at_all(customer: Customer) -> None:
    customer.failed(D0, event_id="failure-1")
    customer.until(D0 + 4 * DAY)
    before = customer.state_bytes
    commands = customer.failed(D0, event_id="failure-1", arrives=D0 + 4 * DAY)

    assert commands == []
    assert customer.state_bytes == before
    assert customer.reasons[-1].reason is ReasonCode.DUPLICATE_EVENT


def test_event_ids_are_remembered_up_to_a_bound() -> None:
    memory = replace(care().policy.memory, event_ids=3)
    customer = Customer(replace(care().policy, memory=memory))
    for number in range(5):
        customer.failed(D0 + timedelta(minutes=number), event_id=f"failure-{number}")

    assert len(customer.state.event_ids) == 3


def test_a_payment_at_the_moment_of_the_failure_settles_it(customer: Customer) -> None:
    customer.paid(D0)
    customer.failed(D0, arrives=D0 + DAY)

    assert customer.commands == []
    assert customer.state.cases == ()


def test_a_failure_after_the_payment_opens_a_case_linked_to_the_one_that_it_closed(
    customer: Customer,
) -> None:
    customer.failed(D0)
    first = customer.case.case_id
    customer.paid(D0 + DAY)
    customer.failed(D0 + 2 * DAY)

    assert customer.case.linked_case_id == first
    assert customer.case.case_id != first
    assert customer.case.anchor == D0 + 2 * DAY


def test_a_payment_of_the_past_takes_away_only_the_failures_before_it(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 2 * DAY)
    customer.paid(D0 + DAY, arrives=D0 + 2 * DAY)

    assert customer.case.anchor == D0 + 2 * DAY


def test_a_payment_closes_the_case_and_cancels_what_was_pending(customer: Customer) -> None:
    customer.failed(D0)
    customer.paid(D0 + DAY)
    customer.until(D0 + 100 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert {reason.step_id for reason in customer.said(Outcome.CANCELLED, ReasonCode.PAID)} == {
        "d3_email",
        "d5_sms",
        "d7_email",
        "d14_email",
        "d21_phone",
        "d35_phone",
        "d53_final_notice",
        "d60_suspend",
    }
    assert len(customer.said(Outcome.CLOSED, ReasonCode.PAID)) == 1
    assert customer.state.next_due is None


def test_a_message_that_an_event_caused_is_said_to_be_cancelled_with_its_case(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + timedelta(hours=1))
    customer.failed(D0 + timedelta(hours=2))
    assert customer.said(Outcome.DEFERRED, step="new_card_failed")
    customer.paid(D0 + timedelta(hours=3))
    customer.until(D0 + 2 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert customer.said(Outcome.CANCELLED, ReasonCode.PAID, step="new_card_failed")


@pytest.mark.parametrize("amount", [0, -500])
def test_nothing_is_asked_for_where_nothing_is_owed(customer: Customer, amount: int) -> None:
    customer.failed(D0, amount=amount)

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.ZERO_AMOUNT)


@pytest.mark.parametrize("reason", ["voided", "written_off", "credited"])
def test_an_invoice_that_is_no_longer_collected_ends_the_dunning(customer: Customer, reason: str) -> None:
    customer.failed(D0)
    customer.closed(D0 + DAY, reason)
    customer.failed(D0 + DAY, arrives=D0 + 2 * DAY)
    customer.until(D0 + 90 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert [each.reason for each in customer.said(Outcome.CLOSED)] == [reason]


# The anchor moves.


def test_paying_the_oldest_invoice_moves_the_anchor_without_a_burst(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + 10 * DAY, "inv-2")
    customer.until(D0 + 15 * DAY)
    sent = len(customer.sent)
    customer.paid(D0 + 15 * DAY)
    assert customer.case.anchor == D0 + 10 * DAY
    assert customer.said(Outcome.REANCHORED, ReasonCode.INVOICE_LEFT)
    customer.until(D0 + 40 * DAY)

    # Of the new count, the days 0, 3 and 5 are past: the next is day 7 after the second invoice's failure.
    assert customer.steps[sent:] == [
        ("d7_email", local("2026-01-22 09:00")),
        ("d14_email", local("2026-01-29 09:00")),
        ("d21_phone", local("2026-02-05 09:00")),
    ]


def test_paying_a_younger_invoice_moves_nothing(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0 + DAY, "inv-2")
    customer.paid(D0 + 2 * DAY, "inv-2")

    assert customer.case.anchor == D0
    assert not customer.said(Outcome.REANCHORED)


def test_a_first_contact_that_waits_is_not_lost_when_the_anchor_moves(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a")
    # The second subscription's first contact waits for tomorrow: today's message is out already.
    customer.failed(D0 + timedelta(minutes=1), "inv-b1", subscription="sub-b")
    customer.failed(D0 + timedelta(minutes=2), "inv-b2", subscription="sub-b")
    customer.paid(D0 + timedelta(minutes=3), "inv-b1", subscription="sub-b")
    customer.until(D0 + 2 * DAY)

    assert customer.steps == [("d0_email", D0), ("d0_email", local("2026-01-06 09:00"))]


def test_a_moved_anchor_that_lies_ahead_of_the_clock_sends_no_second_first_contact(
    customer: Customer,
) -> None:
    customer.failed(D0)
    customer.failed(D0 + timedelta(days=1, minutes=5), "inv-2", arrives=D0 + DAY)
    customer.paid(D0 + DAY, arrives=D0 + DAY)

    assert customer.step_ids == ["d0_email"]


def test_an_earlier_failure_that_arrives_later_moves_the_anchor_back(customer: Customer) -> None:
    customer.failed(D0 + DAY)
    customer.failed(D0, arrives=D0 + timedelta(days=1, hours=1))

    assert customer.case.anchor == D0
    assert customer.said(Outcome.REANCHORED, ReasonCode.EARLIER_FAILURE)


def test_a_failure_known_long_after_it_occurred_is_followed_up_from_its_arrival(customer: Customer) -> None:
    customer.failed(D0, arrives=D0 + 70 * DAY)
    customer.until(D0 + 74 * DAY)

    assert customer.steps == [
        ("d0_email", D0 + 70 * DAY),
        ("d3_email", local("2026-03-19 09:00")),
    ]


def test_a_failure_a_few_days_late_makes_up_for_nothing(customer: Customer) -> None:
    customer.failed(D0, arrives=D0 + 6 * DAY)
    customer.until(D0 + 8 * DAY)

    assert customer.steps == [("d0_email", D0 + 6 * DAY), ("d7_email", local("2026-01-12 09:00"))]
    assert [reason.step_id for reason in customer.said(Outcome.SUPERSEDED)] == ["d3_email", "d5_sms"]


@pytest.mark.parametrize("invoice", ["inv-1", "inv-2"])
def test_an_old_failure_that_joins_a_young_case_does_not_leap_to_the_final_notice(
    customer: Customer, invoice: str
) -> None:
    customer.failed(D0 + 70 * DAY)
    customer.failed(D0, invoice, arrives=D0 + 71 * DAY)
    customer.until(D0 + 72 * DAY)

    assert customer.step_ids == ["d0_email"]
    assert customer.case.anchor == D0 + 70 * DAY


def test_an_event_dated_ahead_of_the_clock_does_no_harm(customer: Customer) -> None:
    customer.failed(D0 + timedelta(minutes=30), arrives=D0)
    customer.until(D0 + 4 * DAY)

    assert customer.steps == [("d0_email", D0), ("d3_email", local("2026-01-08 09:00"))]


def test_a_clock_that_is_behind_the_customers_own_is_not_followed(customer: Customer) -> None:
    customer.failed(D0)
    state = customer.state
    later = decide(state, Tick(now=D0 + 3 * DAY), D0 + 3 * DAY, customer.policy).state
    assert later.clock > state.clock
    back = decide(later, Tick(now=D0), D0, customer.policy)

    assert back.state.clock == later.clock


# The minimum.


def test_a_case_under_the_minimum_sleeps_until_the_total_reaches_it(customer: Customer) -> None:
    customer.failed(D0, amount=60)
    customer.until(D0 + 30 * DAY)
    assert customer.commands == []
    assert customer.said(Outcome.HELD, ReasonCode.BELOW_MINIMUM)

    customer.failed(D0 + 30 * DAY, "inv-2", amount=40)
    customer.until(D0 + 34 * DAY)

    assert customer.steps == [
        ("d0_email", D0 + 30 * DAY),
        ("d3_email", local("2026-02-07 09:00")),
    ]
    assert customer.sent[0].total_minor == 100


def test_a_case_that_falls_below_the_minimum_sleeps_again(customer: Customer) -> None:
    customer.failed(D0, amount=60)
    customer.failed(D0 + DAY, "inv-2", amount=60)
    customer.paid(D0 + 2 * DAY, "inv-2")
    customer.until(D0 + 40 * DAY)
    assert customer.step_ids == ["d0_email"]

    customer.failed(D0 + 40 * DAY, "inv-3", amount=60)

    assert customer.step_ids == ["d0_email", "d0_email"]
    assert len({command.command_id for command in customer.sent}) == 2


def test_nothing_that_waits_is_sent_for_a_case_below_the_minimum(customer: Customer) -> None:
    customer.failed(D0, amount=60)
    customer.failed(D0 + timedelta(hours=1), "inv-2", amount=2000)
    customer.failed(D0 + timedelta(hours=2), "inv-2", amount=2000, code="authentication_required")
    assert customer.said(Outcome.DEFERRED, step="authentication")
    customer.closed(D0 + timedelta(hours=3), "voided", "inv-2")
    customer.until(D0 + 20 * DAY)

    assert customer.step_ids == ["d0_email"]


def test_a_currency_without_a_minimum_has_none(customer: Customer) -> None:
    customer.failed(D0, amount=1, currency="XAF")

    assert customer.step_ids == ["d0_email"]


# Disputes.


def test_a_disputed_invoice_leaves_its_case_and_comes_back_with_its_time_restarted(
    customer: Customer,
) -> None:
    customer.failed(D0)
    customer.closed(D0 + DAY, "disputed")
    assert customer.state.cases == ()
    customer.failed(D0 + 2 * DAY)
    customer.until(D0 + 40 * DAY)
    assert customer.step_ids == ["d0_email"]

    customer.closed(D0 + 40 * DAY, "dispute_won")

    assert customer.case.anchor == D0 + 40 * DAY
    assert customer.case.invoices[0].attempts == 2
    assert customer.steps[1:] == [("d0_email", D0 + 40 * DAY)]


def test_a_payment_during_a_dispute_settles_the_invoice(customer: Customer) -> None:
    customer.failed(D0)
    customer.closed(D0 + DAY, "disputed")
    customer.paid(D0 + 2 * DAY)
    customer.closed(D0 + 3 * DAY, "dispute_won")
    customer.until(D0 + 90 * DAY)

    assert customer.state.cases == ()
    assert customer.step_ids == ["d0_email"]


def test_a_dispute_known_before_the_failure_keeps_it_out(customer: Customer) -> None:
    customer.closed(D0 + DAY, "disputed", arrives=D0 + DAY)
    customer.failed(D0, arrives=D0 + 2 * DAY)
    assert customer.commands == []

    customer.closed(D0 + 3 * DAY, "dispute_won")

    assert customer.case.anchor == D0 + 3 * DAY


def test_disputes_give_the_same_debt_in_whatever_order_they_arrive() -> None:
    told = ("failed", "disputed", "won", "failed again")
    for order in permutations(told):
        customer = Customer()
        for name in order:
            _tell_of_a_dispute(customer, name)
        (invoice,) = customer.case.invoices
        assert invoice.owed_since == D0 + 2 * DAY, order


def _tell_of_a_dispute(customer: Customer, name: str) -> None:
    arrives = D0 + 4 * DAY
    match name:
        case "failed":
            customer.failed(D0, arrives=arrives)
        case "disputed":
            customer.closed(D0 + DAY, "disputed", arrives=arrives)
        case "won":
            customer.closed(D0 + 2 * DAY, "dispute_won", arrives=arrives)
        case _:
            customer.failed(D0 + 3 * DAY, arrives=arrives)


def test_a_dispute_opened_and_won_in_one_moment_is_won_in_either_order() -> None:
    for order in (("disputed", "dispute_won"), ("dispute_won", "disputed")):
        customer = Customer()
        customer.failed(D0)
        for reason in order:
            customer.closed(D0 + DAY, reason)
        assert customer.case.invoices[0].owed_since == D0 + DAY


def test_a_cancelled_subscriptions_dispute_brings_nothing_back(customer: Customer) -> None:
    customer.failed(D0)
    customer.closed(D0 + DAY, "disputed")
    customer.cancelled(D0 + 2 * DAY)
    customer.closed(D0 + 3 * DAY, "dispute_won")

    assert customer.state.cases == ()
    assert customer.step_ids == ["d0_email"]


# Reversals, cancellations, accounts.


@pytest.mark.parametrize("reason", ["chargeback", "refund", "returned"])
def test_a_reversed_payment_opens_a_case_linked_to_the_closed_one(customer: Customer, reason: str) -> None:
    customer.failed(D0)
    first = customer.case.case_id
    customer.paid(D0 + DAY)
    customer.payment_reversed(D0 + 10 * DAY, reason=reason)

    assert customer.case.linked_case_id == first
    assert customer.case.anchor == D0 + 10 * DAY
    assert customer.steps == [("d0_email", D0), ("d0_email", D0 + 10 * DAY)]


def test_a_reversal_that_overtakes_its_payment_leaves_the_same_debt(customer: Customer) -> None:
    customer.failed(D0)
    customer.payment_reversed(D0 + 3 * DAY)
    customer.paid(D0 + DAY, arrives=D0 + 3 * DAY)

    assert customer.case.anchor == D0 + 3 * DAY


def test_a_policy_may_leave_a_kind_of_reversal_alone() -> None:
    customer = Customer(replace(care().policy, reversals=("chargeback",)))
    customer.payment_reversed(D0, reason="refund")

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.REVERSAL_NOT_PURSUED)


def test_a_cancellation_leaves_the_other_subscriptions_case_alone(customer: Customer) -> None:
    customer.failed(D0, "inv-a", subscription="sub-a")
    customer.failed(D0, "inv-b", subscription="sub-b", currency="EUR")
    customer.cancelled(D0 + DAY, "sub-a")
    customer.until(D0 + 4 * DAY)

    assert customer.case.subscription_id == "sub-b"
    assert [line.invoice_id for line in customer.sent[-1].invoices] == ["inv-b"]


def test_a_failure_of_a_cancelled_subscription_is_ignored_whenever_it_arrives(customer: Customer) -> None:
    customer.cancelled(D0)
    customer.failed(D0 - DAY, arrives=D0 + DAY)
    customer.failed(D0 + 2 * DAY)

    assert customer.commands == []
    assert len(customer.said(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED)) == 2


def test_a_failure_without_a_subscription_is_the_accounts_own_case(customer: Customer) -> None:
    customer.failed(D0, subscription=None)
    customer.cancelled(D0 + DAY)
    customer.until(D0 + 61 * DAY)

    assert customer.case.subscription_id is None
    assert [(each.action, each.subscription_id) for each in customer.actions] == [("suspend", None)]


def test_an_invoice_paid_in_part_by_the_bank_and_again_declined_stays_one_case(customer: Customer) -> None:
    customer.failed(D0, amount=5000)
    customer.failed(D0 + DAY, amount=3000)
    customer.until(D0 + 4 * DAY)

    assert customer.sent[-1].total_minor == 3000


@pytest.mark.parametrize("limit", ["cases", "invoices"])
def test_what_is_kept_of_a_customer_has_a_limit_and_the_log_says_so(limit: str) -> None:
    memory: Any = {limit: 1}
    customer = Customer(replace(care().policy, memory=replace(care().policy.memory, **memory)))
    customer.failed(D0)
    customer.failed(D0, "inv-2", subscription="sub-2" if limit == "cases" else "sub-1")

    assert [invoice.invoice_id for invoice in customer.case.invoices] == ["inv-1"]
    assert customer.said(Outcome.IGNORED, ReasonCode.LIMIT_REACHED)
