"""Ticks: what is due goes out, and no tick overtakes what already lies in the inputs."""

import json
import random
import time

import pytest
from confluent_kafka import Producer

from streams.engine import ExitCode

from .harness import Cluster, feed, wait_for

pytestmark = pytest.mark.kafka


def dues(cluster: Cluster) -> list[dict[str, int]]:
    return [said for message in cluster.read("out") if "due" in (said := json.loads(message.value() or b""))]


def test_what_is_due_goes_out_once_and_in_order(cluster: Cluster) -> None:
    for number in range(50):
        cluster.send("a", f"k{number}", str(1000 + number))
    cluster.flush()
    worker = cluster.start()
    cluster.wait_until_done()
    cluster.tick(999)
    cluster.tick(1024)
    wait_for(lambda: len(dues(cluster)) == 25, "the first half goes out")
    cluster.tick(1024)
    cluster.tick(2000)
    wait_for(lambda: len(dues(cluster)) == 50, "the second half goes out")
    assert worker.stop() == ExitCode.OK
    assert sorted(said["due"] for said in dues(cluster)) == list(range(1000, 1050))


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_a_tick_never_overtakes_what_lies_in_the_inputs(cluster: Cluster, store: str) -> None:
    """Every key is due at once, and a later record takes that back: no tick may see the time between."""
    chance = random.Random(7)
    for number in range(3_000):
        cluster.send("a", f"k{number}", "1000")
    cluster.tick(5_000)
    feed(cluster, 3_000, chance)
    for number in range(3_000):
        cluster.send("b", f"k{number}", "0")
    cluster.tick(6_000)
    worker = cluster.start(store=store, max_records=100)
    cluster.wait_until_done()
    cluster.tick(7_000)
    worker.wait_until_said(r"^committed \d 0 ")
    assert worker.stop() == ExitCode.OK
    assert dues(cluster) == []
    assert cluster.verify() == 9_000


def test_inputs_that_end_with_control_markers_hold_no_tick(cluster: Cluster) -> None:
    """The last offsets of what a transactional producer wrote are markers, which no consumer is given."""
    producer = Producer(
        {"bootstrap.servers": cluster.servers, "transactional.id": f"{cluster.prefix}billing"}
    )
    producer.init_transactions(20)
    for abort in (False, True, True):
        producer.begin_transaction()
        for partition in range(cluster.partitions):
            producer.produce(f"{cluster.prefix}a", "1000", f"p{partition}", partition=partition)
        producer.flush(20)
        if abort:
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)
    cluster.tick(2_000)
    worker = cluster.start()
    wait_for(lambda: len(dues(cluster)) == cluster.partitions, "ticks come through")
    cluster.tick(3_000)
    assert worker.stop() == ExitCode.OK
    worker = cluster.start()  # committed offsets lie before the markers now
    cluster.send("a", "late", "1500")
    cluster.tick(3_000)
    wait_for(lambda: len(dues(cluster)) == cluster.partitions + 1, "ticks come through again")
    assert worker.stop() == ExitCode.OK


def test_tens_of_thousands_of_idle_ticks_a_second(cluster: Cluster) -> None:
    for number in range(1_000):
        cluster.send("a", f"k{number}", str(10**12))
    for now in range(20_000):
        cluster.send("tick", "", str(now), partition=now % cluster.partitions)
    cluster.flush()
    worker = cluster.start()
    started = time.monotonic()
    worker.wait_until_said("^ready", times=4)
    cluster.tick(10**12)
    wait_for(lambda: len(dues(cluster)) == 1_000, "the last tick came through")
    assert time.monotonic() - started < 10
    assert worker.stop() == ExitCode.OK


def test_a_worker_ticks_by_itself(cluster: Cluster) -> None:
    cluster.send("a", "k", "1000")
    cluster.flush()
    worker = cluster.start(tick_interval_seconds=0.2)
    wait_for(lambda: len(dues(cluster)) == 1, "a tick of its own comes through")
    time.sleep(0.5)
    assert worker.stop() == ExitCode.OK
    partitions = {message.partition() for message in cluster.read("tick")}
    assert partitions == set(range(cluster.partitions))
