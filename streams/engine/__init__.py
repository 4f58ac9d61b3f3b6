"""Faust on librdkafka with exactly-once rounds: transport, transactions, tables, restore, agenda, ticks.

Knows nothing of what an application does with it. Start reading at ``rounds``, the commit protocol;
``assignment`` is the rebalance protocol and ``restore`` the restore protocol.
"""

from streams.engine.app import App, create_app
from streams.engine.codec import Codec
from streams.engine.errors import (
    BrokerError,
    ConfigurationError,
    EngineError,
    ExitCode,
    FatalError,
    FencedError,
    InternalError,
    MissingChangelogError,
    PartitionCountError,
    PoisonError,
    RetryableError,
    StoreError,
    StuckError,
    TopicMissingError,
    without_words,
)
from streams.engine.observer import Observer
from streams.engine.progress import Progress
from streams.engine.record import Batch, Headers, Output, Record, TopicPartition
from streams.engine.settings import EngineSettings
from streams.engine.tables import OutsideBatchError, Table
from streams.engine.worker import run_worker

__all__ = [
    "App",
    "Batch",
    "BrokerError",
    "Codec",
    "ConfigurationError",
    "EngineError",
    "EngineSettings",
    "ExitCode",
    "FatalError",
    "FencedError",
    "Headers",
    "InternalError",
    "MissingChangelogError",
    "Observer",
    "Output",
    "OutsideBatchError",
    "PartitionCountError",
    "PoisonError",
    "Progress",
    "Record",
    "RetryableError",
    "StoreError",
    "StuckError",
    "Table",
    "TopicMissingError",
    "TopicPartition",
    "create_app",
    "run_worker",
    "without_words",
]
