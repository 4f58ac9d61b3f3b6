"""The reader of changelogs over librdkafka."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import ChangelogChunk
from streams.engine.librdkafka import FATAL, client_properties, fatal
from streams.engine.record import TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaChangelogReader"]

logger = logging.getLogger(__name__)

_RESTORE_RECORDS = 10_000


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
                "queued.min.messages": 100_000,
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
        records: dict[TopicPartition, list[tuple[int, bytes, bytes | None]]] = {}
        ends: dict[TopicPartition, int] = {}
        topic, number = None, -1
        run: list[Any] = []
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
                    ends[partition] = int(message.offset() or 0)
                elif error.fatal() or error.code() in FATAL:
                    raise fatal(self._settings, "restoring from changelogs", error)
                else:
                    logger.warning("Kafka reports while restoring from changelogs: %s", error)
                continue
            if message.partition() != number or message.topic() != topic:
                topic, number = str(message.topic()), int(message.partition() or 0)
                run = records.setdefault(TopicPartition(topic, number), [])
            run.append((message.offset(), message.key(), message.value()))
        return ChangelogChunk(records, ends)

    def close(self) -> None:
        """Let go."""
        self._consumer.close()
