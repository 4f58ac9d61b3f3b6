"""The short form of `python -m tests.chaos`: what no other test of the worker or the engine does."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos import backlog, brokers, deaths, limits, members
from tests.chaos.soak import Sample, judge
from tests.chaos.stage import SkippedError, Stage

SEED = int(os.environ.get("DUNNING_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    print(f"DUNNING_TEST_SEED={SEED}")
    made = Stage(kafka, topic_prefix, tmp_path, random.Random(SEED))
    yield made
    made.close()


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(("store", "moments"), [("memory", 2), ("rocksdb", 4)])
def test_death_at_the_moments_that_matter(stage: Stage, store: str, moments: int) -> None:
    deaths.at_exact_moments(stage, store=store, moments=deaths.MOMENTS[:moments])


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        members.a_slow_restore,
        members.poison,
        brokers.stalled,
        limits.a_full_disk,
        limits.a_deleted_changelog,
        backlog.two_weeks_of_backlog,
    ],
    ids=lambda scenario: str(scenario.__name__),
)
def test_a_bad_day(stage: Stage, scenario: Callable[[Stage], str]) -> None:
    try:
        print(scenario(stage))
    except SkippedError as reason:
        pytest.skip(str(reason))


def steady(memory: Callable[[int], float], files: Callable[[int], int]) -> list[Sample]:
    return [Sample(memory(number), files(number), 0.01) for number in range(30)]


def test_the_soak_notices_growth() -> None:
    judge(steady(lambda number: 100 + number % 3, lambda _: 80))
    with pytest.raises(AssertionError, match="memory grew"):
        judge(steady(lambda number: 100 + 20 * number, lambda _: 80))
    with pytest.raises(AssertionError, match="open files grew"):
        judge(steady(lambda _: 100, lambda number: 80 + 10 * number))
