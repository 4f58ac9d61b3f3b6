"""Another version of the policy under a case that runs."""

from collections.abc import Container
from datetime import datetime

from msgspec.structs import replace

from streams.dunning.cases import past_steps
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.ladder import final_notice_step, first_step, suspend_step
from streams.dunning.state import Case
from streams.dunning.suspension import suspension_held_by
from streams.dunning.turn import Turn


def adopt_policy(turn: Turn, until: datetime, keep: Container[str]) -> None:
    """Cases whose version is neither the present one nor in `keep` take the present one; plans always do.

    Nothing is made up for that the present ladder would have sent up to `until`. What the customer is still
    to hear first is said still, a final notice that stands is not sent again, nor a suspension repeated.
    """
    version = turn.policy.version
    for case in turn.state.cases:
        if case.policy_version != version and case.policy_version not in keep:
            turn.put_case(_adopted(turn, case, until))
            turn.say(Outcome.UPDATED, ReasonCode.POLICY_REPLACED, case_id=case.case_id)
    for plan in turn.state.plans:
        if plan.policy_version != version:
            turn.put_plan(replace(plan, policy_version=version))
            turn.say(Outcome.UPDATED, ReasonCode.POLICY_REPLACED, plan_id=plan.plan_id)


def _adopted(turn: Turn, case: Case, until: datetime) -> Case:
    policy = turn.policy
    adopted = replace(case, policy_version=policy.version)
    through = past_steps(turn, adopted, until)
    if not _has_been_asked(turn, case):
        first = first_step(adopted, policy).id
        through = tuple(step_id for step_id in through if step_id != first)
    notice = final_notice_step(adopted, policy)
    if notice is not None and case.final_notice is not None:
        through = (*through, notice.id)
    suspend = suspend_step(adopted, policy)
    if suspend is not None and suspension_held_by(turn, case) is not None:
        through = (*through, suspend.id)
    return replace(adopted, done=tuple(dict.fromkeys((*case.done, *through))))


def _has_been_asked(turn: Turn, case: Case) -> bool:
    """Whether the first step is through. Of a ladder that is not at hand, any step tells as much."""
    if case.policy_version in turn.policy.earlier:
        return first_step(case, turn.policy).id in case.done
    return bool(case.done)
