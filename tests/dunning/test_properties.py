"""What holds whatever happens, in whatever order it is heard of: random histories of four months.

The rules are looked at from outside: from the commands and the feedback alone wherever that can be done, with
clocks of zoneinfo, so that an error in the domain's own reckoning shows.
"""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.dunning.commands import AccountCommand, Command, NotificationCommand, Outcome, ReasonCode
from streams.dunning.events import (
    Channel,
    CustomerProfile,
    Feedback,
    FeedbackKind,
    SubscriptionCancelled,
    Tick,
)
from streams.dunning.state import CustomerState
from streams.dunning.variables import CALL_VARIABLES, VARIABLES, MessageKind
from tests.dunning.customer import Customer, care, played
from tests.strategies import DAY, Happening, History, debts, histories

AFTERWARDS = 150 * DAY
MANY = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
FIRST = "d0_email"
NOTICE = "d53_final_notice"


def followed(history: History) -> Customer:
    """The customer after a history and all that follows from it."""
    return played(history, until=history.end + AFTERWARDS)


def overdue() -> st.SearchStrategy[History]:
    """Histories in which most happens when a suspension is near."""
    return histories(longest=10, days=range(53, 75))


# Reading what came out.


def zone_of(state: CustomerState) -> ZoneInfo:
    """The customer's zone, by the rule: their own, else their country's, else UTC."""
    profile = state.profile
    if profile is None:
        return ZoneInfo("UTC")
    for name in (profile.timezone, care().policy.zones.get(profile.country, "UTC")):
        try:
            return ZoneInfo(name)
        except KeyError:
            continue
    return ZoneInfo("UTC")


class Told:
    """A command that went out, and what was reported about it by a moment."""

    def __init__(self, command: NotificationCommand) -> None:
        self.command = command
        self.reports: list[FeedbackKind] = []

    @property
    def answered(self) -> bool:
        return bool(RESPONSES & set(self.reports))

    @property
    def bounced(self) -> bool:
        return not self.answered and bool(
            {FeedbackKind.BOUNCED_HARD, FeedbackKind.BOUNCED_SOFT} & set(self.reports)
        )

    def delivered(self, clock: datetime) -> bool:
        """By feedback, or by the lack of a bounce for as long as the policy waits."""
        if self.answered or self.bounced:
            return self.answered
        if set(self.reports) & {
            FeedbackKind.DELIVERED,
            FeedbackKind.OPENED,
            FeedbackKind.COMPLAINED,
            FeedbackKind.OPTED_OUT,
        }:
            return True
        if FeedbackKind.NO_ANSWER in self.reports:
            return self.command.channel is Channel.PHONE
        wait = care().policy.assume_delivered_after[self.command.channel]
        return wait is not None and clock - self.command.send_after >= wait


def meant(event: Feedback) -> Feedback:
    """A reply of one word may be an opt-out or an opt-in."""
    words = {"STOP": FeedbackKind.OPTED_OUT, "START": FeedbackKind.OPTED_IN}
    if event.kind is FeedbackKind.REPLIED and event.text in words:
        return msgspec.structs.replace(event, kind=words[event.text])
    return event


RESPONSES = {FeedbackKind.CLICKED, FeedbackKind.REPLIED, FeedbackKind.ANSWERED, FeedbackKind.PROMISED}


class Moment:
    """One command, with all that had been sent and heard before it."""

    def __init__(self, command: Command, state: CustomerState, before: "Log") -> None:
        self.command = command
        self.state = state
        self.before = before
        self.clock = command.decided_at

    def local_day(self, moment: datetime) -> int:
        """The customer's day of a moment, as a number, by the zone that they live in now."""
        return moment.astimezone(zone_of(self.state)).toordinal()


