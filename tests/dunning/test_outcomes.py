"""What is counted of outcomes: each thing once, by the contact, the case and the plan that it is of."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings

from streams.dunning import decide
from streams.dunning.attribution import credit
from streams.dunning.commands import AccountCommand
from streams.dunning.events import Channel, FeedbackKind
from streams.dunning.measures import About, Counts, Group, Measure, add_up, name_and_detail
from streams.dunning.outcome_bytes import decode_counts, decode_group, encode_counts, encode_group
from streams.dunning.outcomes import outcomes
from streams.dunning.state import CustomerState
from tests.dunning.customer import EVERY_CHANNEL, Customer, care, played, utc
from tests.dunning.test_properties import MANY, followed
from tests.strategies import DAY, History, histories

D0 = utc("2026-01-05 15:00")
HOUR = timedelta(hours=1)


def total(counts: Counts, measure: str, **wanted: str | None) -> int:
    """The sum of a measure over the groups that have what is wanted."""
    return sum(
        counted.get(measure, 0)
        for group, counted in counts.items()
        if all(getattr(group, name) == value for name, value in wanted.items())
    )


def asked_for_a_week() -> Customer:
    """A debt of which three mails and a message speak: D0, D3, D5 and D7."""
    customer = Customer()
    customer.profile(D0 - DAY, locale="de-DE", timezone="Europe/Berlin", country="DE")
    customer.failed(D0)
    customer.until(D0 + 7 * DAY + HOUR)
    return customer


# Contacts.


def test_a_contact_is_counted_by_campaign_step_channel_template_segment_and_locale() -> None:
    customer = asked_for_a_week()
    command = customer.sent[0]

    (group,) = (each for each in customer.counts if each.step == "d0_email")

    assert group == Group(
        About.DEBT,
        customer.case.campaign,
        "d0_email",
        Channel.EMAIL,
        "payment_failed_soft",
        command.segment,
        "de-DE",
    )
    assert group.segment is not None
    assert customer.counts[group] == {Measure.SENT: 1}
    (third,) = (counted for each, counted in customer.counts.items() if each.step == "d3_email")
    assert third == {Measure.SENT: 1, Measure.SENT_HOURS: 65}


def test_each_thing_about_a_contact_counts_once_and_implies_what_goes_before() -> None:
    customer = asked_for_a_week()
    at = customer.state.clock
    for kind in (FeedbackKind.OPENED, FeedbackKind.OPENED, FeedbackKind.CLICKED, FeedbackKind.DELIVERED):
        at += HOUR
        customer.feedback(at, kind)

    last = customer.sent[-1].step_id
    expected = {Measure.DELIVERED: 1, Measure.OPENED: 1, Measure.CLICKED: 1, Measure.RESPONDED: 1}
    for measure, count in expected.items():
        assert total(customer.counts, measure, step=last) == count
        assert total(customer.counts, measure) == count


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (FeedbackKind.DELIVERED, {Measure.DELIVERED}),
        (FeedbackKind.OPENED, {Measure.DELIVERED, Measure.OPENED}),
        (FeedbackKind.REPLIED, {Measure.DELIVERED, Measure.RESPONDED}),
        (FeedbackKind.ANSWERED, {Measure.DELIVERED, Measure.RESPONDED}),
        (FeedbackKind.PROMISED, {Measure.DELIVERED, Measure.RESPONDED, Measure.PROMISED}),
        (FeedbackKind.NO_ANSWER, {Measure.UNANSWERED}),
        (FeedbackKind.COMPLAINED, {Measure.DELIVERED, Measure.COMPLAINED}),
        (FeedbackKind.OPTED_OUT, {Measure.DELIVERED, Measure.OPTED_OUT}),
        (FeedbackKind.OPTED_IN, set()),
    ],
)
def test_what_a_report_shows(kind: FeedbackKind, shown: set[Measure]) -> None:
    customer = Customer()
    customer.failed(D0)
    before = {measure for counted in customer.counts.values() for measure in counted}
    customer.feedback(D0 + HOUR, kind)

    assert {measure for counted in customer.counts.values() for measure in counted} - before == shown


def test_a_reply_that_means_stop_is_no_response() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.REPLIED, text="STOP")

    assert total(customer.counts, Measure.OPTED_OUT) == 1
    assert total(customer.counts, Measure.RESPONDED) == 0


def test_a_bounce_counts_once_and_what_is_sent_instead_is_another_contact() -> None:
    customer = Customer()
    customer.profile(D0 - DAY, channels=EVERY_CHANNEL)
    customer.failed(D0)
    first = customer.sent[0]
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_SOFT, first)
    customer.feedback(D0 + 2 * HOUR, FeedbackKind.BOUNCED_HARD, first)
    customer.until(D0 + 2 * DAY)

    assert total(customer.counts, Measure.BOUNCED) == 1
    by_channel = {group.channel: counted for group, counted in customer.counts.items() if group.step}
    assert by_channel[Channel.EMAIL] == {Measure.SENT: 1, Measure.BOUNCED: 1}
    assert [each.step_id for each in customer.sent[:2]] == [first.step_id] * 2
    assert by_channel[customer.sent[1].channel][Measure.SENT] == 1


def test_a_report_on_a_contact_that_is_not_remembered_is_counted_apart() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.paid(D0 + HOUR)
    forgotten = customer.sent[0]
    customer.failed(D0 + 30 * DAY, "inv-2")
    customer.feedback(D0 + 31 * DAY, FeedbackKind.OPENED, forgotten)

    unknown = Group(About.UNKNOWN, channel=Channel.EMAIL)
    assert customer.counts[unknown] == {Measure.UNMATCHED: 1}
    assert total(customer.counts, Measure.OPENED) == 0
    stranger = Customer()
    stranger.feedback(D0, FeedbackKind.OPENED, forgotten)
    assert stranger.counts == {unknown: {Measure.UNMATCHED: 1}}


# Payments and who has the credit.


def test_a_payment_is_credited_to_the_last_contact_and_to_any() -> None:
    customer = asked_for_a_week()
    steps = customer.step_ids
    assert len(steps) == 4
    customer.paid(customer.sent[-1].send_after + 26 * HOUR)

    counts = customer.counts
    assert {step: total(counts, Measure.PAID_ANY, step=step) for step in steps} == dict.fromkeys(steps, 1)
    assert {step: total(counts, Measure.PAID_LAST, step=step) for step in steps} == {
        **dict.fromkeys(steps[:-1], 0),
        steps[-1]: 1,
    }
    assert total(counts, "amount_last:USD") == 2000
    assert total(counts, "amount_any:USD") == 4 * 2000
    assert total(counts, Measure.MINUTES_LAST) == 26 * 60
    assert total(counts, "day_last:1", step=steps[-1]) == 1
    assert total(counts, "day_any:7", step="d0_email") == 1


def test_what_was_sent_after_the_payment_has_no_credit_for_it() -> None:
    customer = asked_for_a_week()
    customer.paid(customer.sent[1].send_after + HOUR, arrives=D0 + 7 * DAY + 2 * HOUR)

    assert total(customer.counts, Measure.PAID_LAST, step=customer.step_ids[1]) == 1
    assert total(customer.counts, Measure.PAID_ANY) == 2


def test_a_message_that_bounced_has_no_credit() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.feedback(D0 + HOUR, FeedbackKind.BOUNCED_SOFT)
    customer.paid(D0 + 2 * HOUR)

    assert total(customer.counts, Measure.PAID_ANY) == 0
    assert total(customer.counts, Measure.PAID_UNCONTACTED) == 1
    assert total(customer.counts, "settled:paid") == 1


def test_two_payments_are_two_amounts_and_one_contact_that_led_to_payment() -> None:
    customer = Customer()
    customer.failed(D0, "inv-1", subscription="sub-1")
    customer.failed(D0 + HOUR, "inv-2", subscription="sub-2", amount=500)
    customer.until(D0 + 4 * DAY)
    listed = [command for command in customer.sent if len(command.invoices) == 2]
    customer.paid(D0 + 4 * DAY + HOUR, "inv-1", subscription="sub-1")
    customer.paid(D0 + 4 * DAY + 2 * HOUR, "inv-2", subscription="sub-2", amount=500)

    step = listed[-1].step_id
    assert total(customer.counts, Measure.PAID_LAST, step=step) == 1
    assert total(customer.counts, "amount_last:USD", step=step) == 2500


def test_of_contacts_of_one_moment_the_first_is_the_last_contact() -> None:
    customer = Customer()
    customer.profile(D0 - DAY)
    customer.failed(D0)
    first = customer.state.contacts[0]
    found = credit((first, first), D0, D0 + HOUR)

    assert found.last is first
    assert len(found.any) == 2


# Invoices, cases, plans.


def test_a_case_is_counted_from_its_opening_to_its_end() -> None:
    customer = asked_for_a_week()
    case = customer.case
    group = Group(About.DEBT, case.campaign, segment=case.segment, locale="de-DE")
    assert customer.counts[group] == {Measure.CASES: 1, Measure.FAILED: 1, "failed_amount:USD": 2000}
    customer.paid(D0 + 9 * DAY)

    assert customer.counts[group] == {
        Measure.CASES: 1,
        Measure.FAILED: 1,
        "failed_amount:USD": 2000,
        "settled:paid": 1,
        "closed:paid": 1,
        "paid_amount:USD": 2000,
        "paid_day:9": 1,
    }


def test_a_very_late_payment_counts_in_the_last_day() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.paid(D0 + 300 * DAY)

    assert total(customer.counts, "paid_day:120") == 1


@pytest.mark.parametrize("reason", ["voided", "written_off", "credited", "disputed"])
def test_a_closed_invoice_is_settled_and_not_paid(reason: str) -> None:
    customer = Customer()
    customer.failed(D0)
    customer.closed(D0 + DAY, reason)

    assert total(customer.counts, f"settled:{reason}") == total(customer.counts, f"closed:{reason}") == 1
    assert total(customer.counts, Measure.PAID_ANY) == 0


def test_a_cancelled_subscription_ends_its_cases() -> None:
    customer = Customer()
    customer.failed(D0)
    customer.cancelled(D0 + DAY)

    assert total(customer.counts, "closed:cancelled") == 1


def test_suspension_and_reactivation_are_counted_by_the_case() -> None:
    customer = Customer()
    customer.profile(D0 - DAY)
    customer.failed(D0)
    customer.until(D0 + 75 * DAY)
    case = customer.case
    customer.paid(D0 + 80 * DAY)

    group = Group(About.DEBT, case.campaign, segment=case.segment, locale="en-US")
    assert customer.counts[group][Measure.SUSPENDED] == 1
    assert customer.counts[group][Measure.REACTIVATED] == 1


RENEWAL = utc("2026-02-02 09:00")


def reminded_of_a_renewal() -> Customer:
    """Until the renewal's day, with a reminder seven days and one day before."""
    customer = Customer()
    customer.profile(D0 - DAY)
    customer.renewing(D0, RENEWAL)
    customer.until(RENEWAL - HOUR)
    assert total(customer.counts, Measure.PLANS, about=About.RENEWAL) == 1
    assert total(customer.counts, Measure.SENT, about=About.RENEWAL) == 2
    return customer


