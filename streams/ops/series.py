"""The catalogue's metrics with their values, and what a round adds to them only when it is committed.

The values are plain numbers under one lock, handed to prometheus_client when it asks: a scrape never sees
half a round, and counting costs a dict access.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, product
from typing import TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import Metric as Family

from streams.ops.definition import OTHER, Metric

__all__ = ["Counter", "Gauge", "Histogram", "Info", "Series", "SeriesSet"]

LabelValues = tuple[str, ...]

# So many series of a counter with closed labels begin at zero, for `increase` and `rate` do not see a series
# come into being: the first dead letter would raise no alert.
_MOST_ZEROS = 256


class Series:
    """One metric of the catalogue. Whoever changes or reads its values holds the set's lock."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._values: dict[LabelValues, float] = {}
        self._seen: list[set[str]] = [set(label.values) for label in metric.labels]
        self._names = [label.name for label in metric.labels]

    def describe(self) -> Family:
        """The metric for the exposition, without values."""
        raise NotImplementedError

    def collect(self) -> Family:
        """The metric for the exposition, with its values."""
        raise NotImplementedError

    def commit(self) -> None:
        """The round is committed: what it staged counts."""

    def drop(self) -> None:
        """The round was given up: what it staged never was."""

    def _admit(self, labels: LabelValues) -> LabelValues:
        """The labels, with `OTHER` for what the catalogue does not allow."""
        if labels in self._values:
            return labels
        assert len(labels) == len(self._names), f"{self.metric.name} has the labels {self._names}"
        admitted: list[str] = []
        for label, seen, value in zip(self.metric.labels, self._seen, labels, strict=True):
            if value in seen:
                admitted.append(str(value))
            elif len(seen) < label.limit:
                seen.add(str(value))
                admitted.append(str(value))
            else:
                admitted.append(OTHER)
        return tuple(admitted)


class Counter(Series):
    """Only goes up."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._staged: dict[LabelValues, float] = {}
        closed = [label.values for label in metric.labels]
        zeros = list(product(*closed)) if all(closed) else []
        if len(zeros) <= _MOST_ZEROS:
            self._values = {tuple(map(str, labels)): 0.0 for labels in zeros}

    def stage(self, *labels: str, amount: float = 1) -> None:
        """Add when the round is committed."""
        staged = self._staged
        staged[labels] = staged.get(labels, 0) + amount

    def add(self, *labels: str, amount: float = 1) -> None:
        """Add now."""
        admitted = self._admit(labels)
        self._values[admitted] = self._values.get(admitted, 0) + amount

    def commit(self) -> None:
        """Add what was staged."""
        for labels, amount in self._staged.items():
            self.add(*labels, amount=amount)
        self._staged.clear()

    def drop(self) -> None:
        """Forget what was staged."""
        self._staged.clear()

    def describe(self) -> CounterMetricFamily:
        """The metric for the exposition, without values."""
        metric = self.metric
        return CounterMetricFamily(metric.name, metric.meaning, labels=self._names, unit=metric.unit)

    def collect(self) -> CounterMetricFamily:
        """The metric for the exposition, with its values."""
        family = self.describe()
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return family


class Gauge(Series):
    """A value that goes up and down.

    Args:
        metric: of the catalogue.
        reading: makes what is shown of what was set, at the moment of asking.
    """

    def __init__(self, metric: Metric, reading: Callable[[float], float] = float) -> None:
        super().__init__(metric)
        self._reading = reading
        self._staged: dict[LabelValues, float] = {}
        self._partition = self._names.index("partition") if "partition" in self._names else None

    def stage(self, *labels: str, value: float) -> None:
        """Set when the round is committed; of several values the last one counts."""
        self._staged[labels] = value

    def set(self, *labels: str, value: float) -> None:
        """Set now."""
        self._values[self._admit(labels)] = value

    def forget(self, partitions: Iterable[str]) -> None:
        """These partitions are another worker's now, and so are their values."""
        place = self._partition
        if place is not None:
            gone = frozenset(partitions)
            self._values = {
                labels: value for labels, value in self._values.items() if labels[place] not in gone
            }

    def commit(self) -> None:
        """Set what was staged."""
        for labels, value in self._staged.items():
            self.set(*labels, value=value)
        self._staged.clear()

    def drop(self) -> None:
        """Forget what was staged."""
        self._staged.clear()

    def describe(self) -> GaugeMetricFamily:
        """The metric for the exposition, without values."""
        metric = self.metric
        return GaugeMetricFamily(metric.name, metric.meaning, labels=self._names, unit=metric.unit)

    def collect(self) -> GaugeMetricFamily:
        """The metric for the exposition, with its values."""
        family = self.describe()
        for labels, value in self._values.items():
            family.add_metric(labels, self._reading(value))
        return family


