"""Whatever the zone and the season: the contact hour, the windows, and the days before a renewal."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from streams.dunning.calendar import contact_time, local_day, next_contact_time, window_opening
from streams.dunning.events import Channel
from streams.dunning.state import Profile
from tests.dunning.customer import NEW_YORK, Customer, care, local, utc

POLICY = care().policy
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
# Every country's; among them all that change their clocks, by half an hour too, and all of 45 minutes.
ZONES = st.sampled_from(sorted({*POLICY.zones.values(), "Australia/Lord_Howe", "Pacific/Chatham"})).map(
    ZoneInfo
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
DAYS = st.dates(date(2025, 1, 1), date(2028, 12, 31))


@given(DAYS, ZONES)
def test_the_contact_hour_is_nine_by_the_wall_clock(day: date, zone: ZoneInfo) -> None:
    moment = contact_time(day, zone, POLICY.contact_hour).astimezone(zone)
    assert (moment.date(), moment.strftime("%H:%M")) == (day, "09:00")


@given(MOMENTS, ZONES)
def test_the_next_contact_hour_is_the_first_that_comes(moment: datetime, zone: ZoneInfo) -> None:
    found = next_contact_time(moment, zone, POLICY.contact_hour)
    today = local_day(moment, zone)
    hours = [contact_time(today + ahead * DAY, zone, POLICY.contact_hour) for ahead in (-1, 0, 1, 2)]
    assert found == min(hour for hour in hours if hour >= moment)


@given(
    MOMENTS,
    ZONES,
    st.sampled_from([Channel.SMS, Channel.PHONE, Channel.PUSH]),
    st.sampled_from([("US", None), ("US", "FL"), ("US", "US-FL"), ("DE", "BY")]),
)
def test_a_window_opens_at_the_first_moment_at_which_it_is_open(
    moment: datetime, zone: ZoneInfo, channel: Channel, place: tuple[str, str | None]
) -> None:
    country, region = place
    profile = Profile(
        as_of=moment,
        timezone=zone.key,
        locale="en",
        country=country,
        region=region,
        channels=tuple(Channel),
        exempt=False,
    )
    closes = 20 if region in {"FL", "US-FL"} else 21

    def is_open(at: datetime) -> bool:
        there = at.astimezone(zone)
        rests = channel is Channel.PHONE and there.isoweekday() == 7
        return 8 <= there.hour < closes and not rests

    opening = window_opening(channel, moment, zone, profile, POLICY)
    assert opening >= moment
    assert is_open(opening)
    earlier = moment
    while earlier < opening:
        assert not is_open(earlier)
        earlier += QUARTER


@given(
    st.datetimes(datetime(2026, 3, 1), datetime(2027, 3, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(
        [NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Kathmandu"]
    ),
    st.sampled_from(["month", "year"]),
)
def test_reminders_come_at_nine_so_many_local_days_before(
    renews_at: datetime, timezone: str, interval: str
) -> None:
    zone = ZoneInfo(timezone)
    customer = Customer()
    customer.profile(renews_at - 60 * DAY, timezone=timezone)
    customer.renewing(renews_at - 50 * DAY, renews_at, interval=interval)
    customer.until(renews_at)

    ends_on = local_day(renews_at, zone)
    wanted = [30, 7, 1] if interval == "year" else [7, 1]
    assert [
        ((ends_on - local_day(at, zone)).days, at.astimezone(zone).strftime("%H:%M"))
        for _, at in customer.steps
    ] == [(days, "09:00") for days in wanted]


CHANGES = st.lists(
    st.tuples(
        st.integers(1, 9 * 24),
        st.sampled_from(["moved", "moved", "repriced", "paid", "cancelled", "paused"]),
        st.integers(1, 40 * 24),
    ),
    max_size=6,
)


@given(CHANGES)
def test_no_reminder_speaks_of_a_renewal_that_is_not_to_come(changes: list[tuple[int, str, int]]) -> None:
    customer = Customer()
    now = utc("2026-05-01 00:00")
    renews_at: datetime | None = now + 20 * DAY
    amount = 2000
    customer.profile(now - DAY)
    customer.renewing(now, now + 20 * DAY, amount=amount)
    cancelled = False
    for wait, what, ahead in changes:
        sent = len(customer.sent)
        now += timedelta(hours=wait)
        customer.until(now - timedelta.resolution)
        for command in customer.sent[sent:]:
            assert renews_at is not None
            assert command.decided_at < renews_at
            assert command.variables["renews_on"] == local_day(renews_at, ZoneInfo(NEW_YORK)).isoformat()
            assert command.variables["amount_minor"] == str(amount)
            assert command.expires_at <= renews_at
        if what in {"moved", "repriced"}:
            amount += 100 * (what == "repriced")
            customer.renewing(now, now + timedelta(hours=ahead), amount=amount)
            renews_at = None if cancelled else now + timedelta(hours=ahead)
        elif what == "paid":
            customer.paid(now, f"inv-{now:%m%d%H}", amount=amount)
            renews_at = None
        elif what == "paused":
            customer.changed(now, "pause")
            renews_at = None
        else:
            customer.cancelled(now)
            cancelled, renews_at = True, None


def test_a_renewal_moved_within_its_day_is_not_spoken_of_again() -> None:
    customer = Customer()
    customer.profile(utc("2026-05-01 00:00"))
    customer.renewing(utc("2026-06-01 00:00"), local("2026-06-15 12:00"))
    customer.until(utc("2026-06-09 00:00"))
    customer.renewing(utc("2026-06-09 00:00"), local("2026-06-15 08:30"))
    (plan,) = customer.state.plans
    assert plan.ends_at == local("2026-06-15 08:30")
    customer.until(utc("2026-07-01 00:00"))
    assert customer.step_ids == ["renewal_7", "renewal_1"]
