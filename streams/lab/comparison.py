"""The statistics of an experiment. It needs the extra `statistics` and takes a second to import.

Customers are dealt to arms, and each counts once, so a rate of an arm is a binomial proportion.
"""

from collections.abc import Sequence

from msgspec import Struct
from scipy.stats import chisquare
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    power_proportions_2indep,
    samplesize_proportions_2indep_onetail,
)


class Difference(Struct, frozen=True):
    """How an arm's rate differs from the control's, with the interval that holds the true difference."""

    rate: float
    control_rate: float
    difference: float
    low: float
    high: float
    confidence: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no difference out."""
        return self.low > 0 or self.high < 0


class Sample(Struct, frozen=True):
    """Whether an arm and the control are large enough to find the smallest effect that is of interest.

    `power` is the chance that they are to show it, `needed` how many customers the arm must have for the
    chance that was asked for, while the control grows with it.
    """

    power: float
    needed: int
    suffices: bool


def difference(
    successes: int, exposed: int, control_successes: int, control_exposed: int, confidence: float
) -> Difference | None:
    """The difference of two rates with Newcombe's hybrid score interval; None if one arm has too few for it.

    It holds its level in small samples and at rates of 0 and 1, where the textbook's interval has no width
    (Newcombe 1998, Statistics in Medicine 17:873-890, method 10).
    """
    if exposed < max(1, successes) or control_exposed < max(1, control_successes):
        return None
    low, high = confint_proportions_2indep(
        successes, exposed, control_successes, control_exposed, method="newcomb", alpha=1 - confidence
    )
    rate, control_rate = successes / exposed, control_successes / control_exposed
    return Difference(rate, control_rate, rate - control_rate, float(low), float(high), confidence)


def sample(
    exposed: int,
    control_exposed: int,
    control_rate: float | None,
    *,
    effect: float,
    power: float,
    confidence: float,
    share: float,
) -> Sample:
    """Whether an effect can be found by a two-sided test, by the normal approximation.

    Args:
        exposed: customers in the arm.
        control_exposed: customers in the control.
        control_rate: what is known of the control's rate; without it 0.5, for which most are needed.
        effect: the difference of rates that is to be found.
        power: the chance to find it that is asked for.
        confidence: of the interval that shall not contain 0.
        share: customers in the control for each one in the arm, as the weights say.
    """
    base = 0.5 if control_rate is None else control_rate
    # The effect may be a rise or a fall; whichever lies nearer to one half needs more customers.
    wanted = effect if base <= 0.5 else -effect
    alpha = 1 - confidence
    needed = samplesize_proportions_2indep_onetail(
        wanted, base, power, ratio=share, alpha=alpha, alternative="two-sided"
    )
    reached = 0.0
    if exposed and control_exposed:
        reached = power_proportions_2indep(
            wanted, base, exposed, ratio=control_exposed / exposed, alpha=alpha, return_results=False
        )
    return Sample(power=float(reached), needed=int(-(-needed // 1)), suffices=bool(reached >= power))


def split_p_value(exposed: Sequence[int], weights: Sequence[int]) -> float | None:
    """How likely so uneven a split is if the weights were kept to (chi-square); None if nothing can be said.

    Arms without a weight are left out: they take nobody new.
    """
    kept = [(count, weight) for count, weight in zip(exposed, weights, strict=True) if weight]
    total = sum(count for count, _ in kept)
    if len(kept) < 2 or not total:
        return None
    share = total / sum(weight for _, weight in kept)
    return float(chisquare([count for count, _ in kept], [weight * share for _, weight in kept]).pvalue)
