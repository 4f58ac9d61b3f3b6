"""Plans: the reminders before a card expires or a subscription renews."""

from calendar import monthrange
from datetime import date, datetime, timedelta, tzinfo

from msgspec.structs import replace

from streams.dunning.bounds import is_cancelled
from streams.dunning.calendar import contact_time, local_day, next_contact_time
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import PaymentRecovered, RenewalUpcoming, SubscriptionChanged
from streams.dunning.identity import named
from streams.dunning.policy import Policy, Reminder
from streams.dunning.state import Plan, PlanKind
from streams.dunning.treatment import contact_hour
from streams.dunning.turn import Turn


def reminders_of(plan: Plan, policy: Policy, segment: str | None) -> tuple[Reminder, ...]:
    """The reminders of the plan for a customer of the segment, the earliest first."""
    is_card = plan.kind is PlanKind.CARD
    reminders = policy.cards.reminders if is_card else policy.renewals.reminders
    chosen = [
        reminder
        for reminder in reminders
        if (not reminder.segments or segment in reminder.segments)
        and (is_card or _is_for_renewal(reminder, plan))
    ]
    return tuple(sorted(chosen, key=lambda reminder: -reminder.days_before))


def _is_for_renewal(reminder: Reminder, plan: Plan) -> bool:
    if reminder.intervals and plan.interval not in reminder.intervals:
        return False
    if not reminder.minimum_amount:
        return True
    least = reminder.minimum_amount.get(plan.variables["currency"])
    return least is not None and int(plan.variables["amount_minor"]) >= least


def last_day(plan: Plan, zone: tzinfo) -> date:
    """The local day that reminders are counted back from: the card's last, or that of the renewal."""
    if plan.kind is PlanKind.CARD:
        return last_day_of_month(int(plan.variables["exp_year"]), int(plan.variables["exp_month"]))
    return local_day(plan.ends_at, zone)


def last_day_of_month(year: int, month: int) -> date:
    """A card is valid until the end of it."""
    return date(year, month, monthrange(year, month)[1])


def nominal_reminder_due(plan: Plan, reminder: Reminder, zone: tzinfo, policy: Policy) -> datetime:
    """When the plan's end makes a reminder due (UTC): so many local days before, at the contact hour.

    One whose day was over before the plan was made is due at the next contact hour, if that is not too late.
    """
    hour = contact_hour(plan, policy)
    due = contact_time(last_day(plan, zone) - timedelta(days=reminder.days_before), zone, hour)
    if due >= plan.opened_at:
        return due
    due = next_contact_time(plan.opened_at, zone, hour)
    return due if due < plan.ends_at else plan.opened_at


def reminder_due(plan: Plan, reminder: Reminder, zone: tzinfo, policy: Policy) -> datetime:
    """When a reminder can go out (UTC): later than nominal if it had to wait."""
    due = nominal_reminder_due(plan, reminder, zone, policy)
    deferral = plan.deferral
    if deferral is not None and deferral.step_id == reminder.id and deferral.until > due:
        return deferral.until
    return due


def pending_reminders(plan: Plan, policy: Policy, segment: str | None) -> tuple[Reminder, ...]:
    """The reminders that the plan is not through with, the earliest first."""
    return tuple(reminder for reminder in reminders_of(plan, policy, segment) if reminder.id not in plan.done)


def next_reminder_due(plan: Plan, zone: tzinfo, policy: Policy, segment: str | None) -> datetime:
    """When the plan next has something to do (UTC): a reminder, or its end."""
    pending = pending_reminders(plan, policy, segment)
    return min([*(reminder_due(plan, reminder, zone, policy) for reminder in pending), plan.ends_at])


def plan_variables(turn: Turn, plan: Plan) -> dict[str, str]:
    """What the plan's messages may speak of, as of the clock."""
    today = local_day(turn.clock, turn.zone)
    variables = dict(plan.variables)
    variables["days_left"] = str(max(0, (last_day(plan, turn.zone) - today).days))
    if plan.kind is PlanKind.CARD:
        variables["subscription_count"] = str(len(plan.subscription_ids))
    else:
        variables["renews_on"] = local_day(plan.ends_at, turn.zone).isoformat()
    return variables


def renewal_upcoming(turn: Turn, event: RenewalUpcoming) -> None:
    """Plan the reminders for a renewal; one at another date replaces the plan for the old date."""
    state = turn.state
    if is_cancelled(state, event.subscription_id):
        turn.say(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED)
        return
    if event.renews_at <= turn.clock:
        turn.say(Outcome.IGNORED, ReasonCode.TOO_LATE)
        return
    variables = {
        "plan_name": event.plan_name,
        "amount_minor": str(event.amount_minor),
        "currency": event.currency,
        "interval": event.interval,
    }
    if event.previous_amount_minor is not None and event.previous_amount_minor != event.amount_minor:
        variables["previous_amount_minor"] = str(event.previous_amount_minor)
    if event.trial_ends:
        variables["trial_ends"] = "true"
        if event.trial_days is not None:
            variables["trial_days"] = str(event.trial_days)
    keep_plan(
        turn,
        Plan(
            plan_id=named(
                state.customer_id,
                "plan",
                PlanKind.RENEWAL,
                event.subscription_id,
                event.event_id,
            ),
            kind=PlanKind.RENEWAL,
            subject_id=event.subscription_id,
            as_of=event.occurred_at,
            opened_at=turn.clock,
            ends_at=event.renews_at,
            policy_version=turn.policy.version,
            variables=variables,
            interval=event.interval,
        ),
        ReasonCode.RENEWAL_UPCOMING,
        replaced=ReasonCode.RENEWAL_MOVED,
    )


