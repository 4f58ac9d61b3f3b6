"""Settings of the policy about preferred channels and calls."""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.dunning.events import Channel

FollowPreference = Annotated[
    bool,
    Meta(
        description="The customer's preferred channel takes the place of the first, if it is one of "
        "`preferable_channels`. What is due at once follows it only to a channel without hours."
    ),
]


class CallSheet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a phone command tells whoever calls, beside the script and what is owed."""

    contacts: Annotated[
        int, Meta(ge=0, le=64, description="Earlier contacts, the latest first, at most.")
    ] = 8


class BringForward(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that comes earlier than its step when what was written does not arrive."""

    channels: Annotated[
        tuple[Channel, ...],
        Meta(description="When one of these fails, the case's next phone step is brought forward."),
    ] = (Channel.EMAIL,)
    reports: Annotated[
        tuple[Literal["bounced_hard", "bounced_soft", "complained", "opted_out"], ...],
        Meta(description="What counts as failing; of soft bounces, the one after the retry."),
    ] = ("bounced_hard", "bounced_soft", "complained", "opted_out")
    after: Annotated[
        timedelta, Meta(description="The call is due at the first contact hour so long after the report.")
    ] = timedelta(days=1)
