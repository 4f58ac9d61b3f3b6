"""Reads what a worker has sent: only what is committed, from all partitions."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_REQUEST_SECONDS = 30.0
_MOST_AT_ONCE = 1_000
# A topic that is new, or whose leader has moved, is refused for a moment.
_PAUSE_SECONDS = 0.05
_OTHER_LEADER = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
_TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - the bindings' only name for it


class OutputReader:
    """A reader of some topics, in no group.

    Args:
        client: properties of every Kafka client: servers, TLS, SASL.
        topics: their names on the cluster.
        partition: the only one to read; all of them unless given.
        from_beginning: start at the oldest record; else at what comes from now on.
        fetch_wait_seconds: how long the broker may hold a request when there is nothing; short where somebody
            waits for the end to be reached.

    Raises:
        KafkaException: a topic is missing, or the broker does not answer.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topics: Sequence[str],
        *,
        from_beginning: bool,
        fetch_wait_seconds: float = 0.5,
        partition: int | None = None,
    ) -> None:
        self._admin = AdminClient(dict(client))
        self._consumer = Consumer(
            {
                **client,
                # Needed by the client, and never used: nothing is committed and no group is joined.
                "group.id": READER_GROUP,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": int(fetch_wait_seconds * 1000),
            }
        )
        self._partitions = [each for each in self._find(topics) if partition in {None, each[1]}]
        self._reached = dict.fromkeys(self._partitions, 0)
        if not from_beginning:
            self._reached.update(self._ends())
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        self._consumer.assign([TopicPartition(topic, number, start) for topic, number in self._partitions])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def poll(self, timeout_seconds: float) -> list[Message]:
        """What there is; waits up to the timeout if there is nothing.

        Raises:
            KafkaException: the client cannot go on.
        """
        return list(self._records(self._consumer.consume(_MOST_AT_ONCE, timeout_seconds)))

    def read_to_end(self) -> list[Message]:
        """All that has been committed up to now, in order of time (equal times by partition).

        Raises:
            KafkaException: the broker does not answer, or holds back what was written for too long.
        """
        found = list(self.stream_to_end())
        found.sort(key=lambda message: (message.timestamp()[1], message.partition(), message.topic()))
        return found

    def stream_to_end(self) -> Iterator[Message]:
        """All that has been committed up to now as it comes: of each partition in its order.

        Raises:
            KafkaException: the broker does not answer, or holds back what was written for too long.
        """
        ends = self._ends()
        deadline = time.monotonic() + _REQUEST_SECONDS
        while any(self._reached[partition] < end for partition, end in ends.items()):
            if messages := self.poll(0.01):
                yield from messages
                deadline = time.monotonic() + _REQUEST_SECONDS
            elif time.monotonic() > deadline:
                raise KafkaException(KafkaError(_TIMED_OUT, "a transaction stays open in a topic"))

    def _records(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                raise KafkaException(error)
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            # The end of a partition is said with the offset after all that is in it, markers included.
            self._reached[topic, partition] = offset if error is not None else offset + 1
            if error is None:
                yield message

    def _find(self, topics: Sequence[str]) -> Iterator[tuple[str, int]]:
        found = self._admin.list_topics(timeout=_REQUEST_SECONDS).topics
        for topic in topics:
            if topic not in found:
                raise KafkaException(
                    KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"the topic {topic} does not exist")
                )
            yield from ((topic, number) for number in sorted(found[topic].partitions))

    def _ends(self) -> dict[tuple[str, int], int]:
        deadline = time.monotonic() + _REQUEST_SECONDS
        while True:
            try:
                return self._ask_for_ends()
            except KafkaException as error:
                if error.args[0].code() not in _OTHER_LEADER or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
            # The admin client does not look for a new leader by itself before its metadata is old.
            self._admin.list_topics(timeout=_REQUEST_SECONDS)

    def _ask_for_ends(self) -> dict[tuple[str, int], int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        futures = self._admin.list_offsets(
            {TopicPartition(*partition): latest for partition in self._partitions},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=_REQUEST_SECONDS,
        )
        return {
            (place.topic, place.partition): future.result(_REQUEST_SECONDS).offset
            for place, future in futures.items()
        }