def keep_plan(turn: Turn, plan: Plan, opened: ReasonCode, replaced: ReasonCode) -> None:
    """Keep the newest word about the plan's subject; what was sent for the same end stays sent."""
    standing = next(
        (each for each in turn.state.plans if each.kind is plan.kind and each.subject_id == plan.subject_id),
        None,
    )
    if standing is not None and standing.as_of > plan.as_of:
        turn.say(Outcome.IGNORED, ReasonCode.STALE, plan_id=standing.plan_id)
        return
    if standing is not None and _end_alike(standing, plan, turn.zone):
        turn.put_plan(
            replace(
                standing,
                as_of=plan.as_of,
                ends_at=plan.ends_at,
                variables=plan.variables,
                interval=plan.interval,
                subscription_ids=plan.subscription_ids,
            )
        )
        turn.say(Outcome.UPDATED, opened, plan_id=standing.plan_id)
        return
    if standing is not None:
        end_plan(turn, standing, replaced)
        if replaced is ReasonCode.RENEWAL_MOVED:  # the same renewal, in the same arms
            plan = replace(plan, arms=standing.arms, repeated_arms=standing.repeated_arms)
    elif len(turn.state.plans) >= turn.policy.memory.plans:
        turn.say(Outcome.IGNORED, ReasonCode.LIMIT_REACHED, plan_id=plan.plan_id)
        return
    turn.put_plan(plan)
    turn.say(Outcome.OPENED, opened, plan_id=plan.plan_id)


def _end_alike(plan: Plan, other: Plan, zone: tzinfo) -> bool:
    """Whether two plans of one subject count their days from the same end: a renewal, from its local day."""
    if plan.kind is PlanKind.CARD:
        return all(plan.variables[name] == other.variables[name] for name in ("exp_month", "exp_year"))
    return local_day(plan.ends_at, zone) == local_day(other.ends_at, zone)


def end_plan(turn: Turn, plan: Plan, reason: ReasonCode) -> None:
    """End a plan: its pending reminders are cancelled."""
    for reminder in pending_reminders(plan, turn.policy, turn.state.segment):
        turn.say(Outcome.CANCELLED, reason, plan_id=plan.plan_id, step_id=reminder.id)
    turn.drop_plan(plan)
    turn.say(Outcome.CLOSED, reason, plan_id=plan.plan_id)


def renewal_paid(turn: Turn, event: PaymentRecovered) -> bool:
    """Drop the reminders of a renewal that was paid early; returns whether there was one.

    Only the renewal's own amount pays for it: a subscription may be billed for other things meanwhile, and
    the reminder before a renewal is asked for by law.
    """
    for plan in turn.state.plans:
        if (
            plan.kind is PlanKind.RENEWAL
            and plan.subject_id == event.subscription_id
            and plan.variables["amount_minor"] == str(event.amount_minor)
            and plan.variables["currency"] == event.currency
            and event.occurred_at >= plan.as_of
        ):
            end_plan(turn, plan, ReasonCode.RENEWAL_PAID)
            return True
    return False


def subscription_changed(turn: Turn, event: SubscriptionChanged) -> None:
    """A paused subscription is not reminded of its renewal; another plan's name shows in the reminders."""
    for plan in turn.state.plans:
        if plan.kind is not PlanKind.RENEWAL or plan.subject_id != event.subscription_id:
            continue
        if plan.as_of > event.occurred_at:
            turn.say(Outcome.IGNORED, ReasonCode.STALE, plan_id=plan.plan_id)
        elif event.change == "pause":
            end_plan(turn, plan, ReasonCode.SUBSCRIPTION_PAUSED)
        else:
            # What is known of the renewal's date is not renewed by this: `as_of` stays.
            turn.put_plan(replace(plan, variables={**plan.variables, "plan_name": event.plan_name}))
            turn.say(Outcome.UPDATED, ReasonCode.PLAN_CHANGED, plan_id=plan.plan_id)
        return
    turn.say(Outcome.RECORDED, ReasonCode.PLAN_CHANGED)


def subscription_ended(turn: Turn, subscription_id: str) -> None:
    """No reminder speaks of a cancelled subscription."""
    for plan in turn.state.plans:
        if plan.kind is PlanKind.RENEWAL and plan.subject_id == subscription_id:
            end_plan(turn, plan, ReasonCode.SUBSCRIPTION_CANCELLED)
        elif subscription_id in plan.subscription_ids:
            left = tuple(each for each in plan.subscription_ids if each != subscription_id)
            turn.put_plan(replace(plan, subscription_ids=left))
