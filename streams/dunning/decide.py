"""The fold: one state, one input, one clock, one policy; a new state, commands, and the reasons.

Time is an input, identifiers are computed, nothing else is read: one history has one outcome.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from streams.dunning.adoption import adopt_policy
from streams.dunning.bounds import share_attempts
from streams.dunning.calendar import zone_of
from streams.dunning.cards import card_expiring, card_updated
from streams.dunning.commands import (
    Command,
    DecisionRecord,
    InputReference,
    Outcome,
    Reason,
    ReasonCode,
    Risk,
)
from streams.dunning.consent import addresses_renewed
from streams.dunning.events import (
    CardExpiring,
    CardUpdated,
    CustomerEvent,
    CustomerProfile,
    Feedback,
    Input,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
    Tick,
)
from streams.dunning.experiment_settings import by_experiment
from streams.dunning.experiments import plans_join
from streams.dunning.feedback import feedback
from streams.dunning.firing import fire, fire_at_once
from streams.dunning.forgetting import forget_at, is_empty, lasting
from streams.dunning.history import fade, remember
from streams.dunning.holds import reply_hold_end
from streams.dunning.identity import fingerprint, named
from streams.dunning.ladder import final_notice_step, next_notification_due, suspend_step, suspension_due
from streams.dunning.offer_stock import NO_STOCK, Draw, Stock
from streams.dunning.payments import (
    invoice_closed,
    payment_failed,
    payment_recovered,
    payment_reversed,
    subscription_cancelled,
)
from streams.dunning.plans import (
    next_reminder_due,
    renewal_upcoming,
    subscription_changed,
)
from streams.dunning.policy import Policy
from streams.dunning.renewals_due import forget_unheard
from streams.dunning.risk import risk_of
from streams.dunning.segments import assess
from streams.dunning.state import CustomerState, Profile
from streams.dunning.suspension import release, suspension_held_by
from streams.dunning.turn import Turn

# The budget looks back over seven local days; a day more covers every zone.
_CONTACTS_KEPT = timedelta(days=8)


class Decision(Struct, frozen=True):
    """What one input does to one customer. `forgotten` says that nothing of the customer is to be kept.

    `drawn` is taken off the totals of offers; `awaited` is not at hand of them, and a reminder waits for it.
    """

    state: CustomerState
    clock: datetime
    commands: tuple[Command, ...] = ()
    reasons: tuple[Reason, ...] = ()
    segment: str | None = None
    risk: Risk | None = None
    experiment_arms: dict[str, str] = field(default_factory=dict)
    forgotten: bool = False
    drawn: tuple[Draw, ...] = ()
    awaited: tuple[Draw, ...] = ()


def decide(
    state: CustomerState | None, event: Input, clock: datetime, policy: Policy, stock: Stock = NO_STOCK
) -> Decision:
    """Decide one input.

    Args:
        state: What is kept of the customer; None if nothing is.
        event: An event of this customer, or a tick.
        clock: The partition's time at this input (UTC). It never goes back for a customer.
        policy: The policy in force.
        stock: What is at hand of the totals of its offers.

    Returns:
        The new state, what is to be commanded, and why. A tick with nothing due changes nothing.

    Raises:
        ValueError: A tick for a customer of whom nothing is kept, or an event of another customer.
    """
    if isinstance(event, Tick):
        if state is None:
            raise ValueError("a tick decides about a known customer only")
        return _tick(state, max(clock, event.now, state.clock), policy, stock)
    if state is None:
        state = CustomerState(customer_id=event.customer_id, clock=clock)
    if state.customer_id != event.customer_id:
        raise ValueError(f"an event of {event.customer_id!r} for the state of {state.customer_id!r}")
    return _event(state, event, max(clock, state.clock), policy)


def migrate(state: CustomerState, clock: datetime, policy: Policy) -> Decision:
    """Move all cases of a customer to the policy in force, whatever version they opened with.

    Nothing is sent by this, and nothing made up for that the new ladder would have sent up to the clock; what
    comes next is due by the new ladder.
    """
    clock = max(clock, state.clock)
    turn = Turn(replace(state, clock=clock), clock, policy)
    adopt_policy(turn, clock, keep=())
    if not turn.reasons:
        return Decision(state, clock)
    return _close_turn(turn)


def decision_record(decision: Decision, reference: InputReference, policy: Policy) -> DecisionRecord | None:
    """The decision as it is published; None if there is nothing to say."""
    if not decision.reasons:
        return None
    customer_id = decision.state.customer_id
    # An event is decided once; what is said of a repetition is another decision.
    repeated = decision.reasons[0].reason is ReasonCode.DUPLICATE_EVENT
    named_by = reference.event_id or decision.clock.isoformat()
    return DecisionRecord(
        decision_id=named(customer_id, "duplicate" if repeated else "decision", reference.kind, named_by),
        customer_id=customer_id,
        input=reference,
        decided_at=decision.clock,
        policy_version=policy.version,
        segment=decision.segment,
        risk=decision.risk,
        experiment_arms=decision.experiment_arms,
        outcomes=decision.reasons,
    )


def _tick(state: CustomerState, clock: datetime, policy: Policy, stock: Stock) -> Decision:
    if state.due is None or state.due > clock:
        return Decision(state, clock)
    if state.next_due is None:
        left = lasting(state)
        return Decision(left, clock, forgotten=is_empty(left))
    turn = Turn(replace(state, clock=clock), clock, policy, stock)
    adopt_policy(turn, state.clock, policy.earlier)
    fade(turn)
    forget_unheard(turn)
    assess(turn)
    fire(turn)
    return _close_turn(turn)


def _event(state: CustomerState, event: CustomerEvent, clock: datetime, policy: Policy) -> Decision:
    mark = fingerprint(event.event_id)
    if mark in state.event_ids:
        duplicate = Reason(outcome=Outcome.IGNORED, reason=ReasonCode.DUPLICATE_EVENT)
        risk = risk_of(state, clock, policy)
        return _decision(state, clock, (), (duplicate,), risk)
    remembered = (*state.event_ids, mark)[-policy.memory.event_ids :]
    turn = Turn(replace(state, clock=clock, event_ids=remembered), clock, policy)
    adopt_policy(turn, state.clock, policy.earlier)
    fade(turn)
    forget_unheard(turn)
    before = turn.state
    _HANDLERS[type(event)](turn, event)
    remember(turn, before, event)
    assess(turn)
    plans_join(turn, before)
    fire_at_once(turn)
    return _close_turn(turn)


def _close_turn(turn: Turn) -> Decision:
    """Forget what no rule looks at any more, and set when the customer is due next."""
    share_attempts(turn)
    _forget_contacts(turn)
    state = replace(turn.state, next_due=_next_due(turn), forget_at=None)
    forgotten_at = forget_at(state, turn.policy)
    if forgotten_at is not None:  # seldom: a copy of the whole state at every decision shows in the speed
        state = replace(state, forget_at=forgotten_at)
    decision = _decision(state, turn.clock, tuple(turn.commands), tuple(turn.reasons), turn.risk)
    if not turn.drawn and not turn.awaited:
        return decision
    return replace(decision, drawn=tuple(turn.drawn), awaited=tuple(turn.awaited))


def _decision(
    state: CustomerState,
    clock: datetime,
    commands: tuple[Command, ...],
    reasons: tuple[Reason, ...],
    risk: Risk | None,
) -> Decision:
    arms = by_experiment(state.exposures)
    return Decision(state, clock, commands, reasons, segment=state.segment, risk=risk, experiment_arms=arms)


def _forget_contacts(turn: Turn) -> None:
    state = turn.state
    since = turn.clock - _CONTACTS_KEPT
    live = {case.case_id for case in state.cases} | {plan.plan_id for plan in state.plans}
    live.update(due.plan_id for due in state.due_renewals)
    kept = tuple(
        contact
        for contact in state.contacts
        if contact.sent_at > since or contact.plan_id in live or not live.isdisjoint(contact.case_ids)
    )[-turn.policy.memory.contacts :]
    if len(kept) != len(state.contacts):
        turn.state = replace(state, contacts=kept)


def _next_due(turn: Turn) -> datetime | None:
    state, zone, policy = turn.state, turn.zone, turn.policy
    dues = [pending.due for pending in state.pending]
    for case in state.cases:
        if case.dormant:
            continue
        notification = next_notification_due(state, case, zone, policy)
        suspension = suspension_due(state, case, zone, policy)
        reply = reply_hold_end(case, policy)
        dues.extend(due for due in (notification, suspension, reply) if due is not None)
    dues.extend(next_reminder_due(plan, zone, policy, state.segment) for plan in state.plans)
    return min(dues, default=None)


def _customer_profile(turn: Turn, event: CustomerProfile) -> None:
    """The newest profile counts. Somebody who has become exempt is not left suspended."""
    known = turn.state.profile
    if known is not None and known.as_of > event.occurred_at:
        turn.say(Outcome.IGNORED, ReasonCode.STALE)
        return
    was_exempt = turn.state.exempt
    profile = Profile(
        as_of=event.occurred_at,
        timezone=event.timezone,
        locale=event.locale,
        country=event.country,
        region=event.region,
        channels=event.channels,
        exempt=event.exempt,
        customer_since=event.customer_since,
        marketing_consent=event.marketing_consent,
        preferred_channel=event.preferred_channel,
        segments=_tags(event.segments, turn.policy),
        engagement=event.engagement,
        last_seen_at=event.last_seen_at,
        satisfaction=event.satisfaction,
        seasonal_tags=_tags(event.seasonal_tags, turn.policy),
    )
    turn.state = replace(turn.state, profile=profile)
    addresses_renewed(turn, known, event)
    turn.zone = zone_of(profile, turn.policy)
    turn.say(Outcome.RECORDED, ReasonCode.PROFILE_UPDATED)
    for case in turn.state.cases:
        if event.exempt and not was_exempt and suspension_held_by(turn, case) is not None:
            release(turn, case, ReasonCode.EXEMPT)
            # Whichever of several cases suspends again, it is another occurrence.
            turn.put_case(replace(case, epoch=case.epoch + 1))
        if was_exempt and not event.exempt:
            _resume_suspension(turn, case.case_id)


def _tags(tags: tuple[str, ...], policy: Policy) -> tuple[str, ...]:
    """The first tags, as many as are kept; one that is longer than any that is kept is none."""
    memory = policy.memory
    kept = dict.fromkeys(tag for tag in tags if len(tag) <= memory.tag_characters)
    return tuple(kept)[: memory.tags]


def _resume_suspension(turn: Turn, case_id: str) -> None:
    """What was passed over for somebody exempt is looked at again: the final notice, the suspension."""
    case = turn.state.case(case_id)
    if case is None:
        return
    notice = final_notice_step(case, turn.policy)
    suspend = suspend_step(case, turn.policy)
    again = {suspend.id} if suspend is not None else set()
    if notice is not None and case.final_notice is None:
        again.add(notice.id)
    turn.put_case(replace(case, done=tuple(each for each in case.done if each not in again)))


_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    PaymentFailed: payment_failed,
    CardExpiring: card_expiring,
    RenewalUpcoming: renewal_upcoming,
    PaymentRecovered: payment_recovered,
    CardUpdated: card_updated,
    SubscriptionCancelled: subscription_cancelled,
    SubscriptionChanged: subscription_changed,
    InvoiceClosed: invoice_closed,
    PaymentReversed: payment_reversed,
    CustomerProfile: _customer_profile,
    Feedback: feedback,
}