class Talk:
    """Replies about a case that nobody has dealt with: the first and the last, and when somebody last did."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.dealt: datetime | None = None

    def replied(self, at: datetime) -> None:
        if self.dealt is None or at > self.dealt:
            self.first = min(at, self.first or at)
            self.last = max(at, self.last or at)

    def dealt_with(self, at: datetime) -> None:
        self.dealt = max(at, self.dealt or at)
        if self.last is not None and self.last <= self.dealt:
            self.first = self.last = None
        elif self.first is not None and self.first <= self.dealt:
            self.first = self.last

    def time_passes(self, clock: datetime) -> None:
        if self.first is not None and self.last is not None and self.first + 7 * DAY <= clock:
            self.dealt_with(max(clock, self.last))


class Log:
    """What an outsider knows of a customer: what was sent, and what was reported."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.responses: list[datetime] = []
        self.promises: list[datetime] = []
        self.words: dict[Channel, tuple[datetime, bool]] = {}
        self.failed: dict[Channel, datetime] = {}
        self.on_file: set[Channel] | None = None
        self.talks: dict[str, Talk] = {}
        self.opened_at: dict[str, datetime] = {}

    def hear(self, event: Feedback, *, owes: bool) -> None:
        event = meant(event)
        told = self.told.get(event.command_id)
        if told is not None:
            told.reports.append(event.kind)
            if told.command.case_id is not None and event.kind is FeedbackKind.REPLIED:
                self.talks.setdefault(told.command.case_id, Talk()).replied(event.occurred_at)
        if event.kind in {FeedbackKind.ANSWERED, FeedbackKind.PROMISED}:
            # Of a message about two cases, which one is its first does not tell: an answer frees any.
            for talk in self.talks.values():
                talk.dealt_with(event.occurred_at)
        if event.kind in RESPONSES:
            self.responses.append(event.occurred_at)
        if event.kind is FeedbackKind.PROMISED and owes:
            policy = care().policy
            until = event.promised_until or event.occurred_at + policy.promise_without_date
            self.promises.append(min(until, event.occurred_at + policy.longest_promise))
        self._hear_of_channels(event)

    def _hear_of_channels(self, event: Feedback) -> None:
        at = event.occurred_at
        if event.kind is FeedbackKind.BOUNCED_HARD:
            said, welcome = self.words.get(event.channel, (at, False))
            if not (welcome and said > at):
                self.failed[event.channel] = max(at, self.failed.get(event.channel, at))
        elif event.kind in {FeedbackKind.COMPLAINED, FeedbackKind.OPTED_OUT, FeedbackKind.OPTED_IN}:
            opted_in = event.kind is FeedbackKind.OPTED_IN
            wide = event.scope == "all" and event.kind is not FeedbackKind.COMPLAINED
            for channel in tuple(Channel) if wide else (event.channel,):
                if channel in self.words and self.words[channel][0] > at:
                    continue
                self.words[channel] = (at, opted_in)
                if opted_in and not wide and self.failed.get(channel, at) <= at:
                    self.failed.pop(channel, None)

    def meet(self, event: CustomerProfile) -> None:
        # A profile without any channel is known to have had none.
        before = set(event.channels) if self.on_file is None else self.on_file
        for channel in set(event.channels) - before:
            if self.failed.get(channel, event.occurred_at) <= event.occurred_at:
                self.failed.pop(channel, None)
        self.on_file = set(event.channels)

    def live(self, state: CustomerState) -> set[Channel]:
        on_file = (Channel.EMAIL,) if state.profile is None else state.profile.channels
        return {
            channel
            for channel in on_file
            if channel not in self.failed and self.words.get(channel, (None, True))[1]
        }


def moments(customer: Customer) -> Iterator[Moment]:
    """Every command of a customer, in order; what `before` knows grows as it is read."""
    log = Log()
    owes = False
    for event, decision in customer.decided:
        is_new = not decision.reasons or decision.reasons[0].reason is not ReasonCode.DUPLICATE_EVENT
        if isinstance(event, Feedback) and is_new:
            log.hear(event, owes=owes)
        if any(reason.reason is ReasonCode.PROFILE_UPDATED for reason in decision.reasons):
            assert isinstance(event, CustomerProfile)
            log.meet(event)
        if isinstance(event, Tick):
            for talk in log.talks.values():
                talk.time_passes(decision.clock)
        for reason in decision.reasons:
            if reason.outcome is Outcome.OPENED and reason.case_id is not None:
                log.opened_at[reason.case_id] = decision.clock
        for command in decision.commands:
            yield Moment(command, decision.state, log)
            if isinstance(command, NotificationCommand):
                log.told[command.command_id] = Told(command)
        owes = bool(decision.state.cases)
        if not owes:
            log.promises.clear()


