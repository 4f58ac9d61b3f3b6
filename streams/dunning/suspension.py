"""Suspending, and taking it back: the gate, the review, the reactivation."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from streams.dunning.calendar import contact_time, local_day
from streams.dunning.channels import live_channels, usable_channels
from streams.dunning.commands import (
    AccountCommand,
    InvoiceLine,
    Missing,
    Outcome,
    ReasonCode,
)
from streams.dunning.events import Channel
from streams.dunning.identity import named
from streams.dunning.ladder import final_notice_step, suspend_step, suspension_due
from streams.dunning.state import Case, Contact, ContactStatus, CustomerState, Invoice, Suspended
from streams.dunning.turn import Turn


def invoice_lines(invoices: tuple[Invoice, ...]) -> tuple[InvoiceLine, ...]:
    """The invoices as a command lists them, the longest owed first."""
    ordered = sorted(invoices, key=lambda invoice: (invoice.owed_since, invoice.invoice_id))
    return tuple(
        InvoiceLine(
            invoice_id=invoice.invoice_id,
            subscription_id=invoice.subscription_id,
            amount_minor=invoice.amount_minor,
            currency=invoice.currency,
            first_failed_at=invoice.failures[0],
        )
        for invoice in ordered
    )


def delivered(turn: Turn, contact: Contact) -> bool:
    """Whether a contact counts as delivered at the clock: by feedback, or by the lack of a bounce."""
    if contact.status is ContactStatus.TRIED:
        return contact.channel is Channel.PHONE
    if contact.status is not ContactStatus.SENT:
        return contact.status is not ContactStatus.BOUNCED
    wait = turn.policy.assume_delivered_after.get(contact.channel)
    return wait is not None and turn.clock - contact.sent_at >= wait


def missing_for_suspension(turn: Turn, case: Case) -> tuple[Missing, ...]:
    """What the gate still lacks at the clock; nothing if the suspension may go out."""
    state, policy = turn.state, turn.policy
    gate = policy.suspension
    missing: list[Missing] = []
    contacts = [
        contact for contact in state.contacts if case.case_id in contact.case_ids and delivered(turn, contact)
    ]
    if len(contacts) < gate.contacts:
        missing.append(Missing.DELIVERED_CONTACTS)
    if len({contact.channel for contact in contacts}) < channels_asked_for(turn, case):
        missing.append(Missing.DELIVERED_CHANNELS)
    notice = case.final_notice
    if notice is None:
        missing.append(Missing.FINAL_NOTICE)
    else:
        if turn.clock - notice.sent_at < gate.notice:
            missing.append(Missing.FINAL_NOTICE_AGE)
        if not any(contact.command_id in notice.command_ids for contact in contacts):
            missing.append(Missing.FINAL_NOTICE_DELIVERED)
    missing += _doubts(state, case)
    promised = state.promised_until
    if promised is not None and promised + policy.hold_after_promise > turn.clock:
        missing.append(Missing.NO_PROMISE)
    responded = state.responded_at
    if responded is not None and responded + policy.recent_response > turn.clock:
        missing.append(Missing.NO_RECENT_RESPONSE)
    if state.exempt:
        missing.append(Missing.NOT_EXEMPT)
    return tuple(missing)


def _doubts(state: CustomerState, case: Case) -> Iterator[Missing]:
    """Whether the debt is disputed, or may have been paid; where that is forgotten, it is taken to be so."""
    disputed = any(_concerns(dispute.parked, case) for dispute in state.disputes if dispute.is_open)
    if disputed or state.dispute_forgotten:
        yield Missing.NO_DISPUTE
    if any(invoice.unconfirmed for invoice in case.invoices):
        yield Missing.KNOWN_UNPAID


def channels_asked_for(turn: Turn, case: Case) -> int:
    """By how many channels a case must have been spoken of: so many as the gate says, if they are usable."""
    return max(1, min(turn.policy.suspension.channels, len(usable_channels(turn, case))))


def channels_tried(turn: Turn, case: Case) -> set[Channel]:
    """The channels by which the case has been spoken of, without a bounce."""
    return {
        contact.channel
        for contact in turn.state.contacts
        if case.case_id in contact.case_ids and contact.status is not ContactStatus.BOUNCED
    }


def _concerns(parked: Invoice | None, case: Case) -> bool:
    return parked is not None and parked.subscription_id == case.subscription_id


def renew_final_notices(turn: Turn) -> None:
    """Warn (again) first where a suspension is due and no notice stands, or one too old to be remembered."""
    if turn.state.exempt or not live_channels(turn):
        return
    for case in turn.state.cases:
        suspend = suspend_step(case, turn.policy)
        notify = final_notice_step(case, turn.policy)
        if suspend is None or notify is None or not _is_due(turn, case):
            continue
        notice = case.final_notice
        if notice is not None and turn.clock - notice.sent_at <= turn.policy.suspension.notice_valid_for:
            continue
        done = tuple(each for each in case.done if each != notify.id)
        turn.put_case(replace(case, done=done, final_notice=None, resends=case.resends + 1, gate_at=None))
        turn.say(
            Outcome.DEFERRED,
            ReasonCode.GATE_NOT_MET,
            case_id=case.case_id,
            step_id=suspend.id,
            missing=(Missing.FINAL_NOTICE,),
        )


def consider_suspensions(turn: Turn) -> None:
    """Try the gate of every case whose suspension is due."""
    for case in turn.state.cases:
        if _is_due(turn, case):
            _consider(turn, case)


def _is_due(turn: Turn, case: Case) -> bool:
    due = None if case.dormant else suspension_due(turn.state, case, turn.zone, turn.policy)
    return due is not None and due <= turn.clock


def _consider(turn: Turn, case: Case) -> None:
    step = suspend_step(case, turn.policy)
    if step is None:
        return
    through = (*case.done, step.id)
    if turn.state.exempt:
        turn.put_case(replace(case, done=through))
        turn.say(Outcome.SUPPRESSED, ReasonCode.EXEMPT, case_id=case.case_id, step_id=step.id)
        return
    missing = missing_for_suspension(turn, case)
    if not missing:
        turn.put_case(replace(case, done=through))
        _suspend(turn, case, step.id)
        return
    blocked_since = case.blocked_since or turn.clock
    if turn.clock - blocked_since >= turn.policy.review_after:
        turn.put_case(replace(case, done=through, reviewed=True, blocked_since=None))
        if case.reviewed or (ReasonCode.NO_LIVE_CHANNEL in case.reviewed_for and not live_channels(turn)):
            turn.say(
                Outcome.SUPPRESSED,
                ReasonCode.GATE_NOT_MET,
                case_id=case.case_id,
                step_id=step.id,
                missing=missing,
            )
            return
        command = _command(turn, case, "review", ReasonCode.GATE_NOT_MET, case.occurrence)
        turn.say(
            Outcome.REVIEWED,
            ReasonCode.REVIEW_DUE,
            case_id=case.case_id,
            step_id=step.id,
            command_id=command.command_id,
            missing=missing,
        )
        return
    again = _tomorrow(turn, blocked_since)
    turn.put_case(replace(case, gate_at=again, blocked_since=blocked_since))
    turn.say(
        Outcome.BLOCKED,
        ReasonCode.GATE_NOT_MET,
        case_id=case.case_id,
        step_id=step.id,
        missing=missing,
        until=again,
    )


def review(
    turn: Turn, case: Case, reason: ReasonCode, *, step_id: str | None = None, occurrence: str | None = None
) -> None:
    """Have a person look at a case, once for each reason, or for each `occurrence` of it."""
    if turn.state.exempt or (occurrence is None and reason in case.reviewed_for):
        return
    reasons = tuple(dict.fromkeys((*case.reviewed_for, str(reason))))
    turn.put_case(replace(case, reviewed_for=reasons))
    named_by = str(reason) if occurrence is None else f"{reason} {occurrence}"
    command = _command(turn, case, "review", reason, named_by)
    turn.say(Outcome.REVIEWED, reason, case_id=case.case_id, step_id=step_id, command_id=command.command_id)


def _tomorrow(turn: Turn, blocked_since: datetime) -> datetime:
    """The next day's contact hour, or the end of the wait for a review if that comes first."""
    day = local_day(turn.clock, turn.zone) + timedelta(days=1)
    tomorrow = contact_time(day, turn.zone, turn.policy.contact_hour)
    return min(tomorrow, blocked_since + turn.policy.review_after)


