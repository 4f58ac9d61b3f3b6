"""One customer, told about things as they happen: the fold run by hand, tick by tick, and all that came out.

The state is encoded after every input and decoded before the next, as if the worker were restarted each time.
What must hold of any decision whatever the history is asserted here, so that every test shows it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from streams.dunning import Decision, decide
from streams.dunning.commands import (
    AccountCommand,
    Command,
    NotificationCommand,
    Outcome,
    Reason,
    ReasonCode,
)
from streams.dunning.events import (
    Card,
    CardExpiring,
    CardUpdated,
    Channel,
    CustomerEvent,
    CustomerProfile,
    Feedback,
    FeedbackKind,
    Input,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
    Tick,
)
from streams.dunning.measures import Counts, add_up
from streams.dunning.offer_stock import Stock, totals_of
from streams.dunning.outcomes import outcomes
from streams.dunning.policy import Policy
from streams.dunning.state import Case, CustomerState
from streams.dunning.state_bytes import decode_state, encode_state
from streams.policy.content import Content
from streams.policy.loading import LoadedPolicy, load
from tests.strategies import CUSTOMER, History, Report

MINUTE = timedelta(minutes=1)
NEW_YORK = "America/New_York"
EVERY_CHANNEL = tuple(Channel)
OLD_CARD = Card(payment_method_id="pm-1", brand="visa", last4="4242", exp_month=3, exp_year=2027)
NEW_CARD = Card(payment_method_id="pm-2", brand="visa", last4="1881", exp_month=9, exp_year=2030)


@cache
def care() -> LoadedPolicy:
    """The shipped policy."""
    return load("care")


def utc(text: str) -> datetime:
    """A moment such as `2026-03-08 13:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str = NEW_YORK) -> datetime:
    """A moment such as `2026-03-08 09:00` by the clock of the zone, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


class Decided(NamedTuple):
    """One input and what came of it."""

    event: Input
    decision: Decision


class Customer:
    """A customer of whom nothing is known yet; times only go forward."""

    def __init__(self, policy: Policy | None = None, *, content: Content | None = None) -> None:
        self.policy = policy or care().policy
        self._content = content
        # What is left of the totals of offers: all of it, as if this customer were the only one.
        self.stock = Stock(totals_of(self.policy), {})
        self.decided: list[Decided] = []
        self.counts: Counts = {}
        self._kept: bytes | None = None
        self._down_until: datetime | None = None
        self._numbers = count(1)
        self._commands: dict[str, Command] = {}

    # What came out.

    @property
    def state(self) -> CustomerState:
        assert self._kept is not None, "nothing is kept of this customer"
        return decode_state(self._kept)

    @property
    def state_bytes(self) -> bytes | None:
        return self._kept

    @property
    def case(self) -> Case:
        """The only live case."""
        (case,) = self.state.cases
        return case

    @property
    def commands(self) -> list[Command]:
        return [command for _, decision in self.decided for command in decision.commands]

    @property
    def sent(self) -> list[NotificationCommand]:
        return [command for command in self.commands if isinstance(command, NotificationCommand)]

    @property
    def actions(self) -> list[AccountCommand]:
        return [command for command in self.commands if isinstance(command, AccountCommand)]

    @property
    def reasons(self) -> list[Reason]:
        return [reason for _, decision in self.decided for reason in decision.reasons]

    @property
    def steps(self) -> list[tuple[str, datetime]]:
        """Which steps went out, and when."""
        return [(command.step_id, command.decided_at) for command in self.sent]

    @property
    def step_ids(self) -> list[str]:
        return [command.step_id for command in self.sent]

    @property
    def deeds(self) -> list[tuple[str, str | None, datetime]]:
        """What happened to subscriptions, and when."""
        return [(each.action, each.subscription_id, each.decided_at) for each in self.actions]

    def said(
        self, outcome: Outcome, reason: ReasonCode | None = None, *, step: str | None = None
    ) -> list[Reason]:
        """The reasons given with this outcome, in order."""
        return [
            each
            for each in self.reasons
            if each.outcome is outcome
            and (reason is None or each.reason is reason)
            and (step is None or each.step_id == step)
        ]

    # Time.

    def until(self, moment: datetime) -> list[Command]:
        """Let time pass: every tick of the minute grid up to the moment at which there is something to do."""
        commands: list[Command] = []
        while (tick := self._next_tick()) is not None and tick <= moment:
            decision = self._decide(Tick(now=tick), tick)
            assert decision.state.due is None or decision.state.due > tick, "a tick leaves work"
            commands.extend(decision.commands)
        return commands

    def down(self, start: datetime, end: datetime) -> None:
        """No worker runs from `start` to `end`; what arrives is decided with its arrival as the clock."""
        self.until(start - timedelta.resolution)
        self._down_until = end

    def _next_tick(self) -> datetime | None:
        due = None if self._kept is None else self.state.due
        if due is None:
            return None
        clock = self.state.clock
        tick = _minute_from(max(due, clock if self._down_until is None else max(clock, self._down_until)))
        last = next((each.event.now for each in reversed(self.decided) if isinstance(each.event, Tick)), None)
        return tick if last is None or tick > last else last + MINUTE

    # What happens.

    def tell(self, event: CustomerEvent, *, arrives: datetime | None = None) -> list[Command]:
        """Let an event arrive (when it occurred, unless said otherwise), after the ticks before it."""
        arrived_at = arrives or event.occurred_at
        self.until(arrived_at - timedelta.resolution)
        return list(self._decide(event, arrived_at).commands)

    def failed(
        self,
        at: datetime,
        invoice: str = "inv-1",
        *,
        subscription: str | None = "sub-1",
        amount: int = 2000,
        currency: str = "USD",
        code: str | None = "insufficient_funds",
        arrives: datetime | None = None,
        event_id: str | None = None,
        **more: Any,
    ) -> list[Command]:
        event = PaymentFailed(
            event_id=event_id or self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            invoice_id=invoice,
            subscription_id=subscription,
            amount_minor=amount,
            currency=currency,
            decline_code=code,
            **more,
        )
        return self.tell(event, arrives=arrives)

    def paid(
        self,
        at: datetime,
        invoice: str = "inv-1",
        *,
        subscription: str | None = "sub-1",
        amount: int = 2000,
        currency: str = "USD",
        arrives: datetime | None = None,
        event_id: str | None = None,
    ) -> list[Command]:
        event = PaymentRecovered(
            event_id=event_id or self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            invoice_id=invoice,
            subscription_id=subscription,
            amount_minor=amount,
            currency=currency,
        )
        return self.tell(event, arrives=arrives)

    def payment_reversed(
        self,
        at: datetime,
        invoice: str = "inv-1",
        *,
        subscription: str | None = "sub-1",
        amount: int = 2000,
        currency: str = "USD",
        reason: Any = "chargeback",
        arrives: datetime | None = None,
    ) -> list[Command]:
        event = PaymentReversed(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            invoice_id=invoice,
            subscription_id=subscription,
            amount_minor=amount,
            currency=currency,
            reason=reason,
        )
        return self.tell(event, arrives=arrives)

    def closed(
        self, at: datetime, reason: Any, invoice: str = "inv-1", *, arrives: datetime | None = None
    ) -> list[Command]:
        event = InvoiceClosed(
            event_id=self._id(), occurred_at=at, customer_id=CUSTOMER, invoice_id=invoice, reason=reason
        )
        return self.tell(event, arrives=arrives)

    def cancelled(
        self, at: datetime, subscription: str = "sub-1", *, arrives: datetime | None = None
    ) -> list[Command]:
        event = SubscriptionCancelled(
            event_id=self._id(), occurred_at=at, customer_id=CUSTOMER, subscription_id=subscription
        )
        return self.tell(event, arrives=arrives)

    def changed(
        self,
        at: datetime,
        change: Any,
        subscription: str = "sub-1",
        *,
        plan_name: str = "Pro",
        arrives: datetime | None = None,
    ) -> list[Command]:
        event = SubscriptionChanged(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            subscription_id=subscription,
            change=change,
            plan_name=plan_name,
        )
        return self.tell(event, arrives=arrives)

    def card_updated(
        self,
        at: datetime,
        card: Card = NEW_CARD,
        *,
        source: Any = "customer",
        arrives: datetime | None = None,
    ) -> list[Command]:
        event = CardUpdated(
            event_id=self._id(), occurred_at=at, customer_id=CUSTOMER, card=card, source=source
        )
        return self.tell(event, arrives=arrives)

    def card_expiring(
        self,
        at: datetime,
        card: Card = OLD_CARD,
        *,
        subscriptions: tuple[str, ...] = ("sub-1",),
        arrives: datetime | None = None,
    ) -> list[Command]:
        event = CardExpiring(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            card=card,
            subscription_ids=subscriptions,
        )
        return self.tell(event, arrives=arrives)

    def renewing(
        self,
        at: datetime,
        renews_at: datetime,
        *,
        subscription: str = "sub-1",
        amount: int = 2000,
        currency: str = "USD",
        interval: Any = "month",
        arrives: datetime | None = None,
        **more: Any,
    ) -> list[Command]:
        event = RenewalUpcoming(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            subscription_id=subscription,
            renews_at=renews_at,
            amount_minor=amount,
            currency=currency,
            interval=interval,
            plan_name="Basic",
            **more,
        )
        return self.tell(event, arrives=arrives)

    def profile(
        self,
        at: datetime,
        *,
        timezone: str = NEW_YORK,
        country: str = "US",
        region: str | None = None,
        locale: str = "en-US",
        channels: Iterable[Channel] = EVERY_CHANNEL,
        exempt: bool = False,
        arrives: datetime | None = None,
        **more: Any,
    ) -> list[Command]:
        event = CustomerProfile(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            customer_since=utc("2024-01-01 00:00"),
            timezone=timezone,
            locale=locale,
            country=country,
            region=region,
            channels=tuple(channels),
            exempt=exempt,
            **more,
        )
        return self.tell(event, arrives=arrives)

    def feedback(
        self,
        at: datetime,
        kind: FeedbackKind,
        command: NotificationCommand | None = None,
        *,
        channel: Channel | None = None,
        arrives: datetime | None = None,
        **more: Any,
    ) -> list[Command]:
        """What a notification service reports; about the last message, unless another is given."""
        about = command or self.sent[-1]
        event = Feedback(
            event_id=self._id(),
            occurred_at=at,
            customer_id=CUSTOMER,
            command_id=about.command_id,
            channel=channel or about.channel,
            kind=kind,
            **more,
        )
        return self.tell(event, arrives=arrives)

    def _id(self) -> str:
        return f"event-{next(self._numbers)}"

    def _decide(self, event: Input, clock: datetime) -> Decision:
        state = None if self._kept is None else decode_state(self._kept)
        decision = decide(state, event, clock, self.policy, self.stock)
        self._draw(decision)
        self._kept = encode_state(decision.state)
        assert decode_state(self._kept) == decision.state, "the state does not survive its bytes"
        if decision.forgotten:
            assert not decision.commands, "who is sent something is not forgotten by it"
            self._kept = None
        for command in decision.commands:
            self._check(command, decision)
        if self._content is not None:
            rendered = tuple(
                self._content.render(command) if isinstance(command, NotificationCommand) else command
                for command in decision.commands
            )
            decision = replace(decision, commands=rendered)
        self.decided.append(Decided(event, decision))
        add_up(self.counts, outcomes(state, event, decision, self.policy))
        return decision

    def _draw(self, decision: Decision) -> None:
        held = dict(self.stock.held)
        for draw in decision.drawn:
            held[draw.account] -= draw.amount
        assert all(left >= 0 for left in held.values()), "more is offered than there is"
        if decision.drawn:
            self.stock = Stock(held, self.stock.refused)

    def _check(self, command: Command, decision: Decision) -> None:
        assert command.decided_at == decision.clock
        if isinstance(command, NotificationCommand):
            assert command.decided_at <= command.send_after < command.expires_at
            assert (command.purpose == "marketing") is (command.offer is not None)
        known = self._commands.setdefault(command.command_id, command)
        assert known == command, "two commands of one id"
        assert any(reason.command_id == command.command_id for reason in decision.reasons), "no reason given"


def _minute_from(moment: datetime) -> datetime:
    """The first whole minute at or after the moment."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + MINUTE


def played(history: History, *, policy: Policy | None = None, until: datetime | None = None) -> Customer:
    """The customer after a history, and after what follows from it up to `until`."""
    customer = Customer(policy)
    outages = list(history.outages)
    for happening in history.happenings:
        while outages and outages[0][0] <= happening.arrives:
            customer.down(*outages.pop(0))
        event = _resolved(happening.what, customer.sent)
        if event is not None:
            customer.tell(event, arrives=happening.arrives)
    for outage in outages:
        customer.down(*outage)
    if until is not None:
        customer.until(until)
    return customer


def _resolved(what: CustomerEvent | Report, sent: list[NotificationCommand]) -> CustomerEvent | None:
    if not isinstance(what, Report):
        return what
    if not sent:
        return None
    command = sent[-1 - what.about % len(sent)]
    return Feedback(
        event_id=what.event_id,
        occurred_at=what.occurred_at,
        customer_id=CUSTOMER,
        command_id=command.command_id,
        channel=command.channel,
        kind=what.kind,
        promised_until=what.promised_until,
        scope=what.scope,
        text=what.text,
    )
