"""Firing: of all that is due, what goes out now, what waits, and what is no longer said.

One budget is shared by all cases and plans, so everything due is looked at together, the most urgent first.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from streams.dunning.budget import budget_opening
from streams.dunning.calendar import contact_time, local_day, next_contact_time, window_opening
from streams.dunning.candidates import Candidate, due_pending, due_reminder, due_step
from streams.dunning.choice import channels_for
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.composing import debt_notice, plan_notice
from streams.dunning.conversation import hand_over_replies
from streams.dunning.events import Channel
from streams.dunning.ladder import responded_since_anchor
from streams.dunning.notices import Debt, debt_of, send
from streams.dunning.offers import WAITING, Riding, make, offer_for, riding_by
from streams.dunning.policy import DeclineClass, Priority
from streams.dunning.required import required_by
from streams.dunning.state import Case, Contact, ContactStatus, Deferral, FinalNotice, Plan
from streams.dunning.suspension import consider_suspensions, renew_final_notices, review
from streams.dunning.turn import Turn
from streams.dunning.variables import MessageKind

_DEBT = {Priority.FINAL_NOTICE, Priority.FAILURE, Priority.AUTHENTICATION}


def fire_at_once(turn: Turn) -> None:
    """Send what an event has made due at once; everything else waits for a tick."""
    found = [
        candidate
        for case in turn.state.cases
        if (candidate := due_step(turn, case, only_first=True)) is not None
    ]
    _deliver_all(turn, [*found, *due_pending(turn)])


def fire(turn: Turn) -> None:
    """Send what is due at the clock, then try the suspensions that are due."""
    hand_over_replies(turn)
    renew_final_notices(turn)
    found: list[Candidate] = []
    for case in turn.state.cases:
        candidate = due_step(turn, case, only_first=False)
        if candidate is not None:
            found.append(candidate)
    for plan in turn.state.plans:
        candidate = due_reminder(turn, plan)
        if candidate is not None:
            found.append(candidate)
    _deliver_all(turn, [*found, *due_pending(turn)])
    consider_suspensions(turn)


def _deliver_all(turn: Turn, candidates: list[Candidate]) -> None:
    if not candidates:
        return
    ranks = {priority: rank for rank, priority in enumerate(turn.policy.priorities)}
    ordered = sorted(
        candidates,
        key=lambda each: (ranks[each.priority], each.due, each.case_id or each.plan_id or "", each.step_id),
    )
    # One that waits must not lose its place in the budget to what comes after it.
    ordered[-1] = replace(ordered[-1], may_wait=True)
    for candidate in ordered:
        _deliver(turn, candidate)


def _deliver(turn: Turn, candidate: Candidate) -> None:
    """Send one message, or say why not and until when."""
    state = turn.state
    if state.exempt:
        _through(turn, candidate, ReasonCode.EXEMPT)
        return
    channels = channels_for(turn, candidate)
    if not channels:
        _unreachable(turn, candidate)
        return
    case = None if candidate.case_id is None else state.case(candidate.case_id)
    if case is not None:
        calls = channels[0] is Channel.PHONE and candidate.priority is Priority.FAILURE
        if (candidate.escalation or calls) and responded_since_anchor(state, case):
            _through(turn, candidate, ReasonCode.CUSTOMER_RESPONDED, channel=channels[0])
            return
    opening = window_opening(channels[0], turn.clock, turn.zone, state.profile, turn.policy)
    if opening > turn.clock:
        _defer(turn, candidate, ReasonCode.OUTSIDE_WINDOW, opening, channels[0])
        return
    debt = None if case is None else debt_of(turn, case)
    if debt is not None and (
        _nothing_to_confirm(turn, candidate, debt)
        or _authentication_is_recent(turn, candidate, debt)
        or _consolidated(turn, candidate, debt, channels[0])
    ):
        return
    full = None if candidate.unbudgeted else budget_opening(turn, channels[0], candidate.contact_hour)
    if full is None:
        _send(turn, candidate, case, debt, channels, reason=_why(candidate))
        return
    reason, opening = full
    plan = None if candidate.plan_id is None else state.plan(candidate.plan_id)
    last = None if plan is None else required_by(turn, plan, candidate.step_id, channels)
    if last is not None and last < local_day(opening, turn.zone):
        if last <= local_day(turn.clock, turn.zone):
            _send(turn, candidate, case, debt, channels, reason=ReasonCode.REQUIRED_REMINDER)
            return
        opening = contact_time(last, turn.zone, candidate.contact_hour)
    _defer(turn, candidate, reason, opening, channels[0])


def _unreachable(turn: Turn, candidate: Candidate) -> None:
    """Nothing can be sent: a person is asked to look at the case, rather than that it falls silent."""
    _through(turn, candidate, ReasonCode.NO_LIVE_CHANNEL)
    case = None if candidate.case_id is None else turn.state.case(candidate.case_id)
    if case is not None:
        review(turn, case, ReasonCode.NO_LIVE_CHANNEL, step_id=candidate.step_id)


def _consolidated(turn: Turn, candidate: Candidate, debt: Debt, channel: Channel) -> bool:
    """Whether today's message by this channel about this currency makes another one too many.

    One that goes out at this very moment lists all that is owed: the step is through. Of an earlier one the
    customer has learnt less than there is to say now: the step waits for the next day.
    """
    standing = _spoken_of(turn, debt, channel, turn.clock)
    if standing is None:
        return False
    now = any(command.command_id == standing.command_id for command in turn.commands)
    weightier = candidate.priority is Priority.FINAL_NOTICE and standing.priority is not Priority.FINAL_NOTICE
    if now and not weightier:
        _through(turn, candidate, ReasonCode.CONSOLIDATED, channel=channel, command_id=standing.command_id)
        if candidate.priority is Priority.FINAL_NOTICE:
            _join_final_notice(turn, candidate, standing)
    else:
        tomorrow = local_day(turn.clock, turn.zone) + timedelta(days=1)
        until = contact_time(tomorrow, turn.zone, candidate.contact_hour)
        _defer(turn, candidate, ReasonCode.CONSOLIDATED, until, channel)
    return True


def _spoken_of(turn: Turn, debt: Debt, channel: Channel, moment: datetime) -> Contact | None:
    """The message about a debt in this currency that the channel carries on the local day of the moment."""
    today = local_day(moment, turn.zone)
    return next(
        (
            contact
            for contact in turn.state.contacts
            if contact.channel is channel
            and contact.currency == debt.currency
            and contact.priority in _DEBT
            and contact.status is not ContactStatus.BOUNCED
            and local_day(contact.sent_at, turn.zone) == today
        ),
        None,
    )


def _join_final_notice(turn: Turn, candidate: Candidate, standing: Contact) -> None:
    """Another case's final notice of this moment names this case's invoices too."""
    case = turn.state.case(candidate.case_id or "")
    notices = (each.final_notice for each in turn.state.cases if each.final_notice is not None)
    notice = next((each for each in notices if standing.command_id in each.command_ids), None)
    if case is not None and notice is not None:
        turn.put_case(replace(case, final_notice=notice, gate_at=None))


def _nothing_to_confirm(turn: Turn, candidate: Candidate, debt: Debt) -> bool:
    """Whether the payment that was to be confirmed has been made, or declined for another reason."""
    if candidate.kind is not MessageKind.AUTHENTICATION or debt.of_class(DeclineClass.AUTHENTICATION):
        return False
    _through(turn, candidate, ReasonCode.STALE)
    return True


def _asks_to_confirm(candidate: Candidate, debt: Debt) -> bool:
    return candidate.kind is MessageKind.AUTHENTICATION or (
        candidate.kind is MessageKind.FAILURE and debt.decline_class is DeclineClass.AUTHENTICATION
    )


def _authentication_is_recent(turn: Turn, candidate: Candidate, debt: Debt) -> bool:
    """Keep the messages with a link to confirm apart: a repeated attempt is silent, a step waits."""
    asked = [case.authentication_sent_at for case in debt.cases if case.authentication_sent_at is not None]
    if not asked or not _asks_to_confirm(candidate, debt):
        return False
    again = max(asked) + turn.policy.authentication_interval
    if again <= turn.clock:
        return False
    if candidate.kind is MessageKind.AUTHENTICATION:
        _through(turn, candidate, ReasonCode.AUTHENTICATION_INTERVAL)
    else:
        until = (
            again if candidate.first_contact else next_contact_time(again, turn.zone, candidate.contact_hour)
        )
        _defer(turn, candidate, ReasonCode.AUTHENTICATION_INTERVAL, until, None)
    return True


def _through(
    turn: Turn,
    candidate: Candidate,
    reason: ReasonCode,
    *,
    channel: Channel | None = None,
    command_id: str | None = None,
) -> None:
    """Say why a message does not go out at all, and be through with it."""
    _done(turn, candidate, sent=False)
    _say_suppressed(turn, candidate, reason, channel=channel, command_id=command_id)


def _say_suppressed(
    turn: Turn,
    candidate: Candidate,
    reason: ReasonCode,
    *,
    channel: Channel | None,
    command_id: str | None = None,
) -> None:
    turn.say(
        Outcome.SUPPRESSED,
        reason,
        case_id=candidate.case_id,
        plan_id=candidate.plan_id,
        step_id=candidate.step_id,
        channel=channel,
        command_id=command_id,
    )


def _done(turn: Turn, candidate: Candidate, *, sent: bool) -> None:
    if candidate.pending is not None:
        turn.drop_pending(candidate.pending)
        return
    if candidate.plan_id is not None:
        plan = turn.state.plan(candidate.plan_id)
        if plan is not None:
            turn.put_plan(
                replace(plan, done=(*plan.done, candidate.step_id), deferral=None, sent=plan.sent + sent)
            )
        return
    case = turn.state.case(candidate.case_id or "")
    if case is not None:
        turn.put_case(replace(case, done=(*case.done, candidate.step_id), deferral=None))


def _defer(
    turn: Turn, candidate: Candidate, reason: ReasonCode, until: datetime, channel: Channel | None
) -> None:
    """Look at a message again later."""
    awaits_since = candidate.awaits_since or turn.clock if reason is ReasonCode.OFFER_AWAITED else None
    deferral = Deferral(candidate.step_id, until, candidate.retry, awaits_since)
    if candidate.pending is not None:
        turn.drop_pending(candidate.pending)
        turn.add_pending(replace(candidate.pending, due=until))
    elif candidate.plan_id is not None:
        plan = turn.state.plan(candidate.plan_id)
        if plan is not None:
            if until >= plan.ends_at:
                _through(turn, candidate, ReasonCode.TOO_LATE)
                return
            turn.put_plan(replace(plan, deferral=deferral))
    else:
        case = turn.state.case(candidate.case_id or "")
        if case is not None:
            turn.put_case(replace(case, deferral=deferral))
    turn.say(
        Outcome.DEFERRED,
        reason,
        case_id=candidate.case_id,
        plan_id=candidate.plan_id,
        step_id=candidate.step_id,
        channel=channel,
        until=until,
    )


def _send(
    turn: Turn,
    candidate: Candidate,
    case: Case | None,
    debt: Debt | None,
    channels: tuple[Channel, ...],
    *,
    reason: ReasonCode,
) -> None:
    """Send a message, with an offer if one rides on it; or let it wait for that."""
    plan = None if candidate.plan_id is None else turn.state.plan(candidate.plan_id)
    riding = None if plan is None else offer_for(turn, plan, candidate, channels[0])
    if riding is WAITING:
        until = turn.clock + turn.policy.marketing.ask_again_after
        _defer(turn, candidate, ReasonCode.OFFER_AWAITED, until, channels[0])
    else:
        _send_by(turn, candidate, case or plan, debt, channels, reason=reason, riding=riding)


def _send_by(
    turn: Turn,
    candidate: Candidate,
    subject: Case | Plan | None,
    debt: Debt | None,
    channels: tuple[Channel, ...],
    *,
    reason: ReasonCode,
    riding: Riding | None,
) -> None:
    """Send a message by its channels, and be through with its step."""
    command_ids: list[str] = []
    plan = subject if isinstance(subject, Plan) else None
    case = subject if isinstance(subject, Case) else None
    for place, channel in enumerate(channels):
        # The first is open now; a further one may have to wait, and a plan may be over by then.
        opening = window_opening(channel, turn.clock, turn.zone, turn.state.profile, turn.policy)
        if plan is not None and opening >= plan.ends_at:
            _say_suppressed(turn, candidate, ReasonCode.TOO_LATE, channel=channel)
            continue
        # What the first channel may carry is settled; a further one carries a debt once a day as well.
        standing = None if debt is None or place == 0 else _spoken_of(turn, debt, channel, opening)
        if standing is not None:
            told = ReasonCode.CONSOLIDATED
            _say_suppressed(turn, candidate, told, channel=channel, command_id=standing.command_id)
            if standing.priority is Priority.FINAL_NOTICE and candidate.case_id in standing.case_ids:
                command_ids.append(standing.command_id)
            continue
        if case is not None and debt is not None:
            notice = debt_notice(turn, candidate, case, debt, channel)
        else:
            assert plan is not None, "a candidate is of a case or of a plan"
            notice = plan_notice(turn, candidate, plan, channel, riding_by(turn, riding, channel, opening))
        command = send(turn, notice)
        command_ids.append(command.command_id)
        turn.say(
            Outcome.SENT,
            reason,
            case_id=candidate.case_id,
            plan_id=candidate.plan_id,
            step_id=candidate.step_id,
            channel=channel,
            command_id=command.command_id,
            offer=command.offer,
        )
    make(turn, riding)
    _done(turn, candidate, sent=True)
    if debt is None:
        return
    to_confirm = _asks_to_confirm(candidate, debt)
    for kept in turn.state.cases:
        if candidate.kind is MessageKind.FINAL_NOTICE and kept.case_id == candidate.case_id:
            notice_sent = FinalNotice(sent_at=turn.clock, command_ids=tuple(command_ids))
            turn.put_case(replace(kept, final_notice=notice_sent, gate_at=None))
        elif to_confirm and kept.currency == debt.currency:
            turn.put_case(replace(kept, authentication_sent_at=turn.clock))


def _why(candidate: Candidate) -> ReasonCode:
    if candidate.retry:
        return ReasonCode.SOFT_BOUNCE_RETRY
    if candidate.kind is MessageKind.NEW_CARD_FAILED:
        return ReasonCode.NEW_CARD_FAILED
    if candidate.kind is MessageKind.AUTHENTICATION:
        return ReasonCode.AUTHENTICATION_REQUIRED
    if candidate.brought_forward:
        return ReasonCode.BROUGHT_FORWARD
    return ReasonCode.FIRST_CONTACT if candidate.first_contact else ReasonCode.STEP_DUE
