"""What to publish of a history to one partition, step by step, so that order cannot change an outcome.

A partition's customers are decided by its own records and ticks alone, so each partition is a lane of its
own, and lanes need not wait for each other. Within a lane a worker must have taken

- all ticks before an event that arrived after them: else the event would find an earlier clock;
- an event before another of the same customer from another topic: between topics Kafka knows no order.

A step is what needs no such wait within. Ticks after events need none either: the engine holds a tick back
until it has read all that lay in its partition's other inputs.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from streams.lab.ticks import TickGrid
from streams.messages.history import Arrival


class Step(NamedTuple):
    """Events, then the ticks later than `after` and not later than `until`; with `until` None no ticks."""

    events: Sequence[Arrival]
    after: datetime
    until: datetime | None


def steps(arrivals: Sequence[Arrival], grid: TickGrid, after: datetime, until: datetime) -> Iterator[Step]:
    """The steps of one lane.

    Args:
        arrivals: the lane's events in order of arrival, all later than `after` and not later than `until`.
        grid: when ticks fall.
        after: the tick up to which the lane has been published.
        until: how far to publish (included).
    """
    last_wave: Sequence[Arrival] = ()
    for tick, group in groupby(arrivals, key=lambda arrival: grid.first_from(arrival.arrived_at)):
        # A tick comes after all that arrived up to it, so this group lies between two ticks.
        before = tick - timedelta.resolution
        if last_wave or grid.has_tick(after, before):
            yield Step(last_wave, after, before)
        after = grid.last_until(before)
        *earlier, last_wave = _waves(list(group))
        for wave in earlier:
            yield Step(wave, after, None)
    if last_wave or grid.has_tick(after, until):
        yield Step(last_wave, after, until)


def _waves(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """The events in as few groups as keep the order of each customer's.

    Events of one topic keep their order by themselves; different customers do not know of each other.
    """
    waves: list[list[Arrival]] = []
    latest: dict[str, tuple[int, type]] = {}
    for arrival in arrivals:
        kind = type(arrival.event)
        number, before = latest.get(arrival.event.customer_id, (0, kind))
        if kind is not before:
            number += 1
        latest[arrival.event.customer_id] = (number, kind)
        if number == len(waves):
            waves.append([])
        waves[number].append(arrival)
    return waves
