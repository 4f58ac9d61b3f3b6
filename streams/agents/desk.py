"""The desk that the agents work at: between a record and the domain, and between it and the topics."""

import logging
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from streams.agents.rejects import Rejects
from streams.dunning import Decision, decision_record
from streams.dunning.commands import InputReference
from streams.dunning.events import CustomerEvent, Tick
from streams.dunning.state import CustomerState, decode_state, encode_state
from streams.engine import App, Batch, Codec, Record, Table
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import Stage
from streams.messages.errors import BadRecord
from streams.messages.headers import output_headers
from streams.messages.topics import Topic, topic_named, topic_of
from streams.ops.metrics import Metrics
from streams.policy import LoadedPolicy

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

RETRY_AFTER = timedelta(hours=1)
"""When a customer whose decision failed on a tick is looked at again."""

_CLOCK_KEY = "clock"


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment of so many microseconds since the epoch (UTC)."""
    return _EPOCH + timedelta(microseconds=micros)


def due_micros(state: CustomerState) -> int | None:
    """When a tick next has something to do for the customer; the table's agenda is ordered by it."""
    return None if state.next_due is None else to_micros(state.next_due)


class Desk:
    """Two tables, the policy, and the way in and out.

    Args:
        app: the tables are its.
        policy: decides.
        prefix: goes before the name of every topic.
        decoder: reads the inputs.
        encoder: writes the outputs.
        rejects: takes what cannot be used.
        metrics: counts the rest.

    Attributes:
        customers: the state of each customer, and when each is due.
    """

    def __init__(
        self,
        app: App,
        policy: LoadedPolicy,
        *,
        prefix: str,
        decoder: Decoder,
        encoder: Encoder,
        rejects: Rejects,
        metrics: Metrics,
    ) -> None:
        self.customers: Table[CustomerState] = app.Table(
            "customers", codec=Codec(encode_state, decode_state), due=due_micros
        )
        self._clocks: Table[datetime] = app.Table("clocks", codec=Codec(_encode_clock, _decode_clock))
        self._policy = policy
        self._prefix = prefix
        self._decoder = decoder
        self._encoder = encoder
        self._rejects = rejects
        self._metrics = metrics

    @property
    def clock(self) -> datetime:
        """The clock of the batch's partition: the highest tick that it has seen (UTC)."""
        clock: datetime = self._clocks.get(_CLOCK_KEY, _EPOCH)
        return clock

    @clock.setter
    def clock(self, clock: datetime) -> None:
        self._clocks[_CLOCK_KEY] = clock

    def topic(self, topic: Topic) -> str:
        """The name that a topic of the contract has on this cluster."""
        return self._prefix + topic.name

    def _contract_name(self, record: Record) -> str:
        return record.topic.removeprefix(self._prefix)

    def read(self, batch: Batch, record: Record) -> CustomerEvent | Tick | None:
        """The record's content; None for a bad one, which goes to the dead letters.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        try:
            event = self._decoder.decode(
                self._contract_name(record), record.key, record.value, record.timestamp
            )
        except BadRecord as error:
            self._rejects.reject(batch, record, error)
            return None
        self._rejects.accept()
        return event

    def decide(self, state: CustomerState | None, event: CustomerEvent | Tick, clock: datetime) -> Decision:
        """What the policy makes of an input."""
        return self._policy.decide(state, event, clock)

    def keep(self, before: CustomerState | None, decision: Decision) -> None:
        """Keep the new state, if it is another."""
        if decision.state is not before:
            self.customers[decision.state.customer_id] = decision.state
            self._metrics.customer_changed(before, decision.state)

    def emit(self, batch: Batch, record: Record, event: CustomerEvent | Tick, decision: Decision) -> None:
        """Send the commands, and then the decision with its reasons."""
        reference = InputReference(
            kind=topic_named(self._contract_name(record)).kind,
            event_id=None if isinstance(event, Tick) else event.event_id,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
        self._metrics.decided(reference.kind, decision)
        said = decision_record(decision, reference, self._policy.policy)
        if said is None:
            return
        key = decision.state.customer_id.encode()
        for message in (*decision.commands, said):
            batch.emit(
                self.topic(topic_of(message)),
                key=key,
                value=self._encoder.encode(message),
                headers=output_headers(message, record.headers),
                timestamp=to_micros(decision.clock) // 1_000,
            )

    def put_off(
        self, batch: Batch, record: Record, state: CustomerState, clock: datetime, error: Exception
    ) -> None:
        """A customer whose decision fails on a tick must not hold up all others of the partition.

        The tick goes to the dead letters under the customer's key, and the customer is looked at again later.
        """
        logger.error("a decision on a tick failed and is tried again in %s", RETRY_AFTER, exc_info=error)
        letter = self._rejects.letter(record, error, Stage.DECIDE)
        batch.emit(
            letter.topic,
            key=state.customer_id.encode(),
            value=letter.value,
            headers=letter.headers,
            timestamp=letter.timestamp,
        )
        self.customers[state.customer_id] = replace(state, next_due=clock + RETRY_AFTER)


def _encode_clock(clock: datetime) -> bytes:
    return to_micros(clock).to_bytes(8, "big", signed=True)


def _decode_clock(data: bytes) -> datetime:
    return from_micros(int.from_bytes(data, "big", signed=True))
