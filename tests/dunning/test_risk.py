"""The risk score: what makes it, how it fades, and what holds of it whatever happens."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from streams.dunning.commands import Factor, NotificationCommand
from streams.dunning.history import faded
from streams.dunning.risk import risk_of
from streams.dunning.state import CustomerState, History
from streams.dunning.state_bytes import encode_state
from tests.dunning.customer import Customer, care, played, utc
from tests.strategies import DAY, histories
from tests.strategies import History as Told

NOW = utc("2026-03-01 12:00")


def points(customer: Customer) -> dict[Factor, int]:
    risk = customer.decided[-1].decision.risk
    assert risk is not None
    return {each.factor: each.points for each in risk.factors}


def test_nothing_known_is_no_risk() -> None:
    customer = Customer()
    customer.profile(NOW)
    assert points(customer) == {}


def test_an_invoice_fails_once_and_is_late_by_its_days() -> None:
    customer = Customer()
    customer.profile(NOW)
    (command,) = customer.failed(NOW)
    assert points(customer) == {Factor.FAILED_PAYMENTS: 8}
    assert isinstance(command, NotificationCommand)
    assert command.risk == customer.decided[-1].decision.risk
    customer.failed(NOW + 3 * DAY)
    assert points(customer) == {Factor.FAILED_PAYMENTS: 8}
    customer.failed(NOW + 8 * DAY)
    assert points(customer) == {Factor.FAILED_PAYMENTS: 8, Factor.DAYS_LATE: 2}
    customer.paid(NOW + 15 * DAY)
    assert points(customer) == {Factor.FAILED_PAYMENTS: 8, Factor.LATE_PAYMENTS: 6, Factor.DAYS_LATE: 4}


def test_a_payment_in_time_is_value_and_no_risk() -> None:
    customer = Customer()
    customer.paid(NOW, "inv-1", amount=700)
    customer.paid(NOW + DAY, "inv-1", amount=700)
    customer.paid(NOW + DAY, "inv-2", amount=300)
    assert points(customer) == {}
    history = customer.state.history
    assert history is not None
    assert history.paid == {"USD": 1000}
    customer.payment_reversed(NOW + 2 * DAY, "inv-2", amount=300)
    history = customer.state.history
    assert history is not None
    assert history.paid == {"USD": 700}


def test_currencies_of_old_payments_go_first() -> None:
    customer = Customer()
    for number, currency in enumerate(("USD", "EUR", "GBP", "JPY", "USD", "CHF")):
        customer.paid(NOW + number * DAY, f"inv-{number}", currency=currency)
    history = customer.state.history
    assert history is not None
    assert list(history.paid) == ["GBP", "JPY", "USD", "CHF"]


def test_downgrades_and_the_profile_add_their_points() -> None:
    customer = Customer()
    customer.profile(NOW)
    customer.changed(NOW + DAY, "downgrade")
    assert points(customer) == {Factor.DOWNGRADES: 8}
    customer.changed(NOW + DAY, "upgrade")
    assert points(customer) == {Factor.DOWNGRADES: 8}
    state = customer.state
    assert state.profile is not None
    known = replace(state.profile, engagement=0.25, last_seen_at=NOW - 61 * DAY, satisfaction=5)
    risk = risk_of(replace(state, profile=known), NOW, care().policy)
    assert [(each.factor, each.points) for each in risk.factors] == [
        (Factor.ENGAGEMENT, 16),
        (Factor.DOWNGRADES, 8),
        (Factor.LAST_SEEN, 8),
        (Factor.SATISFACTION, 6),
    ]
    assert risk.score == 38


def test_the_past_is_halved_each_half_year() -> None:
    policy, every = care().policy, care().policy.history.halved_every
    history = History(halved_at=NOW, failed_payments=3000, cases=1000, paid={"USD": 1001}, case_ended_at=NOW)
    assert faded(history, NOW + every - timedelta.resolution, policy) == history
    once = faded(history, NOW + every, policy)
    assert once == replace(history, halved_at=NOW + every, failed_payments=1500, cases=500, paid={"USD": 500})
    assert once is not None
    assert faded(once, NOW + 2 * every, policy) == faded(history, NOW + 2 * every, policy)
    assert faded(history, NOW + 12 * every, policy) is None


def test_counts_have_an_end_and_the_state_stays_small() -> None:
    customer = Customer()
    policy = replace(care().policy, history=replace(care().policy.history, most=5))
    customer.policy = policy
    for number in range(20):
        customer.changed(NOW + number * DAY, "downgrade")
    history = customer.state.history
    assert history is not None
    assert history.downgrades == 5000
    most, paid = 10**7, dict.fromkeys(("USD", "EUR", "GBP", "JPY"), 10**15)
    full = History(NOW, most, most, most, most, most, most, NOW, paid)
    empty = CustomerState(customer_id="c", clock=NOW)
    assert len(encode_state(replace(empty, history=full))) - len(encode_state(empty)) < 128


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(longest=16))
def test_the_factors_make_the_score(history: Told) -> None:
    customer = played(history, until=history.end + 90 * DAY)
    for _, decision in customer.decided:
        risk = decision.risk
        if risk is None:
            assert not decision.reasons
            continue
        made = sum(each.points for each in risk.factors)
        assert risk.score == min(100, made)
        assert all(each.points > 0 for each in risk.factors)
        assert len({each.factor for each in risk.factors}) == len(risk.factors)
        weights = [each.points for each in risk.factors]
        assert weights == sorted(weights, reverse=True)
