import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from streams.dunning.commands import DecisionRecord, NotificationCommand
from streams.dunning.events import CustomerEvent
from streams.messages.examples import EXAMPLES
from streams.messages.history import (
    MOST_PROBLEMS,
    HistoryError,
    Problem,
    parse_history,
    read_history,
    to_json_line,
)

from .strategies import events, moments
from .test_card_numbers import VISA

GOOD = {
    "type": "payment-failed",
    "event_id": "evt-1",
    "occurred_at": "2026-03-01T10:00:00Z",
    "customer_id": "cus-1",
    "invoice_id": "inv-1",
    "amount_minor": 1200,
    "currency": "USD",
}
FEEDBACK = {
    "type": "feedback",
    "event_id": "evt-2",
    "occurred_at": "2026-03-01T10:00:00Z",
    "customer_id": "cus-1",
    "command_id": "com-1",
    "channel": "email",
    "kind": "opened",
}
CARD = {"payment_method_id": "pm-1", "brand": "visa", "last4": "0341", "exp_month": 4, "exp_year": 2026}


def lines(*values: dict[str, Any]) -> list[str]:
    return [json.dumps(value) for value in values]


def problem_of(line: bytes | str) -> Problem:
    with pytest.raises(HistoryError) as caught:
        parse_history([line], source="h.jsonl")
    (problem,) = caught.value.problems
    assert problem.line == 1
    assert str(caught.value) == f"h.jsonl:1: {problem.sentence}"
    return problem


@given(event=events)
def test_events_come_back_as_they_were_written(event: CustomerEvent) -> None:
    (arrival,) = parse_history([to_json_line(event)], source="h")
    assert arrival.event == event
    assert arrival.arrived_at == event.occurred_at.replace(
        microsecond=event.occurred_at.microsecond // 1000 * 1000
    )


@given(event=events)
def test_the_time_of_arrival_is_written_and_read(event: CustomerEvent) -> None:
    (arrival,) = parse_history([to_json_line(event, arrived_at=event.occurred_at)], source="h")
    assert arrival.event == event


def test_arrival_orders_the_file_and_lines_break_ties() -> None:
    arrivals = parse_history(
        lines(
            GOOD | {"event_id": "third", "arrived_at": "2026-03-01T10:00:00.002Z"},
            GOOD | {"event_id": "first", "arrived_at": "2026-03-01T10:00:00.001999Z"},
            GOOD | {"event_id": "second", "arrived_at": "2026-03-01T10:00:00.001Z"},
        ),
        source="h",
    )
    assert [arrival.event.event_id for arrival in arrivals] == ["first", "second", "third"]
    assert arrivals[0].arrived_at == datetime(2026, 3, 1, 10, 0, 0, 1000, tzinfo=UTC)


def test_offsets_are_normalised_to_utc() -> None:
    (arrival,) = parse_history(lines(GOOD | {"occurred_at": "2026-03-01T10:00:00+05:30"}), source="h")
    assert arrival.event.occurred_at == datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    assert arrival.event.occurred_at.tzinfo is UTC


def test_a_file_with_empty_lines_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text("\n" + json.dumps(GOOD | {"arrived_at": None, "card": None}) + "\r\n\n")
    assert len(read_history(path)) == 1
    assert parse_history([], source="nothing") == []


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (GOOD | {"type": "refund"}, "type"),
        (GOOD | {"type": "tick"}, "type"),
        (GOOD | {"type": 3}, "type"),
        ({"event_id": "evt-1"}, "type"),
        (GOOD | {"amuont": 3}, "amuont"),
        (GOOD | {"card": CARD | {"number": "1"}}, "card.number"),
        (GOOD | {"card": {name: CARD[name] for name in ("brand", "last4")}}, "card.payment_method_id"),
        (GOOD | {"card": CARD | {"exp_month": "4"}}, "card.exp_month"),
        (GOOD | {"card": CARD | {"exp_month": 13}}, "card.exp_month"),
        ({name: value for name, value in GOOD.items() if name != "invoice_id"}, "invoice_id"),
        (GOOD | {"amount_minor": 12.5}, "amount_minor"),
        (GOOD | {"amount_minor": -1}, "amount_minor"),
        (GOOD | {"currency": "usd"}, "currency"),
        (GOOD | {"customer_id": ""}, "customer_id"),
        (GOOD | {"occurred_at": "2026-03-01T10:00:00"}, "occurred_at"),
        (GOOD | {"next_retry_at": "2026-03-04T10:00:00"}, "next_retry_at"),
        (GOOD | {"occurred_at": "yesterday"}, "occurred_at"),
        (GOOD | {"occurred_at": 1_772_000_000}, "occurred_at"),
        (GOOD | {"occurred_at": "9999-12-31T23:59:59-10:00"}, "occurred_at"),
        (GOOD | {"arrived_at": "2026-03-01T10:00:00"}, "arrived_at"),
        (GOOD | {"arrived_at": "2026-02-01T10:00:00Z"}, "occurred_at"),
        (GOOD | {"arrived_at": "2026-03-01"}, "arrived_at"),
        (GOOD | {"arrived_at": "2300-03-01T10:00:00Z"}, "arrived_at"),
        (GOOD | {"arrived_at": [3]}, "arrived_at"),
        (FEEDBACK | {"kind": "unknown"}, "kind"),
        (FEEDBACK | {"channel": "pigeon"}, "channel"),
        (FEEDBACK | {"text": f"card {VISA}"}, "text"),
        (FEEDBACK | {"text": "stop\x1b[2J"}, "text"),
        (GOOD | {"event_id": "evt\x1f1"}, "event_id"),
        (GOOD | {"card": CARD | {"brand": "visa\u2028"}}, "card.brand"),
    ],
)
def test_a_bad_line_is_named_by_its_field(line: dict[str, Any], field: str) -> None:
    assert problem_of(json.dumps(line)).field == field


