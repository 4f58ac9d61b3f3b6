"""The engine's settings: frozen, checked as a whole when they are made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streams.engine.errors import ConfigurationError

__all__ = ["EngineSettings", "StoreKind"]

StoreKind = Literal["memory", "rocksdb"]

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST_NAME = 249  # Kafka's limit for topic names, which application and table become part of

# The engine sets these itself: another value would break its guarantee.
_RESERVED = frozenset(
    {
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "isolation.level",
        "partition.assignment.strategy",
        "transactional.id",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """All that can be set, with units in the names.

    Attributes:
        application_id: consumer group, and prefix of changelogs and transactional ids.
        bootstrap_servers: ``host:port``, several separated by commas.
        instance_id: this worker among the group's (a pod's or host's stable name). It names the static
            member and the transactional producer, so two running workers must differ in it and a restarted
            one must keep it.
        data_directory: where local stores live; used by ``store="rocksdb"`` only.
        store: ``memory`` is restored from the changelogs at every start; ``rocksdb`` reads what it missed.
        static_membership: a restart within the session timeout then costs no rebalance; the price is that a
            worker stopped for good keeps its partitions until the session times out.
        session_timeout_seconds: after so long without a heartbeat the others take over. 30 s leave time
            for a restart by a supervisor; brokers allow 6 s to 30 minutes.
        max_poll_interval_seconds: a worker that does not poll for so long loses its partitions. A round has
            to fit in; restoring does not count, for polling goes on meanwhile.
        max_records: at most so many records per round. 4,000 spread the 10-15 ms that a transaction costs
            over 60 ms and more of work.
        gather_seconds: how long a poll that found something waits for more, 1 to 5 ms: the knob between
            latency and throughput.
        idle_poll_seconds: how long a poll waits when there is nothing; also the longest wait to stop.
        max_attempts: how often a record that fails alone is tried before it is put aside.
        max_retries: how often in a row a round may be retried for a cause that is not in the records.
        agent_timeout_seconds: an agent must finish a batch within it; else the process ends.
        transaction_timeout_seconds: the broker aborts a transaction that stays open for so long. It bounds
            how long others wait for a worker that died in the middle of a commit.
        request_timeout_seconds: for calls to the broker outside of transactions.
        stuck_after_seconds: no progress though there is lag, for so long: the process ends.
        stop_seconds: a worker that was told to stop finishes its round and leaves; one that has not ended
            after so long is ended, which is safe. To be less than the grace period of whoever supervises it
            (Kubernetes: 30 s unless told, systemd: 90 s).
        lag_interval_seconds: how often lag is measured.
        cached_values: decoded values kept per partition and table.
        rocksdb_cache_bytes: block cache shared by all of the worker's stores.
        changelog_replication: replication factor of changelogs that the engine creates.
        changelog_config: more topic settings for them; ``cleanup.policy=compact`` is always set.
        tick_topic: topic of the ticks, or ``None`` for an application without.
        tick_interval_seconds: how often this worker sends a tick to each partition it holds; ``None`` if
            ticks come from outside.
        max_held_ticks: so many ticks of a partition are held at most before its tick topic is paused.
        client: more properties for every Kafka client, such as TLS and SASL; names as in librdkafka.
        consumer: more properties for the consumer of the inputs.
        producer: more properties for the transactional producer.
    """

    application_id: str
    bootstrap_servers: str
    instance_id: str = "0"
    data_directory: Path = field(default_factory=lambda: Path("data"))
    store: StoreKind = "memory"
    static_membership: bool = True
    session_timeout_seconds: float = 30.0
    max_poll_interval_seconds: float = 300.0
    max_records: int = 4_000
    gather_seconds: float = 0.002
    idle_poll_seconds: float = 0.1
    max_attempts: int = 3
    max_retries: int = 10
    agent_timeout_seconds: float = 60.0
    transaction_timeout_seconds: float = 30.0
    request_timeout_seconds: float = 30.0
    stuck_after_seconds: float = 120.0
    stop_seconds: float = 25.0
    lag_interval_seconds: float = 5.0
    cached_values: int = 10_000
    rocksdb_cache_bytes: int = 128 << 20
    changelog_replication: int = 1
    changelog_config: Mapping[str, str] = field(default_factory=dict)
    tick_topic: str | None = None
    tick_interval_seconds: float | None = 1.0
    max_held_ticks: int = 100_000
    client: Mapping[str, str | int | float | bool] = field(default_factory=dict, repr=False)
    consumer: Mapping[str, str | int | float | bool] = field(default_factory=dict, repr=False)
    producer: Mapping[str, str | int | float | bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError(*problems)

    @property
    def transactional_id(self) -> str:
        """Names the worker's producer to the broker; a second one of this name fences the first."""
        return f"{self.application_id}-{self.instance_id}"

    def changelog(self, table: str) -> str:
        """The topic that holds a table's changes."""
        return f"{self.application_id}-{table}-changelog"

    @property
    def changelog_topic_config(self) -> Mapping[str, str]:
        """The settings of changelog topics: only the last value of each key need stay."""
        return {**self.changelog_config, "cleanup.policy": "compact"}

    def _problems(self) -> list[str]:
        problems = [
            f"{name} is {value!r}; it may hold letters, digits, dots, dashes and underscores"
            for name, value in (("application_id", self.application_id), ("instance_id", self.instance_id))
            if not _NAME.fullmatch(value) or len(value) > _LONGEST_NAME // 2
        ]
        if not self.bootstrap_servers.strip():
            problems.append("bootstrap_servers is empty; it needs host:port of at least one broker")
        if self.store not in {"memory", "rocksdb"}:
            problems.append(f"store is {self.store!r}; it may be memory or rocksdb")
        bounds: tuple[tuple[str, float, float, float], ...] = (
            ("session_timeout_seconds", self.session_timeout_seconds, 1, 1800),
            ("max_poll_interval_seconds", self.max_poll_interval_seconds, 1, 86_400),
            ("max_records", self.max_records, 1, 100_000),
            ("gather_seconds", self.gather_seconds, 0, 1),
            ("idle_poll_seconds", self.idle_poll_seconds, 0.001, 5),
            ("max_attempts", self.max_attempts, 1, 100),
            ("max_retries", self.max_retries, 1, 1000),
            ("agent_timeout_seconds", self.agent_timeout_seconds, 0.1, 3600),
            ("transaction_timeout_seconds", self.transaction_timeout_seconds, 1, 900),
            ("request_timeout_seconds", self.request_timeout_seconds, 1, 600),
            ("stuck_after_seconds", self.stuck_after_seconds, 1, 86_400),
            ("stop_seconds", self.stop_seconds, 1, 3600),
            ("lag_interval_seconds", self.lag_interval_seconds, 0.1, 3600),
            ("cached_values", self.cached_values, 1, 100_000_000),
            ("rocksdb_cache_bytes", self.rocksdb_cache_bytes, 1 << 20, 1 << 40),
            ("changelog_replication", self.changelog_replication, 1, 100),
            ("max_held_ticks", self.max_held_ticks, 1, 10_000_000),
        )
        problems += [
            f"{name} is {value}; it must lie between {low:g} and {high:g}"
            for name, value, low, high in bounds
            if not low <= value <= high
        ]
        if self.tick_interval_seconds is not None and not 0.01 <= self.tick_interval_seconds <= 3600:
            problems.append(
                f"tick_interval_seconds is {self.tick_interval_seconds}; it must lie between 0.01 and 3600, "
                "or be None if ticks come from outside"
            )
        if self.max_poll_interval_seconds < self.session_timeout_seconds:
            problems.append("max_poll_interval_seconds must not be less than session_timeout_seconds")
        if self.agent_timeout_seconds >= self.max_poll_interval_seconds:
            problems.append("agent_timeout_seconds must be less than max_poll_interval_seconds")
        for name, properties in (
            ("client", self.client),
            ("consumer", self.consumer),
            ("producer", self.producer),
        ):
            problems += [
                f"{name} sets {key}, which the engine sets itself"
                for key in sorted(_RESERVED & set(properties))
            ]
        if self.changelog_config.get("cleanup.policy", "compact") != "compact":
            problems.append(
                "changelog_config sets cleanup.policy; a changelog that is not compacted loses state"
            )
        return problems
