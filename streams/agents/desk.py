"""The desk that the agents work at: between a record and the domain, and between it and the topics."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from streams.agents.offers import OfferBooks
from streams.agents.outcome_table import OutcomeTable
from streams.agents.policies import Policies
from streams.agents.rejects import Rejects
from streams.agents.traces import traced
from streams.dunning import Decision, decision_record
from streams.dunning.commands import InputReference
from streams.dunning.events import CustomerEvent, Tick
from streams.dunning.measures import Counts, add_up
from streams.dunning.offer_leases import LeaseMessage
from streams.dunning.outcomes import outcomes
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state, encode_state
from streams.engine import App, Batch, Codec, Record, Table, without_words
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import CUSTOMER_HEADER, Stage
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.headers import output_headers
from streams.messages.instants import EPOCH, from_millis, to_micros
from streams.messages.policy_change import PolicyChange
from streams.messages.tables import CUSTOMERS, PARTITIONS
from streams.messages.topics import LEASES, POLICIES, PROFILES, Topic, topic_named, topic_of
from streams.ops.facts import NO_CASES, move_cases
from streams.ops.metrics import Metrics, PartitionFacts
from streams.ops.tracing import Tracer
from streams.policy import LoadedPolicy

Cause = CustomerEvent | Tick | PolicyChange
"""What a decision is taken upon."""

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(days=1)
"""When a customer whose decision failed on a tick is looked at again: time for somebody to mend it."""

_DUE_IN_ONE_LOOK = 1_000
"""Customers that a tick asks for at a time: bounds the list, not the tick."""

_FACTS_KEY = "facts"


def due_micros(state: CustomerState) -> int | None:
    """When a tick next has something to do for the customer; the table's agenda is ordered by it."""
    return None if state.due is None else to_micros(state.due)


def _id_of(cause: Cause) -> str | None:
    if isinstance(cause, Tick):
        return None
    return cause.change_id if isinstance(cause, PolicyChange) else cause.event_id