@pytest.mark.parametrize("line", ["{", "[]", "3", "null", b"\xff\xfe", '{"type": "\\ud800"}', "\ud800"])
def test_what_is_no_object(line: bytes | str) -> None:
    assert problem_of(line).field in {None, "type"}


@pytest.mark.parametrize("depth", [900, 100_000])
def test_a_line_that_is_nested_too_deeply(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    for line in ("[" * depth, nested, f'{{"type": "feedback", "text": {nested}}}'):
        assert problem_of(line).field in {None, "text"}
    assert problem_of("[" * 100_000).message == "is nested too deeply"


@pytest.mark.parametrize(
    "line", [GOOD | {"a\x1b[2J": 1}, GOOD | {"type": "\x1b[2J"}, GOOD | {"currency": "\x1b"}]
)
def test_a_terminal_is_not_driven_by_what_is_wrong(line: dict[str, Any]) -> None:
    assert "\x1b" not in problem_of(json.dumps(line)).sentence


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text("\n".join(lines(GOOD, FEEDBACK)), encoding="utf-8-sig")
    assert len(read_history(path)) == 2
    assert len(parse_history(["\ufeff" + json.dumps(GOOD)], source="h")) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_another_encoding_is_told_once(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text("\n".join(lines(GOOD, GOOD)), encoding=encoding)
    with pytest.raises(HistoryError, match="save the file as UTF-8") as caught:
        read_history(path)
    assert len(caught.value.problems) == 1


def test_a_limit_is_told_as_people_say_it() -> None:
    message = problem_of(json.dumps(GOOD | {"arrived_at": "2027-06-01T10:00:00Z"})).message
    assert message == "is 457 days before the record's timestamp; the limit is 400 days"


def test_known_kinds_and_fields_are_listed() -> None:
    assert "payment-failed, card-expiring" in problem_of('{"type": "refund"}').message
    assert "invoice_id, amount_minor" in problem_of(json.dumps(GOOD | {"amuont": 3})).message


def test_a_card_number_is_not_repeated() -> None:
    for line in (FEEDBACK | {"text": VISA}, GOOD | {VISA: 1}, GOOD | {"type": VISA}):
        assert VISA not in problem_of(json.dumps(line)).sentence


def test_all_bad_lines_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("\n".join([*lines(GOOD | {"currency": "usd"}, GOOD), "{", *lines(GOOD | {"extra": 1})]))
    with pytest.raises(HistoryError) as caught:
        read_history(path)
    assert [problem.line for problem in caught.value.problems] == [1, 3, 4]
    told = str(caught.value).splitlines()
    assert told[0].startswith(f"{path}:1: currency: ")
    assert told[2].startswith(f"{path}:4: extra: is not a field")


def test_reading_stops_after_so_many_bad_lines() -> None:
    with pytest.raises(HistoryError, match=f"stopped after {MOST_PROBLEMS} bad lines") as caught:
        parse_history(["{"] * 1000, source="h")
    assert len(caught.value.problems) == MOST_PROBLEMS


def test_outputs_are_written_with_their_type_first() -> None:
    command = json.loads(to_json_line(EXAMPLES[NotificationCommand]))
    assert list(command)[:2] == ["type", "command_id"]
    assert command["type"] == "notification-command"
    assert command["decided_at"] == "2026-03-01T06:31:00Z"
    assert command["plan_id"] is None, "absent fields are null"
    decision = json.loads(to_json_line(EXAMPLES[DecisionRecord]))
    assert decision["type"] == "decision"
    assert "command_id" not in decision["outcomes"][0], "an outcome has only what applies"


@given(event=events, arrived_at=moments)
def test_a_line_is_one_line(event: CustomerEvent, arrived_at: datetime) -> None:
    line = to_json_line(event, arrived_at=arrived_at)
    assert "\n" not in line
    assert list(json.loads(line))[:2] == ["type", "arrived_at"]
