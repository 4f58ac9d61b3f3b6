"""The reference of the metrics, made from the catalogue: `docs/metrics.md`."""

from collections import Counter
from itertools import groupby

from streams.ops.catalogue import CATALOGUE
from streams.ops.definition import OTHER, Label, Metric

__all__ = ["render"]

_HEAD = f"""# Metrics

<!-- Made from streams/ops/catalogue.py by `python -m streams.cli.docs`; do not edit. -->

A worker serves them at `/metrics`, in the text format of Prometheus or as OpenMetrics, as asked for. No label
holds a customer, a case, an invoice or a command. Every label has a closed set of values or a limit; what
lies outside is counted as `{OTHER}`.

Counters of what rounds do count committed rounds only: work that was given up and run again counts once. They
count in one process and begin at zero with it, so query them with `rate` or `increase`; exact totals over all
workers and restarts lie in the output topics. Gauges with a `partition` are reported by the worker that holds
the partition, and by no other.
"""

# Values of labels that several metrics share are listed once, at the end.
_SHARED = {
    label
    for label, times in Counter(label for metric in CATALOGUE for label in metric.labels).items()
    if times > 1 and label.values
}


def render() -> str:
    """The reference as Markdown."""
    sections = [_HEAD]
    for group, metrics in groupby(CATALOGUE, key=lambda metric: metric.group):
        sections.append(f"## {group}\n")
        sections.extend(_metric(metric) for metric in metrics)
    sections.append("## Values of shared labels\n")
    sections.extend(
        f"### {_title(label)}\n\n{_values(label)}\n"
        for label in sorted(_SHARED, key=lambda label: (label.name, label.source))
    )
    return "\n".join(sections)


def _metric(metric: Metric) -> str:
    facts = [metric.kind] + ([f"in {metric.unit.replace('_', ' ')}"] if metric.unit else [])
    lines = [f"### `{metric.name}`", "", f"{metric.meaning} ({', '.join(facts)})", ""]
    if metric.buckets:
        lines += [f"- buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}"]
    lines += [f"- `{label.name}`: {_described(label)}" for label in metric.labels]
    if metric.buckets or metric.labels:
        lines.append("")
    return "\n".join(lines)


def _described(label: Label) -> str:
    if label in _SHARED:
        anchor = _title(label).lower().replace(" ", "-")
        return f"[{label.source}](#{anchor})"
    return f"{label.source}; {_values(label)}" if label.values else f"{label.source}; at most {label.limit:,}"


def _title(label: Label) -> str:
    return label.source[0].upper() + label.source[1:]


def _values(label: Label) -> str:
    return ", ".join(f"`{value}`" for value in label.values)
