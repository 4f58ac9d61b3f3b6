"""Channels: which reach a customer, and what becomes of a message that did not arrive."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel, FeedbackKind
from streams.dunning.reply_words import ReplyWords
from streams.dunning.state import ContactStatus
from tests.dunning.customer import Customer, care, local, utc

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
D0 = local("2026-01-05 10:00")


@pytest.fixture
def customer() -> Customer:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"))
    return customer


def channels_of(customer: Customer) -> list[Channel]:
    return [command.channel for command in customer.sent]


@pytest.mark.parametrize("kind", [FeedbackKind.BOUNCED_HARD, FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT])
def test_a_channel_that_has_ended_is_not_used_again(customer: Customer, kind: FeedbackKind) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, kind)
    customer.until(D0 + 55 * DAY)

    assert Channel.EMAIL not in channels_of(customer)[1:]
    reason = ReasonCode.OPTED_OUT if kind is FeedbackKind.OPTED_OUT else ReasonCode.CHANNEL_ENDED
    assert customer.said(Outcome.RECORDED, reason)[0].channel is Channel.EMAIL


def test_a_first_contact_that_bounces_goes_by_the_next_channel_at_once(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)

    assert [(command.step_id, command.channel, command.decided_at) for command in customer.sent] == [
        ("d0_email", Channel.EMAIL, D0),
        ("d0_email", Channel.IN_APP, D0 + HOUR),
    ]


@pytest.mark.parametrize("kind", [FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT])
def test_a_message_that_was_answered_with_an_opt_out_has_arrived(
    customer: Customer, kind: FeedbackKind
) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, kind)

    assert len(customer.sent) == 1
    assert customer.state.contacts[0].status is ContactStatus.DELIVERED


def test_a_later_step_that_bounces_waits_for_the_next_channels_window() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL, Channel.SMS])
    customer.failed(D0)
    customer.until(D0 + 3 * DAY)
    customer.feedback(local("2026-01-08 22:00"), FeedbackKind.BOUNCED_HARD)
    customer.until(D0 + 4 * DAY)

    last = customer.sent[-1]
    assert (last.step_id, last.channel, last.decided_at) == (
        "d3_email",
        Channel.SMS,
        local("2026-01-09 08:00"),
    )


def test_a_soft_bounce_is_tried_once_more_after_a_day(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_SOFT)
    customer.until(D0 + DAY + 2 * HOUR)
    assert customer.steps == [("d0_email", D0), ("d0_email", D0 + DAY + HOUR)]
    assert len({command.command_id for command in customer.sent}) == 2

    customer.feedback(D0 + DAY + 2 * HOUR, FeedbackKind.BOUNCED_SOFT)
    customer.until(D0 + 3 * DAY - 2 * HOUR)
    assert len(customer.sent) == 2


def test_a_bounce_of_a_message_that_a_later_one_made_up_for_changes_nothing(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(D0 + 6 * DAY)
    customer.feedback(D0 + 6 * DAY, FeedbackKind.BOUNCED_SOFT, customer.sent[1])
    customer.until(D0 + 8 * DAY)

    assert customer.step_ids == ["d0_email", "d3_email", "d5_sms", "d7_email"]


def test_a_bounced_message_about_a_new_card_is_sent_again(customer: Customer) -> None:
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    customer.failed(D0 + DAY + HOUR)
    commands = customer.feedback(D0 + DAY + 2 * HOUR, FeedbackKind.BOUNCED_HARD)

    assert [(command.step_id, command.channel) for command in customer.sent[-1:]] == [
        ("new_card_failed", Channel.IN_APP)
    ]
    assert len(commands) == 1
    assert customer.said(Outcome.DEFERRED, ReasonCode.BOUNCED, step="new_card_failed")


def test_a_bounced_reminder_is_sent_again_by_another_channel(customer: Customer) -> None:
    customer.renewing(utc("2026-02-20 00:00"), local("2026-03-15 09:00"))
    customer.until(local("2026-03-08 09:00"))
    customer.feedback(local("2026-03-08 10:00"), FeedbackKind.BOUNCED_HARD)
    customer.until(local("2026-03-09 09:00"))

    assert channels_of(customer) == [Channel.EMAIL, Channel.IN_APP]


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        ([FeedbackKind.DELIVERED, FeedbackKind.BOUNCED_SOFT], ContactStatus.BOUNCED),
        ([FeedbackKind.BOUNCED_SOFT, FeedbackKind.DELIVERED], ContactStatus.BOUNCED),
        ([FeedbackKind.BOUNCED_SOFT, FeedbackKind.CLICKED], ContactStatus.RESPONDED),
        ([FeedbackKind.CLICKED, FeedbackKind.BOUNCED_HARD], ContactStatus.RESPONDED),
    ],
)
def test_a_bounce_outweighs_a_delivery_and_an_answer_outweighs_a_bounce(
    customer: Customer, reported: list[FeedbackKind], kept: ContactStatus
) -> None:
    customer.failed(D0)
    (email,) = customer.sent
    for hours, kind in enumerate(reported, start=1):
        customer.feedback(D0 + hours * HOUR, kind, email)

    assert customer.state.contacts[0].status is kept


def test_opting_out_of_everything_ends_every_channel_and_the_log_says_why(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.OPTED_OUT, scope="all")
    customer.until(D0 + 59 * DAY)

    assert len(customer.sent) == 1
    silent = {each.step_id for each in customer.said(Outcome.SUPPRESSED, ReasonCode.NO_LIVE_CHANNEL)}
    assert silent == {
        "d3_email",
        "d5_sms",
        "d7_email",
        "d14_email",
        "d21_phone",
        "d35_phone",
        "d53_final_notice",
    }


def test_opting_in_again_restores_the_channel_and_the_later_word_counts(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.OPTED_OUT)
    customer.feedback(D0 + 3 * HOUR, FeedbackKind.OPTED_IN)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_OUT, arrives=D0 + 4 * HOUR)
    assert customer.said(Outcome.IGNORED, ReasonCode.STALE)
    customer.until(D0 + 4 * DAY)

    assert channels_of(customer)[-1] is Channel.EMAIL


def test_the_scope_of_a_hard_bounce_is_its_channel(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD, scope="all")

    assert set(customer.state.failed_addresses) == {Channel.EMAIL}
    assert customer.state.channels == {}


def test_a_letter_is_the_last_resort() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.LETTER])
    customer.failed(D0)
    customer.until(D0 + 60 * DAY)

    assert set(channels_of(customer)) == {Channel.LETTER}
    assert customer.step_ids.count("d53_final_notice") == 1


def test_a_step_by_a_channel_that_is_not_on_file_falls_to_the_first_that_is() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[Channel.EMAIL, Channel.PHONE])
    customer.failed(D0)
    customer.until(D0 + 6 * DAY)

    assert [(command.step_id, command.channel) for command in customer.sent] == [
        ("d0_email", Channel.EMAIL),
        ("d3_email", Channel.EMAIL),
        ("d5_sms", Channel.EMAIL),
    ]


def test_a_customer_without_a_profile_is_written_to() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.until(D0 + 59 * DAY)

    assert set(channels_of(customer)) == {Channel.EMAIL}
    # Without a zone of their own their day begins at nine UTC.
    assert customer.steps[1] == ("d3_email", utc("2026-01-08 09:00"))


def test_a_profile_without_any_channel_is_told_nothing_and_the_log_says_why() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=[])
    customer.failed(D0)
    customer.until(D0 + 120 * DAY)

    assert customer.sent == []
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.NO_LIVE_CHANNEL, step="d0_email")
    assert customer.deeds == [("review", "sub-1", D0)]
    assert customer.actions[0].reason == "no_live_channel"


def test_feedback_about_something_unknown_is_recorded(customer: Customer) -> None:
    customer.failed(D0)
    stranger = customer.sent[0]
    other = Customer()
    other.feedback(D0, FeedbackKind.PROMISED, stranger)
    other.feedback(D0, FeedbackKind.BOUNCED_HARD, stranger)
    other.feedback(D0, FeedbackKind.BOUNCED_SOFT, stranger)

    assert other.commands == []
    assert other.state.promised_until is None


# The customer's own word, and addresses.


@pytest.mark.parametrize(
    "text", ["STOP", "stop", " Stop! ", "opt-out", "Arrêt.", "STOPP", "Baja", "停止", "配信停止。"]
)
def test_a_reply_that_says_stop_ends_the_channel_in_any_language(customer: Customer, text: str) -> None:
    customer.failed(D0)
    customer.until(D0 + 5 * DAY)
    assert customer.sent[-1].channel is Channel.SMS
    customer.feedback(D0 + 5 * DAY, FeedbackKind.REPLIED, text=text)
    customer.until(D0 + 20 * DAY)

    assert customer.said(Outcome.RECORDED, ReasonCode.OPTED_OUT)[0].channel is Channel.SMS
    assert not customer.state.channels[Channel.SMS].alive
    # It is no answer to the debt: the mails go on, and nobody is held up.
    assert customer.step_ids[-2:] == ["d7_email", "d14_email"]
    assert customer.state.responded_at is None


@pytest.mark.parametrize("text", ["Please stop charging my old card", "the end of the month", "", "x" * 5000])
def test_any_other_reply_is_for_a_person_to_read(customer: Customer, text: str) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.REPLIED, text=text)

    assert customer.state.channels == {}
    assert customer.said(Outcome.HELD, ReasonCode.HOLD_FOR_REPLY)


def test_stop_all_ends_every_channel_and_start_opens_the_one_it_came_by(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.REPLIED, text="STOPALL")
    assert not any(word.alive for word in customer.state.channels.values())
    assert len(customer.state.channels) == len(Channel)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.REPLIED, text="START", channel=Channel.SMS)
    customer.until(D0 + 4 * DAY)

    assert [reason.channel for reason in customer.said(Outcome.RECORDED, ReasonCode.OPTED_IN)] == [
        Channel.SMS
    ]
    assert channels_of(customer)[1:] == [Channel.SMS]


def test_a_policy_may_have_words_of_its_own() -> None:
    words = ReplyWords(opt_out={"it": ("BASTA",)}, opt_in={"it": ("AVANTI",)})
    customer = Customer(replace(care().policy, reply_words=words))
    customer.profile(utc("2026-01-01 00:00"))
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.REPLIED, text="Basta")
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.REPLIED, text="STOP")

    assert [*customer.state.channels] == [Channel.EMAIL]
    assert customer.said(Outcome.RECORDED, ReasonCode.REPLIED)


def test_opting_in_to_everything_does_not_mend_an_address(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    email = customer.sent[0]
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_OUT, scope="all")
    customer.feedback(D0 + 3 * HOUR, FeedbackKind.OPTED_IN, email, scope="all")
    customer.until(D0 + 4 * DAY)
    assert Channel.EMAIL not in channels_of(customer)[1:]

    customer.feedback(D0 + 4 * DAY, FeedbackKind.OPTED_IN, email)
    customer.until(D0 + 8 * DAY)
    assert channels_of(customer)[-1] is Channel.EMAIL


def test_a_new_address_is_tried_and_an_opt_out_outlives_it(customer: Customer) -> None:
    without = [channel for channel in Channel if channel not in {Channel.EMAIL, Channel.SMS}]
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD, channel=Channel.SMS)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_OUT, channel=Channel.SMS)
    # A profile that says the same again says nothing of a new address.
    customer.profile(D0 + 3 * HOUR)
    assert set(customer.state.failed_addresses) == {Channel.EMAIL, Channel.SMS}
    customer.profile(D0 + 4 * HOUR, channels=without)
    customer.profile(D0 + 5 * HOUR)
    customer.until(D0 + 6 * DAY)

    assert customer.state.failed_addresses == {}
    restored = {reason.channel for reason in customer.said(Outcome.RECORDED, ReasonCode.CHANNEL_RESTORED)}
    assert restored == {Channel.EMAIL, Channel.SMS}
    assert Channel.EMAIL in channels_of(customer)[1:]
    assert Channel.SMS not in channels_of(customer)


def test_a_bounce_from_before_the_customer_wrote_from_there_is_past(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_IN)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD, customer.sent[0], arrives=D0 + 3 * HOUR)

    assert customer.state.failed_addresses == {}
    assert customer.said(Outcome.IGNORED, ReasonCode.STALE)


# Nobody can be reached.


def test_a_person_is_asked_to_look_once_when_nothing_is_left(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.OPTED_OUT, scope="all")
    customer.until(D0 + 200 * DAY)

    assert customer.deeds == [("review", "sub-1", local("2026-01-08 09:00"))]
    (reason,) = customer.said(Outcome.REVIEWED)
    assert (reason.reason, reason.step_id) == (ReasonCode.NO_LIVE_CHANNEL, "d3_email")


def test_each_case_that_falls_silent_is_looked_at(customer: Customer) -> None:
    customer.failed(D0)
    customer.failed(D0, "inv-2", subscription="sub-2")
    customer.feedback(D0 + HOUR, FeedbackKind.OPTED_OUT, scope="all")
    customer.until(D0 + 4 * DAY)

    assert {(action, subscription) for action, subscription, _ in customer.deeds} == {
        ("review", "sub-1"),
        ("review", "sub-2"),
    }


# A call brought forward.


def calls(customer: Customer) -> list[tuple[str, datetime]]:
    return [(each.step_id, each.decided_at) for each in customer.sent if each.channel is Channel.PHONE]


NEXT_MORNING = local("2026-01-07 09:00")


@pytest.mark.parametrize("kind", [FeedbackKind.BOUNCED_HARD, FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT])
def test_somebody_calls_earlier_where_mails_do_not_arrive(customer: Customer, kind: FeedbackKind) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, kind)
    customer.until(D0 + 50 * DAY)

    # A day after the report, at the contact hour; the second call keeps its day.
    assert calls(customer) == [("d21_phone", NEXT_MORNING), ("d35_phone", local("2026-02-09 09:00"))]
    (said,) = customer.said(Outcome.UPDATED, ReasonCode.BROUGHT_FORWARD)
    assert (said.step_id, said.until) == ("d21_phone", NEXT_MORNING)
    assert customer.said(Outcome.SENT, ReasonCode.BROUGHT_FORWARD, step="d21_phone")


def test_a_mail_that_bounces_again_after_a_day_brings_a_call(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_SOFT)
    assert not customer.said(Outcome.UPDATED, ReasonCode.BROUGHT_FORWARD)
    customer.until(D0 + 2 * DAY - HOUR)
    customer.feedback(D0 + 2 * DAY - HOUR, FeedbackKind.BOUNCED_SOFT)
    customer.until(D0 + 4 * DAY)

    # The call is the last step that is due: the mail of that day is left out.
    assert calls(customer) == [("d21_phone", local("2026-01-08 09:00"))]
    assert customer.said(Outcome.SUPERSEDED, step="d3_email")


def test_who_has_responded_is_not_called_earlier_either(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_OUT)
    customer.until(D0 + 50 * DAY)

    assert calls(customer) == []


def test_who_responds_before_the_call_is_not_called(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.CLICKED)
    customer.until(D0 + 50 * DAY)

    assert calls(customer) == []
    assert customer.said(Outcome.SUPPRESSED, ReasonCode.CUSTOMER_RESPONDED, step="d21_phone")


def test_a_text_that_does_not_arrive_brings_no_call(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(D0 + 5 * DAY)
    customer.feedback(D0 + 5 * DAY, FeedbackKind.BOUNCED_HARD)
    customer.until(D0 + 20 * DAY)

    assert calls(customer) == []


def test_an_end_that_a_later_word_has_undone_brings_no_call(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_IN)
    customer.feedback(D0 + HOUR, FeedbackKind.OPTED_OUT, arrives=D0 + 3 * HOUR)
    customer.until(D0 + 20 * DAY)

    assert calls(customer) == []


def test_a_call_is_never_put_off_by_being_brought_forward(customer: Customer) -> None:
    customer.failed(D0)
    customer.until(D0 + 20 * DAY)
    customer.feedback(D0 + 20 * DAY, FeedbackKind.BOUNCED_HARD, customer.sent[-1])
    customer.until(D0 + 22 * DAY)

    assert calls(customer) == [("d21_phone", local("2026-01-26 09:00"))]


def test_a_call_keeps_to_its_hours_and_to_the_budget(customer: Customer) -> None:
    friday = local("2026-01-09 10:00")
    customer.failed(friday)
    customer.feedback(friday + HOUR, FeedbackKind.BOUNCED_HARD)
    customer.until(friday + 5 * DAY)

    # A day after Friday noon is Saturday, and the next contact hour a Sunday's: nobody is called then.
    ((step, at),) = calls(customer)
    assert (step, at) == ("d21_phone", local("2026-01-12 08:00"))


def test_what_bounces_after_an_early_call_is_sent_again(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    customer.until(D0 + 3 * DAY)
    assert [each.channel for each in customer.sent[-2:]] == [Channel.PHONE, Channel.PUSH]
    customer.feedback(D0 + 3 * DAY, FeedbackKind.BOUNCED_HARD)
    customer.until(D0 + 4 * DAY)

    assert (customer.sent[-1].step_id, customer.sent[-1].channel) == ("d3_email", Channel.SMS)


def test_an_early_call_makes_up_for_what_bounced_before_it(customer: Customer) -> None:
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_HARD)
    in_app = customer.sent[-1]
    customer.until(D0 + 2 * DAY)
    customer.feedback(D0 + 2 * DAY, FeedbackKind.BOUNCED_HARD, in_app)
    customer.until(D0 + 3 * DAY - 2 * HOUR)

    assert [each.channel for each in customer.sent] == [Channel.EMAIL, Channel.IN_APP, Channel.PHONE]


# Exemption.


def test_an_exempt_customer_gets_nothing_and_the_log_says_so() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), exempt=True)
    customer.failed(D0)
    customer.card_updated(D0 + DAY)
    customer.failed(D0 + DAY + HOUR)
    customer.card_expiring(D0 + 2 * DAY)
    customer.renewing(D0 + 2 * DAY, D0 + 40 * DAY)
    customer.until(D0 + 600 * DAY)

    assert customer.commands == []
    exempt = {each.step_id for each in customer.said(Outcome.SUPPRESSED, ReasonCode.EXEMPT)}
    assert exempt >= {
        "d0_email",
        "d3_email",
        "d53_final_notice",
        "d60_suspend",
        "new_card_failed",
        "renewal_7",
        "card_7",
    }


def test_an_older_profile_that_arrives_later_does_not_count(customer: Customer) -> None:
    customer.profile(utc("2026-01-03 00:00"), exempt=True)
    customer.profile(utc("2026-01-02 00:00"), arrives=utc("2026-01-04 00:00"))
    customer.failed(D0)

    assert customer.commands == []
    assert customer.said(Outcome.IGNORED, ReasonCode.STALE)


def test_who_is_no_longer_exempt_is_dunned_from_the_next_step_on(customer: Customer) -> None:
    customer.profile(utc("2026-01-02 00:00"), exempt=True)
    customer.failed(D0)
    customer.profile(D0 + 4 * DAY)
    customer.until(D0 + 6 * DAY)

    assert customer.step_ids == ["d5_sms"]


def test_what_cannot_be_called_or_texted_is_asked_by_a_channel_not_used_yet() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=(Channel.EMAIL, Channel.IN_APP))
    customer.failed(D0)
    customer.until(D0 + 61 * DAY)

    assert channels_of(customer)[:4] == [Channel.EMAIL, Channel.EMAIL, Channel.IN_APP, Channel.EMAIL]
    assert [action for action, _, _ in customer.deeds] == ["suspend"]


def test_a_letter_takes_the_place_of_a_mail_where_a_call_may_not() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=(Channel.EMAIL, Channel.PHONE, Channel.LETTER))
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.CLICKED)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.OPTED_OUT)
    customer.until(D0 + 4 * DAY)

    assert channels_of(customer) == [Channel.EMAIL, Channel.LETTER]


def test_a_text_to_somebody_without_a_number_is_no_call() -> None:
    customer = Customer()
    customer.profile(utc("2026-01-01 00:00"), channels=(Channel.EMAIL, Channel.PHONE))
    customer.failed(D0)
    customer.until(D0 + 20 * DAY)

    assert set(channels_of(customer)) == {Channel.EMAIL}
