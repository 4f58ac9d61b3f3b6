"""Cases keep the ladder and the words of the version that they opened with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import PaymentFailed, Tick
from streams.policy import LoadedPolicy, load

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
FAILED = PaymentFailed(
    event_id="e-1", occurred_at=D0, customer_id="c-1", invoice_id="i-1", amount_minor=4_900, currency="USD"
)


@pytest.fixture
def changed(tmp_path: Path) -> LoadedPolicy:
    """Another word in the second mail."""
    path = tmp_path / "changed.yaml"
    path.write_text(
        "extends: care\n"
        "name: changed\n"
        "content:\n"
        "  en:\n"
        "    payment_failed_soft:\n"
        "      email: {subject: Other words, body: 'Another body, {{ total }}.'}\n"
    )
    return load(path)


def _second_mail(first: LoadedPolicy, then: LoadedPolicy) -> NotificationCommand:
    state = first.decide(None, FAILED, D0).state
    moment = D0 + timedelta(days=4)
    (command,) = then.decide(state, Tick(moment), moment).commands
    assert isinstance(command, NotificationCommand)
    return command


def test_a_case_keeps_its_words_while_its_version_is_known(changed: LoadedPolicy) -> None:
    care = load("care")
    command = _second_mail(care, changed.after(care))
    assert command.policy_version == care.version
    assert command.subject != "Other words"


def test_a_case_of_an_unknown_version_goes_by_the_present_one(changed: LoadedPolicy) -> None:
    command = _second_mail(load("care"), changed)
    assert command.policy_version == changed.version
    assert command.subject == "Other words"


def test_what_came_before_is_no_part_of_a_version(changed: LoadedPolicy) -> None:
    care = load("care")
    assert changed.after(care).version == changed.version
    assert changed.after(care, changed).policy.earlier.keys() == {care.version}
    assert "earlier" not in changed.document
