"""An offer that a customer was made: part of the state."""

from datetime import datetime

from msgspec import Struct


class OfferMade(Struct, frozen=True, array_like=True):
    """An offer that the customer was made. `mark` stands for the plan and the reminder that carried it."""

    offer: str
    at: datetime
    mark: bytes
