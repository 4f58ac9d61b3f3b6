"""The channel that a customer prefers, and where it may take the place of a step's own."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streams.dunning.events import Channel, FeedbackKind
from streams.dunning.policy import Policy
from tests.dunning.customer import OLD_CARD, Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


def preferring(channel: Channel | None, *, policy: Policy | None = None, **more: Any) -> Customer:
    customer = Customer(policy)
    customer.profile(utc("2026-01-01 00:00"), preferred_channel=channel, **more)
    return customer


def went_out(customer: Customer) -> list[tuple[str, Channel]]:
    return [(command.step_id, command.channel) for command in customer.sent]


def test_reminders_go_by_the_preferred_channel_and_what_must_find_the_customer_keeps_its_own() -> None:
    customer = preferring(Channel.SMS)
    customer.failed(D0)
    customer.until(D0 + 60 * DAY)

    assert went_out(customer) == [
        ("d0_email", Channel.EMAIL),
        ("d3_email", Channel.SMS),
        ("d5_sms", Channel.SMS),
        ("d7_email", Channel.SMS),
        ("d14_email", Channel.SMS),
        ("d21_phone", Channel.PHONE),
        ("d35_phone", Channel.PHONE),
        ("d53_final_notice", Channel.EMAIL),
        ("d53_final_notice", Channel.LETTER),
    ]
    # The gate is met as ever.
    assert [action for action, _, _ in customer.deeds] == ["suspend"]


def test_the_first_contact_follows_a_preference_for_a_channel_without_hours() -> None:
    customer = preferring(Channel.IN_APP)
    customer.failed(local("2026-01-05 03:00"))

    assert went_out(customer) == [("d0_email", Channel.IN_APP)]


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
def test_what_cannot_wait_does_not_wait_for_a_preferred_channels_hours(channel: Channel) -> None:
    customer = preferring(channel)
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    night = local("2026-01-06 23:00")
    customer.failed(night)

    assert customer.steps == [("d0_email", D0), ("new_card_failed", night)]
    assert {each.channel for each in customer.sent} == {Channel.EMAIL}


@pytest.mark.parametrize("channel", [Channel.PHONE, Channel.LETTER])
def test_a_preference_that_the_policy_does_not_follow_changes_nothing(channel: Channel) -> None:
    customer, another = preferring(channel), preferring(None)
    for each in (customer, another):
        each.failed(D0)
        each.until(D0 + 20 * DAY)

    assert went_out(customer) == went_out(another)


@pytest.mark.parametrize("kind", [FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT])
def test_a_preferred_channel_that_has_ended_is_preferred_no_more(kind: FeedbackKind) -> None:
    customer = preferring(Channel.SMS)
    customer.failed(D0)
    customer.feedback(D0 + HOUR, kind, channel=Channel.SMS)
    customer.until(D0 + 4 * DAY)

    assert went_out(customer)[1:] == [("d3_email", Channel.EMAIL)]


def test_a_preferred_channel_without_an_address_is_none() -> None:
    customer = preferring(Channel.SMS, channels=[Channel.EMAIL])
    customer.failed(D0)
    customer.until(D0 + 4 * DAY)

    assert {each.channel for each in customer.sent} == {Channel.EMAIL}


def test_a_preferred_channel_keeps_to_its_hours_and_to_the_budget() -> None:
    customer = preferring(Channel.SMS, policy=replace(care().policy, contact_hour="06:00"))
    customer.failed(D0)
    customer.until(D0 + 8 * DAY)

    # The fourth contact in seven days waits for the next morning, and then for the window.
    assert customer.steps[1:] == [
        ("d3_email", local("2026-01-08 08:00")),
        ("d5_sms", local("2026-01-10 08:00")),
        ("d7_email", local("2026-01-12 08:00")),
    ]


def test_reminders_of_a_card_follow_and_those_of_a_renewal_can_be_kept() -> None:
    customer = preferring(Channel.IN_APP)
    customer.card_expiring(utc("2027-01-01 00:00"), OLD_CARD)
    customer.renewing(utc("2027-01-01 00:00"), local("2027-02-20 12:00"))
    customer.until(utc("2027-04-10 00:00"))

    channels = {command.step_id.split("_")[0]: command.channel for command in customer.sent}
    assert channels == {"card": Channel.IN_APP, "renewal": Channel.EMAIL}


def answering(policy: Policy) -> Policy:
    """Somebody who would rather be called may be, for the reminders."""
    return replace(policy, preferable_channels=(Channel.PHONE,))


def test_a_preferred_call_is_a_call_only_for_the_silent() -> None:
    silent = preferring(Channel.PHONE, policy=answering(care().policy))
    silent.failed(D0)
    silent.until(D0 + 4 * DAY)
    assert went_out(silent) == [("d0_email", Channel.EMAIL), ("d3_email", Channel.PHONE)]

    clicked = preferring(Channel.PHONE, policy=answering(care().policy))
    clicked.failed(D0)
    clicked.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    clicked.until(D0 + 4 * DAY)
    assert went_out(clicked) == [("d0_email", Channel.EMAIL), ("d3_email", Channel.EMAIL)]


def test_an_apology_goes_by_the_preferred_channel_at_once() -> None:
    customer = preferring(Channel.IN_APP)
    suspension = local("2026-03-06 09:00")
    customer.failed(D0)
    customer.until(suspension)
    night: datetime = suspension + 14 * HOUR
    customer.paid(suspension - HOUR, arrives=night)

    assert (customer.sent[-1].step_id, customer.sent[-1].channel) == ("apology", Channel.IN_APP)
