"""What is to come for a customer if nothing happens: the fold, run ahead on ticks alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from streams.dunning.decide import Decision, decide
from streams.dunning.events import Tick
from streams.dunning.offer_stock import Stock, totals_of
from streams.dunning.policy import Policy
from streams.dunning.state import CustomerState

MOST_DECISIONS = 1_000
"""An end to any forecast: a case that is looked at daily has a third of it in a year."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def forecast(
    state: CustomerState,
    clock: datetime,
    policy: Policy,
    until: datetime,
    *,
    tick_every: timedelta = timedelta(seconds=1),
) -> Iterator[Decision]:
    """The decisions that ticks will lead to after the clock, in order, each with the state after it.

    Silence is assumed: nobody pays or answers, no card and no profile changes, nothing bounces, and of every
    offer some are left. It ends at
    `until` (included), or when nothing is due any more, or with the customer being forgotten. Ticks are
    multiples of `tick_every` since 1970; who is due again at once waits for the next.
    """
    earliest, stock = clock, Stock(totals_of(policy))
    for _ in range(MOST_DECISIONS):
        if state.due is None:
            return
        tick = _EPOCH - (_EPOCH - max(state.due, earliest)) // tick_every * tick_every
        if tick > until:
            return
        decision = decide(state, Tick(tick), tick, policy, stock)
        yield decision
        if decision.forgotten:
            return
        state = decision.state
        earliest = tick + tick_every
