"""Whose rules a policy has to meet."""

from typing import Annotated

from msgspec import Meta, Struct


class Compliance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The networks and jurisdictions whose rules the policy is held to; `docs/compliance.md` has them all."""

    networks: Annotated[tuple[str, ...], Meta(description="Card networks, in lower case.")] = (
        "visa",
        "mastercard",
    )
    jurisdictions: Annotated[
        tuple[str, ...],
        Meta(description="ISO 3166: `US-CA`, `FR`. Name every place where customers are billed."),
    ] = ("US", "US-CA", "US-FL")