def messages(customer: Customer) -> Iterator[tuple[Moment, NotificationCommand]]:
    for moment in moments(customer):
        if isinstance(moment.command, NotificationCommand):
            yield moment, moment.command


def outputs(customer: Customer) -> bytes:
    """All commands and all reasons, as bytes."""
    return msgspec.json.encode(
        [(decision.commands, decision.reasons, decision.clock) for _, decision in customer.decided]
    )


# One history, one outcome.


@MANY
@given(histories())
def test_the_same_history_gives_the_same_bytes(history: History) -> None:
    first, second = followed(history), followed(history)

    assert outputs(first) == outputs(second)
    assert first.state_bytes == second.state_bytes


_DIGEST = """
from tests.dunning.test_properties import a_long_history_digest
print(a_long_history_digest())
"""


def a_long_history_digest() -> str:
    """A digest of everything that comes of a history in which much happens."""
    customer = Customer()
    start = datetime.fromisoformat("2026-01-05T15:00:00+00:00")
    customer.profile(start)
    for number in range(12):
        subscription, currency = f"sub-{number % 3}", ("USD", "EUR")[number % 2]
        customer.failed(start + number * DAY, f"inv-{number}", subscription=subscription, currency=currency)
        customer.feedback(start + number * DAY + timedelta(hours=1), tuple(FeedbackKind)[number])
    customer.renewing(start + 20 * DAY, start + 40 * DAY)
    customer.until(start + 120 * DAY)
    return hashlib.sha256(outputs(customer) + (customer.state_bytes or b"")).hexdigest()


def test_another_process_gives_the_same_bytes() -> None:
    def digest(seed: str) -> str:
        run = subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.strip()

    assert digest("1") == digest("2") == a_long_history_digest()


@MANY
@given(histories())
def test_telling_everything_twice_changes_nothing(history: History) -> None:
    once = played(history)
    twice = played(
        History(tuple(each for happening in history.happenings for each in (happening,) * 2), history.outages)
    )

    assert twice.commands == once.commands
    assert twice.state_bytes == once.state_bytes


Owed = dict[tuple[str | None, str], dict[str, tuple[datetime, int]]]


def owed(customer: Customer) -> Owed:
    """By subscription and currency which invoices are owed, since when, and how much.

    Not the ladder's place: that follows from when things became known (a very late failure is followed up
    from its arrival, a total that reaches the minimum from that moment).
    """
    return {
        (case.subscription_id, case.currency): {
            invoice.invoice_id: (invoice.owed_since, invoice.amount_minor) for invoice in case.invoices
        }
        for case in customer.state.cases
    }


@settings(MANY, max_examples=250)
@given(debts())
def test_whatever_the_order_of_arrival_the_same_is_owed(history: History) -> None:
    """Three arrivals of one history: as it occurred; late, with ticks between; and all at one moment."""
    as_it_occurred = sorted(
        (Happening(each.what.occurred_at, each.what) for each in history.happenings),
        key=lambda each: each.arrives,
    )
    at_once = tuple(Happening(history.end, each.what) for each in history.happenings)

    expected = owed(played(History(tuple(as_it_occurred)), until=history.end))

    assert owed(played(history)) == expected
    assert owed(played(History(at_once))) == expected


# Cases.


def a_subscription_has_one_live_case_in_a_currency(customer: Customer) -> None:
    for _, decision in customer.decided:
        keys = Counter((case.subscription_id, case.currency) for case in decision.state.cases)
        assert all(count == 1 for count in keys.values())
        invoices = Counter(invoice.invoice_id for case in decision.state.cases for invoice in case.invoices)
        assert all(count == 1 for count in invoices.values())


