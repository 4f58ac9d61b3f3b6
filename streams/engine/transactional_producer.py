"""The producer of rounds over librdkafka."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
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
# librdkafka's words for "by the key's hash" and "the moment of sending".
_BY_KEY = -1
_NOW = 0


class LibrdkafkaProducer:
    """Writes rounds; see `TransactionalProducer`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._timeout = settings.transaction_timeout_seconds
        self._ends: dict[TopicPartition, int] = {}
        # The transaction under way, and what of it is still to be sent.
        self._writes: Sequence[ChangelogWrites] = ()
        self._outputs: Iterator[Output] = iter(())
        self._changes: Iterator[tuple[Any, ...]] = iter(())
        self._failed: Exception | None = None
        self._begun = False
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

    def begin(self, outputs: Sequence[Output], writes: Sequence[ChangelogWrites]) -> None:
        """Begin a transaction and hand over its records, as many as fit into the client's queue."""
        self._ends.clear()
        self._writes = writes
        self._outputs, self._changes = iter(outputs), self._produce_changes(writes)
        self._failed = None
        try:
            self._producer.begin_transaction()
        except KafkaException:
            return  # `commit` tries again, and may wait
        self._begun = True
        try:
            self._send()
        except Exception as error:  # noqa: BLE001 - `commit` raises it, after the abort, which blocks
            self._failed = error

    def commit(
        self, offsets: Mapping[TopicPartition, int], notes: Mapping[int, str], membership: Any
    ) -> Mapping[TopicPartition, int]:
        """Send what did not fit, the offsets, and the commit."""
        try:
            if not self._begun:
                self._attempt("beginning a transaction", self._producer.begin_transaction)
                self._begun = True
            self._raise_failure()
            while not self._send():
                self._producer.poll(_QUEUE_WAIT_SECONDS)
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
            if self._begun:
                self._abort()
            raise
        finally:
            self._begun = False
        self._producer.poll(0)
        return self._changelog_ends(self._writes)

    def _raise_failure(self) -> None:
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        """Send nothing more."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _send(self) -> bool:
        """Hand records over until the client's queue is full; ``False`` if some are left."""
        produce = self._producer.produce
        output: Output | None = None
        change: tuple[Any, ...] = ()
        try:
            for output in self._outputs:
                number = _BY_KEY if output.partition is None else output.partition
                if output.timestamp is None and not output.headers:
                    produce(output.topic, output.value, output.key, number)
                else:
                    rest: Any = (None, None, output.timestamp or _NOW, output.headers or None)
                    produce(output.topic, output.value, output.key, number, *rest)
            output = None
            for change in self._changes:
                produce(*change)
        except BufferError:
            if output is not None:
                self._outputs = chain((output,), self._outputs)
            else:
                self._changes = chain((change,), self._changes)
            return False
        except KafkaException as error:
            topic = change[0] if output is None else output.topic
            raise self._meaning(f"sending to {topic}", error.args[0], topic) from error
        except (TypeError, ValueError) as error:
            raise RejectedOutputError(change[0] if output is None else output.topic, str(error)) from error
        return True

    def _produce_changes(self, writes: Sequence[ChangelogWrites]) -> Iterator[tuple[Any, ...]]:
        """What `Producer.produce` takes, for one change after another."""
        for (topic, number), changes in writes:
            for key, value in changes[:-1]:
                yield topic, value, key, number
            # Records of one partition keep their order, so the last one's offset stands for all.
            key, value = changes[-1]
            yield topic, value, key, number, self._on_delivery

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
