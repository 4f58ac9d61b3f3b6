"""The customer's local time: zones, daylight saving, and the hours of channels."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
D0 = local("2026-01-05 10:00")


def reached_only_by(channel: Channel, **more: str) -> Customer:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"), channels=[channel], **more)  # type: ignore[arg-type]
    return customer


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH, Channel.PHONE])
@pytest.mark.parametrize(
    ("fails", "sent"),
    [
        ("2026-01-05 07:59", "2026-01-05 08:00"),
        ("2026-01-05 08:00", "2026-01-05 08:00"),
        ("2026-01-05 20:59", "2026-01-05 20:59"),
        ("2026-01-05 21:00", "2026-01-06 08:00"),
        ("2026-01-05 23:59", "2026-01-06 08:00"),
    ],
)
def test_what_rings_keeps_to_waking_hours(channel: Channel, fails: str, sent: str) -> None:
    customer = reached_only_by(channel)
    customer.failed(local(fails))
    customer.until(local(sent))

    assert customer.steps == [("d0_email", local(sent))]


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.IN_APP, Channel.LETTER])
def test_what_does_not_ring_may_be_sent_at_any_hour(channel: Channel) -> None:
    customer = reached_only_by(channel)
    customer.failed(local("2026-01-05 03:00"))

    assert customer.steps == [("d0_email", local("2026-01-05 03:00"))]


@pytest.mark.parametrize("region", ["FL", "US-FL"])
def test_florida_ends_at_eight_in_the_evening(region: str) -> None:
    customer = reached_only_by(Channel.SMS, country="US", region=region)
    customer.failed(local("2026-01-05 20:00"))
    customer.until(local("2026-01-06 12:00"))

    assert customer.steps == [("d0_email", local("2026-01-06 08:00"))]


def test_only_floridas_florida_is_meant() -> None:
    customer = reached_only_by(Channel.SMS, country="UY", region="FL")
    customer.failed(local("2026-01-05 20:00"))

    assert customer.steps == [("d0_email", local("2026-01-05 20:00"))]


def test_nobody_is_called_on_a_sunday() -> None:
    customer = reached_only_by(Channel.PHONE)
    customer.failed(local("2026-01-03 21:30"))
    assert customer.said(Outcome.DEFERRED, ReasonCode.OUTSIDE_WINDOW)[0].until == local("2026-01-05 08:00")
    customer.until(local("2026-01-05 12:00"))

    assert customer.steps == [("d0_email", local("2026-01-05 08:00"))]


def test_a_sunday_is_the_customers_sunday() -> None:
    # Sunday noon in New York is Monday morning in Kiritimati, fourteen hours ahead of UTC.
    customer = reached_only_by(Channel.PHONE, timezone="Pacific/Kiritimati", country="KI")
    customer.failed(local("2026-01-04 14:00"))
    assert len(customer.sent) == 1

    other = reached_only_by(Channel.PHONE)
    other.failed(local("2026-01-04 14:00"))
    assert other.sent == []


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Kolkata", "2026-01-08 03:30"),
        ("Asia/Kathmandu", "2026-01-08 03:15"),
        ("Pacific/Chatham", "2026-01-08 19:15"),
        ("Pacific/Kiritimati", "2026-01-08 19:00"),
        ("Pacific/Apia", "2026-01-08 20:00"),
        ("Pacific/Pago_Pago", "2026-01-08 20:00"),
        ("Australia/Lord_Howe", "2026-01-07 22:00"),
    ],
)
def test_the_third_days_email_comes_at_nine_wherever_the_customer_lives(zone: str, expected: str) -> None:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"), timezone=zone)
    customer.failed(utc("2026-01-05 12:00"))
    customer.until(utc("2026-01-09 12:00"))

    at = customer.sent[1].decided_at
    assert at.astimezone(ZoneInfo(zone)).strftime("%H:%M") == "09:00"
    days = at.astimezone(ZoneInfo(zone)).date() - utc("2026-01-05 12:00").astimezone(ZoneInfo(zone)).date()
    assert days == 3 * DAY
    assert at == utc(expected)


def test_a_zone_that_skips_a_day_skips_no_message() -> None:
    # Samoa went from the 29th to the 31st of December 2011.
    customer = Customer()
    customer.profile(utc("2011-12-01 00:00"), timezone="Pacific/Apia", country="WS", channels=[Channel.SMS])
    customer.failed(utc("2011-12-27 20:00"))
    customer.until(utc("2012-01-05 00:00"))

    zone = ZoneInfo("Pacific/Apia")
    assert [command.decided_at.astimezone(zone).strftime("%m-%d %H:%M") for command in customer.sent] == [
        "12-27 10:00",
        "12-31 09:00",
        "01-01 09:00",
        "01-03 09:00",
    ]


@pytest.mark.parametrize(
    ("timezone", "country", "expected"),
    [
        ("Europe/Paris", "US", "Europe/Paris"),
        ("Mars/Olympus_Mons", "JP", "Asia/Tokyo"),
        ("America", "DE", "Europe/Berlin"),
        ("", "IN", "Asia/Kolkata"),
        ("../../etc/passwd", "BR", "America/Sao_Paulo"),
        ("/etc/localtime", "GB", "Europe/London"),
        ("a\0b", "GB", "Europe/London"),
        ("Mars/Olympus_Mons", "ZZ", "UTC"),
        ("Mars/Olympus_Mons", "", "UTC"),
    ],
)
def test_an_unknown_zone_falls_to_the_countrys_and_then_to_utc(
    timezone: str, country: str, expected: str
) -> None:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"), timezone=timezone, country=country)
    customer.failed(utc("2026-01-05 05:00"))
    customer.until(utc("2026-01-09 12:00"))

    assert customer.sent[1].decided_at.astimezone(ZoneInfo(expected)).strftime("%d %H:%M") == "08 09:00"


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        # New York: the night before and after the clocks change, and the two half past ones of November.
        ("2026-03-08T01:30-05:00", "2026-03-08T08:00-04:00"),
        ("2026-03-08T03:00-04:00", "2026-03-08T08:00-04:00"),
        ("2026-11-01T01:30-04:00", "2026-11-01T08:00-05:00"),
        ("2026-11-01T01:30-05:00", "2026-11-01T08:00-05:00"),
        ("2026-10-31T21:00-04:00", "2026-11-01T08:00-05:00"),
    ],
)
def test_windows_open_at_eight_by_the_wall_clock_when_the_clocks_change(now: str, opening: str) -> None:
    customer = reached_only_by(Channel.SMS)
    customer.failed(datetime.fromisoformat(now).astimezone(ZoneInfo("UTC")))
    (deferred,) = customer.said(Outcome.DEFERRED, ReasonCode.OUTSIDE_WINDOW)

    assert deferred.until == datetime.fromisoformat(opening)


def test_an_hour_that_the_clocks_leave_out_comes_an_hour_later() -> None:
    customer = Customer(replace(care().policy, contact_hour="02:30"))
    customer.profile(utc("2025-12-01 00:00"))
    customer.failed(local("2026-03-05 10:00"))
    customer.until(local("2026-03-08 12:00"))

    assert customer.sent[1].decided_at == local("2026-03-08 03:30")


def test_a_move_to_another_zone_moves_what_is_due() -> None:
    customer = Customer()
    customer.profile(utc("2025-12-01 00:00"))
    customer.failed(D0)
    customer.profile(D0 + DAY, timezone="Asia/Tokyo", country="JP")
    customer.until(D0 + 4 * DAY)

    assert customer.sent[1].decided_at == local("2026-01-09 09:00", "Asia/Tokyo")


# How long a command is good for.


@pytest.mark.parametrize(
    ("channel", "more", "ends"),
    [
        (Channel.EMAIL, {}, "2026-01-07 10:00"),
        (Channel.SMS, {}, "2026-01-05 21:00"),
        (Channel.PHONE, {}, "2026-01-05 21:00"),
        (Channel.SMS, {"country": "US", "region": "FL"}, "2026-01-05 20:00"),
    ],
)
def test_what_rings_is_void_when_its_hours_end(channel: Channel, more: dict[str, str], ends: str) -> None:
    customer = reached_only_by(channel, **more)
    customer.failed(D0)

    assert customer.sent[0].expires_at == local(ends)


def test_a_further_channel_waits_for_its_own_hours() -> None:
    policy = care().policy
    notice = replace(policy.messages.new_card_failed, channels=(Channel.EMAIL, Channel.SMS))
    customer = Customer(replace(policy, messages=replace(policy.messages, new_card_failed=notice)))
    customer.profile(utc("2025-12-01 00:00"))
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    night = local("2026-01-07 23:00")
    customer.failed(night)

    email, sms = customer.sent[-2:]
    assert (email.channel, email.send_after) == (Channel.EMAIL, night)
    assert (sms.channel, sms.send_after) == (Channel.SMS, local("2026-01-08 08:00"))
    assert sms.expires_at == local("2026-01-08 21:00")


def test_a_further_channel_that_opens_after_the_renewal_is_left_out() -> None:
    policy = care().policy
    reminders = tuple(
        replace(each, channels=(Channel.EMAIL, Channel.SMS)) for each in policy.renewals.reminders
    )
    customer = Customer(
        replace(policy, contact_hour="06:00", renewals=replace(policy.renewals, reminders=reminders))
    )
    customer.profile(utc("2025-12-01 00:00"))
    customer.renewing(local("2026-01-05 05:00"), local("2026-01-05 07:00"))
    customer.until(D0)

    assert [command.channel for command in customer.sent] == [Channel.EMAIL]
    (reason,) = customer.said(Outcome.SUPPRESSED, ReasonCode.TOO_LATE)
    assert reason.channel is Channel.SMS