@pytest.mark.parametrize("after", [-HOUR, HOUR, 2 * DAY])
def test_a_renewal_that_is_paid_before_or_soon_after_its_day_is_credited_to_its_reminders(
    after: timedelta,
) -> None:
    customer = reminded_of_a_renewal()
    customer.paid(RENEWAL + after, "inv-renewal")

    counts = customer.counts
    assert total(counts, "ended:renewal_paid", about=About.RENEWAL) == 1
    assert total(counts, "ended_reminded:renewal_paid", about=About.RENEWAL) == 1
    assert total(counts, Measure.PAID_ANY, about=About.RENEWAL) == 2
    assert total(counts, Measure.PAID_LAST, step="renewal_1") == 1
    assert total(counts, "amount_last:USD", about=About.RENEWAL) == 2000
    assert not customer.state.due_renewals


def test_a_renewal_whose_payment_fails_is_not_renewed() -> None:
    customer = reminded_of_a_renewal()
    customer.failed(RENEWAL + HOUR, "inv-renewal")
    customer.paid(RENEWAL + DAY, "inv-renewal")

    assert total(customer.counts, "ended:payment_failed", about=About.RENEWAL) == 1
    assert total(customer.counts, "ended:renewal_paid") == 0
    assert total(customer.counts, Measure.PAID_ANY, about=About.RENEWAL) == 0


