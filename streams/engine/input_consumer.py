"""The consumer of the inputs over librdkafka."""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import CommittedOffset, Poll
from streams.engine.errors import (
    FencedError,
    SeekRefusedError,
)
from streams.engine.librdkafka import client_properties, fatal
from streams.engine.messages import check, records_of, runs
from streams.engine.record import Record, TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaConsumer"]

# How long a fresh assignment may refuse a seek before the group has to be served again.
_SEEK_SECONDS = 0.5
_COMMITTED = "reading committed offsets"
# A message's timestamp is a pair: kind, milliseconds.
_TIME = itemgetter(1)


class LibrdkafkaConsumer:
    """Reads the inputs; see `InputConsumer`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        properties: dict[str, Any] = {
            **client_properties(settings),
            # A tick with no traffic must not wait for the fetcher: the broker answers at once when something
            # is there, and this is only how long it waits when nothing is.
            "fetch.wait.max.ms": 500,
            "queued.min.messages": max(10_000, 2 * settings.max_records),
            **settings.consumer,
            "group.id": settings.application_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            "isolation.level": "read_committed",
            # Equal partition numbers of all topics on one worker; cooperative-sticky spreads them.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": int(settings.session_timeout_seconds * 1000),
            "heartbeat.interval.ms": int(settings.session_timeout_seconds * 1000 / 10),
            "max.poll.interval.ms": int(settings.max_poll_interval_seconds * 1000),
        }
        if settings.static_membership:
            properties["group.instance.id"] = f"{settings.application_id}-{settings.instance_id}"
        self._consumer = Consumer(properties)
        # The poll under way: what callbacks have told of the group, and messages that have been taken.
        self._poll = Poll()
        self._waiting: list[Message] = []
        self._lost = False
        self._polled_at = time.monotonic()

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group."""
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll_ready(self, max_records: int) -> Poll | None:
        """A whole round's records, if so many lie ready."""
        self._waiting += self._consumer.consume(max_records - len(self._waiting), 0)
        if len(self._waiting) < max_records and not self._poll.rebalanced:
            return None
        return self._finish()

    def poll(self, max_records: int, timeout_seconds: float) -> Poll:
        """Take what lies ready; else wait for the first record; then gather for a moment."""
        consume, messages = self._consumer.consume, self._waiting
        if len(messages) < max_records:
            messages += consume(max_records - len(messages), 0)
        if not messages and timeout_seconds > 0:
            # consume(n, timeout) waits its timeout out unless n records come, so wait for one alone.
            messages += consume(1, timeout_seconds)
        if messages and len(messages) < max_records and timeout_seconds > 0 and self._settings.gather_seconds:
            messages += consume(max_records - len(messages), self._settings.gather_seconds)
        return self._finish()

    def _finish(self) -> Poll:
        poll, self._poll = self._poll, Poll()
        messages, self._waiting = self._waiting, []
        away, self._polled_at = time.monotonic() - self._polled_at, time.monotonic()
        if self._lost and away > self._settings.session_timeout_seconds:
            # Not the network but this process stood still, and others have gone on without it.
            raise FencedError(
                self._settings.instance_id, f"its session was lost while it stood still for {away:.0f} s"
            )
        self._lost = False
        if not poll.rebalanced:
            self._sort(messages, poll)
            poll.membership = self._consumer.consumer_group_metadata()
        return poll

    def committed(
        self, partitions: Iterable[TopicPartition], timeout_seconds: float
    ) -> Mapping[TopicPartition, CommittedOffset] | None:
        """Stable offsets only: isolation.level makes librdkafka ask for them."""
        asked = [KafkaTopicPartition(*partition) for partition in partitions]
        try:
            answers = self._consumer.committed(asked, timeout=timeout_seconds)
        except KafkaException as error:
            check(self._settings, _COMMITTED, error.args[0])
            return None
        found: dict[TopicPartition, CommittedOffset] = {}
        for answer in answers:
            if answer.error is not None:
                check(self._settings, _COMMITTED, answer.error)
                return None
            offset = answer.offset if answer.offset >= 0 else None
            found[TopicPartition(answer.topic, answer.partition)] = CommittedOffset(
                offset, answer.metadata or ""
            )
        return found

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Seek; a fresh assignment refuses that for a moment, and sometimes until it has been polled."""
        give_up = time.monotonic() + _SEEK_SECONDS
        for partition, offset in offsets.items():
            while True:
                try:
                    self._consumer.seek(KafkaTopicPartition(*partition, offset))
                    break
                except KafkaException as error:
                    cause = error.args[0]
                    if cause.code() != KafkaError._STATE:  # noqa: SLF001
                        raise fatal(self._settings, f"seeking in {partition}", cause) from error
                    if time.monotonic() > give_up:
                        raise SeekRefusedError(str(TopicPartition(*partition)), cause.str()) from error
                    time.sleep(0.005)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read no more of these for now."""
        self._consumer.pause([KafkaTopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        self._consumer.resume([KafkaTopicPartition(*partition) for partition in partitions])

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _sort(self, messages: Sequence[Message], poll: Poll) -> None:
        for partition, run in runs(records_of(self._settings, "reading the inputs", messages, poll.ends)):
            made = map(
                Record,
                repeat(partition.topic),
                repeat(partition.partition),
                map(Message.offset, run),
                map(_TIME, map(Message.timestamp, run)),
                map(Message.key, run),
                map(Message.value, run),
                run,
            )
            poll.records.setdefault(partition, []).extend(made)

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        self._poll.assigned = frozenset(TopicPartition(each.topic, each.partition) for each in partitions)

    def _on_revoke(self, consumer: Consumer, _partitions: list[KafkaTopicPartition]) -> None:
        consumer.unassign()
        self._poll.revoked = True
        self._poll.assigned = None

    def _on_lost(self, consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        self._lost = True
        self._on_revoke(consumer, partitions)
