"""A history through Kafka, in the virtual time in which the simulator would run it."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from confluent_kafka.admin import AdminClient

from streams.lab.fitness import check_topics
from streams.lab.lockstep import PATIENCE_SECONDS, Lockstep
from streams.lab.ticks import DEFAULT_TICK_INTERVAL, Outage, TickGrid
from streams.messages.codec import Encoder
from streams.messages.history import Arrival

AFTERWARDS = timedelta(days=90)
"""Without a given end, ticks go on this long after the last event: a whole ladder, and the month that a
blocked suspension waits. When nothing is due any more cannot be seen from outside."""

# With ticks every minute, a stretch of a ladder is about two days: some thousand ticks to a partition.
_STRETCHES = 50


def publish(
    history: Sequence[Arrival],
    *,
    client: Mapping[str, Any],
    group: str,
    prefix: str = "",
    encoder: Encoder | None = None,
    until: datetime | None = None,
    tick_every: timedelta = DEFAULT_TICK_INTERVAL,
    outages: Sequence[Outage] = (),
    patience_seconds: float = PATIENCE_SECONDS,
    report: Callable[[datetime], None] = lambda _moment: None,
) -> datetime:
    """Publish events and ticks in lockstep with a worker; returns when it has decided all of them.

    The worker then has sent what `streams.lab.simulate.simulate` gives for the same arguments.

    Args:
        history: the events; they are put in order of their arrival, equal ones as they come.
        client: properties of every Kafka client: servers, TLS, SASL.
        group: the worker's consumer group, which is its application id.
        prefix: goes before the name of every topic.
        encoder: writes the values; with the release's own schemas unless given.
        until: the end (UTC, included): neither events nor ticks later than it; by default `AFTERWARDS` after
            the last event.
        tick_every: how far ticks lie apart, whole milliseconds.
        outages: times without ticks, as if no worker ran.
        patience_seconds: how long to wait for a worker that does nothing.
        report: is told how far all partitions have come.

    Returns:
        The end.

    Raises:
        UnfitTopicsError: the topics cannot take the history.
        NoProgressError: no worker takes what is published.
        KafkaException: the broker does not answer or refuses.
        ValueError: `tick_every` is not a positive number of whole milliseconds, or there is no event.
    """
    if not history:
        raise ValueError("a history without events has no time in which to publish it")
    arrivals = sorted(history, key=lambda arrival: arrival.arrived_at)
    start = arrivals[0].arrived_at
    end = until if until is not None else arrivals[-1].arrived_at + AFTERWARDS
    partitions = check_topics(AdminClient(dict(client)), prefix, start, end)
    with Lockstep(
        client=client,
        group=group,
        prefix=prefix,
        encoder=encoder or Encoder(),
        grid=TickGrid(tick_every, outages),
        partitions=partitions,
        start=start - timedelta.resolution,
        patience_seconds=patience_seconds,
        report=report,
    ) as lockstep:
        lockstep.begin()
        for part, until_then in _stretches(arrivals, start, end):
            lockstep.play(part, until_then)
    return end


def _stretches(
    arrivals: Sequence[Arrival], start: datetime, end: datetime
) -> Iterator[tuple[Sequence[Arrival], datetime]]:
    """The history in equal parts: they bound what is in flight, and give progress to report."""
    first = 0
    for number in range(1, _STRETCHES + 1):
        until = end if number == _STRETCHES else start + (end - start) * number / _STRETCHES
        last = bisect_right(arrivals, until, key=lambda arrival: arrival.arrived_at)
        yield arrivals[first:last], until
        first = last
