"""What whoever calls is told: the script, what is owed, and the customer's history in short."""

from datetime import timedelta

from msgspec.structs import replace

from streams.dunning.commands import NotificationCommand
from streams.dunning.contact_settings import CallSheet
from streams.dunning.events import Channel, FeedbackKind
from streams.dunning.variables import CALL_VARIABLES
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


def first_call(customer: Customer) -> NotificationCommand:
    return next(command for command in customer.sent if command.channel is Channel.PHONE)


def test_a_call_says_what_was_sent_and_what_became_of_it() -> None:
    customer = Customer(content=care().content)
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.DELIVERED)
    customer.failed(D0 + DAY, attempt=2)
    customer.until(D0 + 3 * DAY)
    customer.feedback(D0 + 3 * DAY, FeedbackKind.COMPLAINED)
    customer.until(D0 + 5 * DAY)

    call = first_call(customer)
    assert {name: call.variables[name] for name in sorted(CALL_VARIABLES & call.variables.keys())} == {
        "attempts": "2",
        "closed_channels": "email",
        "contacts_made": "2026-01-08 email d3_email delivered\n2026-01-05 email d0_email delivered",
        "customer_since": "2023-12-31",
        "open_since": "2026-01-05",
    }
    assert [line.invoice_id for line in call.invoices] == ["inv-1"]
    assert call.total_minor == 2000
    # The script, in the customer's words, with the rest for the agent's eyes.
    assert "$20.00" in call.body
    assert "- closed to us: email" in call.body
    assert "2026-01-08 email d3_email delivered" in call.body


def test_a_call_says_what_was_promised_and_when_they_last_responded() -> None:
    policy = care().policy
    anybody = tuple(
        replace(step, channels=(Channel.PHONE,)) if step.id == "d53_final_notice" else step
        for step in policy.campaigns["standard"].ladder
    )
    customer = Customer(
        replace(policy, campaigns={"standard": replace(policy.campaigns["standard"], ladder=anybody)})
    )
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.PROMISED, promised_until=local("2026-01-20 18:00"))
    customer.until(D0 + 54 * DAY)

    call = first_call(customer)
    assert call.step_id == "d53_final_notice"
    assert call.variables["responded_on"] == "2026-01-05"
    assert call.variables["promised_until"] == "2026-01-20"


def test_what_a_call_says_of_the_past_is_bounded() -> None:
    customer = Customer(replace(care().policy, call_sheet=CallSheet(contacts=2)))
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.until(D0 + 22 * DAY)

    lines = first_call(customer).variables["contacts_made"].splitlines()
    assert [line.split()[2] for line in lines] == ["d14_email", "d7_email"]


def test_no_other_message_is_told_of_the_past() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.until(D0 + 60 * DAY)

    for command in customer.sent:
        assert (command.channel is Channel.PHONE) is bool(CALL_VARIABLES & command.variables.keys())


def test_somebody_of_whom_little_is_known_is_called_all_the_same() -> None:
    policy = replace(care().policy, channels_without_profile=(Channel.PHONE,))
    customer = Customer(policy, content=care().content)
    customer.failed(local("2026-01-05 10:00", "UTC"))

    call = first_call(customer)
    assert {*CALL_VARIABLES & call.variables.keys()} == {"attempts", "open_since"}
    assert call.body
