"""When the steps of a case's ladder are due. Pure reading: nothing is decided here."""

from datetime import datetime, timedelta, tzinfo

from streams.dunning.calendar import contact_time, local_day, next_contact_time
from streams.dunning.holds import hold_end
from streams.dunning.policy import Campaign, Policy, Step
from streams.dunning.state import Case, CustomerState
from streams.dunning.treatment import contact_hour


def campaign_of(case: Case, policy: Policy) -> Campaign:
    """The campaign of the version that the case opened with; the default one if that is not at hand."""
    campaigns = policy.campaigns
    if case.policy_version != policy.version:
        campaigns = policy.earlier.get(case.policy_version, campaigns)
    return campaigns.get(case.campaign) or policy.campaigns[policy.default_campaign]


def first_step(case: Case, policy: Policy) -> Step:
    """The step that is due at once."""
    return campaign_of(case, policy).ladder[0]


def notifying_steps(case: Case, policy: Policy) -> tuple[Step, ...]:
    """The steps that ask the customer, in order."""
    return campaign_of(case, policy).notifying


def final_notice_step(case: Case, policy: Policy) -> Step | None:
    """The step that names the date of the suspension, if the ladder has one."""
    return campaign_of(case, policy).final_notice


def suspend_step(case: Case, policy: Policy) -> Step | None:
    """The step that suspends, if the ladder has one."""
    return campaign_of(case, policy).suspend


def nominal_due(case: Case, step: Step, zone: tzinfo, policy: Policy) -> datetime:
    """When the anchor makes the step due (UTC): the first at once, the others at the contact hour.

    A step that was brought forward is due when that says.
    """
    if step.id == first_step(case, policy).id:
        return case.anchor
    day = local_day(case.anchor, zone) + timedelta(days=step.day)
    due = contact_time(day, zone, contact_hour(case, policy))
    forward = case.brought_forward
    return min(due, forward.due) if forward is not None and forward.step_id == step.id else due


def effective_due(state: CustomerState, case: Case, step: Step, zone: tzinfo, policy: Policy) -> datetime:
    """When the step can go out: later than nominal if the case was held, or the step had to wait (UTC).

    A hold never delays a first contact: it is about something that the customer has not heard of yet.
    """
    due = nominal_due(case, step, zone, policy)
    held = hold_end(state, case, policy)
    if held is not None and due < held and step.id != first_step(case, policy).id:
        due = next_contact_time(held, zone, contact_hour(case, policy))
    deferral = case.deferral
    if deferral is not None and deferral.step_id == step.id and deferral.until > due:
        return deferral.until
    return due


def responded_since_anchor(state: CustomerState, case: Case) -> bool:
    """Whether the customer has answered anything since the case's anchor: escalation is for silence."""
    return state.responded_at is not None and state.responded_at >= case.anchor


def pending_steps(case: Case, policy: Policy) -> tuple[Step, ...]:
    """The notifying steps that this epoch is not through with, in order."""
    return tuple(step for step in notifying_steps(case, policy) if step.id not in case.done)


def next_notification_due(state: CustomerState, case: Case, zone: tzinfo, policy: Policy) -> datetime | None:
    """When a notifying step of the case next goes out or is superseded (UTC)."""
    earliest: datetime | None = None
    for step in pending_steps(case, policy):
        due = effective_due(state, case, step, zone, policy)
        if earliest is None or due < earliest:
            earliest = due
        # Without a deferral of this step, no later one can be due before it, unless it was brought forward.
        if case.brought_forward is None and (case.deferral is None or case.deferral.step_id != step.id):
            break
    return earliest


def suspension_due(state: CustomerState, case: Case, zone: tzinfo, policy: Policy) -> datetime | None:
    """When the gate of the suspension is next tried (UTC); None if not before something else happens.

    Not before the final notice has been dealt with, nor before it is as old as the policy says. By the hour:
    a late notice moves the suspension, and where the clocks go forward in between, it comes an hour later.
    """
    step = suspend_step(case, policy)
    if step is None or step.id in case.done:
        return None
    notice = final_notice_step(case, policy)
    if notice is not None and notice.id not in case.done:
        return None
    due = effective_due(state, case, step, zone, policy)
    if case.final_notice is not None:
        due = max(due, case.final_notice.sent_at + policy.suspension.notice)
    if case.gate_at is not None:
        due = max(due, case.gate_at)
    return due
