"""Reads PromQL far enough to hold it against the catalogue: names of metrics, and labels asked for."""

import re
from collections.abc import Iterator

from streams.ops.catalogue import CATALOGUE
from streams.ops.definition import OTHER, Metric

# What Prometheus itself adds to every series, and histograms to their buckets.
TARGET_LABELS = frozenset({"job", "instance"})

_SELECTOR = re.compile(r"\b(dunning_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'\s*([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*,?')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def problems(query: str) -> Iterator[str]:
    """What the query asks for that no worker says."""
    names: set[str] = set(TARGET_LABELS)
    for name, matchers in _SELECTOR.findall(query):
        metric = _metric(name)
        if metric is None:
            yield f"no metric is named {name}"
            continue
        labels = {label.name: label for label in metric.labels}
        names |= labels.keys() | ({"le"} if name.endswith("_bucket") else set())
        assert _MATCHER.sub("", matchers).strip() == "", f"cannot read {{{matchers}}}"
        for label, operator, value in _MATCHER.findall(matchers):
            if label in TARGET_LABELS:
                continue
            if label not in labels:
                yield f"{name} has no label {label}"
            elif labels[label].values and "$" not in value:
                asked = value.split("|") if operator in {"=~", "!~"} else [value]
                known = {*labels[label].values, OTHER}
                yield from (f"{name} never has {label}={each}" for each in asked if each not in known)
    for grouping in _GROUPING.findall(query):
        for label in filter(None, (each.strip() for each in grouping.split(","))):
            if label not in names:
                yield f"no metric of the query has the label {label}"


def metrics_of(query: str) -> set[str]:
    """The catalogue's names of the metrics that it asks for."""
    found = (_metric(name) for name, _ in _SELECTOR.findall(query))
    return {metric.name for metric in found if metric is not None}


def _metric(name: str) -> Metric | None:
    for metric in CATALOGUE:
        names = {metric.name}
        if metric.kind == "histogram":
            names = {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
        if name in names:
            return metric
    return None