class Histogram(Series):
    """How often a value fell under each bound; without labels."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        assert not metric.labels, f"{metric.name} has no labels"
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.metric.buckets, value)] += 1
        self._sum += value

    def describe(self) -> HistogramMetricFamily:
        """The metric for the exposition, without values."""
        return HistogramMetricFamily(self.metric.name, self.metric.meaning, unit=self.metric.unit)

    def collect(self) -> HistogramMetricFamily:
        """The metric for the exposition, with its values."""
        family = self.describe()
        bounds = [*(str(float(bound)) for bound in self.metric.buckets), "+Inf"]
        counts = accumulate(self._counts)
        family.add_metric(
            (), [(bound, float(count)) for bound, count in zip(bounds, counts, strict=True)], self._sum
        )
        return family


class Info(Series):
    """Facts in labels; there is one set of them at a time."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._facts: LabelValues = ()

    def set(self, *facts: str) -> None:
        """Say the facts, in the order of the labels."""
        assert len(facts) == len(self._names), f"{self.metric.name} has the labels {self._names}"
        self._facts = facts

    def describe(self) -> InfoMetricFamily:
        """The metric for the exposition, without values."""
        return InfoMetricFamily(self.metric.name.removesuffix("_info"), self.metric.meaning)

    def collect(self) -> InfoMetricFamily:
        """The metric for the exposition, with its values."""
        family = self.describe()
        if self._facts:
            family.add_metric((), dict(zip(self._names, self._facts, strict=True)))
        return family


_S = TypeVar("_S", bound=Series)


class SeriesSet:
    """All metrics of a catalogue, as a collector of prometheus_client.

    Args:
        catalogue: the metrics.
        readings: how gauges are read that show something else than what was set, by name.

    Attributes:
        lock: to be held while values are changed; staging needs none, it belongs to the thread of the rounds.
    """

    def __init__(self, catalogue: Sequence[Metric], readings: dict[str, Callable[[float], float]]) -> None:
        self.lock = threading.Lock()
        self._series = {
            metric.name: _series(metric, readings.get(metric.name, float)) for metric in catalogue
        }

    def of(self, metric: Metric, kind: type[_S]) -> _S:
        """The series of a metric of the catalogue."""
        series = self._series[metric.name]
        assert isinstance(series, kind), f"{metric.name} is a {metric.kind}"
        return series

    def commit(self) -> None:
        """What the round staged counts."""
        for series in self._series.values():
            series.commit()

    def drop(self) -> None:
        """What the round staged is forgotten."""
        for series in self._series.values():
            series.drop()

    def forget(self, partitions: Iterable[int]) -> None:
        """Report nothing about these partitions any more."""
        gone = [str(partition) for partition in partitions]
        for series in self._series.values():
            if isinstance(series, Gauge):
                series.forget(gone)

    def describe(self) -> Iterator[Family]:
        """For the registry: the names."""
        return (series.describe() for series in self._series.values())

    def collect(self) -> Iterator[Family]:
        """For the registry: names and values, all of the same moment."""
        with self.lock:
            return iter([series.collect() for series in self._series.values()])


def _series(metric: Metric, reading: Callable[[float], float]) -> Series:
    match metric.kind:
        case "counter":
            return Counter(metric)
        case "gauge":
            return Gauge(metric, reading)
        case "histogram":
            return Histogram(metric)
        case "info":
            return Info(metric)