class Desk:
    """The tables, the policies, and the way in and out.

    Args:
        app: the tables are its.
        policies: decide.
        prefix: goes before the name of every topic.
        decoder: reads the inputs.
        encoder: writes the outputs.
        rejects: takes what cannot be used.
        metrics: counts the rest.
        tracer: makes spans of decisions; none unless given.
    """

    def __init__(
        self,
        app: App,
        policies: Policies,
        *,
        prefix: str,
        decoder: Decoder,
        encoder: Encoder,
        rejects: Rejects,
        metrics: Metrics,
        tracer: Tracer | None = None,
    ) -> None:
        self._customers: Table[CustomerState] = app.Table(
            CUSTOMERS, codec=Codec(encode_state, decode_state), due=due_micros
        )
        # Of each partition: its clock, how many cases stand where, and what it goes by.
        self._partitions: Table[PartitionFacts] = app.Table(
            PARTITIONS, codec=Codec(msgspec.msgpack.encode, msgspec.msgpack.Decoder(PartitionFacts).decode)
        )
        self.outcomes = OutcomeTable(app)
        self.policies = policies
        self.tracer = tracer
        self._prefix = prefix
        self.policy_topic, self.lease_topic, self.profile_topic = map(
            self.topic, (POLICIES, LEASES, PROFILES)
        )
        self.offers = OfferBooks(app, self.lease_topic, encoder)
        self._decoder = decoder
        self._encoder = encoder
        self._rejects = rejects
        self._metrics = metrics
        metrics.recall_from(lambda number: self._partitions.committed(number, _FACTS_KEY))

    def topic(self, topic: Topic) -> str:
        """The name that a topic of the contract has on this cluster."""
        return self._prefix + topic.name

    @contextmanager
    def sitting(self, batch: Batch) -> Iterator["Sitting"]:
        """Work through a batch; what has changed of its partition is kept when it is through."""
        before = self._partitions.get(_FACTS_KEY) or PartitionFacts(clock=None, cases=NO_CASES)
        sitting = Sitting(self, batch, self.policies.begin(before))
        yield sitting
        self.offers.close(batch, sitting.leasing)
        facts = self.outcomes.keep(sitting.counts, sitting.facts)
        if facts != before:
            self._partitions[_FACTS_KEY] = facts
            self._metrics.partition_moved(batch.partition, facts)

    def read(self, batch: Batch, record: Record) -> CustomerEvent | Tick | None:
        """The record's content; None for a bad one, which goes to the dead letters.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        topic = record.topic.removeprefix(self._prefix)
        try:
            event = self._decoder.decode(topic, record.key, record.value, record.timestamp)
        except BadRecord as error:
            self.refuse(batch, record, error)
            return None
        self._rejects.accept()
        return event

    def read_internal(self, batch: Batch, record: Record, topic: Topic) -> PolicyChange | LeaseMessage | None:
        """What the engine or those who run it say; None for a bad one, which goes to the dead letters.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        try:
            message: PolicyChange | LeaseMessage = self._decoder.read(topic.name, record.value)
        except BadRecord as error:
            self.refuse(batch, record, error)
            return None
        return message

    def read_erasure(self, batch: Batch, record: Record) -> str | None:
        """Whom a profile without a value names; None for nobody, which goes to the dead letters.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        if not record.key:
            self.refuse(
                batch,
                record,
                BadRecord(
                    BadRecordCode.MISSING_CUSTOMER, "the record has neither key nor value", field="key"
                ),
            )
            return None
        self._rejects.accept()
        self._metrics.customer_erased()
        return record.key.decode(errors="replace")

    def refuse(self, batch: Batch, record: Record, error: BadRecord) -> None:
        """Send a bad record to the dead letters, and count it.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        self._rejects.reject(batch, record, error)
        self._metrics.dead_letter(record.topic.removeprefix(self._prefix), error.code)

    def due(self, clock: datetime) -> Iterator[CustomerState]:
        """Each customer of the batch's partition who is due, once: the longest due first.

        Who is due again at once waits for the next tick.
        """
        seen: set[str] = set()
        until = to_micros(clock)
        while fresh := [
            each for each in self._customers.due(until, _DUE_IN_ONE_LOOK + len(seen)) if each not in seen
        ]:
            seen.update(fresh)
            for customer_id in fresh:
                yield self._customers[customer_id]

    def known(self, customer_id: str) -> CustomerState | None:
        """What is kept of a customer of the batch's partition."""
        state: CustomerState | None = self._customers.get(customer_id)
        return state

    def keep(self, state: CustomerState) -> None:
        """Keep a customer's new state."""
        self._customers[state.customer_id] = state

    def forget(self, customer_id: str) -> None:
        """Keep nothing of a customer any more."""
        del self._customers[customer_id]

    def emit(
        self, batch: Batch, record: Record, cause: Cause, decision: Decision, policy: LoadedPolicy
    ) -> None:
        """Send the commands, and then the decision with its reasons."""
        reference = InputReference(
            kind=topic_named(record.topic.removeprefix(self._prefix)).kind,
            event_id=_id_of(cause),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        said = decision_record(decision, reference, policy.policy)
        if said is None:
            return
        key = decision.state.customer_id.encode()
        received = traced(self.tracer, said, len(decision.commands), record)
        for message in (*decision.commands, said):
            batch.emit(
                self.topic(topic_of(message)),
                key=key,
                value=self._encoder.encode(message),
                headers=output_headers(message, received),
                timestamp=to_micros(decision.clock) // 1_000,
            )

    def count(self, cause: Cause, before: CustomerState | None, decision: Decision) -> None:
        """Count what was decided; it counts when the round is committed."""
        if isinstance(cause, Tick):
            self._metrics.customer_due(decision)
        elif isinstance(cause, PolicyChange):
            self._metrics.customer_migrated(decision)
        else:
            self._metrics.event_decided(cause, before, decision)

    def put_off(
        self, batch: Batch, record: Record, state: CustomerState, clock: datetime, error: Exception
    ) -> None:
        """A customer whose decision fails on a tick must not hold up all others of the partition.

        The tick goes to the dead letters, whose header names the customer, who is looked at again later.
        """
        logger.error(
            "a decision on a tick failed and is tried again in %s: %s", RETRY_AFTER, without_words(error)
        )
        letter = self._rejects.letter(record, error, Stage.DECIDE)
        batch.emit(
            letter.topic,
            key=letter.key,
            value=letter.value,
            headers=[*letter.headers, (CUSTOMER_HEADER, state.customer_id.encode())],
            timestamp=letter.timestamp,
        )
        self._metrics.dead_letter(record.topic.removeprefix(self._prefix), "processing_failed")
        self.keep(replace(state, next_due=clock + RETRY_AFTER))


class Sitting:
    """One batch being worked through.

    Attributes:
        clock: of its partition: the highest tick so far (UTC).
        cases: of its partition: how many open cases stand where.
        counts: what is to be added to the outcomes.
        policy: what decides.
        leasing: of its partition: what may be drawn from the totals of offers.
    """

    __slots__ = (
        "_batch",
        "_before",
        "_desk",
        "cases",
        "clock",
        "counts",
        "leasing",
        "policy",
    )

    def __init__(self, desk: Desk, batch: Batch, facts: PartitionFacts) -> None:
        self._desk = desk
        self._batch = batch
        self._before = facts
        self.clock = facts.clock or EPOCH
        self.cases = facts.cases
        self.counts: Counts = {}
        self.policy = desk.policies.in_force(facts)
        self.leasing = desk.offers.open(batch, self.policy, self.clock)

    @property
    def facts(self) -> PartitionFacts:
        """What is to be kept of the partition itself."""
        return self._before._replace(clock=self.clock if self.clock > EPOCH else None, cases=self.cases)

    def decide(self, record: Record) -> None:
        """Decide what has happened to a customer: its clock is the record's time, or later if a tick was."""
        if record.topic == self._desk.policy_topic:
            self._change(record)
            return
        if record.topic == self._desk.lease_topic:
            self._lease(record)
            return
        if record.value is None and record.topic == self._desk.profile_topic:
            self._erase(record)
            return
        if self._desk.tracer is not None:
            self._desk.tracer.begin()
        event = self._desk.read(self._batch, record)
        if event is None or isinstance(event, Tick):
            return
        clock = max(self.clock, from_millis(record.timestamp))
        before = self._desk.known(event.customer_id)
        self._conclude(record, event, before, self.policy.decide(before, event, clock))

    def advance(self, record: Record) -> None:
        """Move the clock by a tick, and decide all customers who are due. A tick of the past does nothing."""
        tick = self._desk.read(self._batch, record)
        if not isinstance(tick, Tick) or tick.now <= self.clock:
            return
        self.clock = self.leasing.clock = tick.now
        for before in self._desk.due(tick.now):
            if self._desk.tracer is not None:
                self._desk.tracer.begin()
            try:
                decision = self.policy.decide(before, tick, tick.now, self.leasing.stock)
            except Exception as error:  # noqa: BLE001 - one customer must not stop the clock of all others
                self._desk.put_off(self._batch, record, before, tick.now, error)
            else:
                self._conclude(record, tick, before, decision)

    def _erase(self, record: Record) -> None:
        """Drop all that is kept of a customer; a decision that says so would hold the name again."""
        customer_id = self._desk.read_erasure(self._batch, record)
        before = None if customer_id is None else self._desk.known(customer_id)
        if before is not None:
            self._desk.forget(before.customer_id)
            self.cases = move_cases(self.cases, before, None)

    def _change(self, record: Record) -> None:
        """Take in a change of the policy: what comes after it in the partition goes by it."""
        policies = self._desk.policies
        if record.value is None:
            self._before = policies.drop(self._before, (record.key or b"").decode(errors="replace"))
        elif not isinstance(change := self._desk.read_internal(self._batch, record, POLICIES), PolicyChange):
            return
        elif change.action == "migrate":
            self._migrate(record, change)
        else:
            try:
                self._before = policies.publish(self._before, change)
            except BadRecord as error:
                self._desk.refuse(self._batch, record, error)
        self.policy = policies.in_force(self._before)
        self._desk.offers.adopt(self.leasing, self.policy)

    def _lease(self, record: Record) -> None:
        """Take in what partitions and keepers say of the totals of offers."""
        message = self._desk.read_internal(self._batch, record, LEASES)
        if isinstance(message, LeaseMessage):
            self.leasing.take(message)

    def _migrate(self, record: Record, change: PolicyChange) -> None:
        """Move open cases to the version in force, at the partition's clock: nothing has happened to them."""
        if change.version != self.policy.version:
            logger.warning("%s is not in force any more: cases are not moved to it", change.version)
            return
        for customer_id in change.customers:
            before = self._desk.known(customer_id)
            if before is not None:
                self._conclude(record, change, before, self.policy.migrate(before, self.clock))

    def _conclude(
        self, record: Record, cause: Cause, before: CustomerState | None, decision: Decision
    ) -> None:
        if decision.forgotten:
            self._desk.forget(decision.state.customer_id)
            self.cases = move_cases(self.cases, before, None)
        elif decision.state is not before:
            self._desk.keep(decision.state)
            self.cases = move_cases(self.cases, before, decision.state)
        if decision.drawn or decision.awaited:
            self.leasing.settle(decision.drawn, decision.awaited)
        self._desk.count(cause, before, decision)
        if not isinstance(cause, PolicyChange):  # nothing comes of it before the next input
            add_up(self.counts, outcomes(before, cause, decision, self.policy.policy))
        self._desk.emit(self._batch, record, cause, decision, self.policy)
