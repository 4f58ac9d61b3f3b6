"""By which channels a message goes: its own, the customer's preferred one, and what a dead one falls to."""

from streams.dunning.candidates import Candidate
from streams.dunning.channels import live_channels, usable_channels
from streams.dunning.events import Channel
from streams.dunning.policy import Priority
from streams.dunning.state import Case
from streams.dunning.suspension import channels_asked_for, channels_tried
from streams.dunning.turn import Turn


def channels_for(turn: Turn, candidate: Candidate) -> tuple[Channel, ...]:
    """The channels of a message that is due; none if nothing reaches the customer."""
    wanted = candidate.channels
    if candidate.follow_preference:
        wanted = as_preferred(turn, wanted, candidate.case_id, at_once=candidate.at_once)
    channels = reach(turn, wanted, candidate.case_id)
    if channels and candidate.priority is Priority.FINAL_NOTICE:
        case = turn.state.case(candidate.case_id or "")
        return channels if case is None else _widened(turn, case, channels)
    return channels


def _widened(turn: Turn, case: Case, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """A final notice by as many channels as the suspension's gate will ask for, so that it can be met.

    Steps by another channel may have been held, superseded or bounced.
    """
    if not turn.policy.suspension.widen_notice:
        return channels
    tried = channels_tried(turn, case)
    lacking = channels_asked_for(turn, case) - len(tried.union(channels))
    unused = [each for each in usable_channels(turn, case) if each not in tried and each not in channels]
    return (*channels, *unused[: max(0, lacking)])


_PRESSING = frozenset({Channel.PHONE, Channel.LETTER})


def as_preferred(
    turn: Turn, wanted: tuple[Channel, ...], case_id: str | None = None, *, at_once: bool
) -> tuple[Channel, ...]:
    """The wanted channels with the customer's preferred one in the place of the first, where that may be.

    Not a channel that does not reach them, or one that has hours if the message does not wait. A preferred
    call is still no call for somebody who has responded to the case.
    """
    profile = turn.state.profile
    preferred = None if profile is None else profile.preferred_channel
    if preferred is None or preferred not in turn.policy.preferable_channels:
        return wanted
    if at_once and preferred in turn.policy.windows:
        return wanted
    case = None if case_id is None else turn.state.case(case_id)
    if preferred not in (live_channels(turn) if case is None else usable_channels(turn, case)):
        return wanted
    return (preferred, *(channel for channel in wanted[1:] if channel is not preferred))


def reach(turn: Turn, wanted: tuple[Channel, ...], case_id: str | None = None) -> tuple[Channel, ...]:
    """The channels that a step goes out by: its first, or what that falls to, and its further live ones.

    A dead channel falls to the next live one in the policy's order: first to one by which the case has not
    been spoken of yet, since somebody who does not read their mail may see a note in the application. A call
    or a letter comes only where nothing gentler is left, and the letter where somebody is not to be called.
    """
    live = live_channels(turn)
    if not live:
        return ()
    case = None if case_id is None else turn.state.case(case_id)
    usable = live if case is None else usable_channels(turn, case) or live
    first = wanted[0] if wanted[0] in live else _substitute(turn, usable, case_id)
    further = tuple(channel for channel in wanted[1:] if channel in live and channel is not first)
    return (first, *further)


def _substitute(turn: Turn, live: tuple[Channel, ...], case_id: str | None) -> Channel:
    # What goes out at this very moment for another case is a channel to join, not one to avoid.
    now = {command.command_id for command in turn.commands}
    used = {
        contact.channel
        for contact in turn.state.contacts
        if case_id in contact.case_ids and contact.command_id not in now
    }
    gentle = [channel for channel in live if channel not in _PRESSING]
    return next((channel for channel in gentle if channel not in used), live[0])


def any_hour_channel(turn: Turn, wanted: tuple[Channel, ...]) -> Channel | None:
    """A live channel that has no window, else any live one: for what cannot wait."""
    live = live_channels(turn)
    for channel in (*reach(turn, wanted), *live):
        if channel not in turn.policy.windows:
            return channel
    return live[0] if live else None
