"""Reads one partition of some topics up to its present end: only what is committed, in no group."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streams.messages.access import READER_GROUP

_REQUEST_SECONDS = 10.0
_MOST_AT_ONCE = 2_000
_POLL_SECONDS = 0.05

# The bindings have no other names for them.
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001


class LogTooLongError(Exception):
    """A partition holds more than can be read in the time that was given."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the customer's partition holds more than can be read in {seconds:.0f} s")


class PartitionReader:
    """Reads; a context manager.

    Args:
        client: properties of every Kafka client: servers, TLS, SASL.
        within_seconds: all readings together may take so long; as long as they need unless given.
    """

    def __init__(self, client: Mapping[str, Any], within_seconds: float | None = None) -> None:
        self._within = within_seconds
        self._began = time.monotonic()
        self._admin = AdminClient(dict(client))
        self._consumer = Consumer(
            {
                **client,
                # Needed by the client, and never used: nothing is committed and no group is joined.
                "group.id": READER_GROUP,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": int(_POLL_SECONDS * 1_000),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def partitions(self, topics: Sequence[str]) -> int:
        """How many partitions the topics have, which all have as many.

        Raises:
            KafkaException: one is missing, or no broker answers.
        """
        found = self._admin.list_topics(timeout=_REQUEST_SECONDS).topics
        for topic in topics:
            if topic not in found or not found[topic].partitions:
                raise KafkaException(
                    KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"the topic {topic} does not exist")
                )
        return len(found[topics[0]].partitions)

    def read(self, topics: Sequence[str], partition: int, since: datetime | None = None) -> Iterator[Message]:
        """The records of that partition of each topic, in order within a topic.

        Those with a timestamp of `since` (UTC) or later, and what was written after the first such; all of
        them without it.

        Raises:
            KafkaException: the brokers do not answer.
            LogTooLongError: it takes longer than it may.
        """
        starts = self._starts([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic in topics], since)
        ends = self._ends(starts)
        left = {each.topic for each in starts if ends[each.topic] > max(each.offset, 0)}
        self._consumer.assign([each for each in starts if each.topic in left])
        heard = time.monotonic()
        while left:
            messages = self._consumer.consume(_MOST_AT_ONCE, _POLL_SECONDS)
            heard = self._checked(heard, got_something=bool(messages))
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() != _END:
                    raise KafkaException(error)
                else:
                    left -= _reached(message, ends)
            # A topic that never falls silent has no end to be told of.
            if messages:
                left -= _reached(messages[-1], ends)

    def _checked(self, heard: float, *, got_something: bool) -> float:
        now = time.monotonic()
        if self._within is not None and now - self._began > self._within:
            raise LogTooLongError(self._within)
        if got_something:
            return now
        if now - heard > _REQUEST_SECONDS:
            raise KafkaException(KafkaError(_TIMED_OUT, "the brokers have stopped answering"))
        return heard

    def _starts(self, places: list[TopicPartition], since: datetime | None) -> list[TopicPartition]:
        if since is None:
            return places
        moment = int(since.timestamp() * 1_000)
        moments = [TopicPartition(each.topic, each.partition, moment) for each in places]
        found = self._consumer.offsets_for_times(moments, timeout=_REQUEST_SECONDS)
        # The end stands for a topic with nothing so young.
        return [each for each in found if each.offset != OFFSET_END]

    def _ends(self, places: list[TopicPartition]) -> dict[str, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        futures = self._admin.list_offsets(
            {TopicPartition(each.topic, each.partition): latest for each in places},
            # Up to the first open transaction: what lies behind it cannot be seen, and is not waited for.
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_REQUEST_SECONDS,
        )
        return {place.topic: future.result(_REQUEST_SECONDS).offset for place, future in futures.items()}


def _reached(message: Message, ends: Mapping[str, int]) -> set[str]:
    """The topic of a record, or of a partition's end, if all before its end has been read."""
    topic, offset = message.topic() or "", message.offset() or 0
    # The end is said with the offset after all that is in the partition, markers included.
    after = offset if message.error() is not None else offset + 1
    return {topic} if after >= ends[topic] else set()
