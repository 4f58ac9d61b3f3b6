"""One partition of a worker without Kafka: records in, what is kept and what goes out."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from streams.agents.desk import Desk
from streams.agents.outcome_table import MOST_GROUPS
from streams.agents.policies import Policies
from streams.agents.rejects import Rejects
from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand
from streams.dunning.events import Event, Tick
from streams.dunning.measures import Counts
from streams.dunning.offer_leases import LeaseMessage, OfferBook
from streams.dunning.outcome_bytes import decode_counts, decode_group
from streams.dunning.state import CustomerState
from streams.engine import Batch, EngineSettings, Record, create_app
from streams.engine.codec import open_envelope
from streams.engine.stores import Change
from streams.engine.tables import take_in_hand
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import DeadLetterLimit
from streams.messages.instants import EPOCH, to_micros
from streams.messages.policy_change import PolicyChange
from streams.messages.topics import DEAD_LETTERS, LEASES, POLICIES, topic_of
from streams.ops.metrics import Metrics, PartitionFacts
from streams.policy import LoadedPolicy
from streams.policy.versions import pack

Output = NotificationCommand | AccountCommand | DecisionRecord


class Partition:
    """A desk, and the log that it works through; batch by batch, as a worker's rounds do."""

    def __init__(
        self, directory: Path, policy: LoadedPolicy, *earlier: LoadedPolicy, most_groups: int = MOST_GROUPS
    ) -> None:
        self._directory = directory
        app = create_app(
            EngineSettings(application_id="one", bootstrap_servers="127.0.0.1:1", data_directory=directory)
        )
        self.metrics = Metrics(version="test")
        self.encoder, self._decoder = Encoder(), Decoder()
        self.desk = Desk(
            app,
            Policies(app, policy, earlier, self.metrics),
            prefix="",
            decoder=self._decoder,
            encoder=self.encoder,
            rejects=Rejects(DEAD_LETTERS.name, DeadLetterLimit(window=200, highest_share=0.5, minimum=100)),
            metrics=self.metrics,
        )
        self.desk.outcomes.most_groups = most_groups
        self._tables = app.engine.tables
        self._tables.open(0)
        self._offset = 0
        self.outputs: list[Output] = []
        self.dead: list[str] = []
        self.said: list[LeaseMessage] = []

    def moved(self, policy: LoadedPolicy, *earlier: LoadedPolicy) -> "Partition":
        """The partition with another worker, which has restored it."""
        other = Partition(self._directory, policy, *earlier)
        for writes in self._tables.changes({0}):
            name = writes.changelog.topic.removeprefix("one-").removesuffix("-changelog")
            other._tables.open(0)[name].store.apply([Change(*each) for each in writes.changes], 1)
        other._offset = self._offset
        return other

    def take(self, *records: Record) -> list[Output]:
        """One batch of events and changes; what it puts out."""
        return self._sit(records, ticks=False)

    def tick(self, now: datetime) -> list[Output]:
        """One tick."""
        return self._sit([self.record(Tick(now), now)], ticks=True)

    def hear(self) -> None:
        """Let what was said of the totals of offers be heard, as it is where there is one partition only."""
        while said := self.said:
            self.said = []
            self.take(*(self.record(each, EPOCH) for each in said))

    def book(self) -> OfferBook:
        """The shares of offers' totals that are kept."""
        return cast("OfferBook", self._table("offers", "book"))

    def record(self, message: Struct, at: datetime) -> Record:
        """A message as the partition's log holds it."""
        self._offset += 1
        key = message.customer_id.encode() if isinstance(message, Event) else b"any"
        topic = topic_of(message).name
        value = self.encoder.encode(message)
        return Record(topic, 0, self._offset, to_micros(at) // 1_000, key, value)

    def publication(self, policy: LoadedPolicy, number: int, at: datetime, **changes: Any) -> Record:
        """A publication as the partition's log holds it."""
        given: dict[str, Any] = {"version": policy.version, "document": pack(policy), **changes}
        return self.record(PolicyChange(number=number, action="publish", changed_at=at, **given), at)

    def tombstone(self, version: str) -> Record:
        """A version that is dropped."""
        self._offset += 1
        return Record(POLICIES.name, 0, self._offset, 0, version.encode(), None)

    @property
    def facts(self) -> PartitionFacts:
        return cast("PartitionFacts", self._table("partitions", "facts"))

    def state(self, customer_id: str) -> CustomerState | None:
        return cast("CustomerState | None", self._table("customers", customer_id))

    def document(self, version: str) -> bytes | None:
        return cast("bytes | None", self._table("policies", version))

    @property
    def outcomes(self) -> Counts:
        """What the changelog of outcomes has, in the round in hand."""
        (changes,) = [each for each in self._tables.changes({0}) if "outcomes" in each.changelog.topic]
        return {
            decode_group(key): decode_counts(open_envelope(value))
            for key, value in changes.changes
            if value is not None
        }

    def _table(self, name: str, key: str) -> Any:
        return self._tables.held[0][name].get(key)

    def _sit(self, records: Sequence[Record], *, ticks: bool) -> list[Output]:
        take_in_hand(self._tables.open(0))
        batch = Batch(0, records)
        with self.desk.sitting(batch) as sitting:
            for record in batch:
                if ticks:
                    sitting.advance(record)
                else:
                    sitting.decide(record)
        found = [
            self._decoder.read(each.topic, each.value)
            for each in batch.outputs
            if each.topic not in {DEAD_LETTERS.name, LEASES.name}
        ]
        self.said += [
            self._decoder.read(each.topic, each.value) for each in batch.outputs if each.topic == LEASES.name
        ]
        self.dead += [
            dict(each.headers)["dunning.reason"].decode()  # type: ignore[union-attr]
            for each in batch.outputs
            if each.topic == DEAD_LETTERS.name
        ]
        self.outputs += found
        return found
