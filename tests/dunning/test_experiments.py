"""Experiments: who is in which arm, what an arm changes, and what it never does."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.dunning.audience import Condition, Segment, Tone
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.decide import migrate
from streams.dunning.events import Channel, CustomerProfile
from streams.dunning.experiment_settings import Arm, Experiment
from streams.dunning.experiments import arm_for
from streams.dunning.offer_settings import OfferKind, Terms
from streams.dunning.policy import Policy
from tests.dunning.customer import OLD_CARD, Customer, care, local, played, utc
from tests.dunning.test_offers import LOYALTY, offering, renewing
from tests.dunning.test_segments import tagged, two_campaigns
from tests.strategies import CUSTOMER, DAY, Happening, histories
from tests.strategies import History as Told

NOW = utc("2026-03-02 15:00")
CUSTOMERS = [f"customer-{number}" for number in range(20_000)]


def compare(*arms: Arm, subject: Any = "case", policy: Policy | None = None, **more: Any) -> Policy:
    """A policy with one experiment in which this customer is in the last of the arms."""
    policy = policy or two_campaigns()
    for number in range(200):
        experiment = Experiment(name="trial", subject=subject, salt=f"salt-{number}", arms=arms, **more)
        if arm_for(experiment, CUSTOMER) is arms[-1]:
            return replace(policy, experiments=(experiment,), version="v1")
    raise AssertionError("no salt deals the customer so")


CONTROL = Arm(name="control", holdout=True)


def exposed(customer: Customer) -> list[tuple[str | None, str | None]]:
    return [
        (each.experiment, each.case_id or each.plan_id)
        for each in customer.said(Outcome.RECORDED, ReasonCode.EXPOSED)
    ]


# Who is in which arm.


def test_the_weights_are_kept_to() -> None:
    arms = (
        Arm(name="a", weight=1),
        Arm(name="b", weight=2),
        Arm(name="c", weight=7),
        Arm(name="d", weight=0),
    )
    experiment = Experiment(name="trial", subject="case", arms=arms)
    dealt = Counter(arm.name for each in CUSTOMERS if (arm := arm_for(experiment, each)))
    assert "d" not in dealt
    for arm in arms[:3]:
        share = arm.weight / 10
        # Four standard deviations of a binomial share: one run in 16,000, and this one is always the same.
        assert (
            abs(dealt[arm.name] / len(CUSTOMERS) - share) < 4 * (share * (1 - share) / len(CUSTOMERS)) ** 0.5
        )


def test_two_experiments_deal_independently() -> None:
    arms = (Arm(name="a"), Arm(name="b"))
    one, other = (Experiment(name=name, subject="case", arms=arms) for name in ("one", "other"))
    both = Counter(
        tuple(arm.name for each in (one, other) if (arm := arm_for(each, customer))) for customer in CUSTOMERS
    )
    assert len(both) == 4
    assert all(abs(each / len(CUSTOMERS) - 0.25) < 0.013 for each in both.values())


@given(
    st.text(min_size=1, max_size=40),
    st.lists(st.integers(0, 100), min_size=2, max_size=6),
    st.integers(0, 100),
)
def test_another_arm_moves_customers_to_itself_only(customer: str, weights: list[int], weight: int) -> None:
    arms = tuple(Arm(name=f"arm{index}", weight=each) for index, each in enumerate(weights))
    before = Experiment(name="trial", subject="case", arms=arms)
    after = replace(before, arms=(*arms, Arm(name="another", weight=weight)))
    then, now = arm_for(before, customer), arm_for(after, customer)
    assert now is then or (now is not None and now.name == "another")


def test_nobody_joins_where_no_arm_has_a_weight() -> None:
    nobody = Experiment(name="trial", subject="case", arms=(Arm(name="a", weight=0), Arm(name="b", weight=0)))
    assert arm_for(nobody, CUSTOMER) is None
    customer = Customer(replace(two_campaigns(), experiments=(nobody,)))
    customer.failed(NOW)
    assert customer.case.arms == ()


def test_the_first_case_counts_and_a_later_one_has_the_same_arm() -> None:
    policy = compare(CONTROL, Arm(name="formal", tone=Tone.SHORT))
    customer = Customer(policy)
    customer.failed(NOW)
    first = customer.case
    assert (first.arms, first.repeated_arms) == (("trial:formal",), ())
    customer.paid(NOW + DAY)
    # The weights have changed meanwhile: whoever was dealt to an arm stays in it.
    (experiment,) = policy.experiments
    arms = (experiment.arms[0], replace(experiment.arms[1], weight=0))
    customer.policy = replace(policy, experiments=(replace(experiment, arms=arms),), version="v2")
    customer.failed(NOW + 2 * DAY, "inv-2")
    assert (customer.case.arms, customer.case.repeated_arms) == ((), ("trial:formal",))
    assert exposed(customer) == [("trial", first.case_id)]
    assert {each.tone for each in customer.sent} == {"short"}
    assert [each.experiment_arms for each in customer.sent] == [{"trial": "formal"}] * 2
    assert [each.arms for each in customer.state.contacts] == [("trial:formal",), ()]
    assert {each.decision.experiment_arms["trial"] for each in customer.decided} == {"formal"}


def test_an_arm_that_is_gone_is_forgotten() -> None:
    policy = compare(CONTROL, Arm(name="formal", tone=Tone.FORMAL))
    customer = Customer(policy)
    customer.failed(NOW)
    customer.paid(NOW + DAY)
    (experiment,) = policy.experiments
    other = replace(experiment, name="another", arms=(Arm(name="a"), Arm(name="b", tone=Tone.SHORT)))
    customer.policy = replace(policy, experiments=(other,), version="v2")
    customer.failed(NOW + 2 * DAY, "inv-2")
    (label,) = customer.state.exposures
    assert label.startswith("another:")


def test_only_the_named_segments_join() -> None:
    policy = compare(CONTROL, Arm(name="formal", tone=Tone.FORMAL), segments=("vip",))
    customer = Customer(policy)
    customer.tell(tagged(NOW, ()))
    customer.failed(NOW)
    assert (customer.case.arms, exposed(customer)) == ((), [])
    # Moving into the segment does not put a running case into an arm.
    customer.tell(tagged(NOW + DAY, ("vip",)))
    customer.until(NOW + 20 * DAY)
    assert customer.case.arms == ()
    assert all(each.experiment_arms == {} for each in customer.sent)
    customer.failed(NOW + 21 * DAY, "inv-2", subscription="sub-2")
    assert [case.arms for case in customer.state.cases] == [(), ("trial:formal",)]


@pytest.mark.parametrize(
    ("starts", "ends", "joins"),
    [
        (None, None, True),
        (date(2026, 3, 2), date(2026, 3, 2), True),
        (date(2026, 3, 3), None, False),
        (None, date(2026, 3, 1), False),
    ],
)
def test_cases_join_from_the_first_day_to_the_last(starts: Any, ends: Any, *, joins: bool) -> None:
    arms = (CONTROL, Arm(name="formal", tone=Tone.FORMAL))
    customer = Customer(compare(*arms, starts_on=starts, ends_on=ends))
    customer.failed(NOW)
    assert (customer.case.arms != ()) is joins
    customer.until(NOW + 20 * DAY)
    assert {each.tone for each in customer.sent} == {"formal" if joins else "supportive"}


def test_the_exempt_are_in_no_experiment() -> None:
    customer = Customer(compare(CONTROL, Arm(name="formal", tone=Tone.FORMAL)))
    customer.profile(NOW, exempt=True)
    customer.failed(NOW)
    assert (customer.case.arms, customer.state.exposures) == ((), ())


def test_what_is_forgotten_of_a_customer_is_their_arm_too() -> None:
    customer = Customer(compare(CONTROL, Arm(name="formal", tone=Tone.FORMAL)))
    customer.failed(NOW)
    customer.paid(NOW + DAY)
    customer.until(NOW + 500 * DAY)
    assert customer.decided[-1].decision.forgotten


# What an arm changes.


def test_an_arm_may_choose_the_campaign() -> None:
    policy = compare(CONTROL, Arm(name="gentle", campaign="gentle"))
    customer = Customer(policy)
    customer.failed(NOW)
    customer.until(NOW + 30 * DAY)
    assert customer.case.campaign == "gentle"
    assert customer.step_ids == ["gentle_d0_email", "gentle_d14_email"]


def test_an_arm_may_choose_the_hour() -> None:
    policy = compare(CONTROL, Arm(name="evening", contact_hour="18:30"))
    customer = Customer(policy)
    customer.profile(NOW)
    customer.failed(NOW)
    customer.until(NOW + 8 * DAY)
    assert customer.steps == [
        ("d0_email", NOW),
        ("d3_email", local("2026-03-05 18:30")),
        ("d5_sms", local("2026-03-07 18:30")),
        # The third contact in seven days was the last: the next one waits for that hour of the next day.
        ("d7_email", local("2026-03-09 18:30")),
    ]


def test_an_arm_may_choose_the_template() -> None:
    arm = Arm(name="plain", templates={"payment_failed": "plain_failed", "new_card_failed": "plain_card"})
    customer = Customer(compare(CONTROL, arm))
    customer.failed(NOW)
    customer.card_updated(NOW + DAY)
    customer.failed(NOW + DAY + timedelta(hours=2), card=None, attempt=2, code="expired_card")
    customer.until(NOW + 12 * DAY)
    assert {each.template for each in customer.sent} == {
        "plain_failed_soft",
        "plain_card",
        "plain_failed_hard",
    }


def test_reminders_of_an_arm_by_other_channels_and_in_another_tone() -> None:
    arm = Arm(
        name="sms",
        channels={"renewal_7": (Channel.SMS,)},
        tone=Tone.SHORT,
        templates={"renewal_upcoming": "renewal_soon"},
    )
    customer = Customer(compare(CONTROL, arm, subject="renewal", policy=care().policy))
    customer.profile(NOW)
    customer.renewing(NOW, NOW + 20 * DAY)
    (plan,) = customer.state.plans
    assert plan.arms == ("trial:sms",)
    assert exposed(customer) == [("trial", plan.plan_id)]
    customer.until(NOW + 21 * DAY)
    assert [(each.step_id, each.channel, each.template, each.tone) for each in customer.sent] == [
        ("renewal_7", "sms", "renewal_soon", "short"),
        ("renewal_1", "email", "renewal_soon", "short"),
    ]
    # A failed payment is none of this experiment's.
    (failure,) = customer.failed(NOW + 22 * DAY)
    assert (failure.experiment_arms, failure.tone) == ({}, "supportive")  # type: ignore[union-attr]


def test_a_renewal_that_moves_keeps_its_arm_and_counts_once() -> None:
    customer = Customer(
        compare(CONTROL, Arm(name="short", tone=Tone.SHORT), subject="renewal", policy=care().policy)
    )
    customer.renewing(NOW, NOW + 20 * DAY)
    customer.renewing(NOW + DAY, NOW + 30 * DAY)
    (plan,) = customer.state.plans
    assert plan.arms == ("trial:short",)
    assert len(exposed(customer)) == 1
    customer.renewing(NOW + 2 * DAY, NOW + 40 * DAY, subscription="sub-2")
    assert customer.state.plans[1].repeated_arms == ("trial:short",)


def test_another_expiry_of_a_card_is_another_plan() -> None:
    customer = Customer(
        compare(CONTROL, Arm(name="short", tone=Tone.SHORT), subject="card", policy=care().policy)
    )
    customer.card_expiring(NOW)
    customer.card_expiring(NOW + DAY, replace(OLD_CARD, exp_year=2028))
    (plan,) = customer.state.plans
    assert (plan.arms, plan.repeated_arms) == ((), ("trial:short",))


@pytest.mark.parametrize("subject", ["card", "renewal"])
def test_a_holdout_may_get_no_reminders_and_the_decision_says_so(subject: Any) -> None:
    silent = Arm(name="silent", holdout=True, silence=subject)
    other = Arm(name="short", tone=Tone.SHORT)
    customer = Customer(compare(other, silent, subject=subject, policy=care().policy))
    customer.card_expiring(NOW)
    customer.renewing(NOW, NOW + 40 * DAY)
    customer.until(utc("2027-04-01 00:00"))
    expected = {"card": ["renewal_7", "renewal_1"], "renewal": ["card_60", "card_30", "card_7"]}
    assert customer.step_ids == expected[subject]
    held_back = customer.said(Outcome.SUPPRESSED, ReasonCode.HOLDOUT)
    assert [each.step_id for each in held_back] == expected["renewal" if subject == "card" else "card"]
    assert {each.experiment for each in held_back} == {"trial"}
    assert customer.state.plans == ()


def test_a_holdout_is_told_of_its_debt_all_the_same() -> None:
    policy = compare(Arm(name="short", tone=Tone.SHORT), Arm(name="plain", holdout=True))
    customer, other = Customer(policy), Customer(replace(policy, experiments=()))
    for each in (customer, other):
        each.failed(NOW)
        each.until(NOW + 100 * DAY)
    assert customer.steps == other.steps
    assert customer.deeds == other.deeds


# Offers.


UPGRADE = replace(LOYALTY, kind=OfferKind.UPGRADE, terms=Terms(price_part=60), plan_name="Team")


@pytest.mark.parametrize(
    ("arm", "offers"),
    [
        (Arm(name="second", offer="offer_2"), ["offer_2", None, None]),
        (Arm(name="none", holdout=True, silence="offer"), [None, None, None]),
        (Arm(name="short", tone=Tone.SHORT), ["offer_1", None, None]),
    ],
)
def test_an_arm_may_choose_the_one_offer_or_none(arm: Arm, offers: list[str | None]) -> None:
    policy = offering(replace(LOYALTY, days_before_at_least=20), replace(UPGRADE, days_before_at_least=20))
    customer = renewing(compare(Arm(name="first", offer="offer_1"), arm, subject="renewal", policy=policy))
    customer.until(NOW + 50 * DAY)
    assert [each.offer for each in customer.sent] == offers
    held_back = customer.said(Outcome.WITHHELD, ReasonCode.HOLDOUT)
    assert [each.step_id for each in held_back] == (customer.step_ids if arm.holdout else [])
    assert {each.experiment for each in held_back} <= {"trial"}


# A case goes by the version that it opened with.


def test_a_case_keeps_its_treatment_under_another_policy() -> None:
    arm = Arm(name="short", tone=Tone.SHORT, contact_hour="18:30", templates={"payment_failed": "plain"})
    policy = compare(CONTROL, arm)
    customer = Customer(policy)
    customer.profile(NOW)
    customer.failed(NOW)
    customer.policy = replace(
        two_campaigns(),
        version="v2",
        earlier={"v1": policy.campaigns},
        earlier_arms={"v1": policy.arms},
    )
    customer.until(NOW + 4 * DAY)
    later = customer.sent[-1]
    assert (later.tone, later.template, later.experiment_arms) == ("short", "plain_soft", {"trial": "short"})
    assert later.decided_at == local("2026-03-05 18:30")
    # Moved to the version in force, it is spoken to as that says, and counts for its arm still.
    moved = migrate(customer.state, NOW + 4 * DAY, customer.policy).state.cases[0]
    assert moved.arms == ("trial:short",)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(longest=12))
def test_neither_time_nor_segments_ever_move_a_case_to_another_arm(history: Told) -> None:
    policy = replace(
        two_campaigns(),
        version="v1",
        segments=(Segment(name="vip", when=Condition(tags=("vip",))), Segment(name="rest")),
        experiments=(
            Experiment(
                name="hours", subject="case", arms=(Arm(name="nine"), Arm(name="ten", contact_hour="10:00"))
            ),
            Experiment(
                name="words",
                subject="case",
                segments=("vip",),
                arms=(Arm(name="gentle", campaign="gentle"), Arm(name="short", tone=Tone.SHORT)),
            ),
            Experiment(
                name="reminders",
                subject="renewal",
                arms=(Arm(name="as_is"), Arm(name="short", tone=Tone.SHORT)),
            ),
        ),
    )
    quiet = tuple(each for each in history.happenings if not isinstance(each.what, CustomerProfile))
    start = quiet[0].arrives
    moves = tuple(
        Happening(at, tagged(at, ("vip",) if number % 2 else ()))
        for number, at in ((number, start + number * 5 * DAY + timedelta(minutes=1)) for number in range(17))
    )
    told = tuple(sorted((*quiet, *moves), key=lambda each: each.arrives))
    customer = played(Told(told), policy=policy, until=history.end + 60 * DAY)
    again = played(Told(told), policy=policy, until=history.end + 60 * DAY)
    assert [each.decision for each in customer.decided] == [each.decision for each in again.decided]
    arms: dict[str, set[Any]] = {}
    counted: Counter[str] = Counter()
    for _, decision in customer.decided:
        for case in decision.state.cases:
            arms.setdefault(case.case_id, set()).add((case.arms, case.repeated_arms))
        for plan in decision.state.plans:
            arms.setdefault(plan.plan_id, set()).add((plan.arms, plan.repeated_arms))
        counted.update(
            each.experiment or "" for each in decision.reasons if each.reason is ReasonCode.EXPOSED
        )
    assert all(len(each) == 1 for each in arms.values())
    assert all(times == 1 for times in counted.values())
    labels = {label for each in arms.values() for some in each for pair in some for label in pair}
    assert len({label.partition(":")[0] for label in labels}) == len(labels)
