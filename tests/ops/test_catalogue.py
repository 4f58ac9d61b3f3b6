import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families

from streams.dunning.commands import Missing, Outcome, ReasonCode
from streams.messages.errors import BadRecordCode
from streams.messages.topics import TOPICS, Direction
from streams.ops import CaseStage, EventOutcome, Metrics, PartitionFacts, catalogue
from streams.ops.catalogue import CATALOGUE
from streams.ops.definition import OTHER, Metric
from streams.ops.reference import render

from .examples import (
    FAILED,
    NOW,
    RECOVERED,
    FakeRecord,
    decision,
    notification,
    owing,
    reason,
    suspension,
)

BASE_UNITS = {"seconds", "bytes", "records", "offsets", "minor_units"}
INPUT = ("billing.payment-failed.v1", 3)


@pytest.fixture
def full(metrics: Metrics, commit: Callable[[], None]) -> Metrics:
    """Every method was called at least once."""
    metrics.policy_in_force("care", "abc")
    metrics.assigned([INPUT])
    metrics.restoring("customers", 3, 10, 5)
    metrics.recall_from(lambda _: PartitionFacts(NOW, (1, 2, 3, 4, 5, 6)))
    metrics.ready(3)
    blocked = reason(Outcome.BLOCKED, ReasonCode.GATE_NOT_MET, (Missing.FINAL_NOTICE,))
    suppressed = reason(Outcome.SUPPRESSED, ReasonCode.EXEMPT)
    metrics.event_decided(FAILED, None, decision(reason(), commands=(notification(), suspension())))
    metrics.event_decided(RECOVERED, owing(), decision(reason(Outcome.CLOSED, ReasonCode.PAID)))
    metrics.customer_due(decision(blocked, suppressed))
    metrics.partition_moved(3, PartitionFacts(NOW, (1, 2, 3, 4, 5, 6)))
    metrics.dead_letter("billing.payment-failed.v1", "not_avro")
    commit()
    metrics.committed({INPUT: 4})
    metrics.round_failed(cause="agent", error=ValueError("customer-secret"))
    metrics.poisoned(FakeRecord("dunning.tick.v1"), ValueError("customer-secret"))
    metrics.ticks_held(3, 2)
    metrics.lag({INPUT: 9})
    metrics.table_size("customers", 3, keys=100, size_bytes=2_000)
    metrics.agenda("customers", 3, earliest=1, due=4)
    metrics.inputs(8)
    metrics.transaction_ended(committed=True, duration_seconds=0.01)
    return metrics


def names_of(metric: Metric) -> set[str]:
    if metric.kind == "histogram":
        return {f"{metric.name}_bucket", f"{metric.name}_sum", f"{metric.name}_count"}
    return {metric.name}


def test_the_exposition_holds_the_catalogue_and_nothing_else(full: Metrics) -> None:
    text = generate_latest(full.registry).decode()
    families = list(text_string_to_metric_families(text))
    shown = {sample.name for family in families for sample in family.samples}
    assert shown == set().union(*map(names_of, CATALOGUE))
    by_name = {name: metric for metric in CATALOGUE for name in names_of(metric)}
    for family in families:
        for sample in family.samples:
            metric = by_name[sample.name]
            expected = {label.name for label in metric.labels}
            assert set(sample.labels) - {"le"} == expected
            assert family.type == ("gauge" if metric.kind == "info" else metric.kind)
            assert family.documentation == metric.meaning


def test_openmetrics_is_well_formed_and_names_units(full: Metrics) -> None:
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(encode(full.registry).decode())  # type: ignore[no-untyped-call]
    units = {family.name: family.unit for family in families}
    assert units == {re.sub("_(total|info)$", "", metric.name): metric.unit for metric in CATALOGUE}


def test_every_metric_is_there_from_the_start(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    assert set(re.findall("^# TYPE ([a-z_]+) ", text, re.MULTILINE)) == {each.name for each in CATALOGUE}


def test_every_definition_is_in_the_catalogue_once() -> None:
    defined = [value for value in vars(catalogue).values() if isinstance(value, Metric)]
    assert list(CATALOGUE) == defined
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"dunning(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.name.endswith("_info") == (metric.kind == "info")
    assert not metric.name.endswith(("_count", "_sum", "_bucket", "_created"))
    base = metric.name.removesuffix("_total")
    carried = next((unit for unit in BASE_UNITS if base.endswith(f"_{unit}")), "")
    assert metric.unit == carried
    assert metric.meaning.endswith(".")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert all(label.source for label in metric.labels)
    forbidden = {"customer", "customer_id", "case", "invoice", "subscription", "command", "event_id"}
    assert not forbidden & {label.name for label in metric.labels}


def test_nothing_that_names_a_customer_is_shown(full: Metrics) -> None:
    assert "secret" not in generate_latest(full.registry).decode()


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_labels_values_are_bounded(full: Metrics, metric: Metric) -> None:
    text = generate_latest(full.registry).decode()
    shown = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in names_of(metric)
    ]
    for label in metric.labels:
        values = {sample.labels[label.name] for sample in shown}
        assert values <= set(label.values) if label.values else len(values) <= label.limit
        assert OTHER not in values
        assert OTHER not in label.values


def test_what_the_catalogue_does_not_allow_counts_as_other(
    metrics: Metrics, commit: Callable[[], None], read: Callable[[str], dict[tuple[str, ...], float]]
) -> None:
    metrics.dead_letter("customer-secret", "card 4242")
    for number in range(150):
        metrics.event_decided(FAILED, None, decision(commands=(notification(f"template_{number}"),)))
    commit()
    assert read("dunning_dead_letters_total") == {(OTHER, OTHER): 1}
    sent = read("dunning_notification_commands_total")
    assert len(sent) == 101
    assert sent["email", "transactional", OTHER] == 50


def labels_of(metric: Metric) -> dict[str, tuple[str, ...]]:
    return {label.name: label.values for label in metric.labels}


def test_closed_sets_are_those_of_domain_and_contract() -> None:
    assert labels_of(catalogue.DECISIONS) == {"outcome": tuple(Outcome), "reason": tuple(ReasonCode)}
    assert labels_of(catalogue.CASES)["stage"] == tuple(CaseStage)
    assert labels_of(catalogue.EVENTS)["outcome"] == tuple(EventOutcome)
    assert labels_of(catalogue.DEAD_LETTERS)["reason"] == tuple(BadRecordCode)
    read = {Direction.INPUT, Direction.INTERNAL, Direction.CONTROL}
    inputs = {topic.kind for topic in TOPICS if topic.direction in read}
    assert set(labels_of(catalogue.EVENTS)["kind"]) == inputs
    assert labels_of(catalogue.NOTIFICATION_COMMANDS)["purpose"] == ("transactional", "marketing")
    assert labels_of(catalogue.ACCOUNT_COMMANDS)["action"] == ("suspend", "reactivate", "review")


def test_the_reference_tells_every_metric_label_and_value() -> None:
    text = render()
    for metric in CATALOGUE:
        section = text.split(f"### `{metric.name}`\n")[1].split("\n#")[0]
        assert metric.meaning in section
        assert metric.kind in section
        for label in metric.labels:
            assert f"- `{label.name}`: " in section
            assert all(f"`{value}`" in text for value in label.values)
    headings = {line[4:].lower().replace(" ", "-") for line in text.splitlines() if line.startswith("### ")}
    assert set(re.findall(r"\(#([a-z-]+)\)", text)) <= headings
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_reference_in_the_docs_is_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert path.read_text(encoding="utf-8") == render()
