from datetime import UTC, datetime, timedelta

import pytest

from streams.lab.ticks import Outage, TickGrid

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def test_ticks_are_multiples_of_the_interval_since_the_epoch() -> None:
    grid = TickGrid(timedelta(hours=1))
    assert grid.first_from(NOON) == NOON
    assert grid.first_from(NOON + SECOND) == NOON + timedelta(hours=1)
    assert grid.last_until(NOON) == NOON
    assert grid.last_until(NOON - SECOND) == NOON - timedelta(hours=1)


def test_between_leaves_out_its_beginning_and_has_its_end() -> None:
    grid = TickGrid(MINUTE)
    assert list(grid.between(NOON, NOON + 2 * MINUTE)) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert list(grid.between(NOON - SECOND, NOON)) == [NOON]
    assert list(grid.between(NOON, NOON)) == []
    assert not grid.has_tick(NOON, NOON + 59 * SECOND)


def test_no_tick_falls_into_an_outage() -> None:
    grid = TickGrid(MINUTE, [Outage(NOON, NOON + 150 * SECOND)])
    assert list(grid.between(NOON - MINUTE, NOON + 4 * MINUTE)) == [NOON + 3 * MINUTE, NOON + 4 * MINUTE]
    assert grid.first_from(NOON) == NOON + 3 * MINUTE
    assert grid.last_until(NOON + 2 * MINUTE) == NOON - MINUTE


def test_outages_that_meet_are_one() -> None:
    grid = TickGrid(MINUTE, [Outage(NOON + 2 * MINUTE, NOON + 4 * MINUTE), Outage(NOON, NOON + 3 * MINUTE)])
    assert grid.first_from(NOON) == NOON + 4 * MINUTE
    assert grid.last_until(NOON + 3 * MINUTE) == NOON - MINUTE


def test_an_outage_has_its_start_and_not_its_end() -> None:
    outage = Outage(NOON, NOON + MINUTE)
    assert NOON in outage
    assert NOON + MINUTE not in outage


def test_an_outage_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Outage(NOON, NOON - MINUTE)


@pytest.mark.parametrize("interval", [timedelta(0), -MINUTE, timedelta(microseconds=1500)])
def test_an_interval_that_record_timestamps_cannot_say(interval: timedelta) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        TickGrid(interval)
