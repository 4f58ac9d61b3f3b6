"""The reader of changelogs over librdkafka."""

import logging
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import ChangelogChunk, ChangelogRun
from streams.engine.librdkafka import FATAL, client_properties, fatal
from streams.engine.record import TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaChangelogReader"]

logger = logging.getLogger(__name__)

_RESTORE_RECORDS = 20_000


class LibrdkafkaChangelogReader:
    """Reads changelogs; see `ChangelogReader`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._consumer = Consumer(
            {
                **client_properties(settings),
                # Never joins a group; librdkafka wants a name all the same.
                "group.id": f"{settings.transactional_id}-restore",
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
        """The next records.

        What is asked of each message is asked of all of them at a time, which never comes back to Python
        between two messages.
        """
        messages = self._consumer.consume(_RESTORE_RECORDS, 0) or self._consumer.consume(1, timeout_seconds)
        ends: dict[TopicPartition, int] = {}
        if any(map(Message.error, messages)):
            self._events(messages, ends)
            messages = [message for message in messages if message.error() is None]
        runs: list[tuple[TopicPartition, ChangelogRun]] = []
        for number, of_number in groupby(messages, Message.partition):
            for topic, of_topic in groupby(of_number, Message.topic):
                run = list(of_topic)
                keys: Any = list(map(Message.key, run))
                values: Any = list(map(Message.value, run))
                position = int(run[-1].offset() or 0) + 1
                changelog = TopicPartition(str(topic), int(number or 0))
                runs.append((changelog, ChangelogRun(keys, values, position)))
        return ChangelogChunk(runs, ends)

    def _events(self, messages: Iterable[Message], ends: dict[TopicPartition, int]) -> None:
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
                ends[partition] = int(message.offset() or 0)
            elif error.fatal() or error.code() in FATAL:
                raise fatal(self._settings, "restoring from changelogs", error)
            else:
                logger.warning("Kafka reports while restoring from changelogs: %s", error)

    def close(self) -> None:
        """Let go."""
        self._consumer.close()
