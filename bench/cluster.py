"""What the harness asks of Kafka: topics, ends of partitions, and all that lies in a topic."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from bench.assignment import COMPRESSION

_REQUEST_SECONDS = 30.0
_OFFSETS_SECONDS = 5.0
_LEADER_PAUSE_SECONDS = 0.05
_READ_RECORDS = 10_000


class Bench:
    """The broker as the harness sees it.

    Args:
        servers: bootstrap servers.
        partitions: of every topic.
    """

    def __init__(self, servers: str, partitions: int) -> None:
        self.servers = servers
        self.partitions = partitions
        self._admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})

    def create(self, names: Iterable[str], config: Mapping[str, str] | None = None) -> None:
        """Create topics that are configured alike, and wait for their leaders."""
        self.create_each(dict.fromkeys(names, config or {}))

    def create_each(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Create topics, each with its own configuration, and wait for their leaders."""
        if not wanted:
            return
        futures = self._admin.create_topics(
            [
                NewTopic(name, num_partitions=self.partitions, replication_factor=1, config=dict(config))
                for name, config in wanted.items()
            ]
        )
        for future in futures.values():
            future.result(_REQUEST_SECONDS)
        give_up = time.monotonic() + _REQUEST_SECONDS
        while not all(self._has_leaders(name) for name in wanted):
            if time.monotonic() > give_up:
                raise TimeoutError(f"no leaders for {', '.join(wanted)}")
            time.sleep(_LEADER_PAUSE_SECONDS)

    def _has_leaders(self, name: str) -> bool:
        found = self._admin.list_topics(name, timeout=_REQUEST_SECONDS).topics[name].partitions
        return len(found) == self.partitions and all(each.leader >= 0 for each in found.values())

    def delete(self, prefix: str) -> None:
        """Delete all topics whose names begin so."""
        names = [name for name in self._admin.list_topics(timeout=_REQUEST_SECONDS).topics if prefix in name]
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result(_REQUEST_SECONDS)

    def topics(self, part: str) -> list[str]:
        """Topics whose names hold this."""
        found = self._admin.list_topics(timeout=_REQUEST_SECONDS).topics
        return sorted(name for name in found if part in name)

    def ends(self, topics: Sequence[str], *, committed: bool = True) -> dict[TopicPartition, int]:
        """Offsets after the last (committed) record, control records counted."""
        asked = {
            TopicPartition(topic, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for topic in topics
            for number in range(self.partitions)
        }
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        give_up = time.monotonic() + _REQUEST_SECONDS
        while True:
            try:
                found = self._admin.list_offsets(
                    asked, isolation_level=isolation, request_timeout=_OFFSETS_SECONDS
                )
                return {each: int(future.result(_REQUEST_SECONDS).offset) for each, future in found.items()}
            except KafkaException:
                # Right after its creation a topic has no leader.
                if time.monotonic() > give_up:
                    raise
                time.sleep(_LEADER_PAUSE_SECONDS)

    def total(self, topics: Sequence[str]) -> int:
        """Sum of the committed ends."""
        return sum(self.ends(topics).values())

    def wait_until_settled(self, topics: Sequence[str], seconds: float = 90.0) -> None:
        """Wait until no transaction is open in these topics: one that died is aborted by the broker."""
        give_up = time.monotonic() + seconds
        while self.ends(topics) != self.ends(topics, committed=False):
            if time.monotonic() > give_up:
                raise TimeoutError(f"a transaction stays open in {', '.join(topics)}")
            time.sleep(0.2)

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """Input records after the group's committed offsets; for contenders that commit offsets."""
        ends = self.ends(topics)
        asked = [
            ConsumerGroupTopicPartitions(group, [TopicPartition(each.topic, each.partition) for each in ends])
        ]
        futures = self._admin.list_consumer_group_offsets(asked, require_stable=True)
        try:
            found = futures[group].result(_REQUEST_SECONDS).topic_partitions
        except KafkaException:
            return sum(ends.values())  # offsets of a transaction that is not yet complete
        return sum(ends.values()) - sum(max(0, int(each.offset)) for each in found)

    def read(
        self, topics: Sequence[str], start: Mapping[TopicPartition, int] | None = None
    ) -> Iterator[Message]:
        """All committed records from these offsets on (by default all); of a partition in order."""
        ends = self.ends(topics)
        places = [TopicPartition(each.topic, each.partition, (start or {}).get(each, 0)) for each in ends]
        open_partitions = {(each.topic, each.partition) for each in places if each.offset < ends[each]}
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "bench-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.min.messages": 200_000,
            }
        )
        consumer.assign([each for each in places if (each.topic, each.partition) in open_partitions])
        try:
            while open_partitions:
                for message in consumer.consume(_READ_RECORDS, 0.05):
                    error = message.error()
                    if error is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                        open_partitions.discard((str(message.topic()), int(message.partition() or 0)))
                    else:
                        raise KafkaException(error)
        finally:
            consumer.close()

    def producer(self) -> Producer:
        """Fills the inputs: as fast as it goes, compressed as every contender reads it."""
        return Producer(
            {
                "bootstrap.servers": self.servers,
                "partitioner": "murmur2_random",
                "compression.type": COMPRESSION,
                "linger.ms": 50,
                "batch.size": 1 << 18,
                "queue.buffering.max.messages": 500_000,
            }
        )


def send(producer: Producer, topic: str, value: bytes, key: bytes | None, **options: object) -> None:
    """Produce, and wait while the queue is full."""
    while True:
        try:
            producer.produce(topic, value, key, **options)  # type: ignore[arg-type]
        except BufferError:
            producer.poll(0.05)
        else:
            return
