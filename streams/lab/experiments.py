"""What has come of an experiment: its arms counted, compared with the control, and whether to trust that.

Only a customer's first case or plan counts for an arm, and every one that joined does, whatever became of it
afterwards. What is still open has no outcome yet, in every arm alike.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from streams.dunning.experiment_settings import Experiment, label
from streams.dunning.measures import About, Group, Measure, name_and_detail
from streams.lab.comparison import Difference, Sample, difference, sample, split_p_value

BROKEN_SPLIT = 0.001
"""The p-value under which a split is called broken.

So strict, since it is looked at again and again, and what it says ends the experiment (Fabijan et al.,
Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD 2019).
"""

RESULTS: dict[str, tuple[str, ...]] = {
    "case": ("paid", "cancelled"),
    "renewal": ("renewed", "cancelled"),
    "card": ("replaced",),
}
"""What becomes of the customers of an arm, by subject. The sample is reckoned for the first."""

_ABOUT = {"case": About.DEBT, "renewal": About.RENEWAL, "card": About.CARD}
_CONTACTS = {
    Measure.SENT: "sent",
    Measure.DELIVERED: "delivered",
    Measure.OPENED: "opened",
    Measure.RESPONDED: "responded",
}
_ENDS = {
    "paid": "paid",
    "cancelled": "cancelled",
    "subscription_cancelled": "cancelled",
    "renewal_paid": "renewed",
    "card_replaced": "replaced",
}
_MOVED = "renewal_moved"
"""The plan for the new date has taken over the arm, and the customer with it."""


class ArmCounts(Struct, frozen=True, kw_only=True):
    """One arm in numbers: of customers, but `sent`, `delivered`, `opened` and `responded` are of contacts.

    `open` are those of whom the outcome is not known yet. `recovered` is what their overdue invoices brought,
    in minor units by currency.
    """

    arm: str
    weight: int
    exposed: int
    open: int
    sent: int = 0
    delivered: int = 0
    opened: int = 0
    responded: int = 0
    paid: int = 0
    renewed: int = 0
    cancelled: int = 0
    replaced: int = 0
    recovered: dict[str, int]


class Comparison(Struct, frozen=True, kw_only=True):
    """One result of one arm beside the control's."""

    arm: str
    result: str
    difference: Difference | None


class ExperimentReport(Struct, frozen=True, kw_only=True):
    """What is known of one experiment.

    `confidence` is that of all intervals of one result together; each of them has more where there are
    several arms (Bonferroni). `split_p_value` is how likely so uneven a split is if the weights were kept to;
    if it is broken, something else than the weights decided who is in which arm, and nothing here holds.
    """

    experiment: str
    subject: str
    control: str
    arms: tuple[ArmCounts, ...]
    comparisons: tuple[Comparison, ...]
    samples: dict[str, Sample]
    minimum_effect: float
    confidence: float
    power: float
    split_p_value: float | None
    split_is_broken: bool


def report(experiment: Experiment, counts: Mapping[Group, Mapping[str, int]]) -> ExperimentReport:
    """Compare the arms of an experiment by what was counted."""
    arms = {arm.name: arm_counts(experiment, arm.name, counts) for arm in experiment.arms}
    control, base = experiment.control, arms[experiment.control.name]
    others = [arm for arm in experiment.arms if arm is not control]
    alone = 1 - (1 - experiment.confidence) / max(1, len(others))
    first = RESULTS[experiment.subject][0]
    p_value = split_p_value([each.exposed for each in arms.values()], [arm.weight for arm in experiment.arms])
    return ExperimentReport(
        experiment=experiment.name,
        subject=experiment.subject,
        control=control.name,
        arms=tuple(arms.values()),
        comparisons=tuple(
            Comparison(
                arm=arm.name,
                result=result,
                difference=difference(
                    getattr(arms[arm.name], result),
                    arms[arm.name].exposed,
                    getattr(base, result),
                    base.exposed,
                    alone,
                ),
            )
            for arm in others
            for result in RESULTS[experiment.subject]
        ),
        samples={
            arm.name: sample(
                arms[arm.name].exposed,
                base.exposed,
                getattr(base, first) / base.exposed if base.exposed else None,
                effect=experiment.minimum_effect,
                power=experiment.power,
                confidence=alone,
                share=control.weight / arm.weight if control.weight and arm.weight else 1.0,
            )
            for arm in others
        },
        minimum_effect=experiment.minimum_effect,
        confidence=experiment.confidence,
        power=experiment.power,
        split_p_value=p_value,
        split_is_broken=p_value is not None and p_value < BROKEN_SPLIT,
    )


def arm_counts(experiment: Experiment, arm: str, counts: Mapping[Group, Mapping[str, int]]) -> ArmCounts:
    """All that was counted for one arm."""
    name, about = label(experiment.name, arm), _ABOUT[experiment.subject]
    numbers = dict.fromkeys(("sent", "delivered", "opened", "responded"), 0)
    numbers |= dict.fromkeys(("paid", "renewed", "cancelled", "replaced"), 0)
    recovered: dict[str, int] = {}
    exposed = ended = 0
    for measure, detail, count in _measured(counts, name, about):
        if measure in {Measure.CASES, Measure.PLANS}:
            exposed += count
        elif measure == Measure.ENDED and detail == _MOVED:
            exposed -= count
        elif measure in {Measure.CLOSED, Measure.ENDED}:
            ended += count
            if _ENDS.get(detail) in RESULTS[experiment.subject]:
                numbers[_ENDS[detail]] += count
        elif measure == Measure.PAID_AMOUNT:
            recovered[detail] = recovered.get(detail, 0) + count
        elif measure in _CONTACTS:
            numbers[_CONTACTS[Measure(measure)]] += count
    weight = next(each.weight for each in experiment.arms if each.name == arm)
    return ArmCounts(
        arm=arm, weight=weight, exposed=exposed, open=exposed - ended, recovered=recovered, **numbers
    )


def _measured(
    counts: Mapping[Group, Mapping[str, int]], name: str, about: About
) -> Iterable[tuple[str, str, int]]:
    for group, measures in counts.items():
        if group.about == about and name in group.arms:
            for measure, count in measures.items():
                yield *name_and_detail(measure), count
