"""The topic of policies, written: one change in all partitions or in none, one writer at a time."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

from confluent_kafka import Producer

from streams.cli.clients import client_properties, command_encoder, connect
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.lab.outputs import OutputReader
from streams.messages.codec import Decoder
from streams.messages.headers import event_headers
from streams.messages.policy_change import MOST_CUSTOMERS, MOST_DOCUMENT_BYTES, PolicyChange
from streams.messages.topics import POLICIES
from streams.policy import LoadedPolicy
from streams.policy.versions import pack
from streams.settings import Settings

_SECONDS = 30.0


class PolicyLog:
    """What is published, and the right to publish: a second writer takes it from the first.

    Args:
        settings: where Kafka is.

    Attributes:
        published: the last publication of each version that is not dropped.

    Raises:
        CommandError: Kafka does not answer, or the topic is missing.
        KafkaException: it refuses.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(POLICIES.name)
        found = connect(settings).list_topics(timeout=_SECONDS).topics.get(self._topic)
        if found is None or not found.partitions:
            raise CommandError(
                f"the topic {self._topic} does not exist; `dunning topics create` makes it", ExitCode.TOPICS
            )
        self._partitions = sorted(found.partitions)
        self._encoder = command_encoder(settings, (POLICIES,))
        self._decoder = Decoder(source=settings.registry())
        self._producer = Producer(
            {
                **client_properties(settings),
                # Whoever takes this name ends what another writer has begun, before the log is read.
                "transactional.id": f"{settings.application_id}-policy",
            }
        )
        self._producer.init_transactions(_SECONDS)
        self.published: dict[str, PolicyChange] = {}
        self._number = 0
        # Whose cases were moved, by partition and key of the record that says so.
        self._moved: dict[tuple[int, str], tuple[str, ...]] = {}
        self._read(settings)

    def __enter__(self) -> Self:
        self._producer.begin_transaction()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._producer.commit_transaction(_SECONDS)
        else:
            self._producer.abort_transaction(_SECONDS)

    @property
    def current(self) -> str | None:
        """The version that new cases go by; None if nothing has been published."""
        last = max(self.published.values(), key=lambda each: each.number, default=None)
        return None if last is None else last.version

    def publish(self, policy: LoadedPolicy) -> None:
        """Publish a policy to every partition.

        Raises:
            CommandError: it is too large.
        """
        document = pack(policy)
        if len(document) > MOST_DOCUMENT_BYTES:
            raise CommandError(
                f"the policy has {len(document)} bytes when packed, and {MOST_DOCUMENT_BYTES} fit a record",
                ExitCode.POLICY,
            )
        change = self._change("publish", policy.version, document=document)
        for partition in self._partitions:
            self._send(partition, policy.version, change)

    def migrate(self, version: str, customers: Mapping[int, list[str]]) -> None:
        """Move the open cases of customers, given by partition, to the version."""
        change = self._change("migrate", version)
        for partition, names in customers.items():
            for first in range(0, len(names), MOST_CUSTOMERS):
                part = self._change(
                    "migrate", version, number=change.number, customers=names[first : first + MOST_CUSTOMERS]
                )
                self._send(partition, f"migrate-{change.number}-{first // MOST_CUSTOMERS}", part)

    def drop(self, version: str) -> None:
        """Let every partition forget a version."""
        for partition in self._partitions:
            self._send(partition, version, None)

    def forget(self, customer_id: str) -> int:
        """Drop the records that moved cases of a customer, when all partitions are through with them.

        Returns:
            How many there are.
        """
        named = [place for place, names in self._moved.items() if customer_id in names]
        for partition, key in named:
            self._send(partition, key, None)
        return len(named)

    def _change(
        self,
        action: Literal["publish", "migrate"],
        version: str,
        *,
        number: int | None = None,
        document: bytes | None = None,
        customers: Iterable[str] = (),
    ) -> PolicyChange:
        return PolicyChange(
            number=number or self._number + 1,
            action=action,
            version=version,
            changed_at=datetime.fromtimestamp(time.time(), UTC),
            document=document,
            customers=tuple(customers),
        )

    def _send(self, partition: int, key: str, change: PolicyChange | None) -> None:
        self._producer.produce(
            self._topic,
            None if change is None else self._encoder.encode(change),
            key.encode(),
            partition=partition,
            headers=[] if change is None else list(event_headers(change)),
        )

    def _read(self, settings: Settings) -> None:
        """Every partition holds the same publications: the first is read for them, all for the numbers."""
        with OutputReader(
            client_properties(settings), [self._topic], from_beginning=True, fetch_wait_seconds=0.05
        ) as reader:
            messages = sorted(reader.read_to_end(), key=lambda each: each.offset() or 0)
        for message in messages:
            value = message.value()
            change: PolicyChange | None = None if value is None else self._decoder.read(POLICIES.name, value)
            place = message.partition() or 0, (message.key() or b"").decode(errors="replace")
            if change is None:
                self._moved.pop(place, None)
            else:
                self._number = max(self._number, change.number)
                if change.action == "migrate":
                    self._moved[place] = change.customers
            if message.partition() != self._partitions[0]:
                continue
            if change is not None and change.action == "publish":
                self.published[change.version] = change
            elif value is None and (key := message.key()) is not None:
                self.published.pop(key.decode(), None)
