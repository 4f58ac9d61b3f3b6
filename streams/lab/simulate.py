"""The pure simulator: a history, a policy and virtual time in, commands and decisions out.

It does exactly what a worker does with the same history published in the same virtual time (see
`streams.lab.publish`): an event's clock is the highest tick so far or its own arrival, whichever is later; a
tick is handled after all that has arrived up to it; at a tick the customers that are due come one after
another, by due time and id. A tick at which nobody is due changes nothing, so it is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush, merge
from operator import itemgetter

from streams.dunning.commands import Command, DecisionRecord, InputReference
from streams.dunning.decide import decision_record
from streams.dunning.events import Input, Tick
from streams.dunning.measures import Counts, add_up
from streams.dunning.outcomes import outcomes
from streams.dunning.state import CustomerState
from streams.lab.offer_shares import OfferShares
from streams.lab.ticks import DEFAULT_TICK_INTERVAL, Outage, TickGrid
from streams.messages.history import Arrival
from streams.messages.topics import TICKS, topic_of
from streams.policy.loading import LoadedPolicy

Output = Command | DecisionRecord
"""What one input leads to: its commands in order, then the decision that explains them."""

HORIZON = timedelta(days=3653)
"""Ten years: without a given end a simulation stops this long after its last event, whatever is still due."""


class Simulator:
    """One virtual worker, moved by hand: events are given to it one by one, ticks up to a moment.

    Args:
        policy: decides.
        grid: when it ticks.
        partitions: how many share the totals of offers.

    Attributes:
        grid: when it ticks.
        clock: the highest tick so far; None before the first one.
        counts: what was counted of outcomes, as a worker counts it; None if it is not asked for.
    """

    def __init__(
        self, policy: LoadedPolicy, grid: TickGrid, counts: Counts | None = None, *, partitions: int = 1
    ) -> None:
        self.grid = grid
        self.clock: datetime | None = None
        self.counts = counts
        self._policy = policy
        self._known: tuple[LoadedPolicy, ...] = (policy,)
        self._states: dict[str, CustomerState] = {}
        self._shares = OfferShares(policy.policy, partitions)
        # Due time and customer. An entry counts only while the state still says the same due time.
        self._agenda: list[tuple[datetime, str]] = []

    def state(self, customer_id: str) -> CustomerState | None:
        """What is kept of a customer, None if nothing."""
        return self._states.get(customer_id)

    @property
    def customers(self) -> int:
        """How many customers something is kept of."""
        return len(self._states)

    def publish(self, policy: LoadedPolicy) -> None:
        """Go by this policy from now on, as a worker does when it is published; open cases keep theirs."""
        self._policy = policy.after(*self._known)
        self._known = (*self._known, policy)
        self._shares.adopt(policy.policy)

    def arrive(self, arrival: Arrival) -> Iterator[Output]:
        """Decide upon an event. The ticks before its arrival are the caller's to have made."""
        event, clock = arrival.event, arrival.arrived_at
        if self.clock is not None and self.clock > clock:
            clock = self.clock
        reference = InputReference(kind=topic_of(event).kind, event_id=event.event_id)
        return self._decide(event.customer_id, event, clock, reference)

    def tick_until(self, moment: datetime) -> Iterator[Output]:
        """All ticks up to the moment (included) that have something to do."""
        while (tick := self.next_tick()) is not None and tick <= moment:
            self.clock = tick
            for customer_id in self._due(tick):
                yield from self._decide(customer_id, Tick(tick), tick, InputReference(kind=TICKS.kind))
        last = self.grid.last_until(moment)
        if self.clock is None or last > self.clock:
            self.clock = last

    def next_tick(self) -> datetime | None:
        """The next tick at which a customer is due; None if there will be none."""
        while self._agenda:
            due, customer_id = self._agenda[0]
            if self._is_due(customer_id, due):
                if self.clock is not None:
                    due = max(due, self.clock + self.grid.interval)
                return self.grid.first_from(due)
            heappop(self._agenda)
        return None

    def _is_due(self, customer_id: str, due: datetime) -> bool:
        """Whether an entry of the agenda still counts."""
        state = self._states.get(customer_id)
        return state is not None and state.due == due

    def _due(self, tick: datetime) -> list[str]:
        """Takes the customers that are due from the agenda, in order of due time and id."""
        found: dict[str, None] = {}
        while self._agenda and self._agenda[0][0] <= tick:
            due, customer_id = heappop(self._agenda)
            if self._is_due(customer_id, due):
                found[customer_id] = None
        return list(found)

    def _decide(
        self, customer_id: str, event: Input, clock: datetime, reference: InputReference
    ) -> Iterator[Output]:
        before = self._states.get(customer_id)
        decision = self._policy.decide(before, event, clock, self._shares.stock(customer_id))
        self._shares.settle(decision)
        if self.counts is not None:
            add_up(self.counts, outcomes(before, event, decision, self._policy.policy))
        if decision.forgotten:
            del self._states[customer_id]
        else:
            self._states[customer_id] = decision.state
            if decision.state.due is not None:
                heappush(self._agenda, (decision.state.due, customer_id))
        yield from decision.commands
        record = decision_record(decision, reference, self._policy.policy)
        if record is not None:
            yield record


def simulate(
    history: Iterable[Arrival],
    policy: LoadedPolicy,
    until: datetime | None = None,
    tick_every: timedelta = DEFAULT_TICK_INTERVAL,
    outages: Sequence[Outage] = (),
    *,
    publications: Sequence[tuple[datetime, LoadedPolicy]] = (),
    counts: Counts | None = None,
    partitions: int = 1,
) -> Iterator[Output]:
    """What a worker would send and say for a history, in order.

    Args:
        history: the events; they are put in order of their arrival, equal ones as they come.
        policy: what decides.
        until: the end (UTC, included): neither events nor ticks later than it. By default it goes on until
            nothing is due any more, at most `HORIZON` after the last event.
        tick_every: how far ticks lie apart, whole milliseconds.
        outages: times without a worker.
        publications: further policies and when each is published (UTC): what arrives then or later, and every
            tick from then on, goes by it.
        counts: what is counted of outcomes is added to it on the way.
        partitions: how many share the totals of offers.

    Raises:
        RenderError: a message cannot be written from its template.
        ValueError: `tick_every` is not a positive number of whole milliseconds.
    """
    arrivals = sorted(history, key=lambda arrival: arrival.arrived_at)
    simulator = Simulator(policy, TickGrid(tick_every, outages), counts, partitions=partitions)
    return _run(arrivals, sorted(publications, key=itemgetter(0)), simulator, until)


def _run(
    arrivals: Sequence[Arrival],
    publications: Sequence[tuple[datetime, LoadedPolicy]],
    simulator: Simulator,
    until: datetime | None,
) -> Iterator[Output]:
    if not arrivals:
        return
    end = until if until is not None else arrivals[-1].arrived_at + HORIZON
    # At the same moment the policy comes first, as it does for who publishes it and then sends the events.
    occurrences: Iterable[tuple[datetime, Arrival | LoadedPolicy]] = merge(
        publications, ((each.arrived_at, each) for each in arrivals), key=itemgetter(0)
    )
    reached: datetime | None = None
    for moment, occurrence in occurrences:
        if moment > end:
            break
        if moment != reached:
            # A tick comes after all that has arrived up to it: those before this moment are due now.
            yield from simulator.tick_until(moment - timedelta.resolution)
            reached = moment
        if isinstance(occurrence, LoadedPolicy):
            simulator.publish(occurrence)
        else:
            yield from simulator.arrive(occurrence)
    yield from simulator.tick_until(end)