def a_closed_case_is_not_spoken_of_but_to_say_sorry(customer: Customer) -> None:
    closed: set[str] = set()
    for _, decision in customer.decided:
        closing = {
            each.case_id for each in decision.reasons if each.outcome is Outcome.CLOSED and each.case_id
        }
        for command in decision.commands:
            if isinstance(command, NotificationCommand) and command.step_id == "apology":
                assert command.case_id not in closed
            elif isinstance(command, NotificationCommand):
                assert command.case_id not in closed | closing
            else:
                assert command.case_id not in closed
        closed |= closing


def a_message_about_a_debt_lists_all_that_is_owed_in_its_currency(customer: Customer) -> None:
    for moment, command in messages(customer):
        if command.currency is not None:
            listed = {line.invoice_id: line.amount_minor for line in command.invoices}
            assert listed == {
                invoice.invoice_id: invoice.amount_minor
                for case in moment.state.cases
                for invoice in case.invoices
                if case.currency == command.currency
            }
            assert command.total_minor == sum(listed.values())


# Suspension.


def nobody_is_suspended_without_the_gate(customer: Customer) -> None:
    for moment in moments(customer):
        if isinstance(moment.command, AccountCommand) and moment.command.action == "suspend":
            assert_gate(moment, moment.command)


def assert_gate(moment: Moment, command: AccountCommand) -> None:
    log, state, clock = moment.before, moment.state, moment.clock
    ids = {line.invoice_id for line in command.invoices}
    opened_at = log.opened_at[command.case_id]
    about = [
        told
        for told in log.told.values()
        if told.command.decided_at >= opened_at
        and any(
            (line.subscription_id, line.currency) == (command.subscription_id, command.currency)
            for line in told.command.invoices
        )
    ]
    arrived = [told for told in about if told.delivered(clock)]
    assert len(arrived) >= 2
    case = state.case(command.case_id)
    assert case is not None
    answered = any(at >= case.anchor for at in log.responses)
    usable = log.live(state) - ({Channel.PHONE} if answered else set())
    assert len({told.command.channel for told in arrived}) >= min(2, len(usable))

    notices = [
        told
        for told in arrived
        if told.command.step_id == NOTICE
        and clock - told.command.decided_at >= 7 * DAY
        and ids & {line.invoice_id for line in told.command.invoices}
    ]
    assert notices, "no final notice a week ago that arrived"
    zone = zone_of(state)
    named = min(told.command.variables["suspension_date"] for told in notices)
    # A day's grace: the customer may have moved to a zone further west since.
    assert (clock + DAY).astimezone(zone).date().isoformat() >= named

    oldest = min(line.first_failed_at for line in command.invoices)
    assert clock - oldest >= 59 * DAY
    assert all(at + 14 * DAY <= clock for at in log.responses)
    assert all(until + DAY <= clock for until in log.promises)
    assert not any(
        dispute.is_open and dispute.parked and dispute.parked.subscription_id == command.subscription_id
        for dispute in state.disputes
    )
    assert state.profile is None or not state.profile.exempt


def suspensions_and_reactivations_alternate_and_a_cancellation_ends_them(customer: Customer) -> None:
    suspended: dict[str | None, bool] = {}
    cancelled: set[str | None] = set()
    for event, decision in customer.decided:
        if isinstance(event, SubscriptionCancelled):
            cancelled.add(event.subscription_id)
            suspended.pop(event.subscription_id, None)
        for command in decision.commands:
            if isinstance(command, AccountCommand) and command.action != "review":
                assert command.subscription_id not in cancelled
                assert suspended.get(command.subscription_id, False) is (command.action == "reactivate")
                suspended[command.subscription_id] = command.action == "suspend"
        assert {each.subscription_id for each in decision.state.suspended} == {
            subscription_id for subscription_id, is_suspended in suspended.items() if is_suspended
        }


