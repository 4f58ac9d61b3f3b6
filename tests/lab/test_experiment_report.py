"""An experiment's report: from what customers do to what is said of the arms."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from streams.cli.experiment_tables import print_report
from streams.dunning.audience import Tone
from streams.dunning.events import FeedbackKind
from streams.dunning.experiment_settings import Arm, Experiment
from streams.dunning.experiments import arm_for
from streams.dunning.measures import About, Counts, Group, add_up
from streams.dunning.outcomes import outcomes
from streams.lab.experiments import ArmCounts, ExperimentReport, report
from tests.dunning.customer import Customer, care, utc
from tests.strategies import CUSTOMER, DAY

NOW = utc("2026-03-02 15:00")
ARMS = (Arm(name="as_now", holdout=True, weight=2), Arm(name="short", tone=Tone.SHORT))
ON_CASES = Experiment(name="words", subject="case", arms=ARMS)
ON_RENEWALS = Experiment(name="reminding", subject="renewal", arms=ARMS)


def counted(customers: list[Customer]) -> Counts:
    counts: Counts = {}
    for customer in customers:
        before = None
        for event, decision in customer.decided:
            add_up(counts, outcomes(before, event, decision, customer.policy))
            before = decision.state
    return counts


def arms(found: ExperimentReport) -> Mapping[str, ArmCounts]:
    return {each.arm: each for each in found.arms}


def some(experiment: Experiment, number: int) -> list[Customer]:
    """So many customers of one name, whom as many salts deal to the arms."""
    salted = (replace(experiment, salt=str(each)) for each in range(number))
    return [Customer(replace(care().policy, experiments=(each,), version="v1")) for each in salted]


def test_what_customers_do_is_found_again_by_arm() -> None:
    customers = some(ON_CASES, 60)
    expected = {arm.name: {"exposed": 0, "paid": 0, "cancelled": 0, "sent": 0, "opened": 0} for arm in ARMS}
    for number, customer in enumerate(customers):
        arm = arm_for(customer.policy.experiments[0], CUSTOMER)
        assert arm is not None
        numbers = expected[arm.name]
        numbers["exposed"] += 1
        customer.failed(NOW)
        if number % 2:
            customer.feedback(NOW + timedelta(hours=1), FeedbackKind.OPENED)
            numbers["opened"] += 1
        customer.until(NOW + 4 * DAY)
        if number % 3 == 0:
            customer.paid(NOW + 4 * DAY)
            numbers["paid"] += 1
        elif number % 7 == 0:
            customer.cancelled(NOW + 4 * DAY)
            numbers["cancelled"] += 1
        numbers["sent"] += len(customer.sent)
        # A second case of the same customer counts for no arm, whatever comes of it.
        customer.failed(NOW + 50 * DAY, "inv-2", subscription="sub-2")
        customer.paid(NOW + 51 * DAY, "inv-2", subscription="sub-2")
    found = arms(report(ON_CASES, counted(customers)))
    for name, numbers in expected.items():
        assert {key: getattr(found[name], key) for key in numbers if key != "sent"} == {
            key: number for key, number in numbers.items() if key != "sent"
        }
        assert found[name].open == numbers["exposed"] - numbers["paid"] - numbers["cancelled"]
        assert found[name].recovered == {"USD": 2000 * numbers["paid"]}
        assert found[name].sent >= numbers["sent"]


def test_renewals_that_move_count_once_and_come_to_an_end() -> None:
    customers = some(ON_RENEWALS, 30)
    for number, customer in enumerate(customers):
        customer.renewing(NOW, NOW + 20 * DAY)
        customer.renewing(NOW + DAY, NOW + 25 * DAY)
        if number % 5 == 0:
            customer.cancelled(NOW + 2 * DAY)
        elif number % 5 == 1:
            customer.paid(NOW + 2 * DAY)
        elif number % 5 == 2:
            customer.paid(NOW + 26 * DAY)
    found = report(ON_RENEWALS, counted(customers)).arms
    assert sum(each.exposed for each in found) == 30
    assert sum(each.cancelled for each in found) == 6
    assert sum(each.renewed for each in found) == 12
    assert sum(each.open for each in found) == 12


def counts_of(**numbers: tuple[int, int]) -> Counts:
    """So many exposed and paid, by arm."""
    return {
        Group(About.DEBT, "standard", segment="new", arms=(f"words:{arm}",)): {
            "cases": exposed,
            "closed:paid": paid,
            "paid_amount:USD": 100 * paid,
        }
        for arm, (exposed, paid) in numbers.items()
    }


def test_a_clear_difference_in_a_sufficient_sample(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(ON_CASES, counts_of(as_now=(4000, 2200), short=(2000, 1250)))
    paid = next(each for each in found.comparisons if each.result == "paid")
    assert paid.difference is not None
    assert paid.difference.difference == pytest.approx(0.075)
    assert 0.04 < paid.difference.low < 0.075 < paid.difference.high < 0.11
    assert found.samples["short"].suffices
    assert not found.split_is_broken
    print_report(found)
    shown = capsys.readouterr().out
    for part in (
        "words",
        "2,200 (55.0%)",
        "1,250 (62.5%)",
        "+7.5 points",
        "higher",
        "suffices for",
        "2,200.00",
    ):
        assert part in shown, shown


def test_too_few_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(ON_CASES, counts_of(as_now=(40, 22), short=(20, 12)))
    paid = next(each for each in found.comparisons if each.result == "paid")
    assert paid.difference is not None
    assert not paid.difference.is_clear
    assert not found.samples["short"].suffices
    assert found.samples["short"].needed > 500
    print_report(found)
    shown = capsys.readouterr().out
    assert "no clear difference" in shown
    assert "20 of about" in shown


def test_nothing_yet(capsys: pytest.CaptureFixture[str]) -> None:
    found = report(ON_CASES, {})
    assert all(each.difference is None for each in found.comparisons)
    assert (found.split_p_value, found.split_is_broken) == (None, False)
    print_report(found)
    assert "0 of about" in capsys.readouterr().out


def test_a_split_that_the_weights_do_not_make_is_broken() -> None:
    assert report(ON_CASES, counts_of(as_now=(2600, 0), short=(1000, 0))).split_is_broken
    assert not report(ON_CASES, counts_of(as_now=(2050, 0), short=(1000, 0))).split_is_broken


def test_of_several_arms_each_interval_is_wider() -> None:
    third = replace(ON_CASES, arms=(*ARMS, Arm(name="formal", tone=Tone.FORMAL)))
    counts = counts_of(as_now=(400, 200), short=(200, 120), formal=(200, 100))
    two, three = report(ON_CASES, counts).comparisons[0], report(third, counts).comparisons[0]
    assert two.difference is not None
    assert three.difference is not None
    assert three.difference.confidence == pytest.approx(0.975)
    assert three.difference.low < two.difference.low
    assert three.difference.high > two.difference.high
