from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dunning.commands import Outcome, Reason, ReasonCode
from streams.dunning.state import Case, CustomerState, Dispute, FinalNotice, Suspended
from streams.ops.facts import (
    NO_CASES,
    CaseStage,
    EventOutcome,
    event_outcome,
    fit_cases,
    move_cases,
    owes,
    stage_of,
)

from .examples import EMPTY, INVOICE, NOW, case, owing, reason

LATER, EARLIER = NOW + timedelta(days=1), NOW - timedelta(days=1)
POLICY_REPLACED = reason(Outcome.UPDATED, ReasonCode.POLICY_REPLACED)
NOTICE = FinalNotice(sent_at=NOW, command_ids=("c",))
SUSPENDED = (Suspended(subscription_id=None, case_ids=("case-secret",), decided_at=NOW),)


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (owing(), CaseStage.RUNNING),
        (owing(case(dormant=True), suspended=SUSPENDED), CaseStage.DORMANT),
        (owing(case(reviewed=True), suspended=SUSPENDED), CaseStage.SUSPENDED),
        (owing(case(reviewed=True, held_until=LATER)), CaseStage.REVIEWED),
        (owing(case(held_until=LATER, final_notice=NOTICE)), CaseStage.HELD),
        (owing(promised_until=LATER), CaseStage.HELD),
        (owing(case(held_until=EARLIER, final_notice=NOTICE), promised_until=NOW), CaseStage.FINAL_NOTICE),
    ],
)
def test_the_first_stage_that_applies_is_the_cases(state: CustomerState, stage: CaseStage) -> None:
    assert stage_of(state, state.cases[0]) is stage


@pytest.mark.parametrize(
    ("reasons", "outcome"),
    [
        ([], EventOutcome.DECIDED),
        ([reason()], EventOutcome.DECIDED),
        ([reason(Outcome.IGNORED, ReasonCode.DUPLICATE_EVENT)], EventOutcome.DUPLICATE),
        ([reason(Outcome.IGNORED, ReasonCode.STALE)], EventOutcome.IGNORED),
        ([reason(Outcome.IGNORED, ReasonCode.STALE), reason(Outcome.RECORDED)], EventOutcome.DECIDED),
        ([POLICY_REPLACED, reason(Outcome.IGNORED, ReasonCode.STALE)], EventOutcome.IGNORED),
        ([POLICY_REPLACED], EventOutcome.DECIDED),
    ],
)
def test_what_became_of_an_event(reasons: list[Reason], outcome: EventOutcome) -> None:
    assert event_outcome(reasons) is outcome


cases = st.lists(
    st.builds(
        case,
        case_id=st.sampled_from(["case-secret", "another", "third"]),
        dormant=st.booleans(),
        reviewed=st.booleans(),
        held_until=st.sampled_from([None, EARLIER, LATER]),
        final_notice=st.sampled_from([None, NOTICE]),
    ),
    max_size=3,
    unique_by=lambda each: each.case_id,
)


def customer(cases: list[Case], *, suspended: bool) -> CustomerState:
    return CustomerState(
        customer_id="customer-secret", clock=NOW, cases=tuple(cases), suspended=SUSPENDED if suspended else ()
    )


histories = st.lists(
    st.tuples(
        st.integers(0, 3), st.one_of(st.none(), st.builds(customer, cases=cases, suspended=st.booleans()))
    ),
    max_size=20,
)


@given(histories)
def test_counts_that_move_are_those_of_a_recount(history: list[tuple[int, CustomerState | None]]) -> None:
    states: dict[int, CustomerState | None] = {}
    counts = NO_CASES
    for number, state in history:
        counts = move_cases(counts, states.get(number), state)
        states[number] = state
    stages = [stage_of(state, each) for state in states.values() if state for each in state.cases]
    assert counts == tuple(stages.count(stage) for stage in CaseStage)


def test_counts_that_do_not_change_are_the_same_object() -> None:
    counts = move_cases(NO_CASES, None, owing())
    assert move_cases(counts, owing(), owing(case(done=("d0",)))) is counts
    assert move_cases(counts, None, EMPTY) is counts


def test_counts_of_a_release_with_fewer_stages_are_filled_up() -> None:
    assert fit_cases((1, 2)) == (1, 2, 0, 0, 0, 0)
    assert sum(move_cases((1, 2), None, owing())) == 4


def test_an_invoice_is_owed_in_a_case_or_in_dispute() -> None:
    parked = Dispute(invoice_id="invoice-secret", at=NOW, is_open=True, parked=INVOICE)
    paid = Dispute(invoice_id="invoice-secret", at=NOW, is_open=True)
    assert owes(owing(), "invoice-secret")
    assert not owes(owing(), "another")
    assert not owes(None, "invoice-secret")
    state = CustomerState(customer_id="customer-secret", clock=NOW, disputes=(parked,))
    assert owes(state, "invoice-secret")
    assert not owes(CustomerState(customer_id="c", clock=NOW, disputes=(paid,)), "invoice-secret")
