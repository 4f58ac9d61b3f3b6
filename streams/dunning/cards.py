"""Cards: the reminders before one expires, and which of several on file a new one stands for."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from msgspec.structs import replace

from streams.dunning.bounds import is_cancelled
from streams.dunning.cases import hold_for_new_card
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Card, CardExpiring, CardUpdated
from streams.dunning.identity import named
from streams.dunning.plans import end_plan, keep_plan, last_day_of_month
from streams.dunning.state import CardUpdate, Case, CustomerState, Plan, PlanKind
from streams.dunning.turn import Turn


def card_expiring(turn: Turn, event: CardExpiring) -> None:
    """Plan the reminders for a card, unless it has been replaced or has expired."""
    card, state = event.card, turn.state
    if _replaced_already(turn, event):
        turn.say(Outcome.IGNORED, ReasonCode.CARD_REPLACED)
        return
    ends_on = last_day_of_month(card.exp_year, card.exp_month) + timedelta(days=1)
    ends_at = datetime.combine(ends_on, time(), turn.zone).astimezone(UTC)
    if ends_at <= turn.clock:
        turn.say(Outcome.IGNORED, ReasonCode.TOO_LATE)
        return
    keep_plan(
        turn,
        Plan(
            plan_id=named(state.customer_id, "plan", PlanKind.CARD, card.payment_method_id, event.event_id),
            kind=PlanKind.CARD,
            subject_id=card.payment_method_id,
            as_of=event.occurred_at,
            opened_at=turn.clock,
            ends_at=ends_at,
            policy_version=turn.policy.version,
            variables={
                "card_brand": card.brand,
                "card_last4": card.last4,
                "exp_month": str(card.exp_month),
                "exp_year": str(card.exp_year),
            },
            subscription_ids=tuple(each for each in event.subscription_ids if not is_cancelled(state, each)),
        ),
        ReasonCode.CARD_EXPIRING,
        replaced=ReasonCode.CARD_REPLACED,
    )


def card_updated(turn: Turn, event: CardUpdated) -> None:
    """A new card is on file: the reminders for the one that it replaces end, and the ladder is held for it.

    A card of the same `payment_method_id` is the same card with a new date. Any other stands for one card
    only, and the others are still reminded of: what the account updater brings, for one of the same brand (it
    renews a card within its network); what the customer brings, for the one that they are most pressed to
    replace, a card that pays for something before one that does not, the first to expire before a later one.
    """
    update = CardUpdate(at=event.occurred_at, card=event.card, source=event.source)
    known = card_updates(turn.state)
    same = next((each for each in known if _is_same(each.card, event.card.payment_method_id)), None)
    if same is None or same.at <= event.occurred_at:
        plan = _replaced_plan(turn.state.plans, update)
        if plan is not None:
            end_plan(turn, plan, ReasonCode.CARD_REPLACED)
            update = replace(update, replaced=plan.subject_id)
        _remember(turn, update)
    for case in turn.state.cases:
        if _concerns(case, event):
            hold_for_new_card(turn, case, event.occurred_at)
    turn.say(Outcome.RECORDED, ReasonCode.CARD_UPDATED)


def card_updates(state: CustomerState) -> tuple[CardUpdate, ...]:
    """The newest update of each card that is remembered, the earliest first."""
    if not state.card_updates and state.card_update is not None:
        # Of a state from before several were kept.
        return (state.card_update,)
    return state.card_updates


def _remember(turn: Turn, update: CardUpdate) -> None:
    others = [
        each for each in card_updates(turn.state) if not _is_same(each.card, update.card.payment_method_id)
    ]
    kept = sorted([*others, update], key=lambda each: each.at)[-turn.policy.memory.card_updates :]
    turn.state = replace(turn.state, card_update=None, card_updates=tuple(kept))


def _replaced_plan(plans: Iterable[Plan], update: CardUpdate) -> Plan | None:
    """The plan of the card that an update stands for, of those that were made before it."""
    cards = [each for each in plans if each.kind is PlanKind.CARD and each.as_of <= update.at]
    same = next((each for each in cards if _is_same(update.card, each.subject_id)), None)
    if same is not None:
        return None if _expires_with(same, update.card) else same
    if update.source == "account_updater":
        cards = [each for each in cards if each.variables["card_brand"] == update.card.brand]
    return min(
        cards, key=lambda each: (not each.subscription_ids, each.ends_at, each.subject_id), default=None
    )


def _expires_with(plan: Plan, card: Card) -> bool:
    return (plan.variables["exp_month"], plan.variables["exp_year"]) == (
        str(card.exp_month),
        str(card.exp_year),
    )


def _is_same(card: Card, payment_method_id: str) -> bool:
    return card.payment_method_id == payment_method_id


def _replaced_already(turn: Turn, event: CardExpiring) -> bool:
    """Whether a card was replaced before this was said of it, though we hear of it only now."""
    for update in card_updates(turn.state):
        if update.at < event.occurred_at:
            continue
        if _is_same(update.card, event.card.payment_method_id):
            if update.card != event.card:
                return True
        elif update.replaced == event.card.payment_method_id:
            return True
        elif update.replaced is None and (
            update.source != "account_updater" or update.card.brand == event.card.brand
        ):
            # It stood for no card that we knew of: for this one, then, and for no further one.
            _remember(turn, replace(update, replaced=event.card.payment_method_id))
            return True
    return False


def _concerns(case: Case, event: CardUpdated) -> bool:
    """Whether the case waits for an attempt on the new card: not if another card on file was renewed."""
    return event.source == "customer" or any(
        invoice.card is None
        or _is_same(invoice.card, event.card.payment_method_id)
        or invoice.card.brand == event.card.brand
        for invoice in case.invoices
    )
