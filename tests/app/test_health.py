"""What a real worker answers to its supervisor, from its start to its end."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from confluent_kafka.admin import AdminClient

from streams.broker import LocalKafka
from streams.dunning.events import Tick
from streams.engine import ExitCode
from tests.chaos.stage import Stage

from .endpoint import Asked
from .harness import wait_for
from .histories import random_history

pytestmark = pytest.mark.kafka

_COMMITTING = "a slow commit begins"


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """Topics of its own, and workers that can be broken on purpose."""
    made = Stage(kafka, topic_prefix, tmp_path, Random(6))
    yield made
    made.close()


def feed(stage: Stage, customers: int = 20) -> None:
    for arrival in random_history(stage.chance, customers=customers, days=20):
        stage.send(arrival)
    stage.flush()


def members(stage: Stage) -> int:
    admin = AdminClient({"bootstrap.servers": stage.servers})
    described = admin.describe_consumer_groups([stage.application_id])[stage.application_id].result(20)
    return len(described.members)


@pytest.mark.slow
def test_restoring_is_live_but_not_ready_and_then_it_is_both(stage: Stage) -> None:
    first = stage.start(store="memory")
    feed(stage)
    stage.wait_until_done()
    assert first.stop() == ExitCode.OK
    worker = stage.start(store="memory", metrics_port=0, breaks="slow_restore:8")
    ask = Asked(worker)
    wait_for(lambda: ask("/ready")[1].get("state") == "restoring", "it restores")
    wait_for(lambda: ask("/ready")[1].get("ready") == [1, 2, 3], "all but the slow one are restored")
    assert ask.all() == (200, 503, 503)
    assert ask("/ready")[1]["restore_remaining_offsets"] > 0
    wait_for(lambda: ask.status("/ready") == 200, "all is restored")
    assert ask.all() == (200, 200, 200)
    assert ask("/ready")[1]["state"] == "working"


def test_partitions_change_hands_and_nobody_is_ready_with_none(stage: Stage) -> None:
    asked = [Asked(stage.start("0", metrics_port=0, static_membership=False))]
    wait_for(lambda: asked[0].status("/ready") == 200, "the first works")

    def divided() -> bool:
        answers = [ask("/ready") for ask in asked]
        held = [number for status, facts in answers if status == 200 for number in facts["assigned"]]
        assert all(facts["assigned"] for status, facts in answers if status == 200)
        return sorted(held) == list(range(stage.partitions))

    assert divided()
    joining = stage.start("1", metrics_port=0, static_membership=False)
    asked.append(Asked(joining))
    wait_for(lambda: asked[1].status("/ready") == 200 and divided(), "both work")
    asked.pop()
    assert joining.stop() == ExitCode.OK
    wait_for(divided, "the first works on all again", 20)


@pytest.mark.parametrize("static", [False, True])
def test_told_to_stop_it_finishes_the_round_and_leaves(stage: Stage, *, static: bool) -> None:
    worker = stage.start(metrics_port=0, breaks="slow_commits:4", static_membership=static)
    ask = Asked(worker)
    wait_for(lambda: ask.status("/ready") == 200, "it works")
    feed(stage, customers=1)
    wait_for(lambda: _COMMITTING in worker.log.read_text(), "a round is being committed")
    behind = stage.lag()
    told_at = time.monotonic()
    worker.process.terminate()
    wait_for(lambda: ask("/ready")[1].get("state") == "draining", "it drains", 5)
    assert ask.all() == (200, 503, 200)
    assert worker.wait() == ExitCode.OK
    assert time.monotonic() - told_at < 15, "long before the grace period is over"
    assert ask.status("/live") == 0
    assert stage.lag() < behind, "what was in hand is committed"
    # A static member's place is kept for its restart, so that it moves no partition.
    assert members(stage) == int(static)


def test_a_round_longer_than_the_grace_period_is_dropped(stage: Stage) -> None:
    worker = stage.start(metrics_port=0, breaks="slow_commits:60", stop_seconds=2)
    ask = Asked(worker)
    wait_for(lambda: ask.status("/ready") == 200, "it works")
    feed(stage, customers=1)
    wait_for(lambda: _COMMITTING in worker.log.read_text(), "a round is being committed")
    told_at = time.monotonic()
    worker.process.terminate()
    assert worker.wait() == ExitCode.STUCK
    assert time.monotonic() - told_at < 4
    assert "did not stop within 2 s and is ended" in worker.log.read_text()
    stage.workers.clear()
    assert not stage.outputs(), "nothing of it counts"
    stage.start()
    stage.wait_until_done()
    assert stage.outputs()


@pytest.mark.slow
def test_cut_off_from_the_broker_is_live_but_not_ready(tmp_path: Path) -> None:
    with LocalKafka.start() as broker:
        stage = Stage(broker.bootstrap_servers, "cut-off.", tmp_path, Random(6))
        try:
            worker = stage.start(metrics_port=0)
            ask = Asked(worker)
            wait_for(lambda: ask.status("/ready") == 200, "it works")
            broker.kill()
            wait_for(lambda: ask("/ready")[1].get("state") == "cut_off", "it notices", 40)
            assert ask.all() == (200, 503, 200)
            broker.restart()
            wait_for(lambda: ask.status("/ready") == 200, "it works again", 60)
            stage.tick(Tick(datetime.now(UTC) + timedelta(seconds=1)))
            stage.wait_until_done()
            assert worker.stop() == ExitCode.OK
        finally:
            stage.close()
