"""The statistics against values of the literature."""

import pytest

from streams.lab.comparison import difference, sample, split_p_value


@pytest.mark.parametrize(
    ("arm", "control", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_is_newcombes(
    arm: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    found = difference(*arm, *control, 0.95)
    assert found is not None
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
    assert found.difference == pytest.approx(arm[0] / arm[1] - control[0] / control[1])
    assert found.is_clear is (low > 0)


def test_nothing_is_said_of_an_arm_with_nobody() -> None:
    assert difference(0, 0, 5, 10, 0.95) is None
    assert difference(5, 10, 0, 0, 0.95) is None


@pytest.mark.parametrize(
    ("rate", "effect", "power", "needed"),
    [
        # Fleiss, Levin & Paik 2003, Statistical Methods for Rates and Proportions, table A.4 without the
        # correction for continuity; two-sided, 5 %.
        (0.10, 0.05, 0.80, 686),
        (0.10, 0.05, 0.90, 918),
        (0.30, 0.10, 0.80, 356),
    ],
)
def test_the_sample_that_is_needed(rate: float, effect: float, power: float, needed: int) -> None:
    def asked(arm: int, control: int, share: float = 1.0) -> tuple[int, bool]:
        found = sample(arm, control, rate, effect=effect, power=power, confidence=0.95, share=share)
        return found.needed, found.suffices

    assert asked(0, 0)[0] == pytest.approx(needed, abs=3)
    assert not asked(0, 0)[1]
    assert asked(needed + 5, needed + 5)[1]
    assert not asked(needed - 10, needed - 10)[1]
    # Twice as many in the control: fewer in the arm, but more together.
    in_arm, _ = asked(0, 0, 2.0)
    assert needed / 2 < in_arm < needed
    assert 3 * in_arm > 2 * needed


def test_of_an_unknown_rate_the_most_are_asked_for() -> None:
    def needed(rate: float | None) -> int:
        return sample(0, 0, rate, effect=0.05, power=0.8, confidence=0.95, share=1.0).needed

    assert needed(None) == needed(0.5) >= max(needed(rate / 20) for rate in range(21))


def test_a_split_is_broken_where_the_weights_make_it_so_unlikely() -> None:
    # Fabijan et al. 2019 (KDD), the first example: 50.2 % where half was meant.
    assert split_p_value([821_588, 815_482], [1, 1]) == pytest.approx(1.8e-6, rel=0.03)
    assert split_p_value([201, 99], [2, 1]) == pytest.approx(0.9, abs=0.1)
    assert split_p_value([500, 0, 500], [1, 0, 1]) == 1
    assert split_p_value([0, 0], [1, 1]) is None
    assert split_p_value([10, 0], [1, 0]) is None
