"""Which channels reach a customer."""

from streams.dunning.events import Channel
from streams.dunning.ladder import responded_since_anchor
from streams.dunning.state import Case
from streams.dunning.turn import Turn


def live_channels(turn: Turn) -> tuple[Channel, ...]:
    """The channels with an address on file, which has not failed and is not opted out of, in policy order."""
    state = turn.state
    on_file = turn.policy.channels_without_profile if state.profile is None else state.profile.channels
    return tuple(
        channel
        for channel in turn.policy.channel_order
        if channel in on_file
        and channel not in state.failed_addresses
        and ((word := state.channels.get(channel)) is None or word.alive)
    )


def usable_channels(turn: Turn, case: Case) -> tuple[Channel, ...]:
    """The live channels by which the case may still be spoken of: who has responded is not called."""
    live = live_channels(turn)
    if responded_since_anchor(turn.state, case):
        return tuple(channel for channel in live if channel is not Channel.PHONE)
    return live
