"""What the notification services report: deliveries, responses, promises, and channels that end."""

from datetime import datetime

from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, Feedback, FeedbackKind
from streams.dunning.ladder import final_notice_step, notifying_steps, suspend_step
from streams.dunning.plans import reminders_of
from streams.dunning.state import (
    Case,
    ChannelStatus,
    Contact,
    ContactStatus,
    Deferral,
    Pending,
    PendingKind,
)
from streams.dunning.turn import Turn

_STATUS = {
    FeedbackKind.DELIVERED: ContactStatus.DELIVERED,
    FeedbackKind.OPENED: ContactStatus.DELIVERED,
    FeedbackKind.CLICKED: ContactStatus.RESPONDED,
    FeedbackKind.REPLIED: ContactStatus.RESPONDED,
    FeedbackKind.ANSWERED: ContactStatus.RESPONDED,
    FeedbackKind.PROMISED: ContactStatus.RESPONDED,
    FeedbackKind.NO_ANSWER: ContactStatus.TRIED,
    FeedbackKind.BOUNCED_SOFT: ContactStatus.BOUNCED,
    FeedbackKind.BOUNCED_HARD: ContactStatus.BOUNCED,
    # A complaint or an opt-out answers a message that has arrived.
    FeedbackKind.COMPLAINED: ContactStatus.DELIVERED,
    FeedbackKind.OPTED_OUT: ContactStatus.DELIVERED,
}
_ENDING = {FeedbackKind.BOUNCED_HARD, FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT}


def feedback(turn: Turn, event: Feedback) -> None:
    """Take in one report."""
    contact = next((each for each in turn.state.contacts if each.command_id == event.command_id), None)
    bounced_now = False
    status = _STATUS.get(event.kind)
    if contact is not None and status is not None and status > contact.status:
        bounced_now = status is ContactStatus.BOUNCED
        _put_contact(turn, replace(contact, status=status))
    case_id = contact.case_ids[0] if contact is not None and contact.case_ids else None
    if event.kind in _ENDING or event.kind is FeedbackKind.OPTED_IN:
        _switch_channels(turn, event)
    elif event.kind is FeedbackKind.PROMISED:
        _promise(turn, event, case_id)
    elif status is ContactStatus.RESPONDED:
        turn.say(Outcome.RECORDED, ReasonCode.RESPONSE, case_id=case_id, command_id=event.command_id)
    else:
        turn.say(Outcome.RECORDED, ReasonCode.FEEDBACK, case_id=case_id, command_id=event.command_id)
    if status is ContactStatus.RESPONDED:
        _responded(turn, event.occurred_at)
    if contact is not None and bounced_now:
        _send_again(turn, contact, hard=event.kind is FeedbackKind.BOUNCED_HARD)


def _put_contact(turn: Turn, contact: Contact) -> None:
    turn.state = replace(
        turn.state,
        contacts=tuple(
            contact if each.command_id == contact.command_id else each for each in turn.state.contacts
        ),
    )


def _responded(turn: Turn, at: datetime) -> None:
    if turn.state.responded_at is None or at > turn.state.responded_at:
        turn.state = replace(turn.state, responded_at=at)


def _promise(turn: Turn, event: Feedback, case_id: str | None) -> None:
    """The longest standing promise counts, up to the policy's limit."""
    policy = turn.policy
    until = event.promised_until or event.occurred_at + policy.promise_without_date
    until = min(until, event.occurred_at + policy.longest_promise)
    standing = turn.state.promised_until
    if turn.state.cases and (standing is None or until > standing):
        turn.state = replace(turn.state, promised_until=until)
        standing = until
    turn.say(
        Outcome.HELD if turn.state.cases else Outcome.RECORDED,
        ReasonCode.PROMISE,
        case_id=case_id,
        until=None if standing is None else standing + policy.hold_after_promise,
    )


def _switch_channels(turn: Turn, event: Feedback) -> None:
    """End or restore the channel, or all of them; the later word counts."""
    alive = event.kind is FeedbackKind.OPTED_IN
    wide = event.scope == "all" and event.kind in {FeedbackKind.OPTED_OUT, FeedbackKind.OPTED_IN}
    channels = dict(turn.state.channels)
    reason = ReasonCode.CHANNEL_RESTORED if alive else ReasonCode.CHANNEL_ENDED
    for channel in tuple(Channel) if wide else (event.channel,):
        known = channels.get(channel)
        if known is None or event.occurred_at >= known.at:
            channels[channel] = ChannelStatus(alive=alive, at=event.occurred_at)
            turn.say(Outcome.RECORDED, reason, channel=channel, command_id=event.command_id)
        else:
            turn.say(Outcome.IGNORED, ReasonCode.STALE, channel=channel, command_id=event.command_id)
    turn.state = replace(turn.state, channels=channels)