def a_subscription_stays_suspended_only_while_its_cases_live(customer: Customer) -> None:
    for _, decision in customer.decided:
        live = {case.case_id for case in decision.state.cases if not case.dormant}
        for standing in decision.state.suspended:
            assert standing.case_ids
            assert live.issuperset(standing.case_ids)


def a_case_is_reviewed_at_most_once_for_each_reason(customer: Customer) -> None:
    reviews: dict[tuple[str, str], list[datetime]] = {}
    for each in customer.actions:
        if each.action == "review":
            reviews.setdefault((each.case_id, each.reason), []).append(each.decided_at)

    for (_, reason), at in reviews.items():
        if reason == ReasonCode.HOLD_FOR_REPLY:
            # Each hold is a week, and counts once.
            assert all(later - earlier >= 7 * DAY for earlier, later in pairwise(at))
        else:
            assert len(at) == 1


def a_case_whose_reply_waits_is_not_written_to(customer: Customer) -> None:
    for moment, command in messages(customer):
        talk = moment.before.talks.get(command.case_id or "")
        if command.step_id.startswith("d") and command.step_id != FIRST and talk is not None:
            assert talk.first is None or talk.first + 7 * DAY <= moment.clock


def a_case_that_nobody_can_be_told_of_is_looked_at(customer: Customer) -> None:
    reviewed = {each.case_id for each in customer.actions if each.action == "review"}
    for _, decision in customer.decided:
        for reason in decision.reasons:
            if reason.reason is ReasonCode.NO_LIVE_CHANNEL and reason.case_id and reason.step_id != "apology":
                assert reason.case_id in reviewed


# Whom, when and how often.


def the_budget_of_contacts_is_kept(customer: Customer) -> None:
    required = {each.command_id for each in customer.said(Outcome.SENT, ReasonCode.REQUIRED_REMINDER)}
    for moment, command in messages(customer):
        if command.step_id in {FIRST, NOTICE, "apology"}:
            continue
        if command.command_id in required:
            # The last days of Visa's, Mastercard's and California's windows.
            assert command.variables["days_left"] in {"3", "7", "15"}
            continue
        today = moment.local_day(command.send_after)
        days = [
            moment.local_day(told.command.send_after)
            for told in moment.before.told.values()
            if not told.bounced
        ]
        assert days.count(today) == 0, "a second contact on one day"
        assert sum(today - 7 < day <= today for day in days) < 3, "a fourth contact in seven days"


def a_debt_is_spoken_of_once_a_day_by_each_channel(customer: Customer) -> None:
    for moment, command in messages(customer):
        if command.currency is None:
            continue
        today = moment.local_day(command.send_after)
        for told in moment.before.told.values():
            earlier = told.command
            if (earlier.channel, earlier.currency) == (
                command.channel,
                command.currency,
            ) and not told.bounced:
                assert moment.local_day(earlier.send_after) != today


def what_rings_keeps_to_its_hours_in_every_zone(customer: Customer) -> None:
    for moment, command in messages(customer):
        if command.channel not in {Channel.SMS, Channel.PUSH, Channel.PHONE}:
            continue
        profile = moment.state.profile
        is_florida = profile is not None and (profile.country, profile.region) == ("US", "FL")
        local = command.send_after.astimezone(zone_of(moment.state))
        assert time(8) <= local.time() < time(20 if is_florida else 21)
        assert command.channel is not Channel.PHONE or local.isoweekday() != 7


def only_a_live_channel_is_used_and_an_exempt_customer_is_left_alone(customer: Customer) -> None:
    for moment in moments(customer):
        exempt = moment.state.profile is not None and moment.state.profile.exempt
        if isinstance(moment.command, NotificationCommand):
            assert not exempt
            assert moment.command.channel in moment.before.live(moment.state)
        else:
            assert not exempt or moment.command.action == "reactivate"


