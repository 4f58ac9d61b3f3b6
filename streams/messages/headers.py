"""Record headers: CloudEvents 1.0 in binary mode (Kafka protocol binding) and W3C Trace Context."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand
from streams.dunning.events import Event, Tick
from streams.messages.policy_change import PolicyChange
from streams.messages.topics import topic_of

Header = tuple[str, bytes | None]

SOURCE = "/dunning"
"""`ce_source` of everything that the engine writes: a URI reference, as CloudEvents wants."""

CONTENT_TYPE = "application/avro"

_TRACE = ("traceparent", "tracestate")
# Trace Context asks for 512 characters of `tracestate` to be passed on at least; more is not our business.
_LONGEST_TRACE_BYTES = 512


def event_headers(event: Event | Tick | PolicyChange, *, source: str = SOURCE) -> list[Header]:
    """Give the headers of an input, for those who write inputs.

    Args:
        event: the input. A tick, which has no id of its own, is named by its time, a change by its number.
        source: who writes it, as a URI reference.
    """
    if isinstance(event, Tick):
        return _cloud_event(event, f"tick-{_rfc3339(event.now)}", event.now, source)
    if isinstance(event, PolicyChange):
        return _cloud_event(event, event.change_id, event.changed_at, source)
    return _cloud_event(event, event.event_id, event.occurred_at, source)


def output_headers(
    output: NotificationCommand | AccountCommand | DecisionRecord,
    received: Sequence[Header] = (),
    *,
    source: str = SOURCE,
) -> list[Header]:
    """Give the headers of a command or decision.

    Args:
        output: `ce_id` is its `command_id` or `decision_id`, `ce_time` its `decided_at`.
        received: headers of the input that it answers; its trace context is passed on.
        source: who writes it, as a URI reference.
    """
    identifier = output.decision_id if isinstance(output, DecisionRecord) else output.command_id
    return [*_cloud_event(output, identifier, output.decided_at, source), *trace_context(received)]


def trace_context(received: Sequence[Header]) -> list[Header]:
    """Give the trace context of a record's headers: the first `traceparent`, and the first `tracestate`.

    A `tracestate` without a `traceparent` means nothing and is left out, as are null and overlong values.
    """
    found: dict[str, bytes] = {}
    for name, value in received:
        if name in _TRACE and name not in found and value is not None and len(value) <= _LONGEST_TRACE_BYTES:
            found[name] = value
    return [(name, found[name]) for name in _TRACE if name in found] if _TRACE[0] in found else []


def _cloud_event(message: Struct, identifier: str, time: datetime, source: str) -> list[Header]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", identifier.encode()),
        ("ce_type", topic_of(message).name.encode()),
        ("ce_source", source.encode()),
        ("ce_time", _rfc3339(time).encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
