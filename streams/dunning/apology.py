"""Saying sorry for a suspension that a payment already made should have prevented."""

from streams.dunning.choice import any_hour_channel, as_preferred
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.notices import Notice, send
from streams.dunning.policy import Priority
from streams.dunning.state import Case
from streams.dunning.turn import Turn


def apologise(turn: Turn, case: Case) -> None:
    """One apology, decided together with the reactivation; the budget does not hold it back.

    It waits for a window only where no channel without one is left.
    """
    message = turn.policy.messages.apology
    wanted = message.channels
    if message.follow_preference:
        wanted = as_preferred(turn, wanted, case.case_id, at_once=True)
    channel = any_hour_channel(turn, wanted)
    if turn.state.exempt or channel is None:
        reason = ReasonCode.EXEMPT if turn.state.exempt else ReasonCode.NO_LIVE_CHANNEL
        turn.say(Outcome.SUPPRESSED, reason, case_id=case.case_id, step_id="apology")
        return
    command = send(
        turn,
        Notice(
            subject=case.case_id,
            step_id="apology",
            occurrence=case.occurrence,
            channel=channel,
            template=message.template,
            priority=Priority.FAILURE,
            variables={},
            policy_version=case.policy_version,
            case_ids=(case.case_id,),
            segment=case.segment,
            campaign=case.campaign,
            arms=case.arms,
            repeated_arms=case.repeated_arms,
        ),
    )
    turn.say(
        Outcome.SENT,
        ReasonCode.PAID_BEFORE_SUSPENSION,
        case_id=case.case_id,
        step_id="apology",
        channel=channel,
        command_id=command.command_id,
    )
