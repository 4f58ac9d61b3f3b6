from typing import Any

import pytest

from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand
from streams.dunning.events import PaymentFailed, Tick
from streams.messages.examples import EXAMPLES
from streams.messages.headers import event_headers, output_headers, trace_context

PARENT = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
STATE = ("tracestate", b"vendor=1")


def example(struct: type) -> Any:
    return EXAMPLES[struct]


def test_an_event_is_a_cloud_event() -> None:
    assert event_headers(example(PaymentFailed), source="/billing") == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"evt-0001"),
        ("ce_type", b"billing.payment-failed.v1"),
        ("ce_source", b"/billing"),
        ("ce_time", b"2026-03-01T06:30:00Z"),
        ("content-type", b"application/avro"),
    ]


def test_a_tick_is_named_by_its_time() -> None:
    assert dict(event_headers(example(Tick)))["ce_id"] == b"tick-2026-03-01T06:31:00Z"


@pytest.mark.parametrize("struct", [NotificationCommand, AccountCommand])
def test_a_commands_id_is_the_cloud_events(struct: type) -> None:
    headers = dict(output_headers(example(struct)))
    assert headers["ce_id"] == example(struct).command_id.encode()
    assert headers["ce_source"] == b"/dunning"


def test_a_decisions_id_is_the_cloud_events() -> None:
    headers = dict(output_headers(example(DecisionRecord)))
    assert headers["ce_id"] == example(DecisionRecord).decision_id.encode()
    assert headers["ce_type"] == b"dunning.decision.v1"


def test_the_trace_is_passed_on_and_nothing_else() -> None:
    received = [STATE, ("ce_id", b"evt-0001"), PARENT, ("traceparent", b"second"), ("x-internal", b"1")]
    assert output_headers(example(AccountCommand), received)[6:] == [PARENT, STATE]


@pytest.mark.parametrize(
    "received", [[], [STATE], [("traceparent", None), STATE], [("traceparent", b"0" * 513)]]
)
def test_no_trace_without_a_usable_parent(received: list[tuple[str, bytes | None]]) -> None:
    assert trace_context(received) == []
