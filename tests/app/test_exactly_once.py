"""Workers are killed in the middle of everything, and nobody is asked twice or forgotten."""

import json
import os
import random
import time
from datetime import timedelta

import msgspec
import pytest

from streams.dunning.events import Tick
from streams.lab.outcome_report import Attribution, outcome_report
from streams.messages.history import Arrival
from streams.policy import load

from .harness import Deployment
from .histories import moments, random_history
from .recompute import verify

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SEED = int(os.environ.get("DUNNING_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.parametrize(("workers", "store"), [(1, "memory"), (1, "rocksdb"), (2, "rocksdb")])
def test_kill_in_the_middle_of_a_run_loses_and_repeats_nothing(
    deployment: Deployment, workers: int, store: str
) -> None:
    print(f"DUNNING_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    history = random_history(chance, customers=150, days=60)
    ticks = moments(history, timedelta(hours=6), timedelta(days=130))
    settings = {"store": store, "max_records": 40}
    running = {str(number): deployment.start(str(number), **settings) for number in range(workers)}

    timeline: list[Arrival | Tick] = sorted(
        [*history, *(Tick(moment) for moment in ticks)],
        key=lambda each: each.now if isinstance(each, Tick) else each.arrived_at,
    )
    parts = 6
    for part in range(parts):
        for each in timeline[len(timeline) * part // parts : len(timeline) * (part + 1) // parts]:
            if isinstance(each, Tick):
                deployment.tick(each)
            else:
                deployment.send(each)
        deployment.flush()
        time.sleep(0.5 + chance.random() * 2)
        victim = chance.choice(sorted(running))
        running[victim].kill()
        running[victim] = deployment.start(victim, **settings)

    deployment.wait_until_done()
    assert [worker.stop() for worker in running.values()] == [0] * workers
    assert verify(deployment, load("care")) == len(history)
    # What the workers counted is what `verify` has counted anew; the report is made of it.
    report = outcome_report(deployment.outcomes(), ("step",), Attribution.ANY)
    shown = deployment.command("report", "--by", "step", "--attribution", "any", "-o", "json")
    assert json.loads(shown) == json.loads(msgspec.json.encode(report))
    assert report.contacts
