"""Forgetting customers about whom nothing is open and nothing happens any more."""

from datetime import datetime

from streams.dunning.bounds import is_undecided
from streams.dunning.policy import Policy
from streams.dunning.state import CustomerState


def forget_at(state: CustomerState, policy: Policy) -> datetime | None:
    """When what is remembered of the customer has lasted long enough (UTC); None while something is open."""
    disputed = any(is_undecided(state, dispute) for dispute in state.disputes)
    if state.cases or state.plans or state.pending or state.suspended or disputed:
        return None
    return None if lasting(state) == state else state.clock + policy.memory.quiet_customers


def lasting(state: CustomerState) -> CustomerState:
    """What is never forgotten: the profile, which nobody repeats, and what ended or restored a channel."""
    return CustomerState(
        customer_id=state.customer_id,
        clock=state.clock,
        profile=state.profile,
        channels=state.channels,
        failed_addresses=state.failed_addresses,
    )


def is_empty(state: CustomerState) -> bool:
    """Whether nothing of the customer needs to be kept."""
    return state == CustomerState(customer_id=state.customer_id, clock=state.clock)
