"""The histories that go through Kafka reach what they are named for: they report of real commands."""

from datetime import UTC, datetime
from pathlib import Path

from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand, ReasonCode
from streams.lab.simulate import simulate
from streams.messages.history import read_history
from streams.policy import load

EXAMPLES = Path(__file__).with_name("examples")
UNTIL = datetime(2026, 4, 10, tzinfo=UTC)


def told(name: str) -> tuple[list[tuple[str, str]], set[ReasonCode]]:
    """What went out, in order, and every reason that was given."""
    said: list[tuple[str, str]] = []
    reasons: set[ReasonCode] = set()
    for output in simulate(read_history(EXAMPLES / name), load("care"), UNTIL):
        if isinstance(output, NotificationCommand):
            said.append((output.step_id, output.channel.value))
        elif isinstance(output, AccountCommand):
            said.append((output.action, output.reason))
        elif isinstance(output, DecisionRecord):
            reasons |= {each.reason for each in output.outcomes}
    return said, reasons


def test_a_reply_that_waits_for_a_person() -> None:
    said, reasons = told("a-reply-that-waits-for-a-person.jsonl")

    assert said == [
        ("d0_email", "in_app"),
        ("review", "hold_for_reply"),
        ("d7_email", "in_app"),
        ("d14_email", "in_app"),
        ("d53_final_notice", "email"),
        ("suspend", "gate_met"),
    ]
    assert reasons >= {ReasonCode.REPLIED, ReasonCode.HOLD_FOR_REPLY, ReasonCode.PROMISE}


def test_mails_that_do_not_arrive() -> None:
    said, reasons = told("mails-that-do-not-arrive.jsonl")

    assert said == [
        ("d0_email", "email"),
        ("d0_email", "in_app"),
        ("d21_phone", "phone"),
        ("d3_email", "sms"),
        ("d7_email", "in_app"),
        ("d14_email", "in_app"),
        ("review", "no_live_channel"),
    ]
    assert reasons >= {ReasonCode.BROUGHT_FORWARD, ReasonCode.OPTED_OUT, ReasonCode.OPTED_IN}
