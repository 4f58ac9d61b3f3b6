"""Experiments: who joins, in which arm, and what is said of it.

Within an experiment a customer has one arm, for all their cases or plans: by the hash of customer and salt,
and as long as they are remembered by that memory, whatever becomes of the weights. Only the first case or
plan counts for its arm: customers are dealt to the arms, so customers are what is compared.
"""

import hashlib
from math import log

from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.experiment_settings import Arm, Experiment, Subject, label
from streams.dunning.state import Case, CustomerState
from streams.dunning.turn import Turn

_SPAN = 2**64


def arm_for(experiment: Experiment, customer_id: str) -> Arm | None:
    """The arm that the hash deals the customer to; None if all weights are 0.

    Each arm draws from its own hash how long it takes to come, in the mean the shorter the larger its weight,
    and the first to come has the customer (weighted rendezvous hashing). So whatever arm is added, removed or
    given another weight, a customer only ever moves to or from that one, and never between two others.
    """
    salt = experiment.salt or experiment.name
    waits = [
        (-log(_uniform(salt, arm.name, customer_id)) / arm.weight, index)
        for index, arm in enumerate(experiment.arms)
        if arm.weight
    ]
    return experiment.arms[min(waits)[1]] if waits else None


def _uniform(*parts: str) -> float:
    """A number in (0, 1] that the parts alone decide."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / _SPAN


def case_joins(turn: Turn, case: Case) -> Case:
    """A case that opens, in the arms of the experiments that take it, with the campaign that one may set."""
    arms, repeated = _join(turn, "case", case.segment, case_id=case.case_id)
    if not arms and not repeated:
        return case
    known = turn.policy.arms
    campaigns = (known[each].campaign for each in arms + repeated)
    campaign = next((name for name in campaigns if name is not None), case.campaign)
    return replace(case, arms=arms, repeated_arms=repeated, campaign=campaign)


def plans_join(turn: Turn, before: CustomerState) -> None:
    """Plans that have opened since `before`, in the arms of the experiments that take them.

    One that has arms already has them of the plan that it replaced.
    """
    if not turn.policy.experiments or turn.state.plans is before.plans:
        return
    known = {plan.plan_id for plan in before.plans}
    for plan in turn.state.plans:
        if plan.plan_id not in known and not plan.arms and not plan.repeated_arms:
            arms, repeated = _join(turn, plan.kind.value, turn.state.segment, plan_id=plan.plan_id)
            if arms or repeated:
                turn.put_plan(replace(plan, arms=arms, repeated_arms=repeated))


def _join(
    turn: Turn,
    subject: Subject,
    segment: str | None,
    *,
    case_id: str | None = None,
    plan_id: str | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arms in which this is the customer's first case or plan, and those in which it is not."""
    state, policy = turn.state, turn.policy
    arms: list[str] = []
    repeated: list[str] = []
    if state.exempt:
        return (), ()
    for experiment in policy.experiments:
        if (
            experiment.subject != subject
            or (experiment.segments and segment not in experiment.segments)
            or not experiment.runs_on(turn.clock.date())
        ):
            continue
        standing = _standing(state, experiment)
        if standing is not None:
            repeated.append(standing)
        elif (arm := arm_for(experiment, state.customer_id)) is not None:
            arms.append(label(experiment.name, arm.name))
            turn.say(
                Outcome.RECORDED,
                ReasonCode.EXPOSED,
                case_id=case_id,
                plan_id=plan_id,
                experiment=experiment.name,
            )
    if arms:
        turn.state = replace(state, exposures=(*_remembered(turn), *arms))
    return tuple(arms), tuple(repeated)


def _standing(state: CustomerState, experiment: Experiment) -> str | None:
    """The arm that the customer is in since an earlier case or plan, if there still is such an arm."""
    labels = {label(experiment.name, arm.name) for arm in experiment.arms}
    return next((each for each in state.exposures if each in labels), None)


def _remembered(turn: Turn) -> tuple[str, ...]:
    """The earlier exposures, but for arms that the policy has no more: so they are no more than it has."""
    return tuple(each for each in turn.state.exposures if each in turn.policy.arms)