@pytest.mark.parametrize("after", [-HOUR, HOUR])
def test_a_renewal_that_is_cancelled_is_counted_as_that(after: timedelta) -> None:
    customer = reminded_of_a_renewal()
    customer.cancelled(RENEWAL + after)

    assert total(customer.counts, "ended:subscription_cancelled", about=About.RENEWAL) == 1


def test_a_renewal_of_which_nothing_is_heard_in_time_has_ended_without_an_outcome() -> None:
    customer = reminded_of_a_renewal()
    customer.paid(RENEWAL + HOUR, "inv-other", amount=99)
    assert len(customer.state.due_renewals) == 1, "another amount is not the renewal's"
    customer.paid(RENEWAL + 4 * DAY, "inv-renewal")

    assert total(customer.counts, "ended:plan_ended", about=About.RENEWAL) == 1
    assert total(customer.counts, "ended:renewal_paid") == 0
    assert total(customer.counts, Measure.PAID_ANY) == 0


def test_a_plan_of_which_nobody_was_reminded_is_told_apart() -> None:
    customer = Customer()
    customer.profile(D0 - DAY, exempt=True)
    customer.renewing(D0, RENEWAL)
    customer.paid(RENEWAL + HOUR, "inv-renewal")

    assert total(customer.counts, "ended:renewal_paid") == 1
    assert total(customer.counts, "ended_reminded:renewal_paid") == 0


