"""A customer explained: how things stand, what happened and why, and what is to come if nothing happens."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from streams.dunning.calendar import zone_of
from streams.dunning.commands import Command, InputReference, NotificationCommand
from streams.dunning.decide import decision_record
from streams.dunning.forecast import forecast
from streams.dunning.policy import Policy
from streams.dunning.situation import Situation, situation
from streams.dunning.state import CustomerState
from streams.dunning.story import Entry, Told, story

AHEAD = timedelta(days=120)
"""How far is looked ahead unless told otherwise: twice a ladder of sixty days."""


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that there is to say of a customer as of `at` (UTC), for people: `zone` is the customer's.

    `now` is None if nothing is kept of them, or if `is_state_known` says that it is not known. `past` and
    `ahead` are in order of time; what is ahead assumes silence: nobody pays or answers, nothing changes,
    nothing bounces. `notes` say what else is not known.
    """

    customer_id: str
    at: datetime
    zone: str
    now: Situation | None
    past: tuple[Entry, ...]
    ahead: tuple[Entry, ...]
    policy_version: str = ""
    notes: tuple[str, ...] = ()
    is_state_known: bool = True

    @property
    def is_known(self) -> bool:
        """Whether anything at all is known of the customer."""
        return self.now is not None or bool(self.past)


def explain(
    customer_id: str,
    state: CustomerState | None,
    told: Iterable[Told],
    at: datetime,
    policy: Policy,
    *,
    render: Callable[[NotificationCommand], NotificationCommand] = lambda command: command,
    ahead: timedelta = AHEAD,
    latest: CustomerState | None = None,
    is_state_known: bool = True,
    notes: tuple[str, ...] = (),
) -> Explanation:
    """Explain a customer.

    Args:
        customer_id: Who.
        state: What is kept of them at that moment; None if nothing is.
        told: Decisions, commands and events of this customer, in any order.
        at: The moment (UTC), not before the state's clock.
        policy: The policy in force, with the earlier ones that cases hold.
        render: Puts a message into words.
        ahead: How far to look.
        latest: What is kept of them now, where it is not known what was kept then: it says their zone.
        is_state_known: Whether it is known.
        notes: What else is not known, handed on.
    """
    expected: list[Told] = []
    reached = at
    if state is not None:
        for decision in forecast(state, at, policy, at + ahead):
            commands: tuple[Command, ...] = tuple(
                render(command) if isinstance(command, NotificationCommand) else command
                for command in decision.commands
            )
            record = decision_record(decision, InputReference(kind="tick"), policy)
            expected += [*commands, *([] if record is None else [record])]
            reached = decision.clock
    known = state or latest
    zone = zone_of(None if known is None else known.profile, policy)
    return Explanation(
        customer_id=customer_id,
        at=at,
        zone=str(zone),
        now=None if state is None else situation(state, max(at, state.clock), policy),
        past=story(told, at),
        ahead=story(expected, reached),
        policy_version=policy.version,
        notes=notes,
        is_state_known=is_state_known,
    )
