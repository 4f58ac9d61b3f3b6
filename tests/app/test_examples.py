"""The histories that go through Kafka reach what they are named for: they report of real commands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeGuard

from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand, Outcome, ReasonCode
from streams.lab.simulate import simulate
from streams.messages.history import read_history
from streams.policy import load

from .harness import Output

EXAMPLES = Path(__file__).with_name("examples")
UNTIL = datetime(2026, 4, 10, tzinfo=UTC)


def outputs(name: str) -> list[Output]:
    """What comes of the history under the shipped policy."""
    return list(simulate(read_history(EXAMPLES / name), load("care"), UNTIL))


def is_message(output: Output) -> TypeGuard[NotificationCommand]:
    return isinstance(output, NotificationCommand)


def told(name: str) -> tuple[list[tuple[str, str]], set[ReasonCode]]:
    """What went out, in order, and every reason that was given."""
    said: list[tuple[str, str]] = []
    reasons: set[ReasonCode] = set()
    for output in outputs(name):
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


def test_another_segment_in_a_running_case() -> None:
    said, reasons = told("another-segment-in-a-running-case.jsonl")

    assert said == [
        # New for three months; the case stays one of somebody new.
        *[("d0_email", "email"), ("d3_email", "email"), ("d5_sms", "sms"), ("d7_email", "email")],
        *[("d14_email", "email"), ("d21_phone", "in_app")],
        *[("d0_email", "email"), ("d3_email", "email"), ("d5_sms", "sms"), ("d7_email", "email")],
        # At risk by then: reminded a week earlier.
        *[("renewal_14_at_risk", "email"), ("renewal_7", "email"), ("renewal_1", "email")],
    ]
    assert ReasonCode.SEGMENT_CHANGED in reasons
    messages = [each for each in outputs("another-segment-in-a-running-case.jsonl") if is_message(each)]
    assert [each.segment for each in messages] == ["new"] * 6 + ["standard"] * 4 + ["at_risk"] * 3
    scores = [each.risk.score for each in messages if each.risk is not None]
    assert scores[0] < scores[5] < scores[-1]


def test_retries_beyond_the_rules() -> None:
    warnings = [
        (reason.invoice_id, reason.reason, reason.until)
        for output in outputs("retries-beyond-the-rules.jsonl")
        if isinstance(output, DecisionRecord)
        for reason in output.outcomes
        if reason.outcome is Outcome.WARNED
    ]

    day = timedelta(days=1)
    first = datetime(2026, 1, 5, tzinfo=UTC)
    assert warnings == [
        ("retries-advice", ReasonCode.RETRY_FORBIDDEN, first + day + timedelta(hours=10)),
        ("retries-lost", ReasonCode.RETRY_FORBIDDEN, None),
        *[
            ("retries-daily", ReasonCode.RETRY_BUDGET_EXCEEDED, first + number * day + timedelta(hours=11))
            for number in (31, 32, 33)
        ],
    ]
    worded = [each.template for each in outputs("retries-beyond-the-rules.jsonl") if is_message(each)]
    # No message promises what the network forbids.
    assert (worded[0], worded[-1]) == ("payment_failed_hard", "payment_failed_hard")


def test_a_reminder_that_may_not_wait() -> None:
    said, reasons = told("a-reminder-that-may-not-wait.jsonl")

    assert said == [("d0_email", "email")] * 3 + [("renewal_7", "email"), ("renewal_1", "email")]
    assert ReasonCode.REQUIRED_REMINDER in reasons
