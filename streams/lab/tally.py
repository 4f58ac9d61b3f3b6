"""What happened in a stretch of virtual time, counted, and whose story is worth telling."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand, Outcome
from streams.dunning.events import PaymentFailed, PaymentRecovered
from streams.lab.simulate import Output
from streams.messages.history import Arrival
from streams.messages.topics import topic_of

_NOT_SENT = frozenset(
    {Outcome.SUPPRESSED, Outcome.SUPERSEDED, Outcome.CANCELLED, Outcome.DEFERRED, Outcome.BLOCKED}
)


@dataclass(slots=True)
class Story:
    """All that happened to one customer, in order: what arrived and what was said."""

    entries: list[tuple[datetime, Arrival | Output]] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def add(self, at: datetime, entry: Arrival | Output, kinds: Iterable[str]) -> None:
        """Add an entry, and the different things that it shows."""
        self.entries.append((at, entry))
        self.kinds.update(kinds)


@dataclass(slots=True)
class Tally:
    """Counts, added to stretch by stretch.

    Attributes:
        events: inputs by kind.
        contacts: notification commands by channel and template.
        account_commands: by action and reason.
        recovered: payments of invoices that had failed, by currency.
        recovered_minor: what they amount to, by currency, in minor units.
        not_sent: outcomes of steps that led to no contact, with their reason.
    """

    events: Counter[str] = field(default_factory=Counter)
    contacts: Counter[tuple[str, str]] = field(default_factory=Counter)
    account_commands: Counter[tuple[str, str]] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    recovered_minor: Counter[str] = field(default_factory=Counter)
    not_sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    _failed: set[str] = field(default_factory=set)
    _stories: dict[str, Story] = field(default_factory=lambda: defaultdict(Story))

    def add_arrival(self, arrival: Arrival) -> None:
        """Count an event."""
        event = arrival.event
        kind = topic_of(event).kind
        self.events[kind] += 1
        self._stories[event.customer_id].add(arrival.arrived_at, arrival, (kind,))
        if isinstance(event, PaymentFailed):
            self._failed.add(event.invoice_id)
        elif isinstance(event, PaymentRecovered) and event.invoice_id in self._failed:
            self._failed.discard(event.invoice_id)
            self.recovered[event.currency] += 1
            self.recovered_minor[event.currency] += event.amount_minor

    def add_output(self, output: Output) -> None:
        """Count a command or a decision."""
        kinds: list[str] = []
        if isinstance(output, NotificationCommand):
            self.contacts[output.channel, output.template] += 1
            kinds = [output.channel, output.template]
        elif isinstance(output, AccountCommand):
            self.account_commands[output.action, output.reason] += 1
            # Suspensions and what follows them make the best stories.
            kinds = [f"{output.action} {number}" for number in range(3)]
        else:
            kinds = self._add_decision(output)
        self._stories[output.customer_id].add(output.decided_at, output, kinds)

    def _add_decision(self, record: DecisionRecord) -> list[str]:
        for outcome in record.outcomes:
            if outcome.outcome in _NOT_SENT:
                self.not_sent[outcome.outcome, outcome.reason] += 1
        return [outcome.reason for outcome in record.outcomes]

    def story(self) -> tuple[str, Story] | None:
        """The customer with the most different things in their story; None if there is no customer."""
        if not self._stories:
            return None
        return max(self._stories.items(), key=lambda item: (len(item[1].kinds), item[0]))
