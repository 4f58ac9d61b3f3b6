"""The budget of contacts, one for the customer over all cases and plans, in the customer's local days."""

from datetime import date, datetime, timedelta

from streams.dunning.calendar import contact_time, local_day
from streams.dunning.commands import ReasonCode
from streams.dunning.events import Channel
from streams.dunning.state import ContactStatus
from streams.dunning.turn import Turn

_WEEK = timedelta(days=7)


def _days(turn: Turn, channel: Channel | None = None) -> list[date]:
    """The local days of the contacts of the last week, the earliest first. A bounce was no contact."""
    since = turn.clock - _WEEK - timedelta(days=1)
    return sorted(
        local_day(contact.sent_at, turn.zone)
        for contact in turn.state.contacts
        if contact.sent_at > since
        and contact.status is not ContactStatus.BOUNCED
        and (channel is None or contact.channel is channel)
    )


def _room_on(days: list[date], today: date, limit: int, span: timedelta) -> date:
    """The first local day, today or later, on which one more contact keeps to `limit` in `span`."""
    counted = [day for day in days if day > today - span]
    if len(counted) < limit:
        return today
    # When the oldest of the last `limit` falls out of the span, there is room for one.
    return counted[len(counted) - limit] + span


def budget_opening(turn: Turn, channel: Channel, hour: str) -> tuple[ReasonCode, datetime] | None:
    """Why a contact by the channel does not fit now, and when it may: at `hour` of a later day (UTC).

    None if it fits. Calls are counted on their own as well, as the law does.
    """
    today = local_day(turn.clock, turn.zone)
    days = _days(turn)
    budget = turn.policy.budget
    room = max(
        _room_on(days, today, budget.per_day, timedelta(days=1)),
        _room_on(days, today, budget.per_seven_days, _WEEK),
    )
    reason = ReasonCode.CONTACT_BUDGET
    if channel is Channel.PHONE:
        calls = _room_on(_days(turn, Channel.PHONE), today, budget.calls_per_seven_days, _WEEK)
        if calls > room:
            room, reason = calls, ReasonCode.CALL_BUDGET
    if room <= today:
        return None
    return reason, contact_time(room, turn.zone, hour)
