"""The contenders: how each is started, and what it does differently from the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench import environment
from bench.assignment import Assignment, to_argument


class Job(StrEnum):
    """What is measured."""

    ENGINE = "engine"
    DUNNING = "dunning"


Command = Callable[[Assignment], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One entry of a table.

    Attributes:
        name: as given to ``--contenders``.
        title: as printed.
        job: what it runs.
        command: its command line.
        guarantee: what a crash leaves.
        differs: what is not as in the others.
        prepare: makes what it needs, once; raises `environment.UnavailableError`.
        store: for contenders with a choice.
        commits: whether it commits offsets to its group within its transactions.
        changelog: whether the harness makes it a topic named after the application with ``-changelog``.
        footnote: runs only when named, or with ``--contenders all``.
    """

    name: str
    title: str
    job: Job
    command: Command
    guarantee: str
    differs: str
    prepare: Callable[[], object] = lambda: None
    store: str = "memory"
    commits: bool = True
    changelog: bool = False
    footnote: bool = False


EXACTLY_ONCE = "exactly once"
AT_LEAST_ONCE = "at least once"

COMMIT_INTERVAL_MS = 100
"""Kafka Streams commits by time, not by records; this is its own default for exactly_once_v2."""


def _ours(module: str) -> Command:
    return lambda given: [
        str(environment.project_python()),
        "-m",
        f"bench.contenders.{module}",
        to_argument(given),
    ]


def _theirs(module: str) -> Command:
    return lambda given: [
        str(environment.contenders_python()),
        "-m",
        f"bench.contenders.{module}",
        to_argument(given),
    ]


def _kafka_streams(cache: str, store: str) -> Command:
    return lambda given: [
        *environment.kafka_streams_command(),
        given.servers,
        given.application,
        given.input,
        given.output,
        str(given.state_directory),
        str(Path(__file__).with_name("schemas")),
        cache,
        store,
        str(COMMIT_INTERVAL_MS),
    ]


CONTENDERS: tuple[Contender, ...] = (
    Contender(
        name="ours-memory",
        title="ours, memory",
        job=Job.ENGINE,
        command=_ours("engine_ours"),
        guarantee=EXACTLY_ONCE,
        differs="one changelog record per changed key and transaction",
    ),
    Contender(
        name="ours-rocksdb",
        title="ours, RocksDB",
        job=Job.ENGINE,
        command=_ours("engine_ours"),
        guarantee=EXACTLY_ONCE,
        differs="as in memory; decoded values are cached",
        store="rocksdb",
    ),
    Contender(
        name="loop",
        title="bare loop",
        job=Job.ENGINE,
        command=_ours("engine_loop"),
        guarantee="exactly once, until its process ends",
        differs="a dict that is never restored; no rebalance protocol, no handling of errors",
        changelog=True,
    ),
    Contender(
        name="quix",
        title="Quix Streams",
        job=Job.ENGINE,
        command=_theirs("engine_quix"),
        guarantee=EXACTLY_ONCE,
        differs="RocksDB, state as JSON; one changelog record per changed key and transaction",
        prepare=environment.ensure_contenders,
    ),
    Contender(
        name="faust",
        title="plain Faust",
        job=Job.ENGINE,
        command=_theirs("engine_faust"),
        guarantee=AT_LEAST_ONCE,
        differs="no transactions (aiokafka); memory; a changelog record for every change, as JSON",
        prepare=environment.ensure_contenders,
        commits=False,
    ),
    Contender(
        name="bytewax",
        title="Bytewax",
        job=Job.ENGINE,
        command=_theirs("engine_bytewax"),
        guarantee=AT_LEAST_ONCE,
        differs="no transactions and no changelog; changed state goes to SQLite every 10 s",
        prepare=environment.ensure_contenders,
        commits=False,
    ),
    Contender(
        name="kafka-streams",
        title="Kafka Streams, cache off",
        job=Job.ENGINE,
        command=_kafka_streams("uncached", "rocksdb"),
        guarantee=EXACTLY_ONCE,
        differs="Java, several threads; RocksDB; a changelog record for every change; commits every 100 ms",
        prepare=environment.ensure_kafka_streams,
        store="rocksdb",
    ),
    Contender(
        name="kafka-streams-cached",
        title="Kafka Streams, cache on",
        job=Job.ENGINE,
        command=_kafka_streams("cached", "rocksdb"),
        guarantee=EXACTLY_ONCE,
        differs="as with the cache off, but one changelog record per changed key and transaction",
        prepare=environment.ensure_kafka_streams,
        store="rocksdb",
        footnote=True,
    ),
    Contender(
        name="ours-memory",
        title="ours, memory",
        job=Job.DUNNING,
        command=_ours("dunning_ours"),
        guarantee=EXACTLY_ONCE,
        differs="the real worker: validation, dead letters, metrics, agenda and no overtaking",
    ),
    Contender(
        name="ours-rocksdb",
        title="ours, RocksDB",
        job=Job.DUNNING,
        command=_ours("dunning_ours"),
        guarantee=EXACTLY_ONCE,
        differs="as in memory",
        store="rocksdb",
    ),
    Contender(
        name="loop",
        title="bare loop",
        job=Job.DUNNING,
        command=_ours("dunning_loop"),
        guarantee="exactly once, until its process ends",
        differs="a dict that is never restored and a heap; ticks wait once for the end of the backlog; no "
        "dead letters, no metrics",
        changelog=True,
    ),
    Contender(
        name="quix",
        title="Quix Streams",
        job=Job.DUNNING,
        command=_theirs("dunning_quix"),
        guarantee="exactly once, but for the list of who is due",
        differs="RocksDB; records of all topics aligned by time; who is due is a heap in memory, since its "
        "state is reached by the record's key only; no dead letters, no metrics",
        prepare=environment.ensure_contenders,
    ),
)


def contenders(job: Job, names: Sequence[str]) -> list[Contender]:
    """Those of a job; by name, or all without the footnotes if no name is given.

    Raises:
        ValueError: there is no such contender.
    """
    of_job = [each for each in CONTENDERS if each.job is job]
    if names == ["all"]:
        return of_job
    unknown = set(names) - {each.name for each in CONTENDERS}
    if unknown:
        known = ", ".join(dict.fromkeys(each.name for each in CONTENDERS))
        raise ValueError(f"no contender is named {', '.join(sorted(unknown))}; known are {known}")
    if not names:
        return [each for each in of_job if not each.footnote]
    return [each for each in of_job if each.name in names]
