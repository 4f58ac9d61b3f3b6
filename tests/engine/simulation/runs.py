"""Many seeds, one verdict; a failure comes with its seed and the end of its trace."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .verdict import WrongError
from .world import World

__all__ = ["Failure", "Verdict", "run", "run_all"]

_TRACE_LINES = 60


@dataclass(frozen=True, slots=True)
class Failure:
    """A seed whose run went wrong.

    Attributes:
        seed: gives the same run again.
        what: went wrong.
        trace: what happened until then.
    """

    seed: int
    what: str
    trace: list[str]

    def __str__(self) -> str:
        shown = "\n".join(self.trace[-_TRACE_LINES:])
        return (
            f"seed {self.seed}: {self.what}\n{shown}\n"
            f"again: python -m tests.engine.simulation --seed {self.seed}"
        )


@dataclass(slots=True)
class Verdict:
    """Of many runs."""

    runs: int = 0
    steps: int = 0
    failures: list[Failure] = field(default_factory=list)


def run(seed: int) -> int:
    """One run; returns its steps.

    Raises:
        WrongError: as said there.
    """
    return World(seed).run()


def run_all(seeds: Iterable[int], *, most_failures: int = 1) -> Verdict:
    """Run seeds until there are enough failures."""
    verdict = Verdict()
    for seed in seeds:
        verdict.runs += 1
        try:
            verdict.steps += run(seed)
        except (WrongError, AssertionError) as error:
            verdict.failures.append(_explain(seed, error))
            if len(verdict.failures) >= most_failures:
                break
    return verdict


def _explain(seed: int, error: BaseException) -> Failure:
    trace: list[str] = []
    try:
        World(seed, trace).run()
    except AssertionError as again:
        error = again
    else:
        trace.append("(the run with a trace went well: it depends on more than its seed)")
    return Failure(seed, str(error), trace)
