"""The engine's errors: one tree that tells retryable, poison and fatal apart.

- ``RetryableError``: nothing is wrong with the records; the round is given up and run again.
- ``PoisonError``: something is wrong with a record, or with what was made of it; the round is halved
  until the record is alone. Any exception of an agent that is not from this tree counts as poison.
- ``FatalError``: the process ends, with the class's ``exit_code``; whoever supervises it decides.
"""

import traceback
from enum import IntEnum

__all__ = [
    "BrokerError",
    "ConfigurationError",
    "EngineError",
    "ExitCode",
    "FatalError",
    "FencedError",
    "InternalError",
    "MembershipLostError",
    "MissingChangelogError",
    "PartitionCountError",
    "PoisonError",
    "RejectedOutputError",
    "RetryableError",
    "SeekRefusedError",
    "StoreError",
    "StuckError",
    "TopicMissingError",
    "TransactionAbortedError",
    "without_words",
]


class ExitCode(IntEnum):
    """What the process ends with, so that a supervisor's log tells the cause."""

    OK = 0
    INTERNAL = 70
    """A defect: an error that the engine does not know."""
    CONFIGURATION = 78
    """Settings or topics are wrong; starting again will not help before somebody changes them."""
    BROKER = 80
    """The broker or the network failed for good, or a producer came into a state it cannot leave."""
    FENCED = 81
    """Another worker holds this one's identity or partitions."""
    MISSING_CHANGELOG = 82
    """A changelog is gone or was made anew although the group has committed offsets."""
    STUCK = 83
    """An agent kept its records, nothing moved although there was lag, or a stop took too long."""
    STORE = 84
    """The local store failed, for example because its disk is full."""
    FORCED = 130
    """A second signal while stopping."""


class EngineError(Exception):
    """Root of the tree."""


class RetryableError(EngineError):
    """The round is given up and run again; the records are not to blame.

    An agent may raise it, too. A round is run again ``EngineSettings.max_retries`` times at most.
    """


class TransactionAbortedError(RetryableError):
    """The broker had the round's transaction aborted.

    Attributes:
        reason: the broker's word for it.
        step: what the engine was doing.
    """

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"the transaction was aborted while {step}: {reason}")
        self.step = step
        self.reason = reason


class MembershipLostError(RetryableError):
    """The group has gone on without this worker's round: a rebalance came between.

    Attributes:
        reason: the broker's word for it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the consumer group is in another generation: {reason}; the round is dropped")
        self.reason = reason


class SeekRefusedError(RetryableError):
    """A partition that was just assigned cannot be positioned yet: poll, and try again.

    Attributes:
        partition: which.
        reason: the client's word for it.
    """

    def __init__(self, partition: str, reason: str) -> None:
        super().__init__(f"{partition} cannot be positioned yet: {reason}")
        self.partition = partition
        self.reason = reason


class PoisonError(EngineError):
    """A record cannot be processed. Agents may raise it or any other exception."""


class RejectedOutputError(PoisonError):
    """Kafka refuses what a round wants to send, for example because it is too large.

    Attributes:
        topic: where it was to go, if known.
        reason: Kafka's word for it.
    """

    def __init__(self, topic: str | None, reason: str) -> None:
        super().__init__(f"Kafka refuses a record for {topic or 'an output topic'}: {reason}")
        self.topic = topic
        self.reason = reason


class FatalError(EngineError):
    """The process ends with ``exit_code``."""

    exit_code: ExitCode = ExitCode.INTERNAL


class InternalError(FatalError):
    """A defect of the engine or of what it leans on."""


class ConfigurationError(FatalError):
    """Settings that cannot work.

    Attributes:
        problems: all of them, one sentence each.
    """

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class TopicMissingError(ConfigurationError):
    """Topics that the engine reads or writes do not exist.

    Attributes:
        topics: their names.
    """

    def __init__(self, topics: tuple[str, ...]) -> None:
        super().__init__(
            f"these topics do not exist: {', '.join(topics)}; create them, all inputs with one number of "
            "partitions, and start again"
        )
        self.topics = topics


class PartitionCountError(ConfigurationError):
    """Topics that belong together have unlike numbers of partitions.

    Attributes:
        counts: partitions by topic.
    """

    def __init__(self, counts: dict[str, int]) -> None:
        listed = ", ".join(f"{topic} has {count}" for topic, count in sorted(counts.items()))
        super().__init__(
            "input topics and changelogs need the same number of partitions, so that one worker holds all "
            f"there is about a key, but {listed}; add partitions to the smaller ones before anything is "
            "written to them, or copy them into topics of one size"
        )
        self.counts = counts


class MissingChangelogError(FatalError):
    """A changelog does not hold what the committed offsets say was written to it.

    Attributes:
        topic: the changelog.
        partition: which of its partitions, or ``None`` if the whole topic is gone.
    """

    exit_code = ExitCode.MISSING_CHANGELOG

    def __init__(self, topic: str, partition: int | None, finding: str) -> None:
        where = topic if partition is None else f"{topic}[{partition}]"
        super().__init__(
            f"{where}: {finding}, although the consumer group has committed offsets, so the state would be "
            "silently empty; bring the changelog back from a copy, or, to rebuild the state from the inputs, "
            "delete the consumer group's offsets and the local data directory"
        )
        self.topic = topic
        self.partition = partition


class BrokerError(FatalError):
    """Kafka cannot be used any more.

    Attributes:
        step: what the engine was doing.
        reason: Kafka's word for it.
    """

    exit_code = ExitCode.BROKER

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"Kafka failed while {step}: {reason}")
        self.step = step
        self.reason = reason


class FencedError(FatalError):
    """Another worker has taken over this one's identity or partitions.

    Attributes:
        instance_id: the identity of this worker.
        reason: Kafka's word for it.
    """

    exit_code = ExitCode.FENCED

    def __init__(self, instance_id: str, reason: str) -> None:
        super().__init__(
            f"this worker (instance {instance_id}) was fenced: {reason}; either another process runs with "
            "the same instance id, or this one was away for longer than its session and others took over"
        )
        self.instance_id = instance_id
        self.reason = reason


class StuckError(FatalError):
    """Nothing moves although it should.

    Attributes:
        what: what does not move.
        seconds: for how long.
    """

    exit_code = ExitCode.STUCK

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} for {seconds:.0f} s")
        self.what = what
        self.seconds = seconds


class StoreError(FatalError):
    """The local store of a table cannot be read or written.

    Attributes:
        table: the table.
        partition: its partition.
    """

    exit_code = ExitCode.STORE

    def __init__(self, table: str, partition: int, reason: str) -> None:
        super().__init__(f"the local store of table {table}, partition {partition}, failed: {reason}")
        self.table = table
        self.partition = partition


def without_words(error: BaseException) -> str:
    """An error for the log: its kind, where it was raised, and the same of its causes.

    Its message is left out, since it may quote the record, and logs are read and kept by more people than the
    topics are. Whoever puts the record aside may keep the message with it.
    """
    lines: list[str] = []
    each: BaseException | None = error
    while each is not None:
        lines.append(f"{type(each).__module__}.{type(each).__qualname__}\n")
        lines += traceback.format_tb(each.__traceback__)
        each = each.__cause__
        if each is not None:
            lines.append("caused by ")
    return "".join(lines).rstrip()
