"""The fold under a policy: its commands carry their words."""

from datetime import UTC, datetime, timedelta

from streams.dunning.commands import AccountCommand, Command, NotificationCommand
from streams.dunning.events import Card, Channel, CustomerProfile, PaymentFailed, Tick
from streams.policy import LoadedPolicy

START = datetime(2026, 1, 1, 15, 0, tzinfo=UTC)


def sent(care: LoadedPolicy, code: str, network: str | None = None) -> list[Command]:
    """What goes out in 70 days to a customer who never answers."""
    profile = CustomerProfile(
        event_id="e0",
        occurred_at=START,
        customer_id="c1",
        customer_since=START,
        timezone="America/New_York",
        locale="en-US",
        country="US",
        channels=tuple(Channel),
    )
    failure = PaymentFailed(
        event_id="e1",
        occurred_at=START,
        customer_id="c1",
        invoice_id="in_1",
        amount_minor=4900,
        currency="USD",
        decline_code=code,
        network=network,
        card=Card("pm_1", "visa", "4242", 3, 2027),
    )
    state = care.decide(None, profile, START).state
    decision = care.decide(state, failure, START)
    commands = list(decision.commands)
    for hour in range(70 * 24):
        clock = START + timedelta(hours=hour)
        decision = care.decide(decision.state, Tick(clock), clock)
        commands += decision.commands
    return commands


def test_a_silent_customer_is_written_to_called_and_told_the_date(care: LoadedPolicy) -> None:
    commands = sent(care, "insufficient_funds")
    notifications = [command for command in commands if isinstance(command, NotificationCommand)]
    assert all(command.body for command in notifications)
    assert all(command.policy_version == care.version for command in commands)
    assert [(command.step_id, command.channel.value) for command in notifications] == [
        ("d0_email", "email"),
        ("d3_email", "email"),
        ("d5_sms", "sms"),
        ("d7_email", "email"),
        ("d14_email", "email"),
        ("d21_phone", "phone"),
        ("d35_phone", "phone"),
        ("d53_final_notice", "email"),
        ("d53_final_notice", "letter"),
    ]
    assert isinstance(commands[-1], AccountCommand)
    assert notifications[0].subject == "We could not collect your payment of $49.00"
    assert "Visa ending in 4242" in notifications[0].body
    assert "March 2, 2026" in notifications[-1].body


def test_a_stolen_card_is_never_called_so(care: LoadedPolicy) -> None:
    notifications = [each for each in sent(care, "43", "visa") if isinstance(each, NotificationCommand)]
    assert notifications[0].template == "payment_failed_hard"
    for command in notifications:
        text = f"{command.subject} {command.body} {command.variables}".lower()
        assert not any(word in text for word in ("stolen", "fraud", "try again", "retry"))
