"""The reminders before a card expires or a subscription renews."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streams.dunning import decide
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Card, CardExpiring, FeedbackKind
from tests.dunning.customer import Customer, care, local, utc
from tests.strategies import CUSTOMER

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def card(month: int, year: int = 2026, method: str = "pm-1") -> Card:
    return Card(payment_method_id=method, brand="visa", last4="4242", exp_month=month, exp_year=year)


@pytest.fixture
def customer() -> Customer:
    customer = Customer(content=care().content)
    customer.profile(utc("2025-12-01 00:00"))
    return customer


# Cards.


@pytest.mark.parametrize(
    ("month", "year", "days"),
    [
        (3, 2026, ["2026-01-30", "2026-03-01", "2026-03-24"]),
        (2, 2028, ["2027-12-31", "2028-01-30", "2028-02-22"]),
        (12, 2026, ["2026-11-01", "2026-12-01", "2026-12-24"]),
    ],
)
def test_a_card_is_spoken_of_sixty_thirty_and_seven_days_before_its_last_day(
    customer: Customer, month: int, year: int, days: list[str]
) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(month, year))
    customer.until(utc("2029-01-01 00:00"))

    assert customer.steps == [
        (step, local(f"{day} 09:00"))
        for step, day in zip(("card_60", "card_30", "card_7"), days, strict=True)
    ]
    assert [command.variables["days_left"] for command in customer.sent] == ["60", "30", "7"]
    assert customer.state.plans == ()


def test_a_card_heard_of_late_is_spoken_of_once_for_what_is_past(customer: Customer) -> None:
    customer.card_expiring(local("2026-03-10 15:00"), card(3))
    customer.until(utc("2026-05-01 00:00"))

    assert customer.steps == [
        ("card_30", local("2026-03-11 09:00")),
        ("card_7", local("2026-03-24 09:00")),
    ]
    assert customer.said(Outcome.SUPERSEDED, step="card_60")


def test_an_expired_card_is_not_spoken_of(customer: Customer) -> None:
    customer.card_expiring(local("2026-04-01 00:00"), card(3))
    customer.until(utc("2026-05-01 00:00"))

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.TOO_LATE)


@pytest.mark.parametrize("new", [card(3, 2030), card(9, 2030, "pm-2")])
def test_a_card_that_was_replaced_is_not_spoken_of_again(customer: Customer, new: Card) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3))
    customer.until(utc("2026-02-05 00:00"))
    customer.card_updated(utc("2026-02-05 00:00"), new)
    customer.until(utc("2026-05-01 00:00"))

    assert customer.step_ids == ["card_60"]
    assert [each.step_id for each in customer.said(Outcome.CANCELLED, ReasonCode.CARD_REPLACED)] == [
        "card_30",
        "card_7",
    ]


def test_a_card_that_was_replaced_before_the_warning_arrived_is_not_spoken_of(customer: Customer) -> None:
    customer.card_updated(utc("2026-01-02 00:00"), card(9, 2030, "pm-2"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(3), arrives=utc("2026-01-03 00:00"))
    customer.until(utc("2026-05-01 00:00"))

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.CARD_REPLACED)


# Several cards on file.


def test_a_new_card_ends_the_reminders_of_one_card_only(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(4, 2026, "pm-later"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-sooner"))
    customer.card_updated(utc("2026-01-05 00:00"), card(9, 2030, "pm-new"))

    (plan,) = customer.state.plans
    assert plan.subject_id == "pm-later"
    assert customer.said(Outcome.CLOSED, ReasonCode.CARD_REPLACED)


def test_a_new_card_stands_for_one_that_pays_for_something(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-unused"), subscriptions=())
    customer.card_expiring(utc("2026-01-01 00:00"), card(4, 2026, "pm-used"))
    customer.card_updated(utc("2026-01-05 00:00"), card(9, 2030, "pm-new"))

    assert [plan.subject_id for plan in customer.state.plans] == ["pm-unused"]


def test_a_card_renewed_under_its_id_leaves_the_others_alone(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-1"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(4, 2026, "pm-2"))
    customer.card_updated(utc("2026-01-05 00:00"), card(4, 2030, "pm-2"), source="account_updater")

    assert [plan.subject_id for plan in customer.state.plans] == ["pm-1"]


def test_a_card_made_the_default_again_replaces_none(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-1"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(4, 2026, "pm-2"))
    customer.card_updated(utc("2026-01-05 00:00"), card(4, 2026, "pm-2"))

    assert len(customer.state.plans) == 2


def test_the_account_updater_renews_a_card_of_the_same_brand(customer: Customer) -> None:
    other = replace(card(3, 2026, "pm-other"), brand="mastercard")
    customer.card_expiring(utc("2026-01-01 00:00"), other)
    customer.card_expiring(utc("2026-01-01 00:00"), card(4, 2026, "pm-visa"))
    customer.card_updated(utc("2026-01-05 00:00"), card(9, 2030, "pm-new"), source="account_updater")

    assert [plan.subject_id for plan in customer.state.plans] == ["pm-other"]


def test_one_new_card_stands_for_one_card_heard_of_late_and_not_for_the_next(customer: Customer) -> None:
    customer.card_updated(utc("2026-01-02 00:00"), card(9, 2030, "pm-new"))
    for late in ("pm-1", "pm-1", "pm-2"):
        customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, late), arrives=utc("2026-01-03 00:00"))

    assert [plan.subject_id for plan in customer.state.plans] == ["pm-2"]


def test_each_cards_newest_update_is_remembered_up_to_the_policys_limit(customer: Customer) -> None:
    for number in range(12):
        at = utc("2026-01-02 00:00") + number * DAY
        customer.card_updated(at, card(9, 2030, f"pm-{number % 10}"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-1"), arrives=utc("2026-01-15 00:00"))

    assert [each.card.payment_method_id for each in customer.state.card_updates] == [
        f"pm-{number}" for number in (4, 5, 6, 7, 8, 9, 0, 1)
    ]
    assert customer.state.plans == ()


def test_the_one_update_that_an_earlier_release_kept_still_counts(customer: Customer) -> None:
    customer.card_updated(utc("2026-01-02 00:00"), card(3, 2030))
    (kept,) = customer.state.card_updates
    earlier = replace(customer.state, card_update=kept, card_updates=())
    decision = decide(
        earlier,
        CardExpiring(
            event_id="late", occurred_at=utc("2026-01-01 00:00"), customer_id=CUSTOMER, card=card(3, 2026)
        ),
        utc("2026-01-03 00:00"),
        customer.policy,
    )

    assert [each.reason for each in decision.reasons] == [ReasonCode.CARD_REPLACED]


@pytest.mark.parametrize(
    ("failed", "new", "source", "held"),
    [
        (card(3), card(3, 2030), "account_updater", True),
        (card(3), card(9, 2030, "pm-2"), "account_updater", True),
        (card(3), replace(card(9, 2030, "pm-2"), brand="mastercard"), "account_updater", False),
        (card(3), replace(card(9, 2030, "pm-2"), brand="mastercard"), "customer", True),
        (None, replace(card(9, 2030, "pm-2"), brand="mastercard"), "account_updater", True),
    ],
)
def test_another_card_that_the_network_renews_holds_no_ladder(
    customer: Customer, failed: Card | None, new: Card, source: str, *, held: bool
) -> None:
    customer.failed(utc("2026-01-01 15:00"), card=failed)
    customer.card_updated(utc("2026-01-02 15:00"), new, source=source)

    assert bool(customer.said(Outcome.HELD, ReasonCode.CARD_UPDATED)) is held


def test_the_new_card_may_expire_in_its_turn(customer: Customer) -> None:
    customer.card_updated(utc("2026-01-02 00:00"), card(3, 2026, "pm-2"))
    customer.card_expiring(utc("2026-01-01 00:00"), card(3, 2026, "pm-2"), arrives=utc("2026-01-03 00:00"))
    customer.until(utc("2026-02-01 00:00"))

    assert customer.step_ids == ["card_60"]


def test_a_card_that_no_subscription_uses_is_spoken_of_once(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3), subscriptions=())
    customer.until(utc("2026-05-01 00:00"))

    assert customer.step_ids == ["card_60"]
    assert len(customer.said(Outcome.SUPPRESSED, ReasonCode.CARD_NOT_IN_USE)) == 2


def test_a_card_whose_last_subscription_is_cancelled_is_no_longer_spoken_of(customer: Customer) -> None:
    customer.card_expiring(utc("2026-01-01 00:00"), card(3), subscriptions=("sub-1", "sub-2"))
    customer.until(utc("2026-02-01 00:00"))
    customer.cancelled(utc("2026-02-01 00:00"), "sub-1")
    customer.cancelled(utc("2026-02-01 00:00"), "sub-2")
    customer.until(utc("2026-05-01 00:00"))

    assert customer.step_ids == ["card_60"]


def test_a_warning_repeated_by_the_biller_repeats_no_message(customer: Customer) -> None:
    for day in range(1, 29):
        customer.card_expiring(utc(f"2026-02-{day:02d} 00:00"), card(3))
    customer.until(utc("2026-02-28 12:00"))

    assert customer.step_ids == ["card_60"]


def test_a_reminder_that_waits_is_superseded_by_the_next_one(customer: Customer) -> None:
    # Three first contacts fill the week before the card's last reminder but one could go out.
    for number, currency in enumerate(("USD", "EUR", "GBP")):
        customer.failed(local(f"2026-01-2{number} 10:00"), f"inv-{number}", currency=currency)
    customer.card_expiring(local("2026-01-22 11:00"), card(1))
    customer.until(local("2026-01-23 12:00"))
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="card_30")
    customer.until(local("2026-01-24 10:00"))

    assert customer.said(Outcome.SUPERSEDED, step="card_30")
    assert customer.said(Outcome.DEFERRED, ReasonCode.CONTACT_BUDGET, step="card_7")


# Renewals.


@pytest.mark.parametrize("interval", ["day", "week", "month", "quarter"])
def test_a_renewal_is_spoken_of_a_week_and_a_day_before(customer: Customer, interval: str) -> None:
    customer.renewing(utc("2026-04-01 00:00"), local("2026-06-15 23:30"), interval=interval)
    customer.until(utc("2026-07-01 00:00"))

    assert customer.steps == [
        ("renewal_7", local("2026-06-08 09:00")),
        ("renewal_1", local("2026-06-14 09:00")),
    ]


def test_a_yearly_renewal_is_spoken_of_a_month_before_as_well(customer: Customer) -> None:
    customer.renewing(
        utc("2026-04-01 00:00"),
        local("2026-06-15 12:00"),
        interval="year",
        previous_amount_minor=1500,
        trial_ends=True,
        trial_days=14,
    )
    customer.until(utc("2026-07-01 00:00"))

    assert customer.steps[0] == ("renewal_30", local("2026-05-16 09:00"))
    assert len(customer.steps) == 3
    assert customer.sent[0].variables == {
        "plan_name": "Basic",
        "amount_minor": "2000",
        "currency": "USD",
        "interval": "year",
        "previous_amount_minor": "1500",
        "trial_ends": "true",
        "trial_days": "14",
        "renews_on": "2026-06-15",
        "days_left": "30",
    }


def test_an_unchanged_price_is_not_called_changed(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"), previous_amount_minor=2000)
    customer.until(utc("2026-06-09 00:00"))

    assert "previous_amount_minor" not in customer.sent[0].variables


def test_a_renewal_heard_of_late_is_spoken_of_once_for_what_is_past(customer: Customer) -> None:
    customer.renewing(local("2026-06-15 06:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-07-01 00:00"))

    assert customer.steps == [("renewal_1", local("2026-06-15 09:00"))]
    assert customer.sent[0].expires_at == local("2026-06-15 12:00")


def test_a_renewal_of_the_past_is_not_spoken_of(customer: Customer) -> None:
    customer.renewing(local("2026-06-15 12:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-07-01 00:00"))

    assert customer.commands == []


def test_a_renewal_that_is_moved_is_spoken_of_for_its_new_date(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-06-09 00:00"))
    customer.renewing(utc("2026-06-09 00:00"), local("2026-06-30 12:00"))
    customer.until(utc("2026-07-10 00:00"))

    assert customer.steps == [
        ("renewal_7", local("2026-06-08 09:00")),
        ("renewal_7", local("2026-06-23 09:00")),
        ("renewal_1", local("2026-06-29 09:00")),
    ]


def test_a_renewal_that_is_moved_and_moved_back_is_spoken_of_anew(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-06-09 00:00"))
    customer.renewing(utc("2026-06-09 00:00"), local("2026-06-30 12:00"))
    customer.renewing(utc("2026-06-10 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-07-10 00:00"))

    assert customer.step_ids == ["renewal_7", "renewal_7", "renewal_1"]
    assert len({command.command_id for command in customer.sent}) == 3


def test_an_older_word_about_a_renewal_does_not_count(customer: Customer) -> None:
    customer.renewing(utc("2026-06-02 00:00"), local("2026-06-30 12:00"))
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"), arrives=utc("2026-06-03 00:00"))
    customer.until(utc("2026-07-10 00:00"))

    assert customer.steps[0] == ("renewal_7", local("2026-06-23 09:00"))


def test_a_changed_plan_does_not_make_the_renewals_date_stale(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.changed(utc("2026-06-03 00:00"), "upgrade", plan_name="Pro")
    customer.renewing(utc("2026-06-02 00:00"), local("2026-06-30 12:00"), arrives=utc("2026-06-04 00:00"))
    customer.until(utc("2026-06-24 00:00"))

    assert customer.steps == [("renewal_7", local("2026-06-23 09:00"))]


def _cancel(customer: Customer) -> None:
    customer.cancelled(utc("2026-06-09 00:00"))


def _pay(customer: Customer) -> None:
    customer.paid(utc("2026-06-09 00:00"), "inv-renewal")


def _pause(customer: Customer) -> None:
    customer.changed(utc("2026-06-09 00:00"), "pause")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_cancel, ReasonCode.SUBSCRIPTION_CANCELLED),
        (_pay, ReasonCode.RENEWAL_PAID),
        (_pause, ReasonCode.SUBSCRIPTION_PAUSED),
    ],
)
def test_what_is_pending_is_dropped_when_the_renewal_will_not_come(
    customer: Customer, happens: Any, reason: ReasonCode
) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-06-09 00:00"))
    happens(customer)
    customer.until(utc("2026-07-10 00:00"))

    assert customer.step_ids == ["renewal_7"]
    assert [each.step_id for each in customer.said(Outcome.CANCELLED, reason)] == ["renewal_1"]


def test_a_payment_of_a_debt_is_no_payment_of_the_renewal(customer: Customer) -> None:
    customer.failed(utc("2026-05-20 00:00"))
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-30 12:00"))
    customer.paid(utc("2026-06-02 00:00"))
    # The biller says it twice.
    customer.paid(utc("2026-06-02 00:01"))
    customer.until(utc("2026-06-24 00:00"))

    assert customer.step_ids[-1] == "renewal_7"


def test_a_payment_before_the_renewal_was_announced_is_another_terms(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-30 12:00"))
    customer.paid(utc("2026-05-31 00:00"), "inv-old", arrives=utc("2026-06-02 00:00"))
    customer.until(utc("2026-06-24 00:00"))

    assert customer.step_ids == ["renewal_7"]


def test_a_pause_before_the_renewal_was_announced_is_over(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.changed(utc("2026-05-01 00:00"), "pause", arrives=utc("2026-06-02 00:00"))
    customer.until(utc("2026-06-09 00:00"))

    assert customer.step_ids == ["renewal_7"]


def test_another_plans_name_shows_in_what_is_pending(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.changed(utc("2026-06-02 00:00"), "downgrade", plan_name="Small")
    customer.until(utc("2026-06-09 00:00"))

    assert customer.sent[0].variables["plan_name"] == "Small"


def test_a_response_to_a_reminder_does_not_end_it(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-06-09 00:00"))
    customer.feedback(utc("2026-06-09 00:00"), FeedbackKind.CLICKED)
    customer.until(utc("2026-07-09 00:00"))

    assert customer.step_ids == ["renewal_7", "renewal_1"]


def test_a_subscription_that_was_cancelled_is_not_announced(customer: Customer) -> None:
    customer.cancelled(utc("2026-06-01 00:00"))
    customer.renewing(utc("2026-05-30 00:00"), local("2026-06-15 12:00"), arrives=utc("2026-06-02 00:00"))
    customer.until(utc("2026-07-01 00:00"))

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED)


def test_reminders_are_rendered_with_all_that_they_must_say(customer: Customer) -> None:
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"), previous_amount_minor=1500)
    customer.until(utc("2026-06-09 00:00"))

    (message,) = customer.sent
    for said in ("$20.00", "$15.00", "June 15", "Basic", "cancel"):
        assert said.lower() in message.body.lower(), message.body


def test_a_reminder_whose_day_was_over_before_its_plan_waits_for_the_morning(customer: Customer) -> None:
    customer.renewing(utc("2026-03-10 03:00"), utc("2026-03-15 13:00"))
    customer.until(utc("2026-03-16 00:00"))

    assert customer.steps == [
        ("renewal_7", utc("2026-03-10 13:00")),
        ("renewal_1", utc("2026-03-14 13:00")),
    ]


def test_a_reminder_that_cannot_wait_for_the_morning_goes_out_at_once(customer: Customer) -> None:
    customer.renewing(utc("2026-03-15 03:00"), utc("2026-03-15 12:00"))
    customer.until(utc("2026-03-16 00:00"))

    assert customer.steps == [("renewal_1", utc("2026-03-15 03:00"))]
