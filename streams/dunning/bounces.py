"""What did not arrive: sent again, by another channel or a day later, and a call brought forward."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from streams.dunning.calendar import next_contact_time
from streams.dunning.channels import live_channels
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, Feedback, FeedbackKind
from streams.dunning.ladder import (
    final_notice_step,
    nominal_due,
    notifying_steps,
    pending_steps,
    responded_since_anchor,
    suspend_step,
)
from streams.dunning.plans import reminders_of
from streams.dunning.state import (
    BroughtForward,
    Case,
    Contact,
    ContactStatus,
    Deferral,
    Pending,
    PendingKind,
)
from streams.dunning.turn import Turn


def bring_call_forward(turn: Turn, event: Feedback, contact: Contact | None) -> None:
    """Where what is written does not arrive, somebody calls earlier.

    A channel that has ended has ended for all cases; a second soft bounce is about the message's own.
    """
    setting = turn.policy.bring_call_forward
    if event.channel not in setting.channels or event.kind not in setting.reports:
        return
    cases: Iterable[Case] = turn.state.cases
    live = live_channels(turn)
    if event.kind is FeedbackKind.BOUNCED_SOFT:
        if contact is None or not contact.retry:
            return
        cases = [case for case in turn.state.cases if case.case_id in contact.case_ids]
    elif event.channel in live:
        # A later word has opened it again.
        return
    if Channel.PHONE not in live:
        return
    due = next_contact_time(turn.clock + setting.after, turn.zone, turn.policy.contact_hour)
    for case in cases:
        if case.dormant or case.brought_forward is not None or responded_since_anchor(turn.state, case):
            continue
        call = next(
            (step for step in pending_steps(case, turn.policy) if step.channels[0] is Channel.PHONE), None
        )
        if call is None or nominal_due(case, call, turn.zone, turn.policy) <= due:
            continue
        turn.put_case(replace(case, brought_forward=BroughtForward(step_id=call.id, due=due)))
        turn.say(
            Outcome.UPDATED,
            ReasonCode.BROUGHT_FORWARD,
            case_id=case.case_id,
            step_id=call.id,
            channel=Channel.PHONE,
            until=due,
        )


def send_again(turn: Turn, contact: Contact, *, hard: bool) -> None:
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
    steps = [reminder.id for reminder in reminders_of(plan, turn.policy, turn.state.segment)]
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
    if case.dormant or not _is_latest(steps, _done_since(turn, case, contact), step_id):
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


def _done_since(turn: Turn, case: Case, contact: Contact) -> tuple[str, ...]:
    """The steps that the case is through with; not a call that was brought forward and came before this."""
    forward = case.brought_forward
    if forward is None or any(
        each.step_id == forward.step_id and case.case_id in each.case_ids and each.sent_at > contact.sent_at
        for each in turn.state.contacts
    ):
        return case.done
    return tuple(step_id for step_id in case.done if step_id != forward.step_id)


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