def _send_again(turn: Turn, contact: Contact, *, hard: bool) -> None:
    """A bounce is no contact: the step goes out by another channel, or once more a day later."""
    if not hard and contact.retry:
        return
    until = turn.clock if hard else turn.clock + turn.policy.soft_bounce_retry_after
    if hard:
        _forget_request(turn, contact)
    if contact.plan_id is not None:
        _reopen_reminder(turn, contact, until, hard=hard)
        return
    case = turn.state.case(contact.case_ids[0]) if contact.case_ids else None
    if contact.step_id in set(PendingKind):
        if case is None or case.dormant:
            return
        turn.add_pending(
            Pending(
                kind=PendingKind(contact.step_id),
                case_id=case.case_id,
                due=until,
                occurrence=f"{contact.occurrence}+",
                retry=not hard,
            )
        )
        _say_again(turn, contact, until, hard=hard)
        return
    if case is not None:
        _reopen_step(turn, case, contact, contact.step_id, until, hard=hard)
    # A final notice may stand for the cases that joined it as well.
    for joined in turn.state.cases:
        notice, step = joined.final_notice, final_notice_step(joined, turn.policy)
        if notice is not None and step is not None and contact.command_id in notice.command_ids:
            _reopen_step(turn, joined, contact, step.id, until, hard=hard)


def _forget_request(turn: Turn, contact: Contact) -> None:
    """A link to confirm that bounced has not been given: it may be given again at once."""
    for case in turn.state.cases:
        if case.case_id in contact.case_ids and case.authentication_sent_at == contact.sent_at:
            turn.put_case(replace(case, authentication_sent_at=None))


def _reopen_reminder(turn: Turn, contact: Contact, until: datetime, *, hard: bool) -> None:
    plan = turn.state.plan(contact.plan_id or "")
    if plan is None:
        return
    steps = [reminder.id for reminder in reminders_of(plan, turn.policy)]
    if not _is_latest(steps, plan.done, contact.step_id):
        return
    turn.put_plan(
        replace(
            plan,
            done=tuple(each for each in plan.done if each != contact.step_id),
            sent=max(0, plan.sent - 1),
            resends=plan.resends + 1,
            deferral=Deferral(step_id=contact.step_id, until=until, retry=not hard),
        )
    )
    _say_again(turn, contact, until, hard=hard)


def _reopen_step(
    turn: Turn, case: Case, contact: Contact, step_id: str, until: datetime, *, hard: bool
) -> None:
    steps = [step.id for step in notifying_steps(case, turn.policy)]
    if case.dormant or not _is_latest(steps, case.done, step_id):
        return
    suspend = suspend_step(case, turn.policy)
    if suspend is not None and suspend.id in case.done:
        # Nobody is warned of what has happened.
        return
    notice = case.final_notice
    if notice is not None and contact.command_id in notice.command_ids:
        others = [
            each
            for each in turn.state.contacts
            if each.command_id in notice.command_ids and each.status is not ContactStatus.BOUNCED
        ]
        if others:
            return
        notice = None
    turn.put_case(
        replace(
            case,
            done=tuple(each for each in case.done if each != step_id),
            resends=case.resends + 1,
            deferral=Deferral(step_id=step_id, until=until, retry=not hard),
            final_notice=notice,
        )
    )
    _say_again(turn, replace(contact, case_ids=(case.case_id,), step_id=step_id), until, hard=hard)


def _is_latest(steps: list[str], done: tuple[str, ...], step_id: str) -> bool:
    """Whether nothing after the step has gone out: a later message makes up for a bounced one."""
    if step_id not in steps or step_id not in done:
        return False
    return not any(later in done for later in steps[steps.index(step_id) + 1 :])


def _say_again(turn: Turn, contact: Contact, until: datetime, *, hard: bool) -> None:
    turn.say(
        Outcome.DEFERRED,
        ReasonCode.BOUNCED if hard else ReasonCode.SOFT_BOUNCE_RETRY,
        case_id=contact.case_ids[0] if contact.case_ids else None,
        plan_id=contact.plan_id,
        step_id=contact.step_id,
        channel=contact.channel,
        until=until,
    )
