"""What is remembered of invoices and subscriptions, within the policy's bounds, and what goes first.

What goes is not held against the customer: it may lead to a message too many, and never to a suspension.
"""

from msgspec.structs import replace

from streams.dunning.identity import fingerprint
from streams.dunning.state import Case, CustomerState, Dispute, Invoice, Settlement
from streams.dunning.turn import Turn


def settlement_of(state: CustomerState, invoice_id: str) -> Settlement | None:
    """When the invoice was paid or closed, if that is remembered."""
    return next((each for each in state.settlements if each.invoice_id == invoice_id), None)


def remember_settlement(turn: Turn, settlement: Settlement) -> None:
    """Keep the latest settlement of an invoice, and of all invoices the latest so many."""
    state, most = turn.state, turn.policy.memory.settlements
    known = settlement_of(state, settlement.invoice_id)
    if known is not None:
        settlement = replace(
            settlement,
            at=max(settlement.at, known.at),
            case_id=settlement.case_id or known.case_id,
            for_good=settlement.for_good or known.for_good,
        )
    others = [each for each in state.settlements if each.invoice_id != settlement.invoice_id]
    kept = sorted([*others, settlement], key=lambda each: each.at)
    until = state.settled_until
    for forgotten in kept[:-most]:
        until = forgotten.at if until is None else max(until, forgotten.at)
    turn.state = replace(state, settlements=tuple(kept[-most:]), settled_until=until)


def may_be_paid(state: CustomerState, failure: Invoice) -> bool:
    """Whether the invoice failed so long ago that a payment of it would be forgotten."""
    until = state.settled_until
    return (
        until is not None
        and failure.failures[-1] <= until
        and settlement_of(state, failure.invoice_id) is None
    )


def dispute_of(state: CustomerState, invoice_id: str) -> Dispute | None:
    """The dispute about the invoice, open or decided, if it is remembered."""
    return next((each for each in state.disputes if each.invoice_id == invoice_id), None)


def is_undecided(state: CustomerState, dispute: Dispute) -> bool:
    """Whether a decision about the dispute is awaited: not if the invoice was closed for good meanwhile."""
    settlement = settlement_of(state, dispute.invoice_id)
    return dispute.is_open and not (settlement is not None and settlement.for_good)


def put_dispute(turn: Turn, dispute: Dispute) -> None:
    """Keep a dispute in place of its former self, or as a new one; decided ones go before others."""
    state, most = turn.state, turn.policy.memory.disputes
    others = [each for each in state.disputes if each.invoice_id != dispute.invoice_id]
    by_weight = sorted([*others, dispute], key=lambda each: (is_undecided(state, each), each.at))
    forgotten = any(is_undecided(state, each) for each in by_weight[:-most])
    turn.state = replace(
        state,
        disputes=tuple(sorted(by_weight[-most:], key=lambda each: each.at)),
        dispute_forgotten=state.dispute_forgotten or forgotten,
    )


def is_cancelled(state: CustomerState, subscription_id: str | None) -> bool:
    """Whether the subscription was cancelled, as far as that is remembered."""
    if subscription_id is None:
        return False
    if subscription_id in state.cancelled_subscriptions:
        # Of a state from before fingerprints were kept.
        return True
    return bool(state.cancelled) and fingerprint(subscription_id) in state.cancelled


def remember_cancelled(turn: Turn, subscription_id: str) -> None:
    """Keep that a subscription was cancelled, of the latest so many."""
    kept = (*turn.state.cancelled, fingerprint(subscription_id))
    turn.state = replace(turn.state, cancelled=kept[-turn.policy.memory.cancelled_subscriptions :])


def has_room(turn: Turn, case: Case | None) -> bool:
    """Whether one more invoice may be followed up, in the case or in a new one."""
    cases, memory = turn.state.cases, turn.policy.memory
    if sum(len(each.invoices) for each in cases) >= memory.invoices_in_all:
        return False
    return len(cases) < memory.cases if case is None else len(case.invoices) < memory.invoices


def share_attempts(turn: Turn) -> None:
    """Forget of each unpaid invoice's attempts what exceeds its share of what is remembered."""
    state, memory = turn.state, turn.policy.memory
    count = 0
    for case in state.cases:
        count += len(case.invoices)
    for dispute in state.disputes:
        count += dispute.parked is not None
    share = memory.attempts_in_all // max(1, count)
    if share >= memory.attempts + memory.retries:
        return
    most = max(2, min(memory.attempts, share // 2)), max(1, min(memory.retries, share // 2))
    for case in state.cases:
        invoices = tuple(_trimmed(each, *most) for each in case.invoices)
        if any(new is not old for new, old in zip(invoices, case.invoices, strict=True)):
            turn.put_case(replace(case, invoices=invoices))
    for dispute in state.disputes:
        if dispute.parked is not None and (left := _trimmed(dispute.parked, *most)) is not dispute.parked:
            put_dispute(turn, replace(dispute, parked=left))


def _trimmed(invoice: Invoice, failures: int, attempts: int) -> Invoice:
    """The invoice itself, or with fewer attempts."""
    kept, retries = invoice.failures, invoice.retries
    if len(kept) > failures:
        # The first is the anchor's; of the others the latest decide.
        kept = (kept[0], *kept[len(kept) - failures + 1 :])
    if retries is not None and len(retries.attempted_at) > attempts:
        retries = replace(retries, attempted_at=retries.attempted_at[-attempts:])
    if kept is invoice.failures and retries is invoice.retries:
        return invoice
    return replace(invoice, failures=kept, retries=retries)
