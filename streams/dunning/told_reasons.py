"""Why a payment was declined, as far as a customer may be told."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta


class ToldReason(StrEnum):
    """What a customer can mend themselves. All else is "declined by your bank"."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_EXPIRED = "card_expired"
    DETAILS_INCORRECT = "details_incorrect"
    LIMIT_REACHED = "limit_reached"
    BANK_UNAVAILABLE = "bank_unavailable"


ToldReasons = Annotated[
    dict[str, dict[str, ToldReason]],
    Meta(
        description="Table, as in `declines`, to code to the reason that a message may tell; of other codes "
        "none is told, and of fraud none may be."
    ),
]
"""The policy's table of them."""
