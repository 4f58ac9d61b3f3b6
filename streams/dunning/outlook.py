"""What lies before a case: which of its steps are due when. Pure reading, for people who compare policies."""

from datetime import datetime

from streams.dunning.calendar import zone_of
from streams.dunning.ladder import effective_due, pending_steps, suspend_step, suspension_due
from streams.dunning.policy import Policy
from streams.dunning.state import Case, CustomerState


def outlook(state: CustomerState, case: Case, policy: Policy) -> dict[str, datetime]:
    """The steps that the case is not through with and when each can go out at the earliest (UTC).

    As of the customer's last decision: what is paid, answered or bounced later changes it. A dormant case has
    nothing before it.
    """
    if case.dormant:
        return {}
    zone = zone_of(state.profile, policy)
    dues = {step.id: effective_due(state, case, step, zone, policy) for step in pending_steps(case, policy)}
    suspend = suspend_step(case, policy)
    if suspend is not None and suspend.id not in case.done:
        gate = suspension_due(state, case, zone, policy)
        dues[suspend.id] = effective_due(state, case, suspend, zone, policy) if gate is None else gate
    return dues
