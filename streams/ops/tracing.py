"""Spans of decisions, for OpenTelemetry: one per decision, below whatever its input's `traceparent` names.

A span's id comes from the decision's, and so does the trace's if the input names none. A round that is given
up and run again makes the same span once more, not another; whoever has a decision finds its trace. Nothing
in a span names a customer.
"""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

__all__ = ["Tracer", "TracingExtraMissingError"]

Header = tuple[str, bytes | None]

_TRACE = ("traceparent", "tracestate")
_LOWER_64_BITS = 2**64 - 1


class TracingExtraMissingError(Exception):
    """The package was installed without OpenTelemetry."""

    def __init__(self) -> None:
        super().__init__(
            "tracing is on, and OpenTelemetry is not installed: install `dunning-streams[tracing]`"
        )


class Tracer:
    """Makes the spans, and sends them from a thread of its own.

    `OTEL_*` variables say where to (`OTEL_EXPORTER_OTLP_ENDPOINT`), which share (`OTEL_TRACES_SAMPLER`) and
    under which name (`OTEL_SERVICE_NAME`).

    Args:
        group: the worker's consumer group.
        processor: what spans are handed to; by default OpenTelemetry's batches, sent by OTLP over HTTP.

    Raises:
        TracingExtraMissingError: OpenTelemetry is not installed.
    """

    def __init__(self, group: str, processor: Any = None) -> None:
        try:
            # An extra, and a good part of a second that only those spend who want it.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
                TraceContextTextMapPropagator,
            )
        except ImportError as error:
            raise TracingExtraMissingError from error
        self._ids = _DecisionIds()
        self._provider = TracerProvider(id_generator=self._ids)  # type: ignore[arg-type]
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("dunning")
        self._propagator = TraceContextTextMapPropagator()
        self._kind, self._with_span = SpanKind.CONSUMER, set_span_in_context
        self._common = {"messaging.system": "kafka", "messaging.consumer.group.name": group}
        self._began_ns = 0

    def begin(self) -> None:
        """A decision is begun: its span will start here."""
        self._began_ns = time.time_ns()

    def decided(
        self,
        *,
        decision_id: str,
        kind: str,
        topic: str,
        partition: int,
        offset: int,
        headers: Sequence[Header],
        outcomes: Sequence[str],
        commands: int,
        policy_version: str,
    ) -> list[Header]:
        """Make the span of the decision that was begun last.

        Args:
            decision_id: a UUID.
            kind: of the input.
            topic: of the input; so are `partition`, `offset` and `headers`.
            partition: see there.
            offset: see there.
            headers: their trace context is the span's parent.
            outcomes: of the decision.
            commands: how many it made.
            policy_version: by which it was decided.

        Returns:
            The trace context for what the decision sends.
        """
        carrier = {
            name: value.decode(errors="replace")
            for name, value in reversed(headers)
            if name in _TRACE and value is not None
        }
        self._ids.decision = UUID(decision_id).int
        span = self._tracer.start_span(
            f"decide {kind}",
            self._propagator.extract(carrier),
            self._kind,
            {
                **self._common,
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.kafka.offset": offset,
                "dunning.decision_id": decision_id,
                "dunning.outcomes": tuple(outcomes),
                "dunning.commands": commands,
                "dunning.policy_version": policy_version,
            },
            start_time=self._began_ns or None,
        )
        span.end()
        carried: dict[str, str] = {}
        self._propagator.inject(carried, self._with_span(span))
        return [(name, carried[name].encode()) for name in _TRACE if name in carried]

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()


class _DecisionIds:
    """Gives OpenTelemetry the decision's id for ids of spans and traces."""

    decision = 0

    def generate_span_id(self) -> int:
        # A name-based UUID is a hash, and the variant's bits keep its lower half from being zero.
        return self.decision & _LOWER_64_BITS

    def generate_trace_id(self) -> int:
        return self.decision

    def is_trace_id_random(self) -> bool:
        return True