def test_a_card_is_planned_and_ends() -> None:
    customer = Customer()
    customer.profile(D0 - DAY)
    customer.card_expiring(utc("2027-02-01 09:00"))
    customer.card_updated(utc("2027-02-20 09:00"))

    assert total(customer.counts, Measure.PLANS, about=About.CARD) == 1
    assert total(customer.counts, Measure.SENT, about=About.CARD) > 0
    assert sum(total(customer.counts, f"ended:{why}") for why in ("card_replaced", "plan_ended")) == 1


def test_an_event_that_comes_twice_counts_once() -> None:
    customer = Customer()
    for _ in range(2):
        customer.failed(D0, event_id="one")
    for _ in range(2):
        customer.paid(D0 + DAY, event_id="two")

    assert total(customer.counts, Measure.CASES) == total(customer.counts, "settled:paid") == 1


# Whatever happens.


def flat(counts: Counts) -> Counter[str]:
    found: Counter[str] = Counter()
    for counted in counts.values():
        found.update(counted)
    return found


@MANY
@given(histories())
def test_the_counts_agree_with_the_commands_and_with_each_other(history: History) -> None:
    customer = followed(history)
    counts = customer.counts
    for by in ("step", "channel", "template", "segment", "locale"):
        sent = Counter(getattr(command, "step_id" if by == "step" else by) for command in customer.sent)
        assert {name: total(counts, Measure.SENT, **{by: name}) for name in sent} == sent
    all_of = flat(counts)
    assert all_of[Measure.SENT] == len(customer.sent)
    actions = Counter(each.action for each in customer.commands if isinstance(each, AccountCommand))
    assert all_of[Measure.SUSPENDED] == actions["suspend"]
    assert all_of[Measure.REACTIVATED] == actions["reactivate"]
    for counted in counts.values():
        assert all(amount >= 0 for amount in counted.values())
        sent_here = counted.get(Measure.SENT, 0)
        for measure in (Measure.DELIVERED, Measure.RESPONDED, Measure.BOUNCED, Measure.PAID_ANY):
            assert counted.get(measure, 0) <= sent_here
        assert counted.get(Measure.PAID_LAST, 0) <= counted.get(Measure.PAID_ANY, 0)
        assert counted.get(Measure.CLICKED, 0) <= counted.get(Measure.OPENED, 0)
        assert counted.get(Measure.OPENED, 0) <= counted.get(Measure.DELIVERED, 0)
        for currency in ("USD", "EUR", "JPY"):
            assert counted.get(f"amount_last:{currency}", 0) <= counted.get(f"amount_any:{currency}", 0)
        for measure, day in ((Measure.PAID_LAST, Measure.DAY_LAST), (Measure.PAID_ANY, Measure.DAY_ANY)):
            by_day = sum(count for name, count in counted.items() if name_and_detail(name)[0] == day)
            assert by_day == counted.get(measure, 0)


@MANY
@given(histories())
def test_by_last_attribution_each_amount_is_credited_once(history: History) -> None:
    counts = played(history).counts
    for currency in ("USD", "EUR", "JPY"):
        credited = total(counts, f"amount_last:{currency}", about=About.DEBT)
        paid = total(counts, f"paid_amount:{currency}")
        assert credited <= paid
        if total(counts, Measure.PAID_UNCONTACTED) == 0:
            assert credited == paid


@MANY
@given(histories())
def test_what_entered_has_left_or_is_open(history: History) -> None:
    customer = followed(history)
    state = None if customer.state_bytes is None else customer.state
    cases = () if state is None else state.cases
    all_of = flat(customer.counts)

    def left(measure: Measure) -> int:
        return sum(count for name, count in all_of.items() if name_and_detail(name)[0] == measure)

    assert all_of[Measure.CASES] - left(Measure.CLOSED) == len(cases)
    assert all_of[Measure.FAILED] - left(Measure.SETTLED) == sum(len(case.invoices) for case in cases)
    assert left(Measure.PAID_DAY) == all_of["settled:paid"]
    assert "settled:other" not in all_of


@MANY
@given(histories())
def test_a_replay_counts_the_same_and_telling_twice_counts_once(history: History) -> None:
    once = played(history)
    counts: Counts = {}
    state: CustomerState | None = None
    policy = care().policy
    for event, decided in once.decided:
        decision = decide(state, event, decided.clock, policy)
        add_up(counts, outcomes(state, event, decision, policy))
        state = None if decision.forgotten else decision.state
    assert counts == once.counts

    twice = played(
        History(tuple(each for happening in history.happenings for each in (happening,) * 2), history.outages)
    )
    assert twice.counts == once.counts


@settings(MANY, max_examples=50)
@given(histories())
def test_groups_and_counts_survive_their_bytes(history: History) -> None:
    for group, counted in played(history).counts.items():
        assert decode_group(encode_group(group)) == group
        assert decode_counts(encode_counts(counted)) == counted
        assert encode_counts(dict(reversed(counted.items()))) == encode_counts(counted)
