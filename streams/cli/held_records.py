"""What is held of one customer: the state, and records in topics, with when they are gone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from confluent_kafka import Message
from msgspec import Struct

from streams.cli.clients import client_properties
from streams.cli.deployment_state import changelog_records
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state
from streams.engine.codec import open_envelope
from streams.lab.outputs import OutputReader
from streams.messages.codec import Decoder
from streams.messages.dead_letters import CUSTOMER_HEADER
from streams.messages.instants import from_millis
from streams.messages.tables import CUSTOMERS
from streams.messages.topics import DEAD_LETTERS, POLICIES, TICKS, TOPICS, Cleanup, Topic
from streams.settings import Settings

_BY_ERASURE = "erased with the customer"


class HeldRecords(Struct, frozen=True):
    """Records of one customer in one topic.

    Attributes:
        topic: its name on the cluster.
        records: how many.
        last: the time of the youngest (UTC).
        until: when they are gone, in words.
    """

    topic: str
    records: int
    last: datetime
    until: str

    def row(self) -> dict[str, Any]:
        """The row that is printed."""
        return {
            "topic": self.topic,
            "records": self.records,
            "last": self.last.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "until": self.until,
        }


def find_states(settings: Settings, customer_id: str) -> dict[int, CustomerState]:
    """The customer's state by the partition that holds it: one, or none.

    Raises:
        KafkaException: no worker has run yet, or the broker does not answer.
    """
    found: dict[int, CustomerState] = {}
    for message in _states(settings, customer_id):
        value, partition = message.value(), message.partition() or 0
        if value is None:
            found.pop(partition, None)
        else:
            found[partition] = decode_state(open_envelope(value))
    return found


def find_records(settings: Settings, customer_id: str) -> Iterator[HeldRecords]:
    """All records of the customer, topic by topic; the state first.

    Raises:
        KafkaException: no worker has run yet, or the broker does not answer.
    """
    states = list(_states(settings, customer_id))
    if states and states[-1].value() is not None:
        yield _held(states[-1].topic() or "", states, _BY_ERASURE)
    for topic in TOPICS:
        if topic is TICKS:
            continue
        name = settings.topic(topic.name)
        if messages := list(_records(settings, name, customer_id, topic)):
            yield _held(name, messages, _until(topic, max(map(_time, messages))))


def _states(settings: Settings, customer_id: str) -> Iterator[Message]:
    key = customer_id.encode()
    return (each for each in changelog_records(settings, CUSTOMERS) if each.key() == key)


def _records(settings: Settings, name: str, customer_id: str, topic: Topic) -> Iterator[Message]:
    """Its records of the customer, without their values where they are of no use."""
    key = customer_id.encode()
    decoder = Decoder(source=settings.registry()) if topic is POLICIES else None
    with OutputReader(client_properties(settings), [name], from_beginning=True) as reader:
        for message in reader.stream_to_end():
            if (
                message.key() == key
                or (topic is DEAD_LETTERS and _named_by_header(message, key))
                or (decoder is not None and _moved(decoder, message, customer_id))
            ):
                yield message


def _named_by_header(message: Message, key: bytes) -> bool:
    return any(header == (CUSTOMER_HEADER, key) for header in message.headers() or ())


def _moved(decoder: Decoder, message: Message, customer_id: str) -> bool:
    value = message.value()
    return value is not None and customer_id in decoder.read(POLICIES.name, value).customers


def _held(name: str, messages: list[Message], until: str) -> HeldRecords:
    return HeldRecords(name, len(messages), max(map(_time, messages)), until)


def _until(topic: Topic, last: datetime) -> str:
    if topic.cleanup is Cleanup.COMPACT:
        return _BY_ERASURE
    return f"{last + timedelta(milliseconds=topic.retention_ms):%Y-%m-%d}"


def _time(message: Message) -> datetime:
    return from_millis(message.timestamp()[1])
