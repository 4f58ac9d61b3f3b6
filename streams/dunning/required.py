"""Reminders that a network or a law asks for: how long one may wait for the budget of contacts."""

from datetime import date, timedelta

from streams.dunning.calendar import local_day, region_of
from streams.dunning.compliance_scope import ReminderWindow
from streams.dunning.events import Channel
from streams.dunning.plans import last_day, nominal_reminder_due, pending_reminders
from streams.dunning.state import ContactStatus, Plan, PlanKind
from streams.dunning.treatment import reminder_channels
from streams.dunning.turn import Turn


def required_by(turn: Turn, plan: Plan, step_id: str, channels: tuple[Channel, ...]) -> date | None:
    """The last local day on which this reminder, by these channels, is what a network or a law asks for.

    None if nobody asks for it any more: it is no such occasion, the window is not open, or was met before.
    """
    if plan.kind is not PlanKind.RENEWAL:
        return None
    today, end = local_day(turn.clock, turn.zone), last_day(plan, turn.zone)
    found: date | None = None
    for window in turn.policy.compliance.windows:
        if (
            window.in_force(today)
            and window.holds((end - today).days)
            and not set(channels).isdisjoint(window.channels)
            and _is_about(window, turn, plan)
            and not _is_met(window, turn, plan, end)
        ):
            last = _last_chance(window, turn, plan, step_id, end)
            found = last if found is None else min(found, last)
    return found


def _is_about(window: ReminderWindow, turn: Turn, plan: Plan) -> bool:
    """Whether it asks for a reminder of this renewal, for all that is known of the customer and the trial."""
    profile = turn.state.profile
    if profile is not None and not window.binds_in(profile.country, region_of(profile)):
        return False
    if window.intervals and plan.interval not in window.intervals:
        return False
    if window.occasion == "price_change":
        return "previous_amount_minor" in plan.variables
    if window.occasion == "trial_end":
        days, longer_than = plan.variables.get("trial_days"), window.trial_longer_than_days
        short = days is not None and longer_than is not None and int(days) <= longer_than
        return "trial_ends" in plan.variables and not short
    return True


def _is_met(window: ReminderWindow, turn: Turn, plan: Plan, end: date) -> bool:
    """Whether a reminder of the plan has gone out in the window, and could tell of the occasion."""
    since = plan.opened_at if window.occasion == "renewal" else plan.as_of
    return any(
        contact.plan_id == plan.plan_id
        and contact.status is not ContactStatus.BOUNCED
        and contact.channel in window.channels
        and contact.sent_at >= since
        and window.holds((end - local_day(contact.sent_at, turn.zone)).days)
        for contact in turn.state.contacts
    )


def _last_chance(window: ReminderWindow, turn: Turn, plan: Plan, step_id: str, end: date) -> date:
    """The window's last day, or the day before a later reminder that does not count supersedes this one."""
    last = end - timedelta(days=window.at_least_days)
    for reminder in pending_reminders(plan, turn.policy, turn.state.segment):
        channels = reminder_channels(plan, reminder, turn.policy)
        if reminder.id != step_id and set(channels).isdisjoint(window.channels):
            due = local_day(nominal_reminder_due(plan, reminder, turn.zone, turn.policy), turn.zone)
            last = min(last, due - timedelta(days=1))
    return last
