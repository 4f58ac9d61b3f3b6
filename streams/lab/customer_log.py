"""All that Kafka holds of one customer, read from their partition alone: state, decisions, commands, events.

Only what is committed is seen, and nothing is asked of a worker: whoever reaches the brokers can answer for
any customer, also while workers restart or stand still. It costs a reading of one partition, whose records of
others are passed over by their key, without decoding.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from confluent_kafka import Message
from msgspec import Struct

from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state
from streams.dunning.story import Told
from streams.engine.codec import open_envelope
from streams.lab.partition_reader import PartitionReader
from streams.lab.partitioner import partition_of
from streams.messages.codec import Decoder
from streams.messages.errors import BadRecord
from streams.messages.registry import Registry
from streams.messages.tables import CUSTOMERS, PARTITIONS, POLICIES
from streams.messages.topics import INPUTS, OUTPUTS
from streams.ops.metrics import PartitionFacts
from streams.policy import LoadedPolicy, PolicyError
from streams.policy.versions import unpack

_FACTS = msgspec.msgpack.Decoder(PartitionFacts)


class Places(Struct, frozen=True):
    """Where the log is.

    Attributes:
        client: properties of every Kafka client: servers, TLS, SASL.
        topic: from a topic of the contract to its name on the cluster.
        changelog: from a table to the name of its changelog.
        schemas: the schema registry, if there is one; without it the release's own schemas serve.
    """

    client: Mapping[str, Any]
    topic: Callable[[str], str]
    changelog: Callable[[str], str]
    schemas: Registry | None = None


class CustomerLog(Struct, frozen=True):
    """What was found.

    Attributes:
        at: the moment that it is as of (UTC).
        state: what was kept of the customer then; None if nothing was.
        is_state_known: whether that is so; the changelog does not keep each state for ever.
        latest: what is kept of them now.
        told: decisions, commands and events about them, in order of time; also some of later.
        policy: what decides in their partition, with the earlier versions that cases hold; None if no worker
            has run yet.
        notes: what is not known, in words.
    """

    at: datetime
    state: CustomerState | None
    is_state_known: bool
    latest: CustomerState | None
    told: tuple[Told, ...]
    policy: LoadedPolicy | None
    notes: tuple[str, ...] = ()


def read_customer(
    places: Places,
    customer_id: str,
    *,
    back: timedelta,
    at: datetime | None = None,
    within_seconds: float | None = None,
) -> CustomerLog:
    """Read what there is of a customer.

    Args:
        places: where.
        customer_id: who.
        back: how far back from that moment decisions, commands and events are read.
        at: the moment (UTC); the partition's clock unless given, or if that is earlier.
        within_seconds: give up after so long.

    Raises:
        KafkaException: a topic is missing, for no worker has run yet, or the brokers do not answer.
        LogTooLongError: it takes longer than it may.
        PolicyError: the policy in force cannot be read by this release.
    """
    tables = {places.changelog(name): name for name in (CUSTOMERS, PARTITIONS, POLICIES)}
    topics = {places.topic(each.name): each.name for each in (*INPUTS, *OUTPUTS)}
    key = customer_id.encode()
    with PartitionReader(places.client, within_seconds) as reader:
        number = partition_of(customer_id, reader.partitions([*topics, *tables]))
        kept = _Kept(key)
        for message in reader.read(list(tables), number):
            kept.take(tables[message.topic() or ""], message)
        now = kept.clock or datetime.now(UTC)
        moment = now if at is None else min(at, now)
        state, is_state_known = kept.state_at(moment)
        records = reader.read(list(topics), number, moment - back)
        told, unreadable = _told([each for each in records if each.key() == key], topics, places.schemas)
    notes: list[str] = []
    if not is_state_known:
        notes.append("the state of that time is not kept any more: only what was decided is shown")
    if at is not None and at > now:
        notes.append("that time is still to come: this is how things stand now")
    if unreadable:
        notes.append(f"{unreadable} of the customer's records cannot be read: `dunning dlq list` says why")
    return CustomerLog(
        at=moment,
        state=state,
        is_state_known=is_state_known,
        latest=kept.latest,
        told=told,
        policy=kept.policy(),
        notes=tuple(notes),
    )


class _Kept:
    """What a partition's changelogs say, as they are read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._facts: PartitionFacts | None = None
        self._packed: dict[bytes, bytes] = {}
        self._states: list[CustomerState | None] = []

    def take(self, table: str, message: Message) -> None:
        """Take in one record of a table's changelog."""
        key: Any = message.key()
        sealed = message.value()
        value = None if sealed is None else open_envelope(sealed)
        if table == PARTITIONS:
            self._facts = self._facts if value is None else _FACTS.decode(value)
        elif table == POLICIES:
            self._packed.pop(key, None)
            if value is not None:
                self._packed[key] = value
        elif key == self._key:
            self._states.append(None if value is None else decode_state(value))

    @property
    def clock(self) -> datetime | None:
        """The partition's clock, or the customer's where an event has moved it further."""
        clock = None if self._facts is None else self._facts.clock
        last = self.latest
        if last is None or (clock is not None and clock > last.clock):
            return clock
        return last.clock

    @property
    def latest(self) -> CustomerState | None:
        """What is kept of the customer now."""
        return self._states[-1] if self._states else None

    def state_at(self, moment: datetime) -> tuple[CustomerState | None, bool]:
        """The last state up to the moment, and whether the changelog still has it."""
        if not self._states or moment == self.clock:
            return self.latest, True
        earlier = [state for state in self._states if state is not None and state.clock <= moment]
        if not earlier:
            return None, False
        state = earlier[-1]
        forgotten = state.next_due is None and state.forget_at is not None and state.forget_at <= moment
        return (None if forgotten else state), True

    def policy(self) -> LoadedPolicy | None:
        """What the partition goes by, put together as its worker does. Raises PolicyError."""
        if self._facts is None or not self._facts.policy_versions:
            return None
        *before, version = self._facts.policy_versions
        return self._unpacked(version).after(*self._readable(before))

    def _readable(self, versions: Iterable[str]) -> list[LoadedPolicy]:
        found: list[LoadedPolicy] = []
        for version in versions:
            try:
                found.append(self._unpacked(version))
            except PolicyError:
                continue  # the cases that hold it go by the present one, as with a worker of this release
        return found

    def _unpacked(self, version: str) -> LoadedPolicy:
        return unpack(version, self._packed.get(version.encode(), b""))


def _told(
    records: list[Message], topics: Mapping[str, str], schemas: Registry | None
) -> tuple[tuple[Told, ...], int]:
    """What the records say, in order of time, and how many say nothing that can be read."""
    told: list[Told] = []
    unreadable = 0
    for record in sorted(records, key=lambda each: each.timestamp()[1]):
        try:
            told.append(_decoder(schemas).read(topics[record.topic() or ""], record.value()))
        except BadRecord:
            unreadable += 1
    return tuple(told), unreadable


@cache
def _decoder(schemas: Registry | None) -> Decoder:
    return Decoder(source=schemas)
