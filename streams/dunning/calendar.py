"""The customer's local time: zones, the hour of contact, and the windows of channels."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.dunning.state import Profile
from streams.dunning.window_settings import Window

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # An unknown name, one that is no file name, or one that names a folder of zones ("America").
        return None


@lru_cache(maxsize=256)
def _time(text: str) -> time:
    return time.fromisoformat(text)


def zone_of(profile: Profile | None, policy: Policy) -> tzinfo:
    """The profile's zone; else its country's; else the policy's default; else UTC."""
    if profile is not None:
        own = _zone(profile.timezone)
        if own is not None:
            return own
        country = _zone(policy.zones.get(profile.country, ""))
        if country is not None:
            return country
    return _zone(policy.default_zone) or UTC


# Everybody of a zone is due at the same few thousand moments of a year.
@lru_cache(maxsize=65_536)
def _moment(day: date, hour: str, zone: tzinfo) -> datetime:
    return datetime.combine(day, _time(hour), zone).astimezone(UTC)


def contact_time(day: date, zone: tzinfo, hour: str) -> datetime:
    """The contact hour (`09:00`) on the local day, in UTC: across DST it stays the same local hour."""
    return _moment(day, hour, zone)


def next_contact_time(moment: datetime, zone: tzinfo, hour: str) -> datetime:
    """The first contact hour at or after the moment (UTC)."""
    day = moment.astimezone(zone).date()
    today = contact_time(day, zone, hour)
    return today if today >= moment else contact_time(day + timedelta(days=1), zone, hour)


def local_day(moment: datetime, zone: tzinfo) -> date:
    """The customer's calendar day at the moment."""
    return moment.astimezone(zone).date()


def region_of(profile: Profile) -> str | None:
    """The region without its country: profiles say `FL` or, as ISO 3166-2 does, `US-FL`."""
    return None if profile.region is None else profile.region.removeprefix(f"{profile.country}-")


def _hours(window: Window, profile: Profile | None) -> tuple[time, time]:
    """The window's opening and closing; the most particular exception for the customer's place wins."""
    opens, closes = window.opens, window.closes
    if profile is not None:
        # A country's exception first, then its region's over it.
        for exception in sorted(window.exceptions, key=lambda each: each.region is not None):
            if exception.country == profile.country and exception.region in {None, region_of(profile)}:
                opens, closes = exception.opens or opens, exception.closes or closes
    return _time(opens), _time(closes)


def window_opening(
    channel: Channel, moment: datetime, zone: tzinfo, profile: Profile | None, policy: Policy
) -> datetime:
    """The moment itself if the channel may be used then; else when its window next opens (UTC)."""
    window = policy.windows.get(channel)
    return moment if window is None else opening(window, moment, zone, profile)


def opening(window: Window, moment: datetime, zone: tzinfo, profile: Profile | None) -> datetime:
    """The moment itself if the window is open then; else when it next opens (UTC)."""
    opens, closes = _hours(window, profile)
    local = moment.astimezone(zone)
    if opens <= local.time() < closes and _WEEKDAYS[local.weekday()] not in window.closed_on:
        return moment
    # A week and a day: one weekday of the eight is open, or the policy would have been refused.
    for ahead in range(9):
        day = local.date() + timedelta(days=ahead)
        if _WEEKDAYS[day.weekday()] in window.closed_on:
            continue
        opened = datetime.combine(day, opens, zone).astimezone(UTC)
        if opened > moment:
            return opened
    message = f"a window of {window.opens} to {window.closes} never opens"
    raise ValueError(message)


def window_closing(
    channel: Channel, moment: datetime, zone: tzinfo, profile: Profile | None, policy: Policy
) -> datetime | None:
    """When the channel's window that is open at the moment closes (UTC); None if it has no hours."""
    window = policy.windows.get(channel)
    return None if window is None else closing(window, moment, zone, profile)


def closing(window: Window, moment: datetime, zone: tzinfo, profile: Profile | None) -> datetime:
    """When the window that is open at the moment closes (UTC)."""
    _, closes = _hours(window, profile)
    return datetime.combine(local_day(moment, zone), closes, zone).astimezone(UTC)
