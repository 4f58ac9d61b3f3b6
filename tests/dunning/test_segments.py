"""Segments: the first rule that takes a customer chooses campaign, tone and reminders."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from streams.dunning.audience import Condition, Segment, Tone
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, CustomerProfile, FeedbackKind
from streams.dunning.policy import Campaign, Policy, Reminder
from streams.dunning.segments import segment_of
from streams.dunning.state import CustomerState, History, Profile
from tests.dunning.customer import Customer, care, played, utc
from tests.strategies import DAY, Happening, histories
from tests.strategies import History as Told

NOW = utc("2026-03-01 12:00")


def two_campaigns() -> Policy:
    """Customers with the tag `vip` are asked less often than the others."""
    policy = care().policy
    standard = policy.campaigns["standard"]
    gentle = Campaign(
        ladder=tuple(
            replace(step, id=f"gentle_{step.id}") for step in (standard.ladder[0], standard.ladder[4])
        )
    )
    vip = Segment(name="vip", when=Condition(tags=("vip",)), campaign="gentle", tone=Tone.FORMAL)
    return replace(
        policy,
        campaigns={"standard": standard, "gentle": gentle},
        segments=(vip, Segment(name="rest")),
    )


def profile(**more: Any) -> Profile:
    fields: dict[str, Any] = {
        "as_of": NOW,
        "timezone": "UTC",
        "locale": "en",
        "country": "US",
        "region": None,
        "channels": (Channel.EMAIL,),
        "exempt": False,
    }
    return Profile(**{**fields, **more})


def shipped(state: CustomerState, risk: int = 0) -> str | None:
    segment = segment_of(state, risk, NOW, care().policy)
    return None if segment is None else segment.name


@pytest.mark.parametrize(
    ("days", "risk", "segment"),
    [
        (0, 0, "new"),
        (89, 90, "new"),
        (90, 0, "standard"),
        (90, 40, "at_risk"),
        (364, 39, "standard"),
        (365, 0, "loyal"),
        (365, 90, "loyal"),
    ],
)
def test_the_shipped_segments_by_tenure_and_risk(days: int, risk: int, segment: str) -> None:
    since = NOW - timedelta(days=days)
    state = CustomerState(customer_id="c", clock=NOW, profile=profile(customer_since=since))
    assert shipped(state, risk) == segment


@pytest.mark.parametrize(("ago", "segment"), [(179, "standard"), (180, "loyal")])
def test_the_loyal_have_had_no_case_lately(ago: int, segment: str) -> None:
    state = CustomerState(
        customer_id="c",
        clock=NOW,
        profile=profile(customer_since=utc("2020-01-01 00:00")),
        history=History(halved_at=NOW, cases=1000, case_ended_at=NOW - timedelta(days=ago)),
    )
    assert shipped(state) == segment


def test_of_whom_nothing_is_known_is_standard() -> None:
    assert shipped(CustomerState(customer_id="c", clock=NOW)) == "standard"


@pytest.mark.parametrize(
    ("when", "takes"),
    [
        (Condition(), True),
        (Condition(tags=("vip", "agency")), True),
        (Condition(tags=("vip",)), False),
        (Condition(countries=("US",)), True),
        (Condition(countries=("DE",)), False),
        (Condition(value_at_least={"EUR": 1, "USD": 5000}), True),
        (Condition(value_at_least={"USD": 5001}), False),
        (Condition(cases_at_least=2), True),
        (Condition(cases_at_least=3), False),
        (Condition(risk_at_least=20, risk_less_than=21), True),
        (Condition(risk_less_than=20), False),
        (Condition(tags=("agency",), countries=("DE",)), False),
    ],
)
def test_all_that_is_set_must_hold(when: Condition, *, takes: bool) -> None:
    state = CustomerState(
        customer_id="c",
        clock=NOW,
        profile=profile(segments=("agency",)),
        history=History(halved_at=NOW, cases=2000, paid={"USD": 5000}),
    )
    policy = replace(care().policy, segments=(Segment(name="some", when=when),))
    assert (segment_of(state, 20, NOW, policy) is not None) is takes


def test_the_segment_at_the_opening_chooses_campaign_and_tone() -> None:
    customer = Customer(two_campaigns())
    customer.tell(tagged(NOW, ("vip",)))
    (command,) = customer.failed(NOW + DAY)
    assert (command.step_id, command.segment, command.tone) == ("gentle_d0_email", "vip", "formal")  # type: ignore[union-attr]
    customer.tell(tagged(NOW + 2 * DAY, ()))
    assert [each.reason for each in customer.said(Outcome.UPDATED, ReasonCode.SEGMENT_CHANGED)]
    assert customer.decided[-1].decision.segment == "rest"
    customer.until(NOW + 30 * DAY)
    assert customer.step_ids == ["gentle_d0_email", "gentle_d14_email"]
    assert {each.tone for each in customer.sent} == {"formal"}


def tagged(at: Any, tags: tuple[str, ...], number: int = 0) -> CustomerProfile:
    return CustomerProfile(
        event_id=f"tagged-{at.isoformat()}-{number}",
        occurred_at=at,
        customer_id="customer-1",
        customer_since=utc("2024-01-01 00:00"),
        timezone="America/New_York",
        locale="en-US",
        country="US",
        channels=tuple(Channel),
        segments=tags,
    )


def test_tags_are_as_many_as_the_memory_keeps() -> None:
    customer = Customer(two_campaigns())
    customer.tell(tagged(NOW, ("x" * 41, *(f"tag-{number}" for number in range(100)), "tag-1")))
    known = customer.state.profile
    assert known is not None
    assert known.segments == tuple(f"tag-{number}" for number in range(16))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(longest=12))
def test_moving_between_segments_never_restarts_a_case(history: Told) -> None:
    policy = two_campaigns()
    quiet = tuple(each for each in history.happenings if not isinstance(each.what, CustomerProfile))
    start = quiet[0].arrives
    moves = tuple(
        Happening(at, tagged(at, ("vip",) if number % 2 else ()))
        for number, at in ((number, start + number * 7 * DAY + timedelta(minutes=1)) for number in range(17))
    )
    first = Happening(start - timedelta(days=1), tagged(start - timedelta(days=1), ("vip",)))
    told = sorted((first, *quiet, *moves), key=lambda each: each.arrives)
    customer = played(Told(tuple(told)), policy=policy, until=history.end + 60 * DAY)
    campaigns: dict[str, set[str]] = {}
    for _, decision in customer.decided:
        for case in decision.state.cases:
            campaigns.setdefault(case.case_id, set()).add(f"{case.campaign} {case.segment}")
    assert all(len(each) == 1 for each in campaigns.values())
    ids = {name: {step.id for step in each.ladder} for name, each in policy.campaigns.items()}
    ladder = ids["standard"] | ids["gentle"]
    for command in customer.sent:
        if command.case_id in campaigns and command.step_id in ladder:
            (kept,) = campaigns[command.case_id]
            assert command.step_id in ids[kept.split()[0]]


def risky(customer: Customer) -> None:
    """A complaint, unhappy, away, downgrading: at risk by any account."""
    event = tagged(NOW, ())
    since = NOW - timedelta(days=200)
    customer.tell(
        replace(event, customer_since=since, satisfaction=0, engagement=0.1, last_seen_at=NOW - 90 * DAY)
    )


def test_whoever_is_at_risk_is_reminded_earlier() -> None:
    at_risk, standard = Customer(), Customer()
    risky(at_risk)
    standard.tell(replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=200)))
    for customer in (at_risk, standard):
        customer.renewing(NOW + DAY, NOW + 25 * DAY)
        customer.until(NOW + 26 * DAY)
    assert standard.step_ids == ["renewal_7", "renewal_1"]
    assert at_risk.step_ids == ["renewal_14_at_risk", "renewal_7", "renewal_1"]
    assert {each.segment for each in at_risk.sent} == {"at_risk"}


def test_a_reminder_whose_day_has_gone_by_is_not_made_up_for() -> None:
    customer = Customer()
    customer.tell(replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=200)))
    customer.renewing(NOW + DAY, NOW + 25 * DAY)
    customer.until(NOW + 14 * DAY)
    risk = replace(tagged(NOW + 15 * DAY, ()), satisfaction=0, engagement=0.0, last_seen_at=NOW - 90 * DAY)
    customer.tell(replace(risk, customer_since=NOW - timedelta(days=200)))
    assert customer.state.segment == "at_risk"
    customer.until(NOW + 26 * DAY)
    assert customer.step_ids == ["renewal_7", "renewal_1"]


def test_a_reminder_may_be_for_big_renewals_only() -> None:
    policy = care().policy
    call = Reminder(
        id="call",
        days_before=5,
        channels=(Channel.PHONE,),
        template="renewal_upcoming",
        minimum_amount={"USD": 100_000},
    )
    renewals = replace(policy.renewals, reminders=(*policy.renewals.reminders[:-1], call))
    for amount, currency, called in ((99_999, "USD", False), (100_000, "USD", True), (900_000, "EUR", False)):
        customer = Customer(replace(policy, renewals=renewals))
        customer.profile(NOW)
        customer.renewing(NOW, NOW + 20 * DAY, amount=amount, currency=currency)
        customer.until(NOW + 21 * DAY)
        assert ("call" in customer.step_ids) is called


def test_a_complaint_counts() -> None:
    customer = Customer()
    customer.profile(NOW)
    customer.failed(NOW)
    customer.feedback(NOW + DAY, FeedbackKind.COMPLAINED)
    risk = customer.decided[-1].decision.risk
    assert risk is not None
    assert {each.factor: each.points for each in risk.factors} == {"complaints": 12, "failed_payments": 8}
