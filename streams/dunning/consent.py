"""Which channels a customer may be reached by: their own word, and addresses that failed."""

from datetime import datetime

from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, CustomerProfile, Feedback, FeedbackKind
from streams.dunning.policy import Policy
from streams.dunning.state import ChannelStatus, Profile
from streams.dunning.turn import Turn

_SAID = {
    FeedbackKind.OPTED_OUT: ReasonCode.OPTED_OUT,
    FeedbackKind.OPTED_IN: ReasonCode.OPTED_IN,
    FeedbackKind.COMPLAINED: ReasonCode.CHANNEL_ENDED,
}


def as_meant(event: Feedback, policy: Policy) -> Feedback:
    """The report as it is meant: a reply that says STOP, and nothing else, is an opt-out."""
    if event.kind is not FeedbackKind.REPLIED or event.text is None:
        return event
    reading = policy.reply_words.read(event.text)
    if reading is None:
        return event
    if reading == "opt_in":
        return replace(event, kind=FeedbackKind.OPTED_IN)
    scope = "all" if reading == "opt_out_of_all" else event.scope
    return replace(event, kind=FeedbackKind.OPTED_OUT, scope=scope)


def customer_says(turn: Turn, event: Feedback) -> None:
    """Opting out and in, of a channel or of all, and complaining: the later word about a channel counts.

    Opting in by a channel shows that its address works, whatever failed before. Opting in to all does not.
    """
    alive = event.kind is FeedbackKind.OPTED_IN
    everywhere = event.scope == "all" and event.kind is not FeedbackKind.COMPLAINED
    channels, failed = dict(turn.state.channels), dict(turn.state.failed_addresses)
    for channel in tuple(Channel) if everywhere else (event.channel,):
        known = channels.get(channel)
        if known is not None and event.occurred_at < known.at:
            turn.say(Outcome.IGNORED, ReasonCode.STALE, channel=channel, command_id=event.command_id)
            continue
        channels[channel] = ChannelStatus(alive=alive, at=event.occurred_at)
        if alive and not everywhere and channel in failed and failed[channel] <= event.occurred_at:
            del failed[channel]
        turn.say(Outcome.RECORDED, _SAID[event.kind], channel=channel, command_id=event.command_id)
    turn.state = replace(turn.state, channels=channels, failed_addresses=failed)


def address_failed(turn: Turn, event: Feedback) -> None:
    """A hard bounce: nothing is sent to the address any more. The customer's word on the channel stands."""
    channel = event.channel
    word = turn.state.channels.get(channel)
    if word is not None and word.alive and word.at > event.occurred_at:
        turn.say(Outcome.IGNORED, ReasonCode.STALE, channel=channel, command_id=event.command_id)
        return
    failed = turn.state.failed_addresses
    at = max(event.occurred_at, failed.get(channel, event.occurred_at))
    turn.state = replace(turn.state, failed_addresses={**failed, channel: at})
    turn.say(Outcome.RECORDED, ReasonCode.CHANNEL_ENDED, channel=channel, command_id=event.command_id)


def addresses_renewed(turn: Turn, before: Profile | None, event: CustomerProfile) -> None:
    """A channel that the profile before did not have has a new address: the old one's failure is past."""
    if before is None:
        return
    new = [channel for channel in event.channels if channel not in before.channels]
    failed: dict[Channel, datetime] = dict(turn.state.failed_addresses)
    for channel in new:
        if channel in failed and failed[channel] <= event.occurred_at:
            del failed[channel]
            turn.say(Outcome.RECORDED, ReasonCode.CHANNEL_RESTORED, channel=channel)
    turn.state = replace(turn.state, failed_addresses=failed)
