"""Workers die at random moments, and nothing is lost or repeated."""

import os
import random
import signal
import time

import pytest

from streams.engine import ExitCode

from .harness import Cluster, Worker, feed, wait_for

pytestmark = pytest.mark.kafka

SEED = int(os.environ.get("ENGINE_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_one_worker_killed_at_random_moments(cluster: Cluster, store: str) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    feed(cluster, 10_000, chance)
    worker = cluster.start(store=store, max_records=100)
    for _ in range(3):
        worker.wait_until_said("^committed", times=1)
        time.sleep(chance.random() * 0.7)
        worker.kill()
        feed(cluster, 2_000, chance)
        worker = cluster.start(store=store, max_records=100)
    cluster.wait_until_done()
    assert worker.stop() == ExitCode.OK
    assert cluster.verify() == 16_000


@pytest.mark.slow
@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_two_workers_killed_at_random_moments(cluster: Cluster, store: str) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    feed(cluster, 10_000, chance)
    workers = {name: cluster.start(name, store=store, max_records=50) for name in "01"}
    for _ in range(3):
        name = chance.choice("01")
        workers[name].wait_until_said("^ready")
        time.sleep(chance.random() * 0.7)
        workers[name].kill()
        feed(cluster, 2_000, chance)
        workers[name] = cluster.start(name, store=store, max_records=50)
    cluster.wait_until_done()
    assert [worker.stop() for worker in workers.values()] == [ExitCode.OK, ExitCode.OK]
    assert cluster.verify() == 16_000


def test_partitions_move_when_workers_come_and_go(cluster: Cluster) -> None:
    chance = random.Random(SEED)
    feed(cluster, 4_000, chance)
    first = cluster.start("0", static_membership=False, max_records=50)
    first.wait_until_said("^committed", times=3)
    second = cluster.start("1", static_membership=False, max_records=50)
    second.wait_until_said("^ready")
    feed(cluster, 2_000, chance)
    assert first.stop() == ExitCode.OK
    wait_for(lambda: len(second.said("^ready")) >= 2 + cluster.partitions, "the second holds all")
    feed(cluster, 1_000, chance)
    cluster.wait_until_done()
    assert second.stop() == ExitCode.OK
    assert cluster.verify() == 7_000


def test_a_worker_that_stood_still_is_fenced(cluster: Cluster) -> None:
    chance = random.Random(SEED)
    feed(cluster, 1_000, chance)
    # Stopped in the middle of a commit, it holds the others up until the broker aborts its transaction.
    zombie = cluster.start("0", max_records=50, transaction_timeout_seconds=6)
    zombie.wait_until_said("^committed", times=2)
    zombie.signal(signal.SIGSTOP)
    other = cluster.start("1", max_records=50)
    wait_for(lambda: len(other.said("^ready")) == cluster.partitions, "the other takes over", 60)
    feed(cluster, 500, chance)
    cluster.wait_until_done()
    zombie.signal(signal.SIGCONT)
    assert zombie.wait() == ExitCode.FENCED
    assert other.stop() == ExitCode.OK
    assert cluster.verify() == 1_500


def test_a_second_process_of_the_same_instance_ends_the_first(cluster: Cluster) -> None:
    feed(cluster, 500, random.Random(SEED))
    first = cluster.start("0")
    first.wait_until_said("^ready", times=4)
    second: Worker = cluster.start("0")
    assert first.wait() == ExitCode.FENCED
    feed(cluster, 500, random.Random(SEED))
    cluster.wait_until_done()
    assert second.stop() == ExitCode.OK
    assert cluster.verify() == 1_000


def test_sigterm_ends_quickly_and_nothing_is_done_again(cluster: Cluster) -> None:
    feed(cluster, 1_000, random.Random(SEED))
    worker = cluster.start()
    cluster.wait_until_done()
    started = time.monotonic()
    assert worker.stop() == ExitCode.OK
    assert time.monotonic() - started < 3
    again = cluster.start()
    again.wait_until_said("^ready", times=4)
    time.sleep(0.5)
    assert not again.said("^committed")
    again.signal(signal.SIGINT)
    again.signal(signal.SIGINT)
    assert again.wait() in {ExitCode.OK, ExitCode.FORCED}
    assert cluster.verify() == 1_000
