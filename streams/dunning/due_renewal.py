"""A renewal whose day has come: kept so that what becomes of it can be counted, and for nothing else."""

from datetime import datetime, timedelta

from msgspec import Struct


class DueRenewal(Struct, frozen=True, array_like=True):
    """A renewal whose day has come, until it is heard what became of it. `reminded`: a reminder went out."""

    plan_id: str
    subscription_id: str
    currency: str
    amount_minor: int
    renews_at: datetime
    reminded: bool
    arms: tuple[str, ...] = ()

    def is_over(self, clock: datetime, heard_of_within: timedelta) -> bool:
        """Whether nothing that happens at the clock is its outcome any more."""
        return clock - self.renews_at >= heard_of_within
