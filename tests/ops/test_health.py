"""Health of a worker, from the bare facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from streams.engine import Progress
from streams.ops import HealthChecks, HealthState
from streams.ops.health import Vitals


@dataclass
class Worker:
    """A worker that does its work, unless told otherwise."""

    age_seconds: float = 0.1
    silence_seconds: float = 3.0
    joined: bool = True
    rebalancing: bool = False
    assigned: frozenset[int] = frozenset({0, 1})
    ready: frozenset[int] = frozenset({0, 1})
    restoring: Mapping[tuple[str, int], int] = field(default_factory=dict)
    started: bool = True
    stopping: bool = False


NONE: frozenset[int] = frozenset()
CASES = [
    # name, worker, state, live, ready, startup
    ("at work", Worker(), HealthState.WORKING, True, True, True),
    (
        "more workers than partitions",
        Worker(assigned=NONE, ready=NONE),
        HealthState.WORKING,
        True,
        True,
        True,
    ),
    (
        "the group has not answered",
        Worker(joined=False, assigned=NONE, ready=NONE, started=False),
        HealthState.STARTING,
        True,
        False,
        False,
    ),
    (
        "the group never answers",
        Worker(joined=False, assigned=NONE, ready=NONE, started=False, age_seconds=121),
        HealthState.STALLED,
        False,
        False,
        False,
    ),
    (
        "the first restore",
        Worker(ready=frozenset({1}), started=False, restoring={("customers", 0): 40, ("partitions", 0): 2}),
        HealthState.RESTORING,
        True,
        False,
        False,
    ),
    ("a later restore", Worker(ready=NONE), HealthState.RESTORING, True, False, True),
    (
        "a restore that does not move",
        Worker(ready=NONE, age_seconds=121),
        HealthState.STALLED,
        False,
        False,
        True,
    ),
    (
        "a rebalance",
        Worker(assigned=NONE, ready=NONE, rebalancing=True),
        HealthState.REBALANCING,
        True,
        False,
        True,
    ),
    ("told to stop", Worker(stopping=True), HealthState.DRAINING, True, False, True),
    (
        "told to stop in a long round",
        Worker(stopping=True, age_seconds=300),
        HealthState.DRAINING,
        True,
        False,
        True,
    ),
    ("a round that does not end", Worker(age_seconds=121), HealthState.STALLED, False, False, True),
    ("cut off, nothing in hand", Worker(silence_seconds=36), HealthState.CUT_OFF, True, False, True),
    (
        "cut off in the middle of a round",
        Worker(silence_seconds=121, age_seconds=121),
        HealthState.CUT_OFF,
        False,
        False,
        True,
    ),
]


@pytest.mark.parametrize(
    ("worker", "state", "live", "ready", "startup"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_the_answers(worker: Vitals, state: HealthState, *, live: bool, ready: bool, startup: bool) -> None:
    checks = HealthChecks(worker, stuck_after_seconds=120, cut_off_after_seconds=35)
    answers = (checks.live(), checks.ready(), checks.startup())
    assert tuple(answer.good for answer in answers) == (live, ready, startup)
    assert {answer.facts["state"] for answer in answers} == {state}


def test_the_facts_say_what_the_answer_rests_on() -> None:
    worker = Worker(ready=frozenset({1}), restoring={("customers", 0): 40, ("partitions", 0): 2})
    checks = HealthChecks(worker, stuck_after_seconds=120, cut_off_after_seconds=35)
    assert checks.ready().facts == {
        "state": "restoring",
        "seconds_since_progress": 0.1,
        "seconds_since_kafka_answered": 3.0,
        "assigned": [0, 1],
        "ready": [1],
        "restore_remaining_offsets": 42,
    }


def test_the_engine_says_all_that_the_checks_ask() -> None:
    checks = HealthChecks(Progress(), stuck_after_seconds=120, cut_off_after_seconds=35)
    assert checks.live().good
    assert not checks.startup().good
    assert checks.ready().facts["state"] == "starting"
