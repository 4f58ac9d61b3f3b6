"""From a vendor's or a network's code to what a decline means for the customer."""

from streams.dunning.events import PaymentFailed
from streams.dunning.policy import DeclineClass, Policy

_ISO8583_LENGTH = 2


def classify(event: PaymentFailed, policy: Policy) -> DeclineClass:
    """The class of a decline, from the policy's tables.

    The network's own table goes before ISO 8583, that before the vendors' words. The network's advice to
    the merchant can turn a soft decline into a hard one ("do not try again"), never the reverse: a message
    that promises a retry which the network forbids is worse than one that asks for a new card.
    """
    declines = policy.declines
    found: DeclineClass | None = None
    code = event.decline_code
    if code is not None:
        code = code.strip()
        if event.network is not None:
            found = declines.get(event.network.strip().lower(), {}).get(code.upper())
        if found is None and len(code) == _ISO8583_LENGTH:
            found = declines.get("iso8583", {}).get(code.upper())
        if found is None:
            found = declines.get("vendor", {}).get(code.lower())
    found = found or policy.default_decline_class
    if found is DeclineClass.SOFT and event.advice_code is not None:
        advice = declines.get("mastercard_advice", {}).get(event.advice_code.strip())
        if advice is DeclineClass.HARD:
            return advice
    return found
