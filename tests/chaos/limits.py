"""What a worker must refuse or give up on, and say so, rather than go on with less than the truth."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import KafkaException, NewPartitions, NewTopic

from streams.engine import ExitCode
from streams.messages.topics import INPUTS
from tests.app.harness import wait_for

from .stage import SkippedError, Stage

__all__ = ["a_deleted_changelog", "a_full_disk", "a_full_disk_in_restore", "unlike_partition_counts"]

# Four partitions of two tables open in less; the load writes more.
_SMALL = "3m"
_LARGE = "256m"


def a_full_disk(stage: Stage) -> str:
    """RocksDB's disk fills up: the worker ends, and with more room goes on as if nothing had been."""
    with _small_disk(stage.directory / "disk") as disk:
        settings: dict[str, Any] = {"store": "rocksdb", "data_directory": disk}
        stage.plan(customers=800 * stage.scale, days=20)
        worker = stage.start(max_records=400, **settings)
        stage.feed(0.7)
        stage.wait_for_death(worker, ExitCode.STORE, 120)
        assert "is the disk full" in worker.log.read_text()
        subprocess.run(["mount", "-o", f"remount,size={_LARGE}", str(disk)], check=True)
        worker = stage.start(max_records=400, **settings)
        told = stage.finish(worker)
    return "ended with exit code 84; with more room " + told


def a_full_disk_in_restore(stage: Stage) -> str:
    """On another machine, with a small disk: it fills up while the store is restored."""
    stage.plan(customers=800 * stage.scale, days=20)
    stage.feed(0.7)
    first = stage.start(store="rocksdb", max_records=400)
    stage.wait_until_done()
    assert first.stop() == ExitCode.OK
    with _small_disk(stage.directory / "disk") as disk:
        settings: dict[str, Any] = {"store": "rocksdb", "data_directory": disk, "max_records": 400}
        worker = stage.start(**settings)
        stage.wait_for_death(worker, ExitCode.STORE, 120)
        told = worker.log.read_text()
        assert "is the disk full" in told
        subprocess.run(["mount", "-o", f"remount,size={_LARGE}", str(disk)], check=True)
        finished = stage.finish(stage.start(**settings))
    return "ended with exit code 84; with more room " + finished


def a_deleted_changelog(stage: Stage, *, store: str = "rocksdb", made_anew: bool = False) -> str:
    """Somebody deleted a changelog, or made it anew: refused, and no silent empty state."""
    stage.plan(customers=40)
    stage.feed(0.3)
    worker = stage.start(store=store)
    stage.wait_until_done()
    assert worker.stop() == ExitCode.OK
    name = f"{stage.application_id}-customers-changelog"
    admin = AdminClient({"bootstrap.servers": stage.servers})
    admin.delete_topics([name])[name].result(30)
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, f"{name} is gone")
    if made_anew:
        new = NewTopic(name, stage.partitions, 1, config={"cleanup.policy": "compact"})
        wait_for(lambda: _is_made(admin, new), f"{name} is there again")
    before = stage.lag()
    stage.feed(0.3)
    worker = stage.start(store=store)
    stage.wait_for_death(worker, ExitCode.MISSING_CHANGELOG)
    assert name in worker.log.read_text()
    assert stage.lag() > before, "nothing was decided"
    return "refused with exit code 82"


def _is_made(admin: AdminClient, topic: NewTopic) -> bool:
    """A name that was deleted a moment ago may not be free yet."""
    try:
        admin.create_topics([topic])[topic.topic].result(30)
    except KafkaException:
        return False
    return True


def unlike_partition_counts(stage: Stage) -> str:
    """One input has more partitions than the others: refused, with what to do."""
    topic = stage.prefix + INPUTS[0].name
    admin = AdminClient({"bootstrap.servers": stage.servers})
    admin.create_partitions([NewPartitions(topic, stage.partitions + 1)])[topic].result(30)
    wait_for(
        lambda: len(admin.list_topics(timeout=10).topics[topic].partitions) == stage.partitions + 1,
        "the partition is there",
    )
    worker = stage.start()
    stage.wait_for_death(worker, ExitCode.CONFIGURATION)
    told = worker.log.read_text()
    assert f"{topic} has {stage.partitions + 1}" in told
    assert "add partitions" in told
    return "refused with exit code 78"


@contextmanager
def _small_disk(directory: Path) -> Iterator[Path]:
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL}", "chaos", str(directory)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SkippedError("there is no mount command, so no small disk") from None
    if made.returncode:
        raise SkippedError(f"a small disk cannot be mounted: {made.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=False)