def who_has_responded_is_not_called_about_the_debt(customer: Customer) -> None:
    for moment, command in messages(customer):
        case = None if command.case_id is None else moment.state.case(command.case_id)
        is_step = command.step_id.startswith("d") and command.step_id != NOTICE
        if command.channel is Channel.PHONE and case is not None and is_step:
            assert not any(at >= case.anchor for at in moment.before.responses)


# What goes out can be used, and everything comes to rest.


KINDS = {
    "payment_failed_soft": MessageKind.FAILURE,
    "payment_failed_hard": MessageKind.FAILURE,
    "payment_failed_authentication": MessageKind.FAILURE,
    "final_notice": MessageKind.FINAL_NOTICE,
    "authentication_required": MessageKind.AUTHENTICATION,
    "new_card_failed": MessageKind.NEW_CARD_FAILED,
    "suspension_apology": MessageKind.APOLOGY,
    "card_expiring": MessageKind.CARD_EXPIRING,
    "renewal_upcoming": MessageKind.RENEWAL_UPCOMING,
}


def every_message_has_its_variables_and_can_be_written(customer: Customer) -> None:
    for command in customer.sent:
        declared = VARIABLES[KINDS[command.template]]
        for_calls = CALL_VARIABLES if command.channel is Channel.PHONE else frozenset[str]()
        possible = declared.required | declared.optional | for_calls
        assert declared.required <= command.variables.keys() <= possible
        if command.variables.get("decline_class", "soft") != "soft":
            assert "next_retry_on" not in command.variables
        assert care().content.render(command).body


def every_decision_about_something_new_gives_a_reason(customer: Customer) -> None:
    for event, decision in customer.decided:
        assert decision.reasons
        if isinstance(event, Tick):
            assert decision.clock == event.now
        for reason in decision.reasons:
            assert reason.until is None or reason.outcome is Outcome.HELD or reason.until >= decision.clock


@MANY
@given(histories())
def test_everything_comes_to_rest(history: History) -> None:
    customer = played(history, until=history.end + 900 * DAY)

    assert customer.state_bytes is None or customer.state.next_due is None
    assert len(customer.decided) < 600


RULES = (
    a_subscription_has_one_live_case_in_a_currency,
    a_closed_case_is_not_spoken_of_but_to_say_sorry,
    a_message_about_a_debt_lists_all_that_is_owed_in_its_currency,
    nobody_is_suspended_without_the_gate,
    suspensions_and_reactivations_alternate_and_a_cancellation_ends_them,
    a_subscription_stays_suspended_only_while_its_cases_live,
    a_case_is_reviewed_at_most_once_for_each_reason,
    a_case_whose_reply_waits_is_not_written_to,
    a_case_that_nobody_can_be_told_of_is_looked_at,
    the_budget_of_contacts_is_kept,
    a_debt_is_spoken_of_once_a_day_by_each_channel,
    what_rings_keeps_to_its_hours_in_every_zone,
    only_a_live_channel_is_used_and_an_exempt_customer_is_left_alone,
    who_has_responded_is_not_called_about_the_debt,
    every_message_has_its_variables_and_can_be_written,
    every_decision_about_something_new_gives_a_reason,
)


@settings(MANY, max_examples=300)
@given(st.one_of(histories(), overdue()))
def test_the_rules_hold_whatever_happens(history: History) -> None:
    customer = followed(history)
    for rule in RULES:
        rule(customer)


def test_the_histories_reach_what_they_are_for() -> None:
    """They are worth something only if suspensions and reviews come of them."""
    seen: Counter[str] = Counter()

    @settings(MANY, max_examples=400, database=None, derandomize=True)
    @given(st.one_of(histories(longest=10), overdue()))
    def look(history: History) -> None:
        customer = followed(history)
        seen.update(command.action for command in customer.actions)
        seen.update(command.step_id for command in customer.sent)
        seen.update(command.channel for command in customer.sent)

    look()
    wanted = ["suspend", "reactivate", "review", Channel.SMS, Channel.PHONE]
    assert not [name for name in wanted if not seen[name]]
    assert any(str(name).startswith("renewal_") for name in seen)
    assert any(str(name).startswith("card_") for name in seen)
