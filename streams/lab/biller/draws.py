"""Chance that is the same in every run: each draw has a name, so that none depends on the order of others."""

import random
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """Draws by name.

    Args:
        seed: another seed, another world.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def source(self, *names: str) -> random.Random:
        """The stream of draws of that name. Naming it again begins it again."""
        # Simulated chance; a seed of text is hashed by SHA-512, so it is the same on every machine.
        return random.Random("\x1f".join((str(self._seed), *names)))  # noqa: S311

    def happens(self, probability: float, *names: str) -> bool:
        """Whether what is so named happens."""
        return self.source(*names).random() < probability

    def within(self, shortest: timedelta, longest: timedelta, *names: str) -> timedelta:
        """A time between the two, in whole seconds."""
        seconds = self.source(*names).uniform(shortest.total_seconds(), longest.total_seconds())
        return timedelta(seconds=round(seconds))

    def pick(self, weights: dict[T, float], *names: str) -> T:
        """One of the choices, by their weights."""
        return self.source(*names).choices(list(weights), list(weights.values()))[0]
