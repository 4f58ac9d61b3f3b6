"""Segments: which rule of the policy takes a customer, and what it chooses for them.

A case keeps the segment that it opened in, and with it its campaign and tone; reminders before a renewal or
of a card follow the customer from segment to segment.
"""

from datetime import datetime

from msgspec.structs import replace

from streams.dunning.audience import Condition, Segment, Tone
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.plans import nominal_reminder_due, reminders_of
from streams.dunning.policy import Policy
from streams.dunning.risk import risk_of
from streams.dunning.state import COUNTED_ONCE, CustomerState
from streams.dunning.turn import Turn


def segment_of(state: CustomerState, risk_score: int, clock: datetime, policy: Policy) -> Segment | None:
    """The first segment that takes the customer at the clock; None if none does."""
    for segment in policy.segments:
        if takes(segment.when, state, risk_score, clock):
            return segment
    return None


def takes(when: Condition, state: CustomerState, risk_score: int, clock: datetime) -> bool:
    """Whether all that a condition sets holds of the customer at the clock."""
    return (
        _has_risk(when, risk_score) and _has_profile(when, state, clock) and _has_history(when, state, clock)
    )


def _has_risk(when: Condition, score: int) -> bool:
    return (when.risk_at_least is None or score >= when.risk_at_least) and (
        when.risk_less_than is None or score < when.risk_less_than
    )


def _has_profile(when: Condition, state: CustomerState, clock: datetime) -> bool:
    profile = state.profile
    if when.tenure_at_least is not None or when.tenure_less_than is not None:
        if profile is None or profile.customer_since is None:
            return False
        tenure = clock - profile.customer_since
        if when.tenure_at_least is not None and tenure < when.tenure_at_least:
            return False
        if when.tenure_less_than is not None and tenure >= when.tenure_less_than:
            return False
    if when.tags and (profile is None or not any(tag in profile.segments for tag in when.tags)):
        return False
    return not when.countries or (profile is not None and profile.country in when.countries)


def _has_history(when: Condition, state: CustomerState, clock: datetime) -> bool:
    history = state.history
    if when.no_case_for is not None:
        if state.cases:
            return False
        ended = None if history is None else history.case_ended_at
        if ended is not None and clock - ended < when.no_case_for:
            return False
    if when.cases_at_least is not None:
        cases = 0 if history is None else history.cases
        if cases < when.cases_at_least * COUNTED_ONCE:
            return False
    if not when.value_at_least:
        return True
    paid = {} if history is None else history.paid
    return any(paid.get(currency, 0) >= least for currency, least in when.value_at_least.items())


def assess(turn: Turn) -> None:
    """Work out the customer's risk and segment at the clock, and say if they have moved."""
    turn.risk = risk_of(turn.state, turn.clock, turn.policy)
    segment = segment_of(turn.state, turn.risk.score, turn.clock, turn.policy)
    name = None if segment is None else segment.name
    before = turn.state.segment
    if name == before:
        return
    turn.state = replace(turn.state, segment=name)
    if before is not None:
        turn.say(Outcome.UPDATED, ReasonCode.SEGMENT_CHANGED)
    _pass_over(turn, before)


def _pass_over(turn: Turn, before: str | None) -> None:
    """Reminders of the new segment whose day has gone by are not made up for."""
    for plan in turn.state.plans:
        if plan.opened_at == turn.clock:
            continue
        known = reminders_of(plan, turn.policy, before)
        past = tuple(
            reminder.id
            for reminder in reminders_of(plan, turn.policy, turn.state.segment)
            if reminder not in known
            and reminder.id not in plan.done
            and nominal_reminder_due(plan, reminder, turn.zone, turn.policy) <= turn.clock
        )
        if past:
            turn.put_plan(replace(plan, done=(*plan.done, *past)))


def opening_segment(turn: Turn) -> Segment | None:
    """The segment of a customer for whom a case opens: as they were before what opens it."""
    risk = risk_of(turn.state, turn.clock, turn.policy)
    return segment_of(turn.state, risk.score, turn.clock, turn.policy)


def campaign_for(segment: Segment | None, policy: Policy) -> str:
    """The campaign of a case that opens in the segment; the default one where it sets none."""
    return policy.default_campaign if segment is None else segment.campaign or policy.default_campaign


def tone_of(segment_name: str | None, policy: Policy) -> Tone:
    """How messages speak to a segment; as the policy does by default where it sets no tone, or is no more."""
    for segment in policy.segments:
        if segment.name == segment_name:
            return segment.tone or policy.default_tone
    return policy.default_tone
