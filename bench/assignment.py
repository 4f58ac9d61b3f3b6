"""What the harness tells a contender; read by programs in two environments, so it imports next to nothing."""

import sys
from pathlib import Path

import msgspec

RECORDS_PER_TRANSACTION = 4_000
"""Our engine's default; the contenders that can be told so get the same."""

COMPRESSION = "lz4"
LINGER_MS = 20
BATCH_BYTES = 1 << 20


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one contender.

    Attributes:
        servers: bootstrap servers.
        application: consumer group, and prefix of whatever the contender names.
        input: the input topic, or for the dunning job the prefix of all topics.
        output: the output topic; unused by the dunning job.
        partitions: of every topic.
        directory: the contender's own, removed afterwards.
        store: ``memory`` or ``rocksdb`` where the contender has both.
        records_per_transaction: at most, where it can be told.
        instance: which worker of several.
    """

    servers: str
    application: str
    input: str
    output: str
    partitions: int
    directory: str
    store: str = "memory"
    records_per_transaction: int = RECORDS_PER_TRANSACTION
    instance: str = "0"

    @property
    def state_directory(self) -> Path:
        """Where to keep state on disk."""
        return Path(self.directory) / f"state-{self.instance}"


def to_argument(assignment: Assignment) -> str:
    """As a command line's argument."""
    return msgspec.json.encode(assignment).decode()


def from_argument() -> Assignment:
    """This process's assignment: its first argument."""
    return msgspec.json.decode(sys.argv[1], type=Assignment)


PRODUCER = {
    "compression.type": COMPRESSION,
    "linger.ms": LINGER_MS,
    "batch.size": BATCH_BYTES,
    "retry.backoff.ms": 5,
}
"""Of every contender on librdkafka, in its words: what our engine's producer has."""
