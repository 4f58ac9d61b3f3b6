"""A worker's metrics: what agents and engine say about what they do.

A round that fails runs again, so what agents say is staged and counts when the engine reports the round
committed, and never if it reports it failed. What the engine itself reports counts at once.

All is called on the event loop's thread, but for `lag` and the registry, which may be asked from anywhere.
"""

import math
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, get_args

from prometheus_client import CollectorRegistry

from streams.dunning.commands import Command, NotificationCommand, Outcome, Reason
from streams.dunning.decide import Decision
from streams.dunning.events import CustomerEvent, CustomerProfile, PaymentRecovered
from streams.dunning.state import CustomerState
from streams.ops import catalogue
from streams.ops.definition import Metric
from streams.ops.facts import CaseCounts, CaseStage, EventOutcome, event_outcome, fit_cases, owes
from streams.ops.series import Counter, Gauge, Histogram, Info, SeriesSet

__all__ = ["Metrics", "PartitionFacts"]

_NO_CONTACT = frozenset({Outcome.SUPPRESSED, Outcome.SUPERSEDED})

_STAGES = tuple(CaseStage)

_KINDS: dict[type, str] = {each: each.__struct_config__.tag for each in get_args(CustomerEvent)}


class PartitionFacts(NamedTuple):
    """What a partition's state says about the partition itself, kept in a table beside its customers.

    Fields may be added at the end, with a default, so that what one release kept is read by the next.

    Attributes:
        clock: its clock; None before the first tick.
        cases: its open cases.
        policy_number: the last publication that it has taken in; 0 if none.
        policy_versions: the policies that it has gone by and still knows; it goes by the last.
        outcome_groups: by how many groups its outcomes are counted.
    """

    clock: datetime | None
    cases: CaseCounts
    policy_number: int = 0
    policy_versions: tuple[str, ...] = ()
    outcome_groups: int = 0


class _Offsets(Protocol):
    """A mapping from (topic, partition) to a number; a `Mapping` would ask for the very type of its keys."""

    def items(self) -> Iterable[tuple[tuple[str, int], int]]: ...


class _FromTopic(Protocol):
    @property
    def topic(self) -> str: ...


