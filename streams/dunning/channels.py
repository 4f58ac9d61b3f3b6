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


_PRESSING = frozenset({Channel.PHONE, Channel.LETTER})


def reach(turn: Turn, wanted: tuple[Channel, ...], case_id: str | None = None) -> tuple[Channel, ...]:
    """The channels that a step goes out by: its first, or what that falls to, and its further live ones.

    A dead channel falls to the next live one in the policy's order: first to one by which the case has not
    been spoken of yet, since somebody who does not read their mail may see a note in the application. A call
    or a letter comes only where nothing gentler is left.
    """
    live = live_channels(turn)
    if not live:
        return ()
    first = wanted[0] if wanted[0] in live else _substitute(turn, live, case_id)
    further = tuple(channel for channel in wanted[1:] if channel in live and channel is not first)
    return (first, *further)


def _substitute(turn: Turn, live: tuple[Channel, ...], case_id: str | None) -> Channel:
    used = {contact.channel for contact in turn.state.contacts if case_id in contact.case_ids}
    gentle = [channel for channel in live if channel not in _PRESSING]
    return next((channel for channel in gentle if channel not in used), live[0])


def any_hour_channel(turn: Turn, wanted: tuple[Channel, ...]) -> Channel | None:
    """A live channel that has no window, else any live one: for what cannot wait."""
    live = live_channels(turn)
    for channel in (*reach(turn, wanted), *live):
        if channel not in turn.policy.windows:
            return channel
    return live[0] if live else None
