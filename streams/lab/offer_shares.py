"""The partitions' shares of offers' totals in a simulation: what one says to another is heard at once.

So a partition need not wait for an answer. A worker behind Kafka does the same as long as no partition needs
more at one tick than it holds. Who gets the last of an offer depends there on which partition asks first; how
many do, does not.
"""

from collections import deque

from streams.dunning.decide import Decision
from streams.dunning.offer_leases import EMPTY_BOOK, Leasing
from streams.dunning.offer_stock import Stock, offer_of, totals_of
from streams.dunning.policy import Policy
from streams.lab.partitioner import partition_of
from streams.messages.instants import EPOCH


class OfferShares:
    """The books of all partitions.

    Args:
        policy: has the offers.
        partitions: how many there are.
    """

    def __init__(self, policy: Policy, partitions: int = 1) -> None:
        totals, again = totals_of(policy), policy.marketing.ask_again_after
        self._each = [
            Leasing(EMPTY_BOOK, number, totals, clock=EPOCH, ask_again_after=again)
            for number in range(partitions)
        ]
        self._speak(*self._each)

    def adopt(self, policy: Policy) -> None:
        """Go by another policy from here on."""
        totals = totals_of(policy)
        for leasing in self._each:
            leasing.adopt(totals, policy.marketing.ask_again_after)
        self._speak(*self._each)

    def stock(self, customer_id: str) -> Stock:
        """What a decision about the customer may draw from."""
        return self._of(customer_id).stock

    def settle(self, decision: Decision) -> None:
        """Take off what a decision has drawn, and ask for what is running low."""
        if decision.drawn or decision.awaited:
            leasing = self._of(decision.state.customer_id)
            leasing.clock = max(leasing.clock, decision.clock)
            leasing.settle(decision.drawn, decision.awaited)
            self._speak(leasing)

    def _of(self, customer_id: str) -> Leasing:
        return self._each[partition_of(customer_id, len(self._each))]

    def _speak(self, *speaking: Leasing) -> None:
        """Carry messages until nobody has anything more to say."""
        waiting = deque(speaking)
        while waiting:
            leasing = waiting.popleft()
            leasing.provide()
            said, leasing.outgoing = leasing.outgoing, []
            for message in said:
                keeper = partition_of(offer_of(message.account), len(self._each))
                hearing = self._each[keeper if message.to_keeper else message.partition]
                hearing.take(message)
                waiting.append(hearing)