class Metrics:
    """Counts. It has the methods of the engine's observer, and others for agents.

    Args:
        version: this program's release.
        wall_clock: epoch seconds.

    Attributes:
        registry: for the endpoint; nothing else is in it.
    """

    def __init__(self, *, version: str, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._recall: Callable[[int], PartitionFacts | None] | None = None
        self._assigned: frozenset[int] = frozenset()
        self._ready: set[int] = set()
        self._all = SeriesSet(
            catalogue.CATALOGUE,
            {
                catalogue.CLOCK_DELAY.name: self._delay,
                catalogue.LAG_AGE.name: self._delay,
                catalogue.OLDEST_DUE.name: lambda due: max(0.0, self._delay(due)),
            },
        )
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        self._events = counter(catalogue.EVENTS)
        self._dead_letters = counter(catalogue.DEAD_LETTERS)
        self._decisions = counter(catalogue.DECISIONS)
        self._suppressions = counter(catalogue.SUPPRESSIONS)
        self._blocked = counter(catalogue.SUSPENSIONS_BLOCKED)
        self._notifications = counter(catalogue.NOTIFICATION_COMMANDS)
        self._account_commands = counter(catalogue.ACCOUNT_COMMANDS)
        self._recoveries = counter(catalogue.RECOVERIES)
        self._recovered_amount = counter(catalogue.RECOVERED_AMOUNT)
        self._customers_due = counter(catalogue.CUSTOMERS_DUE)
        self._cases = gauge(catalogue.CASES)
        self._clocks = gauge(catalogue.CLOCK_DELAY)
        self._lag = gauge(catalogue.LAG)
        self._lag_age = gauge(catalogue.LAG_AGE)
        self._oldest_due = gauge(catalogue.OLDEST_DUE)
        self._due_backlog = gauge(catalogue.DUE_BACKLOG)
        self._held_ticks = gauge(catalogue.HELD_TICKS)
        self._round_duration = histogram(catalogue.ROUND_DURATION)
        self._round_records = histogram(catalogue.ROUND_RECORDS)
        self._transactions = counter(catalogue.TRANSACTIONS)
        self._transaction_duration = histogram(catalogue.TRANSACTION_DURATION)
        self._outputs = counter(catalogue.OUTPUT_RECORDS)
        self._changes = counter(catalogue.CHANGELOG_RECORDS)
        self._round_failures = counter(catalogue.ROUND_FAILURES)
        self._partitions = gauge(catalogue.PARTITIONS)
        self._input_partitions = gauge(catalogue.INPUT_PARTITIONS)
        self._rebalances = counter(catalogue.REBALANCES)
        self._restored = gauge(catalogue.RESTORED)
        self._restore_remaining = gauge(catalogue.RESTORE_REMAINING)
        self._table_keys = gauge(catalogue.TABLE_KEYS)
        self._store_size = gauge(catalogue.STORE_SIZE)
        self._policy = self._all.of(catalogue.POLICY_INFO, Info)
        self._all.of(catalogue.BUILD_INFO, Info).set(version, platform.python_version())
        for since_now in (self._all.of(catalogue.START_TIME, Gauge), self._lag_age):
            since_now.set(value=wall_clock())
        self._count_partitions()
        self.registry = CollectorRegistry()
        self.registry.register(self._all)

    # What agents say. It counts when their round is committed.

    def event_decided(self, event: CustomerEvent, before: CustomerState | None, decision: Decision) -> None:
        """An event was decided about a customer whose state had been ``before``."""
        self._events.stage(_KINDS[type(event)], event_outcome(decision.reasons))
        self._decided(decision.reasons, decision.commands)
        if isinstance(event, PaymentRecovered) and owes(before, event.invoice_id):
            self._recovered(event, decision.state)

    def customer_erased(self) -> None:
        """A profile came without a value: nothing is kept of the customer any more."""
        self._events.stage(_KINDS[CustomerProfile], EventOutcome.ERASED)

    def customer_due(self, decision: Decision) -> None:
        """A tick decided about a customer because something was due."""
        self._customers_due.stage()
        self._decided(decision.reasons, decision.commands)

    def customer_migrated(self, decision: Decision) -> None:
        """A customer's open cases have moved to another version of the policy."""
        self._decided(decision.reasons, decision.commands)

    def partition_moved(self, partition: int, facts: PartitionFacts) -> None:
        """The partition's clock or its cases have changed; best said once, at the end of a batch."""
        number = str(partition)
        for stage, count in zip(_STAGES, fit_cases(facts.cases), strict=True):
            self._cases.stage(number, stage, value=count)
        if facts.clock is not None:
            self._clocks.stage(number, value=facts.clock.timestamp())

    def dead_letter(self, topic: str, reason: str) -> None:
        """A record of the topic goes to the dead letters for this reason.

        Not to be called for one that failed every attempt: the engine reports that as `poisoned`.
        """
        self._events.stage(_kind_of(topic), EventOutcome.BAD)
        self._dead_letters.stage(_kind_of(topic), reason)

    # What the composition root says.

    def policy_in_force(self, name: str, version: str) -> None:
        """This policy decides from now on."""
        with self._all.lock:
            self._policy.set(name, version)

    def recall_from(self, recall: Callable[[int], PartitionFacts | None]) -> None:
        """Ask ``recall`` what the restored state of a partition says; None if nothing is kept yet."""
        self._recall = recall

    # What the engine observes.

    def inputs(self, partitions: int) -> None:
        """The inputs have so many partitions."""
        with self._all.lock:
            self._input_partitions.set(value=partitions)

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        """The group gave this worker these partitions."""
        with self._all.lock:
            self._rebalances.add()
            self._assigned = frozenset(number for _, number in partitions)
            self._count_partitions()

    def revoked(self, partitions: Iterable[tuple[str, int]]) -> None:
        """The group took these partitions away: others report about them."""
        self._all.drop()
        gone = {number for _, number in partitions}
        with self._all.lock:
            self._assigned -= gone
            self._ready -= gone
            self._count_partitions()
            self._all.forget(gone)

    def ready(self, partition: int) -> None:
        """A partition is restored: what its state says of it is reported again."""
        facts = None if self._recall is None else self._recall(partition)
        with self._all.lock:
            self._ready.add(partition)
            self._count_partitions()
            if facts is not None:
                for stage, count in zip(_STAGES, fit_cases(facts.cases), strict=True):
                    self._cases.set(str(partition), stage, value=count)
                if facts.clock is not None:
                    self._clocks.set(str(partition), value=facts.clock.timestamp())

    def restoring(self, table: str, partition: int, restored: int, remaining: int) -> None:
        """Restore goes on."""
        with self._all.lock:
            self._restored.set(table, str(partition), value=restored)
            self._restore_remaining.set(table, str(partition), value=remaining)

    def round_committed(self, *, duration_seconds: float, records: int, outputs: int, changes: int) -> None:
        """A round was committed: what its agents said counts."""
        with self._all.lock:
            self._all.commit()
            self._round_duration.observe(duration_seconds)
            self._round_records.observe(records)
            self._outputs.add(amount=outputs)
            self._changes.add(amount=changes)

    def transaction_ended(self, *, committed: bool, duration_seconds: float) -> None:
        """A round's transaction was committed or aborted."""
        with self._all.lock:
            self._transactions.add("committed" if committed else "aborted")
            if committed:
                self._transaction_duration.observe(duration_seconds)

    def round_failed(self, *, cause: str, error: BaseException) -> None:  # noqa: ARG002 - the engine's
        """A round was given up: what its agents said is void."""
        self._all.drop()
        with self._all.lock:
            self._round_failures.add(cause)

    def committed(self, offsets: _Offsets) -> None:
        """Offsets are committed; `lag` tells how far they are from the end."""

    def poisoned(self, record: _FromTopic, error: BaseException) -> None:  # noqa: ARG002 - the engine's
        """A record failed every attempt; the round that put it aside is committed."""
        kind = _kind_of(record.topic)
        with self._all.lock:
            self._events.add(kind, EventOutcome.BAD)
            self._dead_letters.add(kind, "processing_failed")

    def ticks_held(self, partition: int, ticks: int) -> None:
        """So many ticks wait."""
        with self._all.lock:
            self._held_ticks.set(str(partition), value=ticks)

    def lag(self, lags: _Offsets) -> None:
        """Lag was measured, on a thread of its own: a partition may have gone meanwhile."""
        with self._all.lock:
            self._lag_age.set(value=self._wall_clock())
            for (topic, partition), records in lags.items():
                if partition in self._assigned:
                    self._lag.set(topic, str(partition), value=records)

    def table_size(self, table: str, partition: int, *, keys: int, size_bytes: int | None) -> None:
        """A table's partition has so many keys, and takes so much on disk."""
        with self._all.lock:
            self._table_keys.set(table, str(partition), value=keys)
            if size_bytes is not None:
                self._store_size.set(table, str(partition), value=size_bytes)

    def agenda(self, table: str, partition: int, *, earliest: int | None, due: int) -> None:
        """When the first key of a table's partition is due (microseconds), and how many are due already."""
        with self._all.lock:
            at = math.inf if earliest is None else earliest / 1e6
            self._oldest_due.set(table, str(partition), value=at)
            self._due_backlog.set(table, str(partition), value=due)

    def stopped(self, exit_code: int, error: BaseException | None) -> None:  # noqa: ARG002 - the engine's
        """The engine has stopped: what was not committed is void."""
        self._all.drop()

    def _decided(self, reasons: Sequence[Reason], commands: Sequence[Command]) -> None:
        for reason in reasons:
            self._decisions.stage(reason.outcome, reason.reason)
            if reason.outcome in _NO_CONTACT:
                self._suppressions.stage(reason.reason)
            for missing in reason.missing:
                self._blocked.stage(missing)
        for command in commands:
            if isinstance(command, NotificationCommand):
                self._notifications.stage(command.template, command.channel, command.purpose)
            else:
                self._account_commands.stage(command.action)

    def _recovered(self, event: PaymentRecovered, after: CustomerState) -> None:
        # A payment that occurred before the invoice failed settles nothing of it.
        if not owes(after, event.invoice_id):
            self._recoveries.stage(event.currency)
            self._recovered_amount.stage(event.currency, amount=event.amount_minor)

    def _count_partitions(self) -> None:
        self._partitions.set("assigned", value=len(self._assigned))
        self._partitions.set("ready", value=len(self._ready))

    def _delay(self, clock: float) -> float:
        return self._wall_clock() - clock

    def _counter(self, metric: Metric) -> Counter:
        return self._all.of(metric, Counter)

    def _gauge(self, metric: Metric) -> Gauge:
        return self._all.of(metric, Gauge)

    def _histogram(self, metric: Metric) -> Histogram:
        return self._all.of(metric, Histogram)


def _kind_of(topic: str) -> str:
    """The kind is the topic's last word before its version: `billing.payment-failed.v1`."""
    words = topic.split(".")
    return words[-2] if len(words) > 1 else topic
