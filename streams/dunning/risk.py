"""The risk score: how likely a customer is to leave or not to pay, and what says so."""

from datetime import datetime, timedelta

from streams.dunning.audience import RiskWeights, Weight
from streams.dunning.commands import Factor, Risk, RiskFactor
from streams.dunning.policy import Policy
from streams.dunning.state import COUNTED_ONCE, CustomerState, Profile

MOST = 100
"""The highest score."""

_DAY = timedelta(days=1)
_WEEK_COUNTED = 7 * COUNTED_ONCE
_UNSEEN = timedelta(days=30)

_NONE = Risk(score=0)


def risk_of(state: CustomerState, clock: datetime, policy: Policy) -> Risk:
    """The customer's score at the clock, with the factors that add something, the weightiest first."""
    weights = policy.risk
    factors: list[RiskFactor] = []
    if state.history is not None or state.cases:
        _payments(factors, state, clock, weights)
    if state.profile is not None:
        _attitude(factors, state.profile, clock, weights)
    if not factors:
        return _NONE
    if len(factors) > 1:
        factors.sort(key=_weightiest)
    return Risk(score=min(MOST, sum(each.points for each in factors)), factors=tuple(factors))


def _weightiest(factor: RiskFactor) -> int:
    return -factor.points


def _payments(factors: list[RiskFactor], state: CustomerState, clock: datetime, weights: RiskWeights) -> None:
    history = state.history
    days_late = 0
    if history is not None:
        days_late = history.days_late
        _add(factors, Factor.FAILED_PAYMENTS, weights.failed_payments, history.failed_payments, COUNTED_ONCE)
        _add(factors, Factor.LATE_PAYMENTS, weights.late_payments, history.late_payments, COUNTED_ONCE)
        _add(factors, Factor.DOWNGRADES, weights.downgrades, history.downgrades, COUNTED_ONCE)
        _add(factors, Factor.COMPLAINTS, weights.complaints, history.complaints, COUNTED_ONCE)
    if state.cases:
        # What is owed now is late by so much already; the longest owed says it for all.
        since = min(invoice.owed_since for case in state.cases for invoice in case.invoices)
        days_late += max(0, (clock - since) // _DAY) * COUNTED_ONCE
    _add(factors, Factor.DAYS_LATE, weights.days_late, days_late, _WEEK_COUNTED)


def _attitude(factors: list[RiskFactor], profile: Profile, clock: datetime, weights: RiskWeights) -> None:
    if profile.engagement is not None:
        _add(factors, Factor.ENGAGEMENT, weights.engagement, 10 - round(profile.engagement * 10), 1)
    if profile.last_seen_at is not None:
        _add(factors, Factor.LAST_SEEN, weights.last_seen, (clock - profile.last_seen_at) // _UNSEEN, 1)
    if profile.satisfaction is not None:
        below = weights.satisfied_from - profile.satisfaction
        _add(factors, Factor.SATISFACTION, weights.satisfaction, below, 1)


def _add(factors: list[RiskFactor], factor: Factor, weight: Weight, units: int, unit: int) -> None:
    if units > 0:
        points = min(weight.most, weight.points * units // unit)
        if points:
            factors.append(RiskFactor(factor, points))
