"""The reader of changelogs over librdkafka."""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import ChangelogChunk, ChangelogRun
from streams.engine.librdkafka import client_properties
from streams.engine.messages import records_of, runs
from streams.engine.record import TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaChangelogReader"]

_RESTORE_RECORDS = 20_000


class LibrdkafkaChangelogReader:
    """Reads changelogs; see `ChangelogReader`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._consumer = Consumer(
            {
                **client_properties(settings),
                # Joins no group, and librdkafka asks for a group's coordinator all the same: for the one that
                # this worker is allowed.
                "group.id": settings.application_id,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": False,
                "isolation.level": "read_committed",
                # Per partition, and one chunk is ahead enough. Small records weigh most by what librdkafka
                # keeps beside each, about half a KiB, which its limit in bytes does not count.
                "queued.min.messages": 20_000,
                # Ask again as soon as the queue has room: the default of a second would pause the restore.
                "fetch.queue.backoff.ms": 10,
                "fetch.wait.max.ms": 50,
            }
        )

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these from these offsets on."""
        self._consumer.assign(
            [KafkaTopicPartition(*partition, offset) for partition, offset in positions.items()]
        )

    def read(self, timeout_seconds: float) -> ChangelogChunk:
        """The next records."""
        messages = self._consumer.consume(_RESTORE_RECORDS, 0) or self._consumer.consume(1, timeout_seconds)
        ends: dict[TopicPartition, int] = {}
        records = records_of(self._settings, "restoring from changelogs", messages, ends)
        return ChangelogChunk([(changelog, _by_column(run)) for changelog, run in runs(records)], ends)

    def close(self) -> None:
        """Let go."""
        self._consumer.close()


def _by_column(run: Sequence[Message]) -> ChangelogRun:
    keys: Any = list(map(Message.key, run))
    values: Any = list(map(Message.value, run))
    return ChangelogRun(keys, values, int(run[-1].offset() or 0) + 1)
