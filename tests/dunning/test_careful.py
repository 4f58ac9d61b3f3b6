"""What a careful team would not do to a customer, though no single rule is broken by it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streams.dunning.commands import NotificationCommand, Outcome, ReasonCode
from streams.dunning.events import Channel
from streams.dunning.policy import Campaign, Step
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def _notices(customer: Customer) -> list[NotificationCommand]:
    return [command for command in customer.sent if command.template == "final_notice"]


def test_a_second_final_notice_names_no_later_day_than_the_first(customer: Customer) -> None:
    customer.failed(D0, "inv-1", subscription="sub-1")
    customer.failed(D0 + 2 * DAY, "inv-2", subscription="sub-2")
    customer.until(D0 + 65 * DAY)

    named = [command.variables["suspension_date"] for command in _notices(customer)]
    suspended = [(subscription, at.date().isoformat()) for _, subscription, at in customer.deeds]
    assert set(named) == {"2026-03-06"}
    assert suspended == [("sub-1", "2026-03-06"), ("sub-2", "2026-03-08")]


def test_another_bill_of_the_subscription_leaves_the_renewal_to_be_announced(customer: Customer) -> None:
    customer.renewing(D0, D0 + 20 * DAY, amount=9_900)
    customer.paid(D0 + DAY, "usage", amount=413)
    customer.paid(D0 + DAY, "elsewhere", amount=9_900, currency="EUR")
    customer.until(D0 + 25 * DAY)

    assert customer.step_ids == ["renewal_7", "renewal_1"]


@pytest.mark.parametrize("reason", ["voided", "credited", "written_off"])
@pytest.mark.parametrize("late", [False, True])
def test_an_invoice_that_was_given_up_is_not_asked_for_by_a_late_retry(
    customer: Customer, reason: str, *, late: bool
) -> None:
    customer.failed(D0)
    given_up, retried = D0 + DAY, D0 + 2 * DAY
    if late:
        customer.failed(retried)
        customer.closed(given_up, reason, arrives=retried + HOUR)
    else:
        customer.closed(given_up, reason)
        customer.failed(retried)
    customer.until(D0 + 65 * DAY)

    assert customer.state.cases == ()
    assert customer.step_ids == ["d0_email"]


def test_another_invoice_failing_on_the_new_card_says_that_the_card_failed_once(customer: Customer) -> None:
    customer.failed(D0, code="43")
    customer.card_updated(D0 + 2 * DAY)
    customer.failed(D0 + 3 * DAY, "inv-2", code="05")
    customer.failed(D0 + 3 * DAY + HOUR, "inv-1", code="05")
    customer.until(D0 + 4 * DAY)

    assert customer.step_ids.count("new_card_failed") == 1


@pytest.mark.parametrize("reason", ["chargeback", "refund", "returned"])
def test_a_reversed_payment_promises_no_retry_and_names_the_case_before(
    customer: Customer, reason: str
) -> None:
    customer.failed(D0)
    closed = customer.case.case_id
    customer.paid(D0 + DAY)
    customer.payment_reversed(D0 + 9 * DAY, reason=reason)

    assert customer.sent[-1].template == "payment_failed_hard"
    opened = customer.said(Outcome.OPENED, ReasonCode.PAYMENT_REVERSED)
    assert [each.linked_case_id for each in opened] == [closed]
    assert customer.case.case_id != closed


def _hasty(customer: Customer) -> None:
    """A new policy that would suspend after four weeks."""
    policy = care().policy
    email = (Channel.EMAIL,)
    steps = (
        Step(id="x0", day=0, channels=email, template="payment_failed"),
        Step(id="x1", day=1, channels=email, template="payment_failed"),
        Step(id="x20", day=20, action="final_notice", channels=email, template="final_notice"),
        Step(id="x27", day=27, action="suspend"),
    )
    customer.policy = replace(
        policy,
        version="hasty",
        campaigns={"standard": Campaign(ladder=steps)},
        earlier={policy.version: policy.campaigns},
    )


def test_a_case_keeps_the_ladder_that_it_opened_with(customer: Customer) -> None:
    customer.failed(D0)
    _hasty(customer)
    customer.until(D0 + 62 * DAY)

    assert not [step for step in customer.step_ids if step.startswith("x")]
    assert [at.date().isoformat() for _, _, at in customer.deeds] == ["2026-03-06"]
    assert {command.policy_version for command in customer.sent} == {care().policy.version}


def test_a_new_case_goes_by_the_new_policy(customer: Customer) -> None:
    _hasty(customer)
    customer.failed(D0)
    customer.until(D0 + 30 * DAY)

    assert customer.step_ids[:2] == ["x0", "x1"]
    assert {command.policy_version for command in customer.sent} == {"hasty"}
