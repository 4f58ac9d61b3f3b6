"""What the card networks demand of retries: the part of the policy that `streams.dunning.retries` reads."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.dunning.values import PositiveCount


class RetryRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a card network demands of whoever tries a declined payment again, while the rule is in force."""

    network: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="In lower case.")]
    demand: Annotated[
        Literal["at_most", "wait", "never"],
        Meta(
            description="`at_most`: no more than `most` within `within`; `wait`: not before `wait` is over; "
            "`never`: not with this card."
        ),
    ]
    codes: Annotated[
        tuple[str, ...], Meta(description="Decline codes, the network's or a vendor's word for one.")
    ] = ()
    advice_codes: Annotated[
        tuple[str, ...],
        Meta(description="The network's advice. Without it and `codes`, every decline is meant."),
    ] = ()
    most: Annotated[PositiveCount | None, Meta(description="For `at_most`.")] = None
    counts: Annotated[
        Literal["attempts", "reattempts"],
        Meta(description="Whether the first attempt counts among `most`."),
    ] = "reattempts"
    within: Annotated[timedelta | None, Meta(description="For `at_most`.")] = None
    wait: Annotated[timedelta | None, Meta(description="For `wait`.")] = None
    effective_from: Annotated[date, Meta(description="The first day (UTC).")]
    effective_until: Annotated[date | None, Meta(description="The first day on which it holds no more.")] = (
        None
    )
    what: Annotated[str, Meta(description="The rule in a sentence.")]
    source: Annotated[str, Meta(description="Where it can be looked up.")]
    confidence: Annotated[
        Literal["primary", "secondary"],
        Meta(description="Whether the rule's own text was read, or what others tell of it."),
    ] = "secondary"

    def in_force(self, on: date) -> bool:
        """Whether the rule holds on that day (UTC)."""
        return self.effective_from <= on and (self.effective_until is None or on < self.effective_until)


class NetworkRules(Struct, frozen=True):
    """The rules of one network, made ready to be looked up: budgets, and rules about some declines.

    Of each of these the codes, in lower case, and the advice that it is about.
    """

    budgets: tuple[RetryRule, ...]
    about_declines: tuple[tuple[RetryRule, frozenset[str], frozenset[str]], ...]


def by_network(rules: Iterable[RetryRule]) -> dict[str, NetworkRules]:
    """The rules of each network that has any."""
    of: dict[str, list[RetryRule]] = {}
    for rule in rules:
        of.setdefault(rule.network, []).append(rule)
    return {
        network: NetworkRules(
            budgets=tuple(rule for rule in known if rule.demand == "at_most"),
            about_declines=tuple(
                (rule, frozenset(code.lower() for code in rule.codes), frozenset(rule.advice_codes))
                for rule in known
                if rule.demand != "at_most"
            ),
        )
        for network, known in of.items()
    }
