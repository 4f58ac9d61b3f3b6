"""What becomes of messages: how notification services report them, and what customers then do."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from streams.dunning.commands import AccountCommand, NotificationCommand
from streams.dunning.events import Channel, Feedback, FeedbackKind
from streams.lab.biller.billing import Billing
from streams.lab.biller.draws import Draws
from streams.lab.biller.people import Customer, Invoice
from streams.lab.biller.timeline import Action, Timeline

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

# What a service first reports of a message. A letter's sender reports nothing.
_ARRIVES: dict[Channel, dict[FeedbackKind, float]] = {
    Channel.EMAIL: {
        FeedbackKind.DELIVERED: 0.96,
        FeedbackKind.BOUNCED_SOFT: 0.025,
        FeedbackKind.BOUNCED_HARD: 0.015,
    },
    Channel.SMS: {FeedbackKind.DELIVERED: 0.98, FeedbackKind.BOUNCED_HARD: 0.02},
    Channel.PUSH: {FeedbackKind.DELIVERED: 0.95, FeedbackKind.BOUNCED_HARD: 0.05},
    Channel.IN_APP: {FeedbackKind.DELIVERED: 1.0},
    Channel.PHONE: {FeedbackKind.ANSWERED: 0.4, FeedbackKind.NO_ANSWER: 0.6},
}
_OPENS = 0.55
_CLICKS = 0.45
_OPTS_OUT = 0.008
_COMPLAINS = 0.003
_PROMISES = 0.5
_KEEPS_PROMISE = 0.75
_ACTS = 0.6
_PAYS_WHEN_SUSPENDED = 0.5


class Recipients:
    """Receives commands as notification services do, and answers as customers do.

    Args:
        draws: chance.
        timeline: time.
        billing: where they pay, and put cards on file.
        customers: all of them, by id.
    """

    def __init__(
        self, draws: Draws, timeline: Timeline, billing: Billing, customers: Mapping[str, Customer]
    ) -> None:
        self._draws = draws
        self._timeline = timeline
        self._billing = billing
        self._customers = customers
        self._seen: set[str] = set()

    def receive(self, commands: Iterable[NotificationCommand | AccountCommand]) -> None:
        """Take commands; one that has been seen is dropped, as every consumer should."""
        for command in commands:
            if command.command_id in self._seen:
                continue
            self._seen.add(command.command_id)
            if isinstance(command, NotificationCommand):
                self._send(command)
            elif command.action == "suspend":
                self._suspend(command)

    def _send(self, command: NotificationCommand) -> None:
        chances = _ARRIVES.get(command.channel)
        if chances is None:
            self._after(command, 3 * _DAY, 6 * _DAY, "read", lambda at: self._read(command, at))
            return
        kind = self._draws.pick(chances, command.command_id, "arrives")

        def arrive(at: datetime) -> None:
            self._report(command, kind, at)
            if kind is FeedbackKind.DELIVERED:
                self._after(command, 10 * _MINUTE, 30 * _HOUR, "read", lambda then: self._read(command, then))
            elif kind is FeedbackKind.ANSWERED:
                self._talk(command, at)

        start = max(command.send_after, self._timeline.now)
        wait = self._draws.within(_MINUTE, 20 * _MINUTE, command.command_id, "arrives at")
        self._timeline.schedule(start + wait, f"{command.command_id} {kind}", arrive)

    def _read(self, command: NotificationCommand, at: datetime) -> None:
        customer = self._customers[command.customer_id]
        name = command.command_id
        if not self._draws.happens(_OPENS, name, "opens"):
            return
        if command.channel is Channel.EMAIL:
            self._report(command, FeedbackKind.OPENED, at)
        if self._draws.happens(_COMPLAINS, name, "complains"):
            self._report(command, FeedbackKind.COMPLAINED, at + _MINUTE)
        elif self._draws.happens(_OPTS_OUT, name, "opts out"):
            self._report(command, FeedbackKind.OPTED_OUT, at + _MINUTE)
        elif self._draws.happens(_CLICKS * customer.responsive, name, "clicks"):
            if command.channel is not Channel.LETTER:
                self._report(command, FeedbackKind.CLICKED, at + 2 * _MINUTE)
            if self._draws.happens(_ACTS, name, "acts"):
                self._after(command, 5 * _MINUTE, 3 * _HOUR, "acts", lambda then: self._act(command, then))

    def _talk(self, command: NotificationCommand, at: datetime) -> None:
        name = command.command_id
        if not self._draws.happens(_PROMISES, name, "promises"):
            return
        until = at + self._draws.within(2 * _DAY, 9 * _DAY, name, "promised until")
        self._report(command, FeedbackKind.PROMISED, at + 3 * _MINUTE, promised_until=until)
        if self._draws.happens(_KEEPS_PROMISE, name, "keeps the promise"):
            self._timeline.schedule(until - _HOUR, f"{name} kept", lambda then: self._act(command, then))

    def _act(self, command: NotificationCommand, at: datetime) -> None:
        """Do what the message asks for: a new card where that is it, else a payment."""
        customer = self._customers[command.customer_id]
        open_invoices = [
            invoice for line in command.invoices if (invoice := self._billing.invoice(line.invoice_id))
        ]
        asks_for_card = command.variables.get("decline_class") in {"hard", "fraud"}
        if asks_for_card or (not open_invoices and "exp_month" in command.variables):
            self._billing.update_card(customer, at)
            return
        for invoice in open_invoices:
            self._billing.pay(invoice, at)

    def _suspend(self, command: AccountCommand) -> None:
        invoices = [
            invoice for line in command.invoices if (invoice := self._billing.invoice(line.invoice_id))
        ]
        name = command.command_id
        if not self._draws.happens(_PAYS_WHEN_SUSPENDED, name, "pays"):
            return
        start = max(command.decided_at, self._timeline.now)
        wait = self._draws.within(_HOUR, 6 * _DAY, name, "pays at")
        self._timeline.schedule(start + wait, name, lambda at: self._pay_all(invoices, at))

    def _pay_all(self, invoices: Iterable[Invoice], at: datetime) -> None:
        for invoice in invoices:
            self._billing.pay(invoice, at)

    def _after(
        self, command: NotificationCommand, shortest: timedelta, longest: timedelta, what: str, action: Action
    ) -> None:
        wait = self._draws.within(shortest, longest, command.command_id, what, "when")
        start = max(command.send_after, self._timeline.now)
        self._timeline.schedule(start + wait, f"{command.command_id} {what}", action)

    def _report(
        self,
        command: NotificationCommand,
        kind: FeedbackKind,
        at: datetime,
        promised_until: datetime | None = None,
    ) -> None:
        event_id = f"{command.command_id}-{kind}"

        def tell(then: datetime) -> None:
            self._timeline.tell(
                Feedback(
                    event_id=event_id,
                    occurred_at=then,
                    customer_id=command.customer_id,
                    command_id=command.command_id,
                    channel=command.channel,
                    kind=kind,
                    promised_until=promised_until,
                )
            )

        self._timeline.schedule(at, event_id, tell)
