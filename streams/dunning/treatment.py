"""What the arms of a case or plan change of how the customer is spoken to. Pure reading.

A case goes by the version that it opened with, in this too; a plan by the present one.
"""

from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.dunning.experiment_settings import Arm
from streams.dunning.policy import Policy, Reminder
from streams.dunning.state import Case, Plan


def all_arms(subject: Case | Plan) -> tuple[str, ...]:
    """Every arm that the case or plan is treated by, whether or not it counts for it."""
    return subject.arms + subject.repeated_arms


def contact_hour(subject: Case | Plan, policy: Policy) -> str:
    """The local time of what is not due at once."""
    hours = (arm.contact_hour for arm in _arms(subject, policy))
    return next((hour for hour in hours if hour is not None), policy.contact_hour)


def tone(subject: Case | Plan, policy: Policy) -> Tone | None:
    """The tone that an arm sets; None where it is the segment's."""
    return next((arm.tone for arm in _arms(subject, policy) if arm.tone is not None), None)


def template(subject: Case | Plan, name: str, policy: Policy) -> str:
    """The template that stands in for the named one."""
    return next((arm.templates[name] for arm in _arms(subject, policy) if name in arm.templates), name)


def reminder_channels(plan: Plan, reminder: Reminder, policy: Policy) -> tuple[Channel, ...]:
    """The channels of a reminder."""
    arms = _arms(plan, policy)
    return next((arm.channels[reminder.id] for arm in arms if reminder.id in arm.channels), reminder.channels)


def offers(plan: Plan, policy: Policy) -> tuple[str, ...] | None:
    """The offers that an arm puts in the place of the segment's; None where none does."""
    return next(((arm.offer,) for arm in _arms(plan, policy) if arm.offer is not None), None)


def silenced_by(plan: Plan, what: str, policy: Policy) -> str | None:
    """The experiment that keeps back the plan's reminders (`card`, `renewal`) or its offers (`offer`)."""
    for name in all_arms(plan):
        arm = _known(plan, policy).get(name)
        if arm is not None and arm.silence == what:
            return name.partition(":")[0]
    return None


def _arms(subject: Case | Plan, policy: Policy) -> tuple[Arm, ...]:
    """The arms as the policy has them; one that it has no more changes nothing."""
    labels = all_arms(subject)
    if not labels:
        return ()
    known = _known(subject, policy)
    return tuple(known[each] for each in labels if each in known)


def _known(subject: Case | Plan, policy: Policy) -> dict[str, Arm]:
    if subject.policy_version == policy.version:
        return policy.arms
    return policy.earlier_arms.get(subject.policy_version, policy.arms)
