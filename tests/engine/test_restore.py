"""A worker finds its state again: from the changelog's beginning, or from where its store stands."""

import random
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from rocksdict import Options, Rdict

from streams.engine import ExitCode

from .harness import Cluster, feed

pytestmark = pytest.mark.kafka


def restored(lines: list[str]) -> int:
    """Changelog records read, from the announcements."""
    last: dict[tuple[str, str], int] = {}
    for line in lines:
        _, table, partition, records, _ = line.split()
        last[table, partition] = int(records)
    return sum(last.values())


def run(cluster: Cluster, records: int, seed: int, **settings: Any) -> int:
    feed(cluster, records, random.Random(seed))
    worker = cluster.start(**settings)
    cluster.wait_until_done()
    assert worker.stop() == ExitCode.OK
    return restored(worker.said("^restored"))


def test_memory_is_restored_from_the_beginning(cluster: Cluster) -> None:
    assert run(cluster, 1_000, 1, store="memory") == 0
    assert run(cluster, 100, 2, store="memory") > 150
    assert cluster.verify() == 1_100


def test_rocksdb_reads_only_what_it_missed(cluster: Cluster) -> None:
    run(cluster, 1_000, 1, store="rocksdb")
    assert run(cluster, 100, 2, store="rocksdb") == 0
    # Another machine works on; the first catches up from its position.
    missed = run(cluster, 50, 3, store="rocksdb", data_directory=str(cluster.directory / "elsewhere"))
    assert missed > 150
    assert 0 < run(cluster, 10, 4, store="rocksdb") <= 50
    assert cluster.verify() == 1_160


def test_a_store_older_than_the_deletions_kept_is_thrown_away(cluster: Cluster) -> None:
    settings: dict[str, Any] = {"store": "rocksdb", "changelog_config": {"delete.retention.ms": "60000"}}
    run(cluster, 500, 1, **settings)
    for directory in (cluster.directory / "data-0" / cluster.group / "counts").iterdir():
        age(directory, time.time() - 120)
    assert run(cluster, 100, 2, **settings) > 150
    assert cluster.verify() == 600


def age(directory: Path, synced_at: float) -> None:
    options = Options(raw_mode=True)
    database = Rdict(str(directory), options, {"agenda": Options(raw_mode=True)})
    position = struct.unpack(">Qd", database[b"m"] or b"")[0]
    database[b"m"] = struct.pack(">Qd", position, synced_at)
    database.close()
