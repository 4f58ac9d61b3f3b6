"""What a worker refuses to start with, and what it says."""

import os

import pytest
from confluent_kafka.admin import AdminClient

from streams.engine import ExitCode

from .harness import Cluster, wait_for

pytestmark = pytest.mark.kafka


def delete_topic(cluster: Cluster, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.servers})
    admin.delete_topics([name])[name].result(30)
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, f"{name} is gone")


def test_inputs_with_unlike_partition_counts(cluster: Cluster, create_topics: object) -> None:
    create_topics([f"{cluster.prefix}wide"], partitions=7)  # type: ignore[operator]
    cluster.inputs.append("wide")
    worker = cluster.start()
    assert worker.wait() == ExitCode.CONFIGURATION
    (line,) = worker.said("^fatal")
    assert f"{cluster.prefix}wide has 7" in line
    assert f"{cluster.prefix}a has 4" in line
    assert "add partitions" in line


def test_a_missing_input_is_named_and_not_created(cluster: Cluster) -> None:
    cluster.inputs.append("nowhere")
    worker = cluster.start()
    assert worker.wait() == ExitCode.CONFIGURATION
    (line,) = worker.said("^fatal")
    assert f"{cluster.prefix}nowhere" in line
    admin = AdminClient({"bootstrap.servers": cluster.servers})
    assert f"{cluster.prefix}nowhere" not in admin.list_topics(timeout=10).topics


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_a_deleted_changelog_is_no_empty_state(cluster: Cluster, store: str) -> None:
    cluster.send("a", "k1")
    worker = cluster.start(store=store)
    cluster.wait_until_done()
    assert worker.stop() == ExitCode.OK
    delete_topic(cluster, f"{cluster.group}-counts-changelog")
    worker = cluster.start(store=store)
    assert worker.wait() == ExitCode.MISSING_CHANGELOG
    (line,) = worker.said("^fatal")
    assert f"{cluster.group}-counts-changelog" in line


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_a_changelog_made_anew_is_no_empty_state(cluster: Cluster, create_topics: object, store: str) -> None:
    worker = cluster.start(store=store)
    for number in range(8):
        cluster.send("a", f"k{number % 2}")
        cluster.wait_until_done()
    assert worker.stop() == ExitCode.OK
    changelog = f"{cluster.group}-counts-changelog"
    delete_topic(cluster, changelog)
    create_topics([changelog], partitions=cluster.partitions)  # type: ignore[operator]
    worker = cluster.start(store=store)
    assert worker.wait() == ExitCode.MISSING_CHANGELOG
    (line,) = worker.said("^fatal")
    assert "made anew" in line


def test_a_broker_that_is_not_there(cluster: Cluster) -> None:
    worker = cluster.start(bootstrap_servers="127.0.0.1:1", request_timeout_seconds=2)
    assert worker.wait() == ExitCode.BROKER
    assert worker.said("^fatal")


def test_a_full_disk_ends_the_process(cluster: Cluster) -> None:
    directory = cluster.directory / "data-0"
    directory.mkdir()
    (directory / cluster.group).write_text("a file where a directory has to be")
    cluster.send("a", "k1")
    cluster.flush()
    worker = cluster.start(store="rocksdb")
    assert worker.wait() == ExitCode.STORE
    assert str(os.fspath(directory)) in worker.said("^fatal")[0]


def test_an_agent_that_returns_ends_the_process(cluster: Cluster) -> None:
    cluster.send("a", "k", "return")
    cluster.flush()
    worker = cluster.start()
    assert worker.wait() == ExitCode.INTERNAL
    assert "agent" in worker.said("^fatal")[0]
    assert "returned" in worker.said("^fatal")[0]
    assert cluster.lag() == 1, "the record it left is not committed"
