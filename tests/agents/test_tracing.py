"""A trace goes through a decision to what it sends; with OpenTelemetry the decision is a span of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streams.dunning.events import PaymentFailed
from streams.engine import Batch, Headers, Output, Record
from streams.engine.tables import take_in_hand
from streams.messages.topics import DEAD_LETTERS
from streams.ops.tracing import Tracer
from streams.policy import load

from .partition import Partition

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
RECEIVED: Headers = [
    ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01".encode()),
    ("tracestate", b"shop=kiel"),
    ("other", b"?"),
]


class Message:
    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def headers(self) -> Headers:
        return self._headers


class Spans:
    """A tracer that keeps its spans."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = Tracer("dunning", SimpleSpanProcessor(self._exporter))

    @property
    def made(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    return Partition(tmp_path, load("care"))


def _record(partition: Partition, headers: Headers = RECEIVED, customer_id: str = "ada") -> Record:
    event = PaymentFailed(
        event_id=f"e-{customer_id}",
        occurred_at=D0,
        customer_id=customer_id,
        invoice_id="i-1",
        amount_minor=4_900,
        currency="USD",
    )
    record = partition.record(event, D0)
    record.source = Message(headers)
    return record


def _outputs(partition: Partition, record: Record) -> list[Output]:
    """What a round sends that is then given up."""
    take_in_hand(partition._tables.open(0))
    batch = Batch(0, [record])
    with partition.desk.sitting(batch) as sitting:
        for each in batch:
            sitting.decide(each)
    return [each for each in batch.outputs if each.topic != DEAD_LETTERS.name]


def _trace(output: Output) -> dict[str, bytes | None]:
    return {name: value for name, value in output.headers if name in {"traceparent", "tracestate"}}


def test_without_a_tracer_the_inputs_trace_is_carried_on(partition: Partition) -> None:
    outputs = _outputs(partition, _record(partition))
    assert len(outputs) == 2
    assert all(_trace(each) == dict(RECEIVED[:2]) for each in outputs)


def test_a_decision_is_a_span_below_its_input_and_above_what_it_sends(partition: Partition) -> None:
    spans = Spans()
    partition.desk.tracer = spans.tracer
    outputs = _outputs(partition, _record(partition))
    (span,) = spans.made
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE_ID, PARENT_ID)
    assert span.name == "decide payment-failed"
    attributes = span.attributes or {}
    assert attributes["messaging.destination.name"] == "billing.payment-failed.v1"
    assert attributes["dunning.commands"] == 1
    assert "sent" in attributes["dunning.outcomes"]  # type: ignore[operator]
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time
    below = f"00-{TRACE_ID}-{span.context.span_id:016x}-01".encode()
    assert all(_trace(each) == {"traceparent": below, "tracestate": b"shop=kiel"} for each in outputs)
    assert "ada" not in span.to_json()


def test_a_round_that_is_run_again_makes_the_same_span(tmp_path: Path, partition: Partition) -> None:
    spans = Spans()
    another = Partition(tmp_path / "another", load("care"))
    for each in (partition, another):
        each.desk.tracer = spans.tracer
        _outputs(each, _record(each, ()))
    first, second = (span.context for span in spans.made)
    assert first == second
    assert first is not None
    decision_id = UUID(str((spans.made[0].attributes or {})["dunning.decision_id"]))
    assert first.trace_id == decision_id.int


def test_what_becomes_due_is_a_span_each(partition: Partition) -> None:
    spans = Spans()
    partition.take(*(_record(partition, (), customer_id) for customer_id in ("ada", "ben")))
    partition.desk.tracer = spans.tracer
    partition.tick(D0 + timedelta(days=4))
    assert [span.name for span in spans.made] == ["decide tick"] * 2
    assert len({span.context.trace_id for span in spans.made if span.context}) == 2


@pytest.mark.parametrize("value", [b"nonsense", b"", None, b"\xff"])
def test_a_trace_that_is_none_begins_a_new_one(partition: Partition, value: bytes | None) -> None:
    spans = Spans()
    partition.desk.tracer = spans.tracer
    _outputs(partition, _record(partition, [("traceparent", value)]))
    (span,) = spans.made
    assert span.parent is None
