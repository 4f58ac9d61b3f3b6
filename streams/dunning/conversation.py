"""A customer who has written back: the case's messages wait for a person, and not for ever."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.holds import reply_hold_end
from streams.dunning.state import Case, Contact, Conversation
from streams.dunning.suspension import review
from streams.dunning.turn import Turn


def cases_spoken_of(turn: Turn, contact: Contact | None) -> tuple[Case, ...]:
    """The live cases that a message listed; all of them where it is not known which message it was."""
    if contact is None:
        return turn.state.cases
    return tuple(case for case in turn.state.cases if case.case_id in contact.case_ids)


def replied(turn: Turn, at: datetime, cases: Iterable[Case]) -> None:
    """Hold the messages of the cases for whoever answers the reply.

    A further reply does not make the hold longer: it counts from the first one that nobody has dealt with.
    """
    for case in cases:
        talk = case.conversation or Conversation()
        if talk.dealt_with_at is not None and at <= talk.dealt_with_at:
            continue
        since = talk.first_reply_at
        if since is not None and case.dormant and since + turn.policy.hold_after_reply <= turn.clock:
            # Nothing was sent meanwhile that the older reply could have held.
            since = None
        first = at if since is None else min(at, since)
        last = at if talk.last_reply_at is None else max(at, talk.last_reply_at)
        held = turn.put_case(
            replace(case, conversation=replace(talk, first_reply_at=first, last_reply_at=last))
        )
        turn.say(
            Outcome.HELD,
            ReasonCode.HOLD_FOR_REPLY,
            case_id=case.case_id,
            until=reply_hold_end(held, turn.policy),
        )


def dealt_with(turn: Turn, at: datetime, cases: Iterable[Case]) -> None:
    """A person has spoken with the customer, or a promise was made: replies up to then are answered."""
    for case in cases:
        talk = case.conversation or Conversation()
        answered_at = at if talk.dealt_with_at is None else max(at, talk.dealt_with_at)
        left = replace(talk, dealt_with_at=answered_at)
        if talk.last_reply_at is not None and talk.last_reply_at <= answered_at:
            _end_hold(turn, case, left, answered_at)
            turn.say(Outcome.CANCELLED, ReasonCode.HOLD_FOR_REPLY, case_id=case.case_id)
        else:
            # What was written afterwards still waits for an answer.
            if talk.first_reply_at is not None and talk.first_reply_at <= answered_at:
                left = replace(left, first_reply_at=talk.last_reply_at)
            turn.put_case(replace(case, conversation=left))


def hand_over_replies(turn: Turn) -> None:
    """Where nobody has dealt with a reply in time, a person is asked to look, and the ladder goes on."""
    for case in turn.state.cases:
        until = reply_hold_end(case, turn.policy)
        if until is None or until > turn.clock or case.dormant or case.conversation is None:
            continue
        # What was written up to now is the same person's to read, whenever it is heard of.
        over = max(turn.clock, case.conversation.last_reply_at or until)
        left = _end_hold(turn, case, replace(case.conversation, dealt_with_at=over), until)
        if turn.state.exempt:
            turn.say(Outcome.SUPPRESSED, ReasonCode.EXEMPT, case_id=case.case_id)
        else:
            review(turn, left, ReasonCode.HOLD_FOR_REPLY, occurrence=until.isoformat())


def _end_hold(turn: Turn, case: Case, talk: Conversation, at: datetime) -> Case:
    """The ladder goes on with the next contact hour: what was due meanwhile does not go out at once."""
    held = at if case.held_until is None else max(at, case.held_until)
    return turn.put_case(
        replace(
            case,
            conversation=replace(talk, first_reply_at=None, last_reply_at=None),
            held_until=held,
        )
    )
