"""Until when a case waits for somebody: a card's next attempt, a promise, the answer to a reply."""

from datetime import datetime

from streams.dunning.policy import Policy
from streams.dunning.state import Case, CustomerState


def hold_end(state: CustomerState, case: Case, policy: Policy) -> datetime | None:
    """Until when the case's ladder waits for a card's next attempt, a promise, or a reply's answer (UTC)."""
    held = case.held_until
    if state.promised_until is not None:
        promise = state.promised_until + policy.hold_after_promise
        held = promise if held is None or promise > held else held
    if case.conversation is not None:
        reply = reply_hold_end(case, policy)
        held = reply if held is None or (reply is not None and reply > held) else held
    return held


def reply_hold_end(case: Case, policy: Policy) -> datetime | None:
    """Until when the case waits at most for somebody to deal with a reply (UTC); None if none is waiting."""
    talk = case.conversation
    return (
        None if talk is None or talk.first_reply_at is None else talk.first_reply_at + policy.hold_after_reply
    )
