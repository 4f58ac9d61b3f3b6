"""A record that cannot be processed is put aside, alone and soon; its neighbours are processed."""

import random
import time

import pytest

from streams.engine import ExitCode

from .harness import Cluster, feed, wait_for

pytestmark = pytest.mark.kafka


def test_poison_is_alone_in_the_dead_letters(cluster: Cluster) -> None:
    chance = random.Random(1)
    feed(cluster, 1_000, chance)
    for number in range(3):
        cluster.send("a", f"bad{number}", f"poison {number}", headers={"ce_id": str(number)})
        feed(cluster, 500, chance)
    worker = cluster.start()
    worker.wait_until_said("^committed")
    started = time.monotonic()
    cluster.wait_until_done()
    assert time.monotonic() - started < 5
    assert worker.stop() == ExitCode.OK
    dead = cluster.read("dead")
    assert sorted(message.value() or b"" for message in dead) == [b"poison 0", b"poison 1", b"poison 2"]
    assert all(("topic", f"{cluster.prefix}a".encode()) in (message.headers() or []) for message in dead)
    assert cluster.verify() == 2_500


def test_many_poisonous_records_in_a_row(cluster: Cluster) -> None:
    for number in range(40):
        cluster.send("a", "same", f"poison {number}")
        cluster.send("a", "same")
    worker = cluster.start()
    cluster.wait_until_done(20)
    assert worker.stop() == ExitCode.OK
    assert len(cluster.read("dead")) == 40
    assert cluster.verify() == 40


def test_output_too_large_for_kafka_is_put_aside(cluster: Cluster) -> None:
    """It fails at the broker's door, not in the agent, so the record is found by halving."""
    feed(cluster, 100, random.Random(2))
    cluster.send("a", "x" * 900_000)  # the key comes back in the value as well
    feed(cluster, 100, random.Random(3))
    worker = cluster.start()
    cluster.wait_until_done(20)
    assert worker.stop() == ExitCode.OK
    assert len(worker.said("is put aside")) == 1


def test_a_stuck_agent_ends_the_process(cluster: Cluster) -> None:
    cluster.send("a", "k", "slow14")
    cluster.flush()
    worker = cluster.start(stuck_after_seconds=7, lag_interval_seconds=0.3)
    assert worker.wait() == ExitCode.STUCK
    assert "records wait in the inputs" in worker.said("^fatal")[0]
    wait_for(lambda: cluster.lag() == 1, "its record is not committed")
