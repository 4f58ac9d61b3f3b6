"""The producer of rounds over librdkafka."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import ChangelogWrites
from streams.engine.errors import (
    BrokerError,
    FatalError,
    InternalError,
    MembershipLostError,
    RejectedOutputError,
    TransactionAbortedError,
)
from streams.engine.librdkafka import FATAL, OTHER_GENERATION, REFUSED_RECORD, client_properties, fatal
from streams.engine.record import Output, TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["LibrdkafkaProducer"]

T = TypeVar("T")

_QUEUED_MESSAGES = 500_000
# While the queue is full, wait this long for the network to take some.
_QUEUE_WAIT_SECONDS = 0.01


class LibrdkafkaProducer:
    """Writes rounds; see `TransactionalProducer`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._timeout = settings.transaction_timeout_seconds
        self._ends: dict[TopicPartition, int] = {}
        self._producer = Producer(
            {
                **client_properties(settings),
                # The flush at the end of a round does not wait for it; meanwhile fuller batches form.
                "linger.ms": 20,
                # The first request of a transaction is often told that the one before is still being
                # completed; librdkafka asks again after this, and its own 100 ms would be most of a quiet
                # record's latency.
                "retry.backoff.ms": 5,
                "batch.size": 1 << 20,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": _QUEUED_MESSAGES,
                **settings.producer,
                "enable.idempotence": True,
                "transactional.id": settings.transactional_id,
                "transaction.timeout.ms": int(settings.transaction_timeout_seconds * 1000),
            }
        )

    def start(self) -> None:
        """Fence a former holder of the transactional id."""
        self._attempt("taking the transactional id", lambda: self._producer.init_transactions(self._timeout))

    def commit(
        self,
        outputs: Iterable[Output],
        writes: Sequence[ChangelogWrites],
        offsets: Mapping[TopicPartition, int],
        notes: Mapping[int, str],
        membership: Any,
    ) -> Mapping[TopicPartition, int]:
        """One transaction."""
        self._ends.clear()
        self._attempt("beginning a transaction", self._producer.begin_transaction)
        try:
            for output in outputs:
                self._send_output(output)
            for write in writes:
                self._send_changes(write)
            positions = [
                KafkaTopicPartition(each.topic, each.partition, offset, notes.get(each.partition, ""))
                for each, offset in offsets.items()
            ]
            self._attempt(
                "sending offsets",
                lambda: self._producer.send_offsets_to_transaction(positions, membership, self._timeout),
            )
            self._attempt("committing a round", lambda: self._producer.commit_transaction(self._timeout))
        except FatalError:
            raise
        except Exception:
            self._abort()
            raise
        self._producer.poll(0)
        return self._changelog_ends(writes)

    def close(self) -> None:
        """Send nothing more."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _send_output(self, output: Output) -> None:
        arguments: dict[str, Any] = {}
        if output.partition is not None:
            arguments["partition"] = output.partition
        if output.timestamp is not None:
            arguments["timestamp"] = output.timestamp
        if output.headers:
            arguments["headers"] = list(output.headers)
        self._produce(output.topic, output.value, output.key, **arguments)

    def _send_changes(self, write: ChangelogWrites) -> None:
        topic, partition = write.changelog
        last = len(write.changes) - 1
        for place, (key, value) in enumerate(write.changes):
            if place == last:
                # Records of one partition keep their order, so the last one's offset stands for all.
                self._produce(topic, value, key, partition=partition, on_delivery=self._on_delivery)
            else:
                self._produce(topic, value, key, partition=partition)

    def _produce(self, topic: str, value: bytes | None, key: bytes | None, **arguments: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **arguments)
            except BufferError:
                self._producer.poll(_QUEUE_WAIT_SECONDS)
            except KafkaException as error:
                raise self._meaning(f"sending to {topic}", error.args[0], topic) from error
            except (TypeError, ValueError) as error:
                raise RejectedOutputError(topic, str(error)) from error
            else:
                return

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
            self._ends[partition] = int(message.offset() or 0) + 1

    def _changelog_ends(self, writes: Sequence[ChangelogWrites]) -> Mapping[TopicPartition, int]:
        give_up = time.monotonic() + self._timeout
        wanted = [write.changelog for write in writes if write.changes]
        while any(changelog not in self._ends for changelog in wanted):
            self._producer.poll(0.01)
            if time.monotonic() > give_up:
                raise InternalError("a committed round has changelog records without a delivery report")
        return {changelog: self._ends[changelog] for changelog in wanted}

    def _abort(self) -> None:
        # Flushed first, since EndTxn must not overtake AddPartitions.
        self._producer.flush(self._timeout)
        try:
            self._attempt("aborting a round", lambda: self._producer.abort_transaction(self._timeout))
        except TransactionAbortedError as error:
            raise BrokerError("aborting a round", error.reason) from error

    def _attempt(self, step: str, call: Callable[[], T]) -> T:
        give_up = time.monotonic() + self._timeout
        while True:
            try:
                return call()
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.retriable() and not cause.txn_requires_abort() and time.monotonic() < give_up:
                    time.sleep(_QUEUE_WAIT_SECONDS)
                    continue
                raise self._meaning(step, cause, None) from error

    def _meaning(self, step: str, error: KafkaError, topic: str | None) -> Exception:
        code, reason = error.code(), f"{error.name()}: {error.str()}"
        if error.fatal() or code in FATAL:
            return fatal(self._settings, step, error)
        if code in OTHER_GENERATION:
            return MembershipLostError(reason)
        if code in REFUSED_RECORD:
            return RejectedOutputError(topic, reason)
        if error.txn_requires_abort():
            return TransactionAbortedError(step, reason)
        return fatal(self._settings, step, error)
