"""What is said of a customer: how things stand, what happened and why, and what is to come."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

import pytest
from hypothesis import given

from streams.dunning.commands import DecisionRecord, Factor, InputReference, Missing, Outcome, ReasonCode
from streams.dunning.decide import decision_record
from streams.dunning.events import Channel, FeedbackKind, Tick
from streams.dunning.explanation import Explanation, explain
from streams.dunning.forecast import forecast
from streams.dunning.reason_words import FACTORS, MISSING, OUTCOMES, REASONS, in_words
from streams.dunning.story import CHANNELS, Entry, Kind, Told, story
from tests.dunning.customer import MINUTE, NEW_CARD, Customer, care, local, played, utc
from tests.strategies import CUSTOMER, History, histories

D0 = utc("2026-01-05 15:00")
DAY = timedelta(days=1)


def told(customer: Customer) -> list[Told]:
    """What Kafka holds of the customer: events, commands and decisions."""
    found: list[Told] = []
    for event, decision in customer.decided:
        event_id = None if isinstance(event, Tick) else event.event_id
        if not isinstance(event, Tick):
            found.append(event)
        kind = str(type(event).__struct_config__.tag)
        record = decision_record(decision, InputReference(kind=kind, event_id=event_id), customer.policy)
        found += [*decision.commands, *([] if record is None else [record])]
    return found


def explained(customer: Customer, at: datetime) -> Explanation:
    customer.until(at)
    return explain(CUSTOMER, customer.state, told(customer), at, customer.policy, render=care().render)


def of_kind(entries: tuple[Entry, ...], kind: Kind) -> list[Entry]:
    return [entry for entry in entries if entry.kind is kind]


@pytest.fixture
def customer() -> Customer:
    """Known, and with a failed payment at `D0`."""
    made = Customer(content=care().content)
    made.profile(D0 - DAY)
    made.failed(D0, attempt=1)
    return made


def test_a_failed_payment_and_what_was_said_of_it(customer: Customer) -> None:
    customer.feedback(D0 + timedelta(minutes=1), FeedbackKind.DELIVERED)
    customer.feedback(D0 + timedelta(hours=1), FeedbackKind.OPENED)
    found = explained(customer, D0 + 2 * DAY)
    (event,) = [entry for entry in of_kind(found.past, Kind.EVENT) if "invoice" in entry.what]
    assert event.what == "payment of invoice inv-1 failed, attempt 1"
    assert (event.text, event.amount_minor, event.currency) == ("insufficient_funds", 2000, "USD")
    (sent,) = of_kind(found.past, Kind.CONTACT)
    assert sent.what == "e-mail"
    assert sent.reports == ("delivered", "opened")
    assert sent.text == "We could not collect your payment of $20.00"
    assert sent.body is not None
    assert "$20.00" in sent.body
    assert sent.why == "the first word about it goes out at once"
    assert [entry.at for entry in found.past] == sorted(entry.at for entry in found.past)


def test_what_is_to_come_is_the_rest_of_the_ladder(customer: Customer) -> None:
    found = explained(customer, D0 + 2 * DAY)
    steps = [(entry.steps[0], entry.channel) for entry in of_kind(found.ahead, Kind.CONTACT)]
    assert steps[0] == ("d3_email", Channel.EMAIL)
    assert ("d21_phone", Channel.PHONE) in steps
    (suspended,) = of_kind(found.ahead, Kind.ACCOUNT)
    assert suspended.what == "suspend subscription sub-1"
    assert suspended.at == local("2026-03-06 09:00")
    assert all(entry.at > found.at for entry in found.ahead)
    assert all(entry.text for entry in of_kind(found.ahead, Kind.CONTACT)), "with the words that will be sent"


def test_it_comes_as_it_was_foretold(customer: Customer) -> None:
    """Silence, foretold and then kept."""
    foretold = explained(customer, D0 + 2 * DAY).ahead
    customer.until(D0 + 90 * DAY)
    came = [entry for entry in story(told(customer), D0 + 90 * DAY) if entry.at > D0 + 2 * DAY]
    assert [(each.at, each.what, each.steps, each.why) for each in foretold if each.at <= D0 + 90 * DAY] == [
        (each.at, each.what, each.steps, each.why) for each in came
    ]


@given(histories())
def test_any_silence_comes_as_it_was_foretold(history: History) -> None:
    # Without outages, which a forecast knows nothing of.
    customer = played(history._replace(outages=()))
    if customer.state_bytes is None:
        return
    clock = customer.state.clock
    until = clock + 70 * DAY
    foretold = [
        (reason.outcome, reason.reason, reason.step_id)
        for decision in forecast(customer.state, clock, customer.policy, until, tick_every=MINUTE)
        for reason in decision.reasons
    ]
    before = len(customer.reasons)
    customer.until(until)
    came = [(each.outcome, each.reason, each.step_id) for each in customer.reasons[before:]]
    assert came == foretold


def test_a_forecast_has_an_end(customer: Customer) -> None:
    assert list(forecast(customer.state, D0, customer.policy, D0)) == []
    last = list(forecast(customer.state, D0, customer.policy, D0 + 2_000 * DAY))
    assert len(last) < 200
    assert list(forecast(last[-1].state, last[-1].clock, customer.policy, D0 + 1_999 * DAY)) == []


def test_a_promise_is_why_a_case_waits(customer: Customer) -> None:
    customer.feedback(D0 + DAY, FeedbackKind.PROMISED, promised_until=D0 + 5 * DAY)
    found = explained(customer, D0 + 2 * DAY)
    assert found.now is not None
    (case,) = found.now.cases
    assert case.stands == ("waits: the customer promised to pay",)
    assert case.held_until == D0 + 6 * DAY
    assert found.now.promised_until == D0 + 5 * DAY
    assert case.steps["d3_email"] == local("2026-01-12 09:00"), "the day after the hold"
    held = next(entry for entry in found.past if entry.what == "case waits")
    assert held.why == "the customer promised to pay"
    assert held.other_at == D0 + 6 * DAY


def test_what_was_not_sent_says_why(customer: Customer) -> None:
    customer.failed(D0 + 2 * DAY, "inv-2", subscription="sub-2")
    found = explained(customer, D0 + 20 * DAY)
    reasons = {entry.why for entry in of_kind(found.past, Kind.NOT_SENT)}
    assert in_words(ReasonCode.CONSOLIDATED) in reasons


def test_paid_ends_all_of_it_in_one_line(customer: Customer) -> None:
    customer.paid(D0 + 4 * DAY)
    found = explained(customer, D0 + 5 * DAY)
    (cancelled,) = of_kind(found.past, Kind.NOT_SENT)
    assert cancelled.what == "cancelled"
    assert cancelled.why == "paid"
    assert len(cancelled.steps) > 4
    assert found.ahead == ()
    assert found.now is not None
    assert found.now.cases == ()


def test_days_alike_stand_once(customer: Customer) -> None:
    """A gate that is tried each day says each day the same."""
    customer.feedback(D0 + 58 * DAY, FeedbackKind.CLICKED)
    found = explained(customer, D0 + 80 * DAY)
    blocked = [entry for entry in found.past if entry.what == OUTCOMES[Outcome.BLOCKED]]
    assert sum(entry.times for entry in blocked) > len(blocked)
    assert all(entry.missing for entry in blocked)


def test_the_past_is_as_of_its_moment(customer: Customer) -> None:
    before = explained(customer, D0 + 3 * DAY).past
    customer.paid(D0 + 4 * DAY)
    assert story(told(customer), D0 + 3 * DAY) == before
    assert len(story(told(customer), D0 + 4 * DAY)) > len(before)


def test_the_order_in_which_it_is_told_does_not_matter(customer: Customer) -> None:
    customer.card_updated(D0 + DAY)
    customer.until(D0 + 20 * DAY)
    everything = told(customer)
    decisions = [each for each in everything if isinstance(each, DecisionRecord)]
    others = [each for each in everything if not isinstance(each, DecisionRecord)]
    Random(1).shuffle(others)
    assert story([*others, *decisions], D0 + 20 * DAY) == story(everything, D0 + 20 * DAY)


def test_decisions_alone_tell_the_story_when_all_else_is_gone(customer: Customer) -> None:
    customer.until(D0 + 70 * DAY)
    everything = told(customer)
    alone = story([each for each in everything if isinstance(each, DecisionRecord)], D0 + 70 * DAY)
    full = story(everything, D0 + 70 * DAY)
    assert [(each.at, each.kind, each.steps, each.why) for each in alone] == [
        (each.at, each.kind, each.steps, each.why) for each in full
    ]
    assert any(entry.what == "payment failed" for entry in alone)
    assert any(entry.what == "suspend" for entry in alone)


def test_an_event_that_nothing_was_decided_about_is_told(customer: Customer) -> None:
    event = next(each for each in told(customer) if not isinstance(each, DecisionRecord))
    (entry,) = story([event], D0)
    assert entry.why == "nothing has been decided about it"


def test_who_is_not_known_has_no_story() -> None:
    found = explain("nobody", None, [], D0, care().policy)
    assert not found.is_known
    assert found.ahead == ()


def test_channels_say_why_they_are_closed(customer: Customer) -> None:
    customer.feedback(D0 + DAY, FeedbackKind.BOUNCED_HARD)
    customer.feedback(D0 + DAY, FeedbackKind.OPTED_OUT, channel=Channel.SMS)
    customer.profile(D0 + 2 * DAY, channels=[Channel.EMAIL, Channel.SMS, Channel.PHONE])
    found = explained(customer, D0 + 3 * DAY)
    assert found.now is not None
    why = {each.channel: each.why for each in found.now.channels if not each.usable}
    assert why[Channel.EMAIL] == "does not arrive"
    assert why[Channel.SMS] == "not wanted"
    assert why[Channel.LETTER] == "no address on file"
    assert Channel.PHONE not in why


def test_reminders_of_cards_and_renewals_stand_by_their_day(customer: Customer) -> None:
    customer.renewing(D0 + DAY, local("2026-03-15 09:00"), subscription="sub-9")
    customer.card_expiring(D0 + DAY, NEW_CARD)
    found = explained(customer, D0 + 2 * DAY)
    assert found.now is not None
    assert {plan.what for plan in found.now.plans} == {
        "Basic (subscription sub-9) renews",
        "the visa card ending in 1881 expires",
    }


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (ReasonCode, REASONS),
        (Missing, MISSING),
        (Outcome, OUTCOMES),
        (Factor, FACTORS),
        (Channel, CHANNELS),
    ],
)
def test_every_code_has_words(codes: type[StrEnum], words: Mapping[str, str]) -> None:
    assert set(codes) <= set(words)
    assert len(set(words.values())) == len(words)


def test_a_code_without_words_is_told_by_its_name() -> None:
    assert in_words("something_newer") == "something newer"
    assert in_words("something_newer", OUTCOMES) == "something newer"


def test_a_reply_that_was_answered_is_not_told_as_a_message_not_sent(customer: Customer) -> None:
    customer.feedback(D0 + DAY, FeedbackKind.REPLIED, text="Why?")
    customer.feedback(D0 + 2 * DAY, FeedbackKind.ANSWERED, channel=Channel.PHONE)
    found = explained(customer, D0 + 2 * DAY)
    assert of_kind(found.past, Kind.NOT_SENT) == []
    assert "case waits no longer: the reply was answered" in [entry.what for entry in found.past]


def test_a_reply_that_says_stop_is_told_as_what_it_means(customer: Customer) -> None:
    customer.feedback(D0 + DAY, FeedbackKind.REPLIED, channel=Channel.SMS, text="STOP")
    (stop,) = [entry for entry in explained(customer, D0 + DAY).past if entry.text == "STOP"]
    assert stop.why == "the customer does not want to be reached so (text message)"
