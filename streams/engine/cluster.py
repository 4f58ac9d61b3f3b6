"""Questions to the cluster over librdkafka's admin client; see `Cluster`."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from streams.engine.errors import BrokerError
from streams.engine.librdkafka import REFUSED_CONNECTION, client_properties, fatal, log_error
from streams.engine.record import TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaCluster"]

T = TypeVar("T")

# While a topic is being made, or its leader moves, the broker answers with errors that pass.
_PAUSE_SECONDS = 0.1
# One question waits no longer: on a broker that has just started, the admin client was seen to wait for the
# group's coordinator until its timeout, and to get the answer at once when asked again.
_TRY_SECONDS = 5.0
_DEFAULT_DELETE_RETENTION_SECONDS = 86_400.0


class LibrdkafkaCluster:
    """Asks, and asks again while the answer is an error that passes, up to the request timeout."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._timeout = settings.request_timeout_seconds
        self._try = min(_TRY_SECONDS, self._timeout)
        # Why the broker lets nobody in; requests only say that they got no answer.
        self._refused: KafkaError | None = None
        properties: dict[str, Any] = {**client_properties(settings), "error_cb": self._on_error}
        self._admin = AdminClient(properties)

    def partition_counts(self, topics: Iterable[str]) -> Mapping[str, int]:
        """Those that exist."""
        wanted = set(topics)
        found = self._attempt("listing topics", lambda: self._admin.list_topics(timeout=self._try)).topics
        return {
            name: len(found[name].partitions)
            for name in wanted
            if name in found and found[name].error is None
        }

    def create_changelog(self, topic: str, partitions: int) -> None:
        """Compacted; one that another worker made meanwhile is as good."""
        new = NewTopic(
            topic,
            num_partitions=partitions,
            replication_factor=self._settings.changelog_replication,
            config=dict(self._settings.changelog_topic_config),
        )
        try:
            self._admin.create_topics([new], operation_timeout=self._timeout)[topic].result(self._timeout)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise fatal(self._settings, f"creating the changelog {topic}", error.args[0]) from error

    def group_has_offsets(self, topics: Mapping[str, int]) -> bool:
        """Any offset of any partition."""
        partitions = [
            KafkaTopicPartition(topic, number) for topic, n in topics.items() for number in range(n)
        ]
        # Not by the admin client's list_consumer_group_offsets: on a cluster without a group coordinator
        # it crashes the process (librdkafka 2.16). A consumer that never subscribes does not join the group.
        consumer = Consumer({**client_properties(self._settings), "group.id": self._settings.application_id})
        try:
            answers = self._attempt(
                "reading the group's offsets", lambda: consumer.committed(partitions, timeout=self._timeout)
            )
        finally:
            consumer.close()
        return any(each.offset >= 0 for each in answers)

    def first_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The oldest records."""
        spec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, spec, IsolationLevel.READ_UNCOMMITTED)

    def end_offsets(
        self, partitions: Iterable[TopicPartition], *, committed: bool
    ) -> Mapping[TopicPartition, int]:
        """After the last records."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        spec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        return self._offsets(partitions, spec, level)

    def delete_retention_seconds(self, topic: str) -> float:
        """From the topic's configuration, which shows the broker's default, too."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = self._attempt(
            f"reading the configuration of {topic}",
            lambda: self._admin.describe_configs([resource], request_timeout=self._try)[resource].result(
                self._try
            ),
        )
        entry = entries.get("delete.retention.ms")
        return _DEFAULT_DELETE_RETENTION_SECONDS if entry is None else int(entry.value) / 1000

    def _on_error(self, error: KafkaError) -> None:
        log_error(error)
        if error.code() in REFUSED_CONNECTION:
            self._refused = error

    def _offsets(
        self, partitions: Iterable[TopicPartition], spec: OffsetSpec, level: IsolationLevel
    ) -> Mapping[TopicPartition, int]:
        asked = {KafkaTopicPartition(*partition): spec for partition in partitions}
        if not asked:
            return {}

        def ask() -> dict[TopicPartition, int]:
            futures = self._admin.list_offsets(asked, isolation_level=level, request_timeout=self._try)
            return {
                TopicPartition(each.topic, each.partition): int(future.result(self._try).offset)
                for each, future in futures.items()
            }

        return self._attempt("reading offsets", ask)

    def _attempt(self, step: str, call: Callable[[], T]) -> T:
        give_up = time.monotonic() + self._timeout
        while True:
            try:
                return call()
            except KafkaException as error:
                cause: Any = error.args[0]
                self._admin.poll(0)  # brings what the client has to tell aside
                # NOT_LEADER and its like come right after a topic's creation.
                if cause.fatal() or time.monotonic() > give_up:
                    raise fatal(self._settings, step, self._refused or cause) from error
            except TimeoutError as error:
                self._admin.poll(0)
                if time.monotonic() > give_up and self._refused is not None:
                    raise fatal(self._settings, step, self._refused) from error
                if time.monotonic() > give_up:
                    raise BrokerError(step, f"no answer within {self._timeout:.0f} s") from error
            time.sleep(_PAUSE_SECONDS)
            # A leader of a newer epoch refuses whoever asks with an older one, and the admin client does not
            # look for the new one by itself before its metadata is 15 minutes old.
            with suppress(KafkaException):
                self._admin.list_topics(timeout=self._try)
