"""The clients over librdkafka: what the engine asks of Kafka, and which error means what."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as KafkaTopicPartition

from streams.engine.clients import ChangelogChunk, ChangelogWrites, CommittedOffset, Poll
from streams.engine.errors import (
    BrokerError,
    ConfigurationError,
    FatalError,
    FencedError,
    InternalError,
    MembershipLostError,
    RejectedOutputError,
    TransactionAbortedError,
)
from streams.engine.record import Output, Record, TopicPartition
from streams.engine.settings import EngineSettings

__all__ = [
    "LibrdkafkaChangelogReader",
    "LibrdkafkaConsumer",
    "LibrdkafkaProducer",
    "client_properties",
    "fatal",
]

logger = logging.getLogger(__name__)
T = TypeVar("T")

_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's local codes carry an underscore
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
_OTHER_GENERATION = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID}
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001
    }
)
_REFUSED_RECORD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_MSG,
        KafkaError.POLICY_VIOLATION,
        KafkaError._INVALID_ARG,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
_UNKNOWN_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001
_FATAL = _FENCED | _FORBIDDEN | _UNKNOWN_TOPIC | {KafkaError._FATAL}  # noqa: SLF001

_QUEUED_MESSAGES = 500_000
# While the queue is full, wait this long for the network to take some.
_QUEUE_WAIT_SECONDS = 0.01
# How long a fresh assignment may refuse a seek before that is a defect.
_SEEK_SECONDS = 10.0
_RESTORE_RECORDS = 10_000


def _log_error(error: KafkaError) -> None:
    logger.warning("Kafka reports: %s", error)


def client_properties(settings: EngineSettings) -> dict[str, Any]:
    """What every client gets: servers, and the settings' TLS and SASL."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.transactional_id,
        "log_level": 4,
        # Without it a fatal error comes out of whatever call serves callbacks next; with it, out of the call
        # that meets it.
        "error_cb": _log_error,
        **settings.client,
    }


def fatal(settings: EngineSettings, step: str, error: KafkaError) -> FatalError:
    """The fatal error that a client's error means."""
    code, reason = error.code(), f"{error.name()}: {error.str()}"
    # A consumer's fatal error hides the code of its cause and shows only its text.
    if code in _FENCED or (code == KafkaError._FATAL and "fenced" in reason):  # noqa: SLF001
        return FencedError(settings.instance_id, reason)
    if code in _FORBIDDEN:
        return ConfigurationError(
            f"Kafka does not allow it while {step}: {reason}; check credentials and ACLs"
        )
    if code in _UNKNOWN_TOPIC:
        return ConfigurationError(f"a topic is missing while {step}: {reason}; create it and start again")
    return BrokerError(step, reason)


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
        self._poll = Poll()
        self._lost = False
        self._polled_at = time.monotonic()

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group."""
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll(self, max_records: int, timeout_seconds: float) -> Poll:
        """Take what lies ready; else wait for the first record; then gather for a moment."""
        self._poll = poll = Poll()
        consume = self._consumer.consume
        messages = consume(max_records, 0)
        if not messages and timeout_seconds > 0:
            # consume(n, timeout) waits its timeout out unless n records come, so wait for one alone.
            messages = consume(1, timeout_seconds)
        if messages and len(messages) < max_records and timeout_seconds > 0 and self._settings.gather_seconds:
            messages += consume(max_records - len(messages), self._settings.gather_seconds)
        away, self._polled_at = time.monotonic() - self._polled_at, time.monotonic()
        if self._lost and away > self._settings.session_timeout_seconds:
            # Not the network but this process stood still, and others have gone on without it.
            raise FencedError(
                self._settings.instance_id, f"its session was lost while it stood still for {away:.0f} s"
            )
        self._lost = False
        if not poll.rebalanced:
            self._sort(messages, poll)
        return poll

    def committed(
        self, partitions: Iterable[TopicPartition], timeout_seconds: float
    ) -> Mapping[TopicPartition, CommittedOffset] | None:
        """Stable offsets only: isolation.level makes librdkafka ask for them."""
        asked = [KafkaTopicPartition(*partition) for partition in partitions]
        try:
            answers = self._consumer.committed(asked, timeout=timeout_seconds)
        except KafkaException as error:
            self._check(error.args[0], "reading committed offsets")
            return None
        found: dict[TopicPartition, CommittedOffset] = {}
        for answer in answers:
            if answer.error is not None:
                self._check(answer.error, "reading committed offsets")
                return None
            offset = answer.offset if answer.offset >= 0 else None
            found[TopicPartition(answer.topic, answer.partition)] = CommittedOffset(
                offset, answer.metadata or ""
            )
        return found

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Seek; a fresh assignment refuses that for a moment."""
        give_up = time.monotonic() + _SEEK_SECONDS
        for partition, offset in offsets.items():
            while True:
                try:
                    self._consumer.seek(KafkaTopicPartition(*partition, offset))
                    break
                except KafkaException as error:
                    cause = error.args[0]
                    if cause.code() != KafkaError._STATE or time.monotonic() > give_up:  # noqa: SLF001
                        raise fatal(self._settings, f"seeking in {partition}", cause) from error
                    time.sleep(0.005)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read no more of these for now."""
        self._consumer.pause([KafkaTopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these again."""
        self._consumer.resume([KafkaTopicPartition(*partition) for partition in partitions])

    def membership(self) -> Any:
        """The group's metadata."""
        return self._consumer.consumer_group_metadata()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _sort(self, messages: list[Message], poll: Poll) -> None:
        records, topic, number = poll.records, None, -1
        run: list[Record] = []
        for message in messages:
            error = message.error()
            if error is not None:
                self._event(error, message, poll)
                continue
            if message.partition() != number or message.topic() != topic:
                topic, number = str(message.topic()), int(message.partition() or 0)
                run = records.setdefault(TopicPartition(topic, number), [])
            run.append(
                Record(
                    topic or "",
                    number,
                    message.offset(),  # type: ignore[arg-type]
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                    message.headers,  # type: ignore[arg-type]
                )
            )

    def _event(self, error: KafkaError, message: Message, poll: Poll) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            poll.ends[TopicPartition(str(message.topic()), int(message.partition() or 0))] = int(
                message.offset() or 0
            )
            return
        self._check(error, "reading the inputs")

    def _check(self, error: KafkaError, step: str) -> None:
        if error.fatal() or error.code() in _FATAL:
            raise fatal(self._settings, step, error)
        # librdkafka recovers from the rest by itself; if it does not, the watchdog sees that nothing moves.
        logger.warning("Kafka reports while %s: %s", step, error)

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
        if error.fatal() or code in _FATAL:
            return fatal(self._settings, step, error)
        if code in _OTHER_GENERATION:
            return MembershipLostError(reason)
        if code in _REFUSED_RECORD:
            return RejectedOutputError(topic, reason)
        if error.txn_requires_abort():
            return TransactionAbortedError(step, reason)
        return fatal(self._settings, step, error)


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
                elif error.fatal() or error.code() in _FATAL:
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
