"""Runs scenarios, prints a verdict for each and one for all; see the package's docstring."""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from streams.broker import LocalKafka

from . import backlog, brokers, deaths, limits, members, soak
from .stage import SkippedError, Stage

__all__ = ["main"]

Scenario = Callable[[Stage], str]
OwnBroker = Callable[[Path, random.Random], str]

# Thirty kills in all.
SCENARIOS: Mapping[str, Scenario] = {
    "killed, one worker, memory": partial(deaths.killed_at_random, workers=1, store="memory", kills=8),
    "killed, one worker, rocksdb": partial(deaths.killed_at_random, workers=1, store="rocksdb", kills=8),
    "killed, two workers, memory": partial(deaths.killed_at_random, workers=2, store="memory", kills=7),
    "killed, two workers, rocksdb": partial(deaths.killed_at_random, workers=2, store="rocksdb", kills=7),
    "exact moments, memory": partial(deaths.at_exact_moments, store="memory"),
    "exact moments, rocksdb": partial(deaths.at_exact_moments, store="rocksdb"),
    "a zombie": members.a_zombie,
    "coming and going": members.coming_and_going,
    "a slow restore": members.a_slow_restore,
    "a stalled consumer": brokers.stalled,
    "poison": members.poison,
    "a full disk": limits.a_full_disk,
    "a full disk in a restore": limits.a_full_disk_in_restore,
    "a deleted changelog, memory": partial(limits.a_deleted_changelog, store="memory"),
    "a deleted changelog, rocksdb": limits.a_deleted_changelog,
    "a changelog made anew, memory": partial(limits.a_deleted_changelog, store="memory", made_anew=True),
    "a changelog made anew, rocksdb": partial(limits.a_deleted_changelog, made_anew=True),
    "unlike partition counts": limits.unlike_partition_counts,
    "two weeks of backlog, one worker": backlog.two_weeks_of_backlog,
    "two weeks of backlog, two workers": partial(backlog.two_weeks_of_backlog, workers=2),
    "two weeks of backlog, another order": backlog.two_weeks_of_backlog,
    "two weeks of backlog, topic by topic": partial(backlog.two_weeks_of_backlog, topic_by_topic=True),
    "overtaking is noticed": backlog.overtaking_is_noticed,
}
WITH_A_BROKER_OF_THEIR_OWN: Mapping[str, OwnBroker] = {
    "the broker killed and restarted": brokers.killed_and_restarted,
    "a slow broker": brokers.slow,
    "a broker far away": brokers.far_away,
}


def main() -> int:
    """Print verdicts; 1 if a scenario failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, help="of all chances; random unless given")
    parser.add_argument("--only", default="", help="scenarios whose name holds this text")
    parser.add_argument("--scale", type=int, default=2, help="how much load; 1 is the short form")
    parser.add_argument("--soak-minutes", type=float, default=1.0, help="length of the soak; 0 leaves it out")
    parser.add_argument("--keep", action="store_true", help="keep the workers' logs and stores")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1, 10**6)
    directory = Path(tempfile.mkdtemp(prefix="dunning-chaos-"))
    print(f"seed {seed}, logs in {directory}", flush=True)
    scenarios: dict[str, Scenario] = {**SCENARIOS}
    if given.soak_minutes:
        scenarios["a soak"] = partial(soak.soak, minutes=given.soak_minutes)
    failed: list[str] = []
    with LocalKafka.start() as kafka:
        for name, scenario in scenarios.items():
            if given.only in name:
                play = partial(_on_stage, kafka.bootstrap_servers, scenario, given.scale)
                failed += _tell(name, seed, directory, play)
    for name, own in WITH_A_BROKER_OF_THEIR_OWN.items():
        if given.only in name:
            failed += _tell(name, seed, directory, own)
    print(f"verdict: {'FAILED: ' + ', '.join(failed) if failed else 'exactly once'} (seed {seed})")
    if not given.keep and not failed:
        shutil.rmtree(directory)
    return 1 if failed else 0


def _tell(name: str, seed: int, directory: Path, play: OwnBroker) -> list[str]:
    """Play a scenario and print what became of it; its name if it failed."""
    began = time.monotonic()
    place = directory / name.replace(" ", "-").replace(",", "")
    place.mkdir()
    told, failed = "", []
    try:
        told = f"ok       {play(place, random.Random(f'{seed} {name}'))}"
    except SkippedError as reason:
        told = f"skipped  {reason}"
    except Exception:  # noqa: BLE001 - the other scenarios are played all the same
        told, failed = f"FAILED   (seed {seed})\n{traceback.format_exc()}", [name]
    print(f"{name:36} {time.monotonic() - began:5.0f} s  {told}", flush=True)
    return failed


def _on_stage(servers: str, scenario: Scenario, scale: int, place: Path, chance: random.Random) -> str:
    stage = Stage(servers, f"chaos-{uuid.uuid4().hex[:8]}.", place, chance, scale=scale)
    try:
        return scenario(stage)
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
