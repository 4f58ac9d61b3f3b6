"""Virtual time: the moments at which ticks fall, and the times at which no worker runs.

The pure simulator and the publisher take their ticks from here, so both see the same ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from streams.messages.instants import EPOCH

DEFAULT_TICK_INTERVAL = timedelta(minutes=1)
"""Fine enough that a virtual worker is as punctual as the customer can notice."""

SHORTEST_TICK_INTERVAL = timedelta(milliseconds=1)
"""Kafka's record timestamps know no shorter time."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no worker runs: from `start` (included) to `end` (excluded), both UTC.

    No tick falls into it. What arrives meanwhile is handled at its end, in order, before the first tick
    there, with the time of its arrival as the clock, as its record timestamp says.

    Raises:
        ValueError: It ends before it starts.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"an outage cannot end ({self.end}) before it starts ({self.start})")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


class TickGrid:
    """All ticks of a virtual worker: multiples of `interval` since the epoch, but for its outages.

    Raises:
        ValueError: The interval is not a positive number of whole milliseconds.
    """

    def __init__(self, interval: timedelta = DEFAULT_TICK_INTERVAL, outages: Sequence[Outage] = ()) -> None:
        if interval < SHORTEST_TICK_INTERVAL or interval % SHORTEST_TICK_INTERVAL:
            raise ValueError(f"ticks cannot be {interval} apart: it takes a positive number of milliseconds")
        self.interval = interval
        self.outages = tuple(sorted(outages, key=lambda outage: outage.start))

    def first_from(self, moment: datetime) -> datetime:
        """The first tick at or after the moment (UTC)."""
        tick = EPOCH - (EPOCH - moment) // self.interval * self.interval
        for outage in self.outages:
            if tick in outage:
                tick = EPOCH - (EPOCH - outage.end) // self.interval * self.interval
        return tick

    def last_until(self, moment: datetime) -> datetime:
        """The last tick at or before the moment (UTC)."""
        tick = EPOCH + (moment - EPOCH) // self.interval * self.interval
        for outage in reversed(self.outages):
            if tick in outage:
                # At the outage's start none falls any more.
                last = outage.start - timedelta.resolution
                tick = EPOCH + (last - EPOCH) // self.interval * self.interval
        return tick

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The ticks later than `after` and not later than `until`, in order."""
        tick = self.first_from(after)
        if tick == after:
            tick = self.first_from(after + self.interval)
        while tick <= until:
            yield tick
            tick = self.first_from(tick + self.interval)

    def has_tick(self, after: datetime, until: datetime) -> bool:
        """Whether `between` gives any."""
        return next(self.between(after, until), None) is not None
