"""The hours in which a customer may be contacted. Part of the policy."""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.dunning.values import LocalTime


class WindowException(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other hours for a country, or a region of it."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]
    region: Annotated[
        str | None, Meta(description="As the profile names it (`FL`); without it, the whole country.")
    ] = None
    opens: Annotated[LocalTime | None, Meta(description="Without it, as elsewhere.")] = None
    closes: Annotated[LocalTime | None, Meta(description="Without it, as elsewhere.")] = None


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local hours of a channel: from `opens` (included) to `closes` (excluded)."""

    opens: LocalTime
    closes: LocalTime
    closed_on: Annotated[
        tuple[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], ...],
        Meta(description="Local weekdays on which the channel rests."),
    ] = ()
    exceptions: Annotated[
        tuple[WindowException, ...],
        Meta(description="Other hours in some places; a region's go before its country's."),
    ] = ()


class Marketing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a message may carry an offer, for customers who have consented."""

    window: Annotated[Window, Meta(description="The hours of messages with an offer, by any channel.")] = (
        Window(opens="08:00", closes="20:00")
    )
    wait_for_budget: Annotated[
        timedelta, Meta(description="A reminder waits so long for an offer whose total is not at hand yet.")
    ] = timedelta(minutes=15)
    ask_again_after: Annotated[timedelta, Meta(description="And is looked at again after this.")] = timedelta(
        minutes=1
    )
