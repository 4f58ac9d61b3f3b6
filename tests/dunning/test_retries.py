"""Retries: no message promises one that the network forbids, and billing is told where it goes too far."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.dunning.calendar import local_day
from streams.dunning.commands import Outcome, Reason, ReasonCode
from streams.dunning.events import Card
from streams.dunning.policy import Policy
from streams.dunning.state import Retries
from tests.dunning.customer import MINUTE, NEW_CARD, OLD_CARD, Customer, care, utc

DAY = timedelta(days=1)
D0 = utc("2026-01-05 15:00")
ZONE = ZoneInfo("UTC")
MASTERCARD = Card(payment_method_id="pm-3", brand="mastercard", last4="4444", exp_month=3, exp_year=2027)


def budget(most: int, *, counts: Any = "reattempts", within: timedelta = 30 * DAY) -> Policy:
    """The shipped policy with another budget for Visa."""
    policy = care().policy
    rule = replace(policy.retries["visa_20_in_30_days"], most=most, counts=counts, within=within)
    return replace(policy, retries={"visa_budget": rule, "visa_never": policy.retries["visa_never"]})


def warned(customer: Customer) -> list[tuple[ReasonCode, Any]]:
    return [(each.reason, each.until) for each in customer.said(Outcome.WARNED)]


def try_daily(customer: Customer, attempts: int, **more: Any) -> None:
    for day in range(attempts):
        customer.failed(D0 + day * DAY, code="51", card=OLD_CARD, **more)


def retries_of(customer: Customer) -> Retries:
    (invoice,) = customer.case.invoices
    assert invoice.retries is not None
    return invoice.retries


# The budget.


def test_twenty_reattempts_in_thirty_days_are_visas_budget() -> None:
    customer = Customer()
    try_daily(customer, 21)
    assert warned(customer) == []

    customer.failed(D0 + 21 * DAY, code="51", card=OLD_CARD)
    # The first attempt and the first two reattempts have to leave the window, until one more fits.
    assert warned(customer) == [(ReasonCode.RETRY_BUDGET_EXCEEDED, D0 + 32 * DAY)]


def test_a_planned_retry_that_lies_before_the_attempt_is_a_date_that_billing_has_not_renewed() -> None:
    customer = Customer()
    customer.failed(D0, code="51", card=OLD_CARD, attempt=21, next_retry_at=D0 - DAY)
    assert warned(customer) == []


def test_until_may_of_2025_it_was_fifteen() -> None:
    customer = Customer()
    start = utc("2025-05-01 12:00")
    for day in range(17):
        customer.failed(start + day * DAY, code="51", card=OLD_CARD)
    assert [reason for reason, _ in warned(customer)] == [ReasonCode.RETRY_BUDGET_EXCEEDED]


def test_mastercard_counts_the_first_attempt_and_ten_in_a_day() -> None:
    customer = Customer()
    for minute in range(10):
        customer.failed(D0 + minute * MINUTE, code="51", card=MASTERCARD)
    assert warned(customer) == []
    customer.failed(D0 + 10 * MINUTE, code="51", card=MASTERCARD)
    assert warned(customer) == [(ReasonCode.RETRY_BUDGET_EXCEEDED, D0 + MINUTE + DAY)]


def test_attempts_that_leave_the_window_make_room() -> None:
    customer = Customer(budget(3))
    for week in range(12):
        customer.failed(D0 + week * 15 * DAY, code="51", card=OLD_CARD)
    assert warned(customer) == []


def test_what_billing_numbers_counts_although_nobody_told_of_it() -> None:
    customer = Customer(budget(3))
    customer.failed(D0, code="51", card=OLD_CARD, attempt=1)
    customer.failed(D0 + 5 * DAY, code="51", card=OLD_CARD, attempt=4)
    assert warned(customer) == []
    customer.failed(D0 + 6 * DAY, code="51", card=OLD_CARD, attempt=6)
    assert [reason for reason, _ in warned(customer)] == [ReasonCode.RETRY_BUDGET_EXCEEDED]


def test_a_planned_attempt_over_the_budget_is_warned_of_before_it_is_made() -> None:
    customer = Customer(budget(2))
    try_daily(customer, 2)
    customer.failed(D0 + 2 * DAY, code="51", card=OLD_CARD, next_retry_at=D0 + 4 * DAY)
    assert warned(customer) == [(ReasonCode.RETRY_BUDGET_EXCEEDED, D0 + 31 * DAY)]


def test_a_planned_attempt_after_the_window_is_none_too_many() -> None:
    customer = Customer(budget(2))
    try_daily(customer, 2)
    customer.failed(D0 + 2 * DAY, code="51", card=OLD_CARD, next_retry_at=D0 + 32 * DAY)
    assert warned(customer) == []


def test_another_card_has_a_budget_of_its_own() -> None:
    customer = Customer(budget(2))
    try_daily(customer, 3)
    customer.failed(D0 + 3 * DAY, code="51", card=NEW_CARD)
    assert warned(customer) == []
    assert retries_of(customer).attempted_at == (D0 + 3 * DAY,)


def test_the_customers_own_attempt_is_not_billings_fault() -> None:
    customer = Customer(budget(1))
    try_daily(customer, 2)
    customer.failed(D0 + 3 * DAY, code="51", card=OLD_CARD, customer_initiated=True)
    assert warned(customer) == []


def test_a_network_without_rules_keeps_nothing() -> None:
    customer = Customer()
    customer.failed(D0, code="51", network="jcb")
    customer.failed(D0 + DAY, code="insufficient_funds")
    assert customer.case.invoices[0].retries is None


# What is forbidden.


@pytest.mark.parametrize(
    "decline",
    [
        {"code": "46", "network": "visa"},
        {"code": "R1", "card": OLD_CARD},
        {"code": "lost_card", "card": OLD_CARD},
        {"code": "51", "network": "mastercard", "advice_code": "03"},
        {"code": "51", "card": MASTERCARD, "advice_code": "21"},
        {"code": "51", "advice_code": "03"},
    ],
)
def test_a_retry_after_never_is_warned_of(decline: dict[str, Any]) -> None:
    customer = Customer()
    customer.failed(D0, **decline)
    assert warned(customer) == []
    customer.failed(D0 + DAY, **decline)
    assert warned(customer) == [(ReasonCode.RETRY_FORBIDDEN, None)]
    (reason,) = customer.said(Outcome.WARNED)
    assert (reason.case_id, reason.invoice_id) == (customer.case.case_id, "inv-1")


def test_a_plan_to_retry_after_never_is_warned_of_at_once() -> None:
    customer = Customer()
    (message,) = customer.failed(D0, code="46", card=OLD_CARD, next_retry_at=D0 + 3 * DAY)
    assert warned(customer) == [(ReasonCode.RETRY_FORBIDDEN, None)]
    assert "next_retry_on" not in message.variables  # type: ignore[union-attr]


def test_never_is_not_taken_back_by_a_softer_decline() -> None:
    customer = Customer()
    customer.failed(D0, code="51", card=MASTERCARD, advice_code="03")
    customer.failed(D0 + DAY, code="51", card=MASTERCARD, next_retry_at=D0 + 4 * DAY)
    customer.until(D0 + 4 * DAY)
    assert customer.step_ids[1] == "d3_email"
    assert customer.sent[1].template == "payment_failed_hard"
    assert "next_retry_on" not in customer.sent[1].variables


def test_code_57_is_never_again_from_its_day() -> None:
    before, after = Customer(), Customer()
    for customer, start in ((before, utc("2026-10-24 12:00")), (after, utc("2026-10-25 00:00"))):
        customer.failed(start, code="57", network="visa")
        customer.failed(start + 2 * MINUTE, code="57", network="visa")
    assert warned(before) == []
    assert warned(after) == [(ReasonCode.RETRY_FORBIDDEN, None)]


def test_a_new_card_starts_afresh() -> None:
    customer = Customer()
    customer.failed(D0, code="46", card=OLD_CARD)
    customer.card_updated(D0 + DAY, NEW_CARD)
    customer.failed(D0 + DAY + MINUTE, code="51", card=NEW_CARD, next_retry_at=D0 + 4 * DAY)
    assert warned(customer) == []
    assert customer.sent[-1].step_id == "new_card_failed"


def test_what_arrives_late_about_the_old_card_forbids_nothing_of_the_new() -> None:
    customer = Customer()
    customer.failed(D0, code="51", card=OLD_CARD)
    customer.card_updated(D0 + 2 * DAY, NEW_CARD)
    customer.failed(D0 + DAY, code="46", card=OLD_CARD, arrives=D0 + 2 * DAY + MINUTE)
    customer.failed(D0 + 3 * DAY, code="51", card=NEW_CARD)
    assert warned(customer) == []
    assert retries_of(customer).forbidden_since is None


@pytest.mark.parametrize(
    ("advice", "wait"),
    [("24", timedelta(hours=1)), ("25", DAY), ("26", 2 * DAY), ("27", 4 * DAY), ("30", 10 * DAY)],
)
def test_a_wait_that_the_network_asks_for(advice: str, wait: timedelta) -> None:
    early, kept = Customer(), Customer()
    for customer, after in ((early, wait - MINUTE), (kept, wait)):
        customer.failed(D0, code="51", card=MASTERCARD, advice_code=advice)
        customer.failed(D0 + after, code="51", card=MASTERCARD)
    assert warned(early) == [(ReasonCode.RETRY_FORBIDDEN, D0 + wait)]
    assert warned(kept) == []


def test_a_date_before_the_end_of_the_wait_is_not_told_to_the_customer() -> None:
    customer = Customer()
    (message,) = customer.failed(D0, code="51", card=MASTERCARD, advice_code="28", next_retry_at=D0 + 3 * DAY)
    assert warned(customer) == [(ReasonCode.RETRY_FORBIDDEN, D0 + 6 * DAY)]
    assert message.template == "payment_failed_soft"  # type: ignore[union-attr]
    assert "next_retry_on" not in message.variables  # type: ignore[union-attr]


# What is promised.


def test_no_retry_is_promised_when_the_budget_is_spent() -> None:
    customer = Customer(budget(2))
    customer.failed(D0, code="51", card=OLD_CARD, next_retry_at=D0 + DAY)
    assert customer.sent[0].template == "payment_failed_soft"
    assert customer.sent[0].variables["next_retry_on"] == "2026-01-06"
    customer.failed(D0 + DAY, code="51", card=OLD_CARD)
    customer.failed(D0 + 2 * DAY, code="51", card=OLD_CARD, next_retry_at=D0 + 5 * DAY)
    customer.until(D0 + 3 * DAY)
    assert customer.sent[1].template == "payment_failed_hard"
    assert "next_retry_on" not in customer.sent[1].variables


def test_a_budget_that_has_room_again_is_promised_of_again() -> None:
    customer = Customer(budget(2))
    try_daily(customer, 3)
    customer.until(D0 + 36 * DAY)
    templates = {command.step_id: command.template for command in customer.sent}
    assert templates["d14_email"] == "payment_failed_hard"
    assert templates["d35_phone"] == "payment_failed_soft"


# Invariants.


@given(
    hours=st.lists(st.integers(0, 24 * 45), min_size=1, max_size=60, unique=True),
    order=st.randoms(use_true_random=False),
    most=st.integers(1, 8),
)
def test_what_is_known_does_not_depend_on_the_order_of_arrival(
    hours: list[int], order: Any, most: int
) -> None:
    policy = budget(most)
    moments = [D0 + timedelta(hours=hour) for hour in hours]
    told_in_order, told_shuffled = Customer(policy), Customer(policy)
    arrives = max(moments) + DAY
    shuffled = list(moments)
    order.shuffle(shuffled)
    for customer, told in ((told_in_order, sorted(moments)), (told_shuffled, shuffled)):
        for moment in told:
            customer.failed(moment, code="51", card=OLD_CARD, arrives=arrives)
    assert retries_of(told_in_order) == retries_of(told_shuffled)
    assert len(retries_of(told_in_order).attempted_at) <= policy.memory.retries


@given(
    gaps=st.lists(st.integers(1, 24 * 20), min_size=1, max_size=40),
    most=st.integers(1, 6),
    counts=st.sampled_from(["attempts", "reattempts"]),
)
def test_billing_is_warned_exactly_when_it_exceeds_the_budget(
    gaps: list[int], most: int, counts: str
) -> None:
    customer = Customer(budget(most, counts=counts))
    moments = [D0]
    for gap in gaps:
        moments.append(moments[-1] + timedelta(hours=gap))
    for index, moment in enumerate(moments):
        before = len(customer.said(Outcome.WARNED))
        customer.failed(moment, code="51", card=OLD_CARD)
        inside = [each for each in moments[: index + 1] if each > moment - 30 * DAY]
        used = len(inside) - (counts == "reattempts" and inside[0] == moments[0])
        given_now: list[Reason] = customer.said(Outcome.WARNED)[before:]
        assert bool(given_now) is (used > most)
        for reason in given_now:
            assert reason.until is not None
            left = [each for each in inside if each > reason.until - 30 * DAY]
            assert len(left) + 1 <= most, "one more fits when it is said to"


DECLINES = [
    {"code": "51", "card": OLD_CARD},
    {"code": "46", "card": OLD_CARD},
    {"code": "51", "card": MASTERCARD},
    {"code": "51", "card": MASTERCARD, "advice_code": "03"},
    {"code": "51", "card": MASTERCARD, "advice_code": "28"},
]


@given(
    attempts=st.lists(
        st.tuples(st.integers(1, 24 * 8), st.sampled_from(DECLINES), st.none() | st.integers(1, 24 * 12)),
        min_size=1,
        max_size=12,
    )
)
def test_no_message_promises_what_the_network_forbids(
    attempts: list[tuple[int, dict[str, Any], int | None]],
) -> None:
    customer = Customer()
    now, told = D0, 0
    # Since the card was last changed for another: whether it is forbidden, and until when to wait.
    card, forbidden, wait = None, False, D0

    def check() -> None:
        nonlocal told
        for command in customer.sent[told:]:
            promised = command.variables.get("next_retry_on")
            assert not (forbidden and command.template == "payment_failed_soft")
            assert promised is None or (not forbidden and promised >= local_day(wait, ZONE).isoformat())
        told = len(customer.sent)

    for gap, decline, retry_in in attempts:
        now += timedelta(hours=gap)
        customer.until(now - timedelta.resolution)
        check()
        if decline["card"] != card:
            card, forbidden, wait = decline["card"], False, D0
        forbidden = forbidden or decline["code"] == "46" or decline.get("advice_code") == "03"
        wait = max(wait, now + 6 * DAY) if decline.get("advice_code") == "28" else wait
        customer.failed(
            now, **decline, next_retry_at=None if retry_in is None else now + timedelta(hours=retry_in)
        )
        check()
    customer.until(now + 20 * DAY)
    check()
