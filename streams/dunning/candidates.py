"""What is due: of each case and plan the last message that is, and the messages that events have caused."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel
from streams.dunning.holds import hold_end
from streams.dunning.ladder import (
    effective_due,
    first_step,
    nominal_due,
    pending_steps,
    responded_since_anchor,
)
from streams.dunning.plans import end_plan, nominal_reminder_due, pending_reminders, reminder_due
from streams.dunning.policy import Message, Priority
from streams.dunning.renewals_due import expect_payment
from streams.dunning.state import Case, Deferral, Pending, PendingKind, Plan, PlanKind
from streams.dunning.treatment import contact_hour, reminder_channels, silenced_by, template
from streams.dunning.turn import Turn
from streams.dunning.variables import MessageKind


class Candidate(Struct, frozen=True, kw_only=True):
    """A message that is due. Exactly one of `case_id` and `plan_id` is set.

    `may_wait` says that nothing comes after it, `awaits_since` that it has waited so long for an offer.
    """

    step_id: str
    due: datetime
    priority: Priority
    kind: MessageKind
    channels: tuple[Channel, ...]
    template: str
    occurrence: str
    case_id: str | None = None
    plan_id: str | None = None
    pending: Pending | None = None
    first_contact: bool = False
    escalation: bool = False
    follow_preference: bool = False
    brought_forward: bool = False
    retry: bool = False
    contact_hour: str
    awaits_since: datetime | None = None
    may_wait: bool = False

    @property
    def at_once(self) -> bool:
        """A first contact, and what an event has caused, do not wait for a better hour."""
        return self.first_contact or self.pending is not None

    @property
    def unbudgeted(self) -> bool:
        """A first contact and a final notice are outside the budget."""
        return self.first_contact or self.priority is Priority.FINAL_NOTICE


def due_step(turn: Turn, case: Case, *, only_first: bool) -> Candidate | None:
    """The last due step of a case that applies; the earlier ones are superseded."""
    if case.dormant:
        return None
    policy = turn.policy
    first = first_step(case, policy)
    held = hold_end(turn.state, case, policy)
    is_held = held is not None and held > turn.clock
    due = [
        step
        for step in pending_steps(case, policy)
        if step.id == first.id
        or (not only_first and not is_held and nominal_due(case, step, turn.zone, policy) <= turn.clock)
    ]
    if not due:
        return None
    through: list[str] = []
    # What is for the silent only supersedes nothing where somebody has responded.
    while len(due) > 1 and due[-1].only_if == "no_response" and responded_since_anchor(turn.state, case):
        through.append(due.pop().id)
        turn.say(Outcome.SUPPRESSED, ReasonCode.CUSTOMER_RESPONDED, case_id=case.case_id, step_id=through[-1])
    last = due[-1]
    for step in due[:-1]:
        through.append(step.id)
        turn.say(Outcome.SUPERSEDED, ReasonCode.LATER_STEP_DUE, case_id=case.case_id, step_id=step.id)
    if through:
        case = turn.put_case(replace(case, done=(*case.done, *through)))
    at = effective_due(turn.state, case, last, turn.zone, policy)
    if at > turn.clock and (last.id != first.id or case.deferral is not None):
        return None
    final = last.action == "final_notice"
    return Candidate(
        step_id=last.id,
        due=at,
        priority=Priority.FINAL_NOTICE if final else Priority.FAILURE,
        kind=MessageKind.FINAL_NOTICE if final else MessageKind.FAILURE,
        channels=last.channels,
        template=template(case, last.template or "", policy),
        occurrence=case.occurrence,
        case_id=case.case_id,
        first_contact=last.id == first.id,
        escalation=last.only_if == "no_response",
        follow_preference=last.follow_preference,
        brought_forward=case.brought_forward is not None and case.brought_forward.step_id == last.id,
        retry=_is_retry(case.deferral, last.id),
        contact_hour=contact_hour(case, policy),
    )


def _is_retry(deferral: Deferral | None, step_id: str) -> bool:
    return deferral is not None and deferral.step_id == step_id and deferral.retry


def due_reminder(turn: Turn, plan: Plan) -> Candidate | None:
    """The last due reminder of a plan; the earlier ones are superseded, and a plan that is over ends."""
    policy = turn.policy
    if plan.ends_at <= turn.clock:
        end_plan(turn, plan, ReasonCode.PLAN_ENDED)
        expect_payment(turn, plan)
        return None
    due = [
        reminder
        for reminder in pending_reminders(plan, policy, turn.state.segment)
        if nominal_reminder_due(plan, reminder, turn.zone, policy) <= turn.clock
    ]
    if not due:
        return None
    for reminder in due[:-1]:
        turn.say(Outcome.SUPERSEDED, ReasonCode.LATER_STEP_DUE, plan_id=plan.plan_id, step_id=reminder.id)
    last = due[-1]
    plan = turn.put_plan(replace(plan, done=(*plan.done, *(reminder.id for reminder in due[:-1]))))
    at = reminder_due(plan, last, turn.zone, policy)
    if at > turn.clock:
        return None
    is_card = plan.kind is PlanKind.CARD
    if is_card and not plan.subscription_ids and plan.sent >= policy.cards.reminders_without_subscription:
        turn.put_plan(replace(plan, done=(*plan.done, last.id)))
        turn.say(Outcome.SUPPRESSED, ReasonCode.CARD_NOT_IN_USE, plan_id=plan.plan_id, step_id=last.id)
        return None
    experiment = silenced_by(plan, plan.kind.value, policy)
    if experiment is not None:
        turn.put_plan(replace(plan, done=(*plan.done, last.id)))
        turn.say(
            Outcome.SUPPRESSED,
            ReasonCode.HOLDOUT,
            plan_id=plan.plan_id,
            step_id=last.id,
            experiment=experiment,
        )
        return None
    return Candidate(
        step_id=last.id,
        due=at,
        priority=Priority.EXPIRY if is_card else Priority.RENEWAL,
        kind=MessageKind.CARD_EXPIRING if is_card else MessageKind.RENEWAL_UPCOMING,
        channels=reminder_channels(plan, last, policy),
        template=template(plan, last.template, policy),
        occurrence=str(plan.resends),
        plan_id=plan.plan_id,
        follow_preference=last.follow_preference,
        retry=_is_retry(plan.deferral, last.id),
        contact_hour=contact_hour(plan, policy),
        awaits_since=None if plan.deferral is None else plan.deferral.awaits_since,
    )


def due_pending(turn: Turn) -> list[Candidate]:
    """The messages that events have caused and that are due."""
    found: list[Candidate] = []
    for pending in turn.state.pending:
        if pending.due > turn.clock:
            continue
        case = turn.state.case(pending.case_id)
        assert case is not None, "what is pending is of a live case"
        is_card = pending.kind is PendingKind.NEW_CARD_FAILED
        messages = turn.policy.messages
        message: Message = messages.new_card_failed if is_card else messages.authentication
        found.append(
            Candidate(
                step_id=pending.kind,
                due=pending.due,
                priority=Priority.FAILURE if is_card else Priority.AUTHENTICATION,
                kind=MessageKind.NEW_CARD_FAILED if is_card else MessageKind.AUTHENTICATION,
                channels=message.channels,
                template=template(case, message.template, turn.policy),
                occurrence=pending.occurrence,
                case_id=pending.case_id,
                pending=pending,
                follow_preference=message.follow_preference,
                retry=pending.retry,
                contact_hour=contact_hour(case, turn.policy),
            )
        )
    return found
