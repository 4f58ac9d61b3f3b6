"""From a vendor's or a network's code to what a decline means for the customer."""

from collections.abc import Mapping
from typing import TypeVar

from streams.dunning.events import PaymentFailed
from streams.dunning.policy import DeclineClass, Policy
from streams.dunning.told_reasons import ToldReason

_ISO8583_LENGTH = 2

UNTOLD = frozenset({DeclineClass.FRAUD, DeclineClass.AUTHENTICATION})
"""Classes of which no reason is told: it would warn a thief, or say nothing that the message does not."""

_Meaning = TypeVar("_Meaning")


def classify(event: PaymentFailed, policy: Policy) -> DeclineClass:
    """The class of a decline, from the policy's tables.

    The network's own table goes before ISO 8583, that before the vendors' words. The network's advice to
    the merchant can turn a soft decline into a hard one ("do not try again"), never the reverse: a message
    that promises a retry which the network forbids is worse than one that asks for a new card.
    """
    declines = policy.declines
    found = _looked_up(declines, event) or policy.default_decline_class
    if found is DeclineClass.SOFT and event.advice_code is not None:
        advice = declines.get("mastercard_advice", {}).get(event.advice_code.strip())
        if advice is DeclineClass.HARD:
            return advice
    return found


def told_reason(event: PaymentFailed, decline_class: DeclineClass, policy: Policy) -> ToldReason | None:
    """The reason of a decline as far as a customer may be told."""
    return None if decline_class in UNTOLD else _looked_up(policy.told_reasons, event)


def _looked_up(tables: Mapping[str, Mapping[str, _Meaning]], event: PaymentFailed) -> _Meaning | None:
    found: _Meaning | None = None
    code = event.decline_code
    if code is not None:
        code = code.strip()
        if event.network is not None:
            found = tables.get(event.network.strip().lower(), {}).get(code.upper())
        if found is None and len(code) == _ISO8583_LENGTH:
            found = tables.get("iso8583", {}).get(code.upper())
        if found is None:
            found = tables.get("vendor", {}).get(code.lower())
    return found
