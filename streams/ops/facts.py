"""What the metrics read off a decision: pure functions of states and reasons.

They look at nothing else, so whoever reads the output topics can count the same.
"""

from collections.abc import Iterable
from enum import StrEnum

from streams.dunning.commands import Outcome, Reason, ReasonCode
from streams.dunning.state import Case, CustomerState

__all__ = [
    "NO_CASES",
    "CaseCounts",
    "CaseStage",
    "EventOutcome",
    "event_outcome",
    "fit_cases",
    "move_cases",
    "owes",
    "stage_of",
]


class EventOutcome(StrEnum):
    """What became of an input record."""

    DECIDED = "decided"
    """It was taken into account, even if nothing followed from it."""
    DUPLICATE = "duplicate"
    """An event of that id had been decided before."""
    IGNORED = "ignored"
    """It said nothing that counts, for example a failure of an invoice that was settled before."""
    ERASED = "erased"
    """A profile without a value: what was kept of the customer, if anything, is dropped."""
    BAD = "bad"
    """It could not be used and is among the dead letters."""


def event_outcome(reasons: Iterable[Reason]) -> EventOutcome:
    """What became of an event, as the reasons of its decision tell."""
    ignored = False
    for reason in reasons:
        if reason.reason is ReasonCode.DUPLICATE_EVENT:
            return EventOutcome.DUPLICATE
        if reason.outcome is Outcome.IGNORED:
            ignored = True
        elif reason.reason is not ReasonCode.POLICY_REPLACED:  # that would have been said at any input
            return EventOutcome.DECIDED
    return EventOutcome.IGNORED if ignored else EventOutcome.DECIDED


class CaseStage(StrEnum):
    """Where an open case stands; the first that applies, in this order, is its stage.

    Counts are kept by place (`CaseCounts`): a stage may be added at the end. If the meaning of one changes,
    counts that are kept no longer fit and have to be made anew from the customers' states.
    """

    DORMANT = "dormant"
    """What is owed is under the minimum."""
    SUSPENDED = "suspended"
    """It holds a suspension."""
    REVIEWED = "reviewed"
    """A person was asked to look at it, since it could not be suspended."""
    HELD = "held"
    """Its ladder waits for a new card's next attempt or for a promise, as of the customer's last decision."""
    FINAL_NOTICE = "final_notice"
    """The final notice went out."""
    RUNNING = "running"
    """Its ladder runs."""


CaseCounts = tuple[int, ...]
"""How many open cases there are in each stage, in the order of `CaseStage`."""

NO_CASES: CaseCounts = (0,) * len(CaseStage)

_PLACES = {stage: place for place, stage in enumerate(CaseStage)}


def stage_of(state: CustomerState, case: Case) -> CaseStage:
    """The stage of one of the customer's cases. It goes by the state alone, so it changes with it only."""
    if case.dormant:
        return CaseStage.DORMANT
    if any(case.case_id in each.case_ids for each in state.suspended):
        return CaseStage.SUSPENDED
    if case.reviewed:
        return CaseStage.REVIEWED
    if any(until is not None and until > state.clock for until in (case.held_until, state.promised_until)):
        return CaseStage.HELD
    return CaseStage.RUNNING if case.final_notice is None else CaseStage.FINAL_NOTICE


def fit_cases(counts: CaseCounts) -> CaseCounts:
    """Counts kept by a release that knew fewer stages, with none in the stages added since."""
    return counts + NO_CASES[len(counts) :]


def move_cases(counts: CaseCounts, before: CustomerState | None, after: CustomerState | None) -> CaseCounts:
    """The counts after one customer's state has changed; the same object if they have not.

    Args:
        counts: of all customers of a partition, kept beside them in a table (`NO_CASES` at first).
        before: the customer's state; None if nothing was kept of them.
        after: the state now; None if nothing is kept any more.
    """
    moved = list(fit_cases(counts))
    for state, step in ((before, -1), (after, 1)):
        if state is not None:
            for case in state.cases:
                moved[_PLACES[stage_of(state, case)]] += step
    changed = tuple(moved)
    return counts if changed == counts else changed


def owes(state: CustomerState | None, invoice_id: str) -> bool:
    """Whether the invoice failed and is unpaid: in a live case, or in dispute."""
    if state is None:
        return False
    if any(invoice.invoice_id == invoice_id for case in state.cases for invoice in case.invoices):
        return True
    return any(dispute.invoice_id == invoice_id and dispute.parked is not None for dispute in state.disputes)