def _suspend(turn: Turn, case: Case, step_id: str) -> None:
    state = turn.state
    standing = next((each for each in state.suspended if each.subscription_id == case.subscription_id), None)
    if standing is not None:
        joined = replace(standing, case_ids=(*standing.case_ids, case.case_id))
        turn.state = replace(
            state, suspended=tuple(joined if each is standing else each for each in state.suspended)
        )
        turn.say(Outcome.SUPPRESSED, ReasonCode.ALREADY_SUSPENDED, case_id=case.case_id, step_id=step_id)
        return
    turn.state = replace(
        state,
        suspended=(
            *state.suspended,
            Suspended(subscription_id=case.subscription_id, case_ids=(case.case_id,), decided_at=turn.clock),
        ),
    )
    command = _command(turn, case, "suspend", ReasonCode.GATE_MET, case.occurrence)
    turn.say(
        Outcome.SUSPENDED,
        ReasonCode.GATE_MET,
        case_id=case.case_id,
        step_id=step_id,
        command_id=command.command_id,
    )


def suspension_held_by(turn: Turn, case: Case) -> Suspended | None:
    """The standing suspension that this case holds, alone or with others."""
    return next((each for each in turn.state.suspended if case.case_id in each.case_ids), None)


def release(turn: Turn, case: Case, reason: ReasonCode) -> bool:
    """Let go of the case's suspension; reactivate unless another case still holds it.

    Returns whether a reactivation went out.
    """
    standing = suspension_held_by(turn, case)
    if standing is None:
        return False
    others = tuple(case_id for case_id in standing.case_ids if case_id != case.case_id)
    if others:
        kept = replace(standing, case_ids=others)
        turn.state = replace(
            turn.state, suspended=tuple(kept if each is standing else each for each in turn.state.suspended)
        )
        turn.say(Outcome.SUPPRESSED, ReasonCode.STILL_OWED, case_id=case.case_id)
        return False
    turn.state = replace(
        turn.state, suspended=tuple(each for each in turn.state.suspended if each is not standing)
    )
    # A case may be suspended again after its anchor moved: the suspension's time tells the two apart.
    command = _command(turn, case, "reactivate", reason, standing.decided_at.isoformat())
    turn.say(Outcome.REACTIVATED, reason, case_id=case.case_id, command_id=command.command_id)
    return True


def _command(turn: Turn, case: Case, action: str, reason: ReasonCode, occurrence: str) -> AccountCommand:
    customer_id = turn.state.customer_id
    command = AccountCommand(
        command_id=named(customer_id, "account", case.case_id, action, occurrence),
        customer_id=customer_id,
        subscription_id=case.subscription_id,
        action=action,  # type: ignore[arg-type]
        reason=reason,
        case_id=case.case_id,
        invoices=invoice_lines(case.invoices),
        total_minor=case.total_minor,
        currency=case.currency,
        policy_version=case.policy_version,
        decided_at=turn.clock,
    )
    turn.commands.append(command)
    return command
