"""What the notification services report: deliveries, responses, promises, and channels that end."""

from datetime import datetime

from msgspec.structs import replace

from streams.dunning.attribution import with_report
from streams.dunning.bounces import bring_call_forward, send_again
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.consent import address_failed, as_meant, customer_says
from streams.dunning.conversation import cases_spoken_of, dealt_with, replied
from streams.dunning.events import Feedback, FeedbackKind
from streams.dunning.state import Contact, ContactStatus
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
    event = as_meant(event, turn.policy)
    contact = next((each for each in turn.state.contacts if each.command_id == event.command_id), None)
    bounced_now = False
    status = _STATUS.get(event.kind)
    if contact is not None and status is not None:
        bounced_now = status > contact.status and status is ContactStatus.BOUNCED
        counted = with_report(contact, event.kind)
        if status > contact.status or counted != contact.counted:
            _put_contact(turn, replace(contact, status=max(status, contact.status), counted=counted))
    _take_in(turn, event, contact)
    if status is ContactStatus.RESPONDED:
        _responded(turn, event.occurred_at)
    if bounced_now or event.kind in _ENDING:
        bring_call_forward(turn, event, contact)
    if contact is not None and bounced_now:
        send_again(turn, contact, hard=event.kind is FeedbackKind.BOUNCED_HARD)


def _take_in(turn: Turn, event: Feedback, contact: Contact | None) -> None:
    case_id = contact.case_ids[0] if contact is not None and contact.case_ids else None
    match event.kind:
        case FeedbackKind.BOUNCED_HARD:
            address_failed(turn, event)
        case FeedbackKind.OPTED_OUT | FeedbackKind.OPTED_IN | FeedbackKind.COMPLAINED:
            customer_says(turn, event)
        case FeedbackKind.PROMISED:
            dealt_with(turn, event.occurred_at, turn.state.cases)
            _promise(turn, event, case_id)
        case FeedbackKind.ANSWERED:
            turn.say(Outcome.RECORDED, ReasonCode.RESPONSE, case_id=case_id, command_id=event.command_id)
            dealt_with(turn, event.occurred_at, cases_spoken_of(turn, contact))
        case FeedbackKind.REPLIED:
            turn.say(Outcome.RECORDED, ReasonCode.REPLIED, case_id=case_id, command_id=event.command_id)
            replied(turn, event.occurred_at, cases_spoken_of(turn, contact))
        case FeedbackKind.CLICKED:
            turn.say(Outcome.RECORDED, ReasonCode.RESPONSE, case_id=case_id, command_id=event.command_id)
        case _:
            turn.say(Outcome.RECORDED, ReasonCode.FEEDBACK, case_id=case_id, command_id=event.command_id)


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
