"""How much of each offer's total is at hand where a decision is taken.

An offer's total is counted in accounts: one of offers, and one for each currency that it limits. What a
decision draws from them it says in the `Decision`; whoever keeps the accounts takes it off.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct, field

from streams.dunning.policy import Policy


class Draw(Struct, frozen=True):
    """So much of an account: a count of offers, or minor units of its currency."""

    account: str
    amount: int


class Answer(Enum):
    """Whether something can be drawn."""

    ENOUGH = "enough"
    NOT_AT_HAND = "not_at_hand"
    """More may be had, but is not here yet."""
    SPENT = "spent"


class Stock(Struct, frozen=True):
    """What is at hand of each account, and the least amount that was refused for good."""

    held: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)

    def answer(self, draws: Iterable[Draw]) -> Answer:
        """Whether all of it can be drawn."""
        found = Answer.ENOUGH
        for draw in draws:
            if self.held.get(draw.account, 0) >= draw.amount:
                continue
            refused = self.refused.get(draw.account)
            if refused is not None and draw.amount >= refused:
                return Answer.SPENT
            found = Answer.NOT_AT_HAND
        return found

    def awaiting(self, draws: Sequence[Draw]) -> tuple[Draw, ...]:
        """Of draws that cannot be made now, what is waited for: the first that is lacking, and all before it.

        What comes after that is not laid claim to yet: if everybody took accounts in another order, two
        partitions could each hold what the other waits for.
        """
        for number, draw in enumerate(draws, 1):
            if self.held.get(draw.account, 0) < draw.amount:
                return tuple(draws[:number])
        return ()


NO_STOCK = Stock()
"""Nothing at hand, and nothing refused."""


def count_account(offer: str) -> str:
    """The account of an offer's count."""
    return offer


def money_account(offer: str, currency: str) -> str:
    """The account of what an offer takes off in a currency. No offer's name has a slash."""
    return f"{offer}/{currency}"


def offer_of(account: str) -> str:
    """The offer that an account is of."""
    return account.partition("/")[0]


def totals_of(policy: Policy) -> dict[str, int]:
    """The total of each account of the offers that are made."""
    totals: dict[str, int] = {}
    for name, offer in policy.offers.items():
        if offer.enabled:
            totals[count_account(name)] = offer.budget.offers
            for currency, minor in offer.budget.money.items():
                totals[money_account(name, currency)] = minor
    return totals
