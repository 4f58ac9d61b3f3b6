"""The round protocol in thousands of small disasters, and proof that these would find a fault."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from .simulation import group
from .simulation.mutants import MUTANTS, spread_evenly
from .simulation.runs import Verdict, run_all
from .simulation.world import World

ROOT = Path(__file__).parents[2]

# A share of what `python -m tests.engine.simulation --seeds 100000` runs, at some 300 a second.
SEEDS = int(os.environ.get("ENGINE_SIMULATION_SEEDS", "2500"))
FIXED = range(1, 501)

# The hardest to find, a commit that names the generation of its own time, took 2,583 seeds; the others took
# 358 at most.
MUTANT_SEEDS = 6_000


def explain(verdict: Verdict) -> str:
    return "\n\n".join(map(str, verdict.failures))


def test_the_seeds_that_everybody_runs() -> None:
    verdict = run_all(FIXED)
    assert not verdict.failures, explain(verdict)


def test_seeds_of_this_run_alone() -> None:
    first = random.SystemRandom().randrange(10**9)
    print(f"{SEEDS} seeds from {first} on")
    verdict = run_all(range(first, first + SEEDS))
    assert not verdict.failures, explain(verdict)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    verdict = run_all(range(1, MUTANT_SEEDS + 1))
    assert verdict.failures, f"{MUTANT_SEEDS} runs did not notice: {name}"
    print(f"{name}: found after {verdict.runs} runs: {verdict.failures[0].what}")
    again = run_all([verdict.failures[0].seed])
    assert again.failures == verdict.failures, "the seed gives the same run"


def test_the_engine_refuses_a_spread_of_equal_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "spread_by_range", spread_evenly)
    verdict = run_all(range(1, 20))
    assert "the group gave this worker partitions" in verdict.failures[0].what


def test_a_failure_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS["store applied before the commit"](monkeypatch)
    told = explain(run_all(range(1, 100)))
    assert "again: python -m tests.engine.simulation --seed" in told
    assert "is given partitions" in told


def test_a_seed_is_one_run_whatever_the_process() -> None:
    def trace(seed: int, hashing: str) -> str:
        command = [sys.executable, "-m", "tests.engine.simulation", "--seed", str(seed)]
        environment = {**os.environ, "PYTHONHASHSEED": hashing}
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

    for seed in (11, 12):
        lines: list[str] = []
        World(seed, lines).run()
        assert trace(seed, "1").splitlines() == trace(seed, "2").splitlines() == [*lines, "all is well"]
