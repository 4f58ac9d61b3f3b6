"""How things stand with a customer, read off the state: what is owed, what waits, who can be reached how."""

from datetime import datetime

from msgspec import Struct

from streams.dunning.calendar import zone_of
from streams.dunning.channels import live_channels
from streams.dunning.commands import Risk
from streams.dunning.events import Channel
from streams.dunning.holds import hold_end, reply_hold_end
from streams.dunning.ladder import suspend_step
from streams.dunning.outlook import outlook
from streams.dunning.plans import pending_reminders, reminder_due
from streams.dunning.policy import Policy
from streams.dunning.reason_words import in_words
from streams.dunning.risk import risk_of
from streams.dunning.state import Case, CustomerState, Plan, PlanKind
from streams.dunning.turn import Turn


class Owed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unpaid invoice. `since` is when it first failed (UTC)."""

    invoice_id: str
    amount_minor: int
    currency: str
    since: datetime
    attempts: int
    decline: str
    next_retry_at: datetime | None = None


class OpenCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case as it stands. `stands` says so in words; what lies before it is due at the times of `steps`.

    `subscription_id` is None for the account. `since` is what its days are counted from (UTC).
    """

    case_id: str
    subscription_id: str | None
    stands: tuple[str, ...]
    total_minor: int
    currency: str
    since: datetime
    campaign: str
    policy_version: str
    owed: tuple[Owed, ...]
    segment: str | None = None
    held_until: datetime | None = None
    steps: dict[str, datetime] = {}
    suspends: str | None = None


class OpenPlan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Reminders of an expiring card or a coming renewal, whose day is `ends_at` (UTC)."""

    plan_id: str
    what: str
    ends_at: datetime
    amount_minor: int | None = None
    currency: str | None = None
    steps: dict[str, datetime] = {}


class Reach(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel, and what keeps it from being used; `since` (UTC) where that has a time."""

    channel: Channel
    usable: bool
    why: str = ""
    since: datetime | None = None


class Situation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that holds of a customer at a moment; `decided_at` is of their last decision (both UTC)."""

    at: datetime
    decided_at: datetime
    cases: tuple[OpenCase, ...]
    plans: tuple[OpenPlan, ...]
    channels: tuple[Reach, ...]
    risk: Risk
    segment: str | None = None
    exempt: bool = False
    locale: str | None = None
    country: str | None = None
    suspended: tuple[str | None, ...] = ()
    promised_until: datetime | None = None
    responded_at: datetime | None = None
    disputed: tuple[str, ...] = ()


def situation(state: CustomerState, clock: datetime, policy: Policy) -> Situation:
    """How things stand at the clock (UTC), which is not before the state's."""
    profile = state.profile
    return Situation(
        at=clock,
        decided_at=state.clock,
        cases=tuple(_case(state, case, clock, policy) for case in state.cases),
        plans=tuple(_plan(state, plan, policy) for plan in state.plans),
        channels=tuple(_reach(state, policy)),
        risk=risk_of(state, clock, policy),
        segment=state.segment,
        exempt=state.exempt,
        locale=None if profile is None else profile.locale,
        country=None if profile is None else profile.country,
        suspended=tuple(each.subscription_id for each in state.suspended),
        promised_until=state.promised_until,
        responded_at=state.responded_at,
        disputed=tuple(each.invoice_id for each in state.disputes if each.is_open),
    )


def _case(state: CustomerState, case: Case, clock: datetime, policy: Policy) -> OpenCase:
    held = hold_end(state, case, policy)
    suspend = suspend_step(case, policy)
    return OpenCase(
        case_id=case.case_id,
        subscription_id=case.subscription_id,
        stands=tuple(_stands(state, case, clock, policy)),
        total_minor=case.total_minor,
        currency=case.currency,
        since=case.anchor,
        campaign=case.campaign,
        policy_version=case.policy_version,
        owed=tuple(
            Owed(
                invoice_id=invoice.invoice_id,
                amount_minor=invoice.amount_minor,
                currency=invoice.currency,
                since=invoice.failures[0],
                attempts=invoice.attempts,
                decline=invoice.decline_class.value,
                next_retry_at=invoice.next_retry_at,
            )
            for invoice in case.invoices
        ),
        segment=case.segment,
        held_until=held if held is not None and held > clock else None,
        steps=dict(sorted(outlook(state, case, policy).items(), key=lambda item: item[1])),
        suspends=None if suspend is None else suspend.id,
    )


def _stands(state: CustomerState, case: Case, clock: datetime, policy: Policy) -> list[str]:
    stands: list[str] = []
    if any(case.case_id in each.case_ids for each in state.suspended):
        stands.append("suspended")
    if case.dormant:
        stands.append("too little is owed to ask for it")
    held = hold_end(state, case, policy)
    if held is not None and held > clock:
        stands.append(f"waits: {_holds(state, case, held, policy)}")
    if case.final_notice is not None:
        stands.append("the final notice went out")
    if case.blocked_since is not None:
        stands.append("not all conditions for a suspension are met")
    if case.reviewed:
        stands.append("a person was asked to look: not all conditions for a suspension were met")
    stands += [f"a person was asked to look: {in_words(each)}" for each in case.reviewed_for]
    if state.exempt:
        stands.append("the customer is never reminded")
    return stands or ["reminders run"]


def _holds(state: CustomerState, case: Case, held: datetime, policy: Policy) -> str:
    """What a case waits for the longest."""
    if held == reply_hold_end(case, policy):
        return "the customer wrote back, and somebody has to answer"
    if state.promised_until is not None and held == state.promised_until + policy.hold_after_promise:
        return "the customer promised to pay"
    return "a new card is to be tried first"


def _plan(state: CustomerState, plan: Plan, policy: Policy) -> OpenPlan:
    variables = plan.variables
    is_card = plan.kind is PlanKind.CARD
    amount = variables.get("amount_minor")
    zone = zone_of(state.profile, policy)
    dues = {
        reminder.id: reminder_due(plan, reminder, zone, policy)
        for reminder in pending_reminders(plan, policy, state.segment)
    }
    return OpenPlan(
        plan_id=plan.plan_id,
        what=f"the {variables.get('card_brand', '')} card ending in {variables.get('card_last4', '')} expires"
        if is_card
        else f"{variables.get('plan_name', '')} (subscription {plan.subject_id}) renews",
        ends_at=plan.ends_at,
        amount_minor=None if is_card or amount is None else int(amount),
        currency=None if is_card else variables.get("currency"),
        steps=dict(sorted(dues.items(), key=lambda item: item[1])),
    )


def _reach(state: CustomerState, policy: Policy) -> list[Reach]:
    live = live_channels(Turn(state, state.clock, policy))
    found: list[Reach] = []
    for channel in policy.channel_order:
        word = state.channels.get(channel)
        if channel in live:
            found.append(Reach(channel=channel, usable=True))
        elif word is not None and not word.alive:
            found.append(Reach(channel=channel, usable=False, why="not wanted", since=word.at))
        elif channel in state.failed_addresses:
            since = state.failed_addresses[channel]
            found.append(Reach(channel=channel, usable=False, why="does not arrive", since=since))
        else:
            found.append(Reach(channel=channel, usable=False, why="no address on file"))
    return found
