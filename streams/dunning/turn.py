"""One decision in the making: the state so far, and what is to be said.

A turn lives inside one call of `decide` and never outside it; the values that it holds are frozen.
"""

from datetime import datetime, tzinfo

from msgspec.structs import replace

from streams.dunning.calendar import zone_of
from streams.dunning.commands import Command, Missing, Outcome, Reason, ReasonCode, Risk
from streams.dunning.events import Channel
from streams.dunning.offer_stock import NO_STOCK, Draw, Stock
from streams.dunning.policy import Policy
from streams.dunning.state import Case, Contact, CustomerState, Pending, Plan


class Turn:
    """The state of one customer while one input is decided at one clock under one policy."""

    __slots__ = (
        "awaited",
        "clock",
        "commands",
        "drawn",
        "policy",
        "reasons",
        "risk",
        "state",
        "stock",
        "zone",
    )

    def __init__(
        self, state: CustomerState, clock: datetime, policy: Policy, stock: Stock = NO_STOCK
    ) -> None:
        self.state = state
        self.clock = clock
        self.policy = policy
        self.zone: tzinfo = zone_of(state.profile, policy)
        self.commands: list[Command] = []
        self.reasons: list[Reason] = []
        self.risk: Risk | None = None
        self.stock = stock
        self.drawn: list[Draw] = []
        self.awaited: list[Draw] = []

    def say(
        self,
        outcome: Outcome,
        reason: ReasonCode,
        *,
        case_id: str | None = None,
        plan_id: str | None = None,
        step_id: str | None = None,
        channel: Channel | None = None,
        command_id: str | None = None,
        invoice_id: str | None = None,
        until: datetime | None = None,
        missing: tuple[Missing, ...] = (),
        linked_case_id: str | None = None,
        experiment: str | None = None,
        offer: str | None = None,
    ) -> None:
        """Add one outcome and its reason to the decision."""
        self.reasons.append(
            Reason(
                outcome=outcome,
                reason=reason,
                case_id=case_id,
                plan_id=plan_id,
                step_id=step_id,
                channel=channel,
                command_id=command_id,
                invoice_id=invoice_id,
                until=until,
                missing=missing,
                linked_case_id=linked_case_id,
                experiment=experiment,
                offer=offer,
            )
        )

    def put_case(self, case: Case) -> Case:
        """Keep a live case in place of its former self, or as a new one; return it."""
        cases = self.state.cases
        if any(each.case_id == case.case_id for each in cases):
            kept = tuple(case if each.case_id == case.case_id else each for each in cases)
        else:
            kept = (*cases, case)
        self.state = replace(self.state, cases=kept)
        return case

    def drop_case(self, case: Case) -> None:
        """Forget a case and the messages that it has pending; with the last one, what was promised."""
        cases = tuple(each for each in self.state.cases if each.case_id != case.case_id)
        self.state = replace(
            self.state,
            cases=cases,
            pending=tuple(each for each in self.state.pending if each.case_id != case.case_id),
            promised_until=self.state.promised_until if cases else None,
        )

    def put_plan(self, plan: Plan) -> Plan:
        """Keep a plan in place of its former self, or as a new one; return it."""
        plans = self.state.plans
        if any(each.plan_id == plan.plan_id for each in plans):
            kept = tuple(plan if each.plan_id == plan.plan_id else each for each in plans)
        else:
            kept = (*plans, plan)
        self.state = replace(self.state, plans=kept)
        return plan

    def drop_plan(self, plan: Plan) -> None:
        """Forget a plan."""
        plans = tuple(each for each in self.state.plans if each.plan_id != plan.plan_id)
        self.state = replace(self.state, plans=plans)

    def add_pending(self, pending: Pending) -> None:
        """Keep a message that an event caused until it can be sent."""
        self.state = replace(self.state, pending=(*self.state.pending, pending))

    def drop_pending(self, pending: Pending) -> None:
        """Forget a pending message: sent, or no longer to be sent."""
        self.state = replace(
            self.state, pending=tuple(each for each in self.state.pending if each is not pending)
        )

    def add_contact(self, contact: Contact) -> None:
        """Remember that a command went out."""
        self.state = replace(self.state, contacts=(*self.state.contacts, contact))
