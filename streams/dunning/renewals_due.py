"""Renewals whose day has come: what is paid, fails or is cancelled soon after is what became of them.

Their plans are over, and nothing is said about them any more; this is for the counts of outcomes only.
"""

from collections.abc import Callable

from msgspec.structs import replace

from streams.dunning.due_renewal import DueRenewal
from streams.dunning.events import PaymentFailed, PaymentRecovered
from streams.dunning.state import Plan, PlanKind
from streams.dunning.turn import Turn


def expect_payment(turn: Turn, plan: Plan) -> None:
    """Remember a renewal whose plan ends on its day."""
    if plan.kind is not PlanKind.RENEWAL:
        return
    due = DueRenewal(
        plan_id=plan.plan_id,
        subscription_id=plan.subject_id,
        currency=plan.variables["currency"],
        amount_minor=int(plan.variables["amount_minor"]),
        renews_at=plan.ends_at,
        reminded=plan.sent > 0,
        arms=plan.arms,
    )
    turn.state = replace(
        turn.state, due_renewals=(*turn.state.due_renewals, due)[-turn.policy.memory.plans :]
    )


def charged(turn: Turn, event: PaymentRecovered | PaymentFailed) -> None:
    """The renewal that this pays, or fails to, is heard of: the first of the subscription with its amount."""
    found = next(
        (
            due
            for due in turn.state.due_renewals
            if (due.subscription_id, due.currency, due.amount_minor)
            == (event.subscription_id, event.currency, event.amount_minor)
        ),
        None,
    )
    if found is not None:
        _drop(turn, lambda due: due is found)


def renewal_cancelled(turn: Turn, subscription_id: str) -> None:
    """Nobody pays for the renewal of a cancelled subscription."""
    _drop(turn, lambda due: due.subscription_id == subscription_id)


def forget_unheard(turn: Turn) -> None:
    """After a time nothing is heard of a renewal any more."""
    if turn.state.due_renewals:
        within = turn.policy.renewals.heard_of_within
        _drop(turn, lambda due: due.is_over(turn.clock, within))


def _drop(turn: Turn, is_over: Callable[[DueRenewal], bool]) -> None:
    due_renewals = turn.state.due_renewals
    kept = tuple(due for due in due_renewals if not is_over(due))
    if len(kept) != len(due_renewals):
        turn.state = replace(turn.state, due_renewals=kept)
