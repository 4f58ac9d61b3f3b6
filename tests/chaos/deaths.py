"""Workers die: at random, and at the exact moments that matter."""

import time
from collections.abc import Sequence
from typing import Any

from tests.app.harness import Worker

from .stage import Stage

__all__ = ["at_exact_moments", "killed_at_random"]

MOMENTS = (
    "before_the_commit:2",
    "between_commit_and_store:1",
    "between_two_stores:3",
    "during_restore:12",
    "between_commit_and_store:4",
    "during_rebalance:1",
    "before_the_commit:5",
    "between_two_stores:2",
)


def killed_at_random(stage: Stage, *, workers: int, store: str, kills: int) -> str:
    """``kill -9``, again and again, under load."""
    stage.plan(customers=40 * kills)
    running: dict[str, Worker] = {str(each): stage.start(str(each), store=store) for each in range(workers)}
    for number in range(kills):
        stage.feed(1 / (kills - number + 1))
        pause(stage, 0.3, 2.5)
        victim = stage.chance.choice(sorted(running))
        running[victim].kill()
        running[victim] = stage.start(victim, store=store)
    return f"{kills} kills; " + stage.finish(*running.values())


def at_exact_moments(stage: Stage, *, store: str, moments: Sequence[str] = MOMENTS) -> str:
    """Between commit and store write, between two stores, before the commit, in restore, in a rebalance."""
    stage.plan(customers=60 * stage.scale)
    stage.feed(0.15)
    first = stage.start(store=store)
    stage.wait_until_done()
    first.kill()
    stage.workers.clear()
    settings: dict[str, Any] = {"store": store}
    for place, moment in enumerate(moments):
        stage.feed(1 / (len(moments) - place + 1))
        if moment.startswith("during_restore"):
            # A store on disk is nearly up to date; on another machine it begins with nothing. From then on
            # the work goes on there, over what the death left behind.
            settings["data_directory"] = stage.directory / "elsewhere"
        stage.wait_for_death(stage.start(breaks=moment, **settings))
    return f"died at {len(moments)} moments; " + stage.finish(stage.start(**settings))


def pause(stage: Stage, least: float, most: float) -> None:
    """Let time pass."""
    time.sleep(stage.chance.uniform(least, most))
