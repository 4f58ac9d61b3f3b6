"""What a message that is due says: from what made it due to the notice that goes out."""

from streams.dunning.candidates import Candidate
from streams.dunning.events import Channel
from streams.dunning.notices import Debt, Notice, debt_lines, debt_variables
from streams.dunning.offers import Riding, offer_variables
from streams.dunning.plans import plan_variables
from streams.dunning.state import Case, Plan
from streams.dunning.treatment import tone
from streams.dunning.turn import Turn
from streams.dunning.variables import MessageKind


def debt_notice(turn: Turn, candidate: Candidate, case: Case, debt: Debt, channel: Channel) -> Notice:
    """A message about what is owed."""
    template = candidate.template
    if candidate.kind is MessageKind.FAILURE:
        template = f"{template}_{debt.decline_class}"
    return Notice(
        subject=case.case_id,
        step_id=candidate.step_id,
        occurrence=candidate.occurrence,
        channel=channel,
        template=template,
        priority=candidate.priority,
        variables=debt_variables(turn, case, debt, candidate.kind),
        policy_version=case.policy_version,
        case_ids=tuple(each.case_id for each in debt.cases),
        invoices=debt_lines(debt),
        currency=debt.currency,
        retry=candidate.retry,
        segment=case.segment,
        campaign=case.campaign,
        tone=tone(case, turn.policy),
        arms=case.arms,
        repeated_arms=case.repeated_arms,
    )


def plan_notice(
    turn: Turn, candidate: Candidate, plan: Plan, channel: Channel, riding: Riding | None
) -> Notice:
    """A reminder, with the offer that rides on it."""
    variables = plan_variables(turn, plan)
    return Notice(
        subject=plan.plan_id,
        step_id=candidate.step_id,
        occurrence=candidate.occurrence,
        channel=channel,
        template=candidate.template,
        priority=candidate.priority,
        variables=variables if riding is None else variables | offer_variables(riding, variables),
        policy_version=plan.policy_version,
        plan_id=plan.plan_id,
        ends_at=plan.ends_at,
        offer=None if riding is None else riding.name,
        retry=candidate.retry,
        segment=turn.state.segment,
        tone=tone(plan, turn.policy),
        arms=plan.arms,
        repeated_arms=plan.repeated_arms,
    )
