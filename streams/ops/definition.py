"""What the catalogue says of a metric."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["OTHER", "PREFIX", "Group", "Kind", "Label", "Metric"]

PREFIX = "dunning_"

OTHER = "other"
"""Stands for a label's value that is outside its closed set or beyond its limit: a metric must neither stop
the work nor grow without bound. Seeing it means that the catalogue has to be completed."""

Kind = Literal["counter", "gauge", "histogram", "info"]

Group = Literal["Dunning", "Inputs", "Rounds and state", "Worker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label: either with all its values, or with where they come from and how many there may be.

    Attributes:
        name: of the label.
        source: what the values are.
        values: the closed set; empty for an open one.
        limit: of an open set, the number of different values; what comes after counts as `OTHER`.
    """

    name: str
    source: str
    values: tuple[str, ...] = ()
    limit: int = 0

    def __post_init__(self) -> None:
        assert bool(self.values) != bool(self.limit), f"label {self.name}: a closed set or a limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: as it is queried; a histogram's without `_bucket`, `_sum` and `_count`.
        kind: what Prometheus takes it for.
        group: where the reference lists it.
        meaning: what it says, in a sentence or two.
        unit: base unit; the name ends with it, before `_total`. Empty for a plain number of things.
        labels: in the order of their values.
        buckets: upper bounds of a histogram.
    """

    name: str
    kind: Kind
    group: Group
    meaning: str
    unit: str = ""
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        assert self.name.startswith(PREFIX), f"{self.name} begins with {PREFIX}"
        assert bool(self.buckets) == (self.kind == "histogram"), f"{self.name}: buckets belong to a histogram"
