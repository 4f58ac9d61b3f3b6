"""Runs seeds from the command line; see the package's docstring."""

import argparse
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from .runs import Verdict, run_all
from .verdict import WrongError
from .world import World

_SHARE = 500


def main() -> int:
    """Print a verdict; 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.engine.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many runs")
    parser.add_argument("--first", type=int, help="the first seed; random unless given")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time")
    parser.add_argument("--seed", type=int, help="run this one alone and print its whole trace")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed)
    first = given.first if given.first is not None else random.SystemRandom().randrange(10**9)
    print(f"{given.seeds} seeds from {first} on")
    started = time.monotonic()
    shares = [
        range(start, min(start + _SHARE, first + given.seeds))
        for start in range(first, first + given.seeds, _SHARE)
    ]
    total = Verdict()
    if given.processes > 1:
        with ProcessPoolExecutor(given.processes) as pool:
            for verdict in pool.map(run_all, shares):
                _add(total, verdict)
    else:
        for share in shares:
            _add(total, run_all(share))
            if total.failures:
                break
    seconds = time.monotonic() - started
    print(
        f"{total.runs} runs, {total.steps} steps, {seconds:.1f} s, {total.runs / seconds:.0f} runs/s: "
        f"{len(total.failures)} failed"
    )
    return 1 if total.failures else 0


def _add(total: Verdict, verdict: Verdict) -> None:
    total.runs += verdict.runs
    total.steps += verdict.steps
    total.failures += verdict.failures
    for failure in verdict.failures:
        print(failure, flush=True)


def _one(seed: int) -> int:
    trace: list[str] = []
    try:
        World(seed, trace).run()
    except WrongError as error:
        trace.append(f"wrong: {error}")
        return 1
    else:
        trace.append("all is well")
        return 0
    finally:
        print("\n".join(trace))


if __name__ == "__main__":
    sys.exit(main())
