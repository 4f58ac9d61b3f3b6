"""What lies in the topic of policies: a version that is published, or cases that are moved to one.

Every partition of the topic holds the same publications, so whoever owns partition p of the inputs finds in
its own log which policy decides there from which record on. A null value with a version's key drops it.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

MOST_CUSTOMERS = 500
"""Customers that one record moves: what a round decides beside its other work without being late."""

MOST_DOCUMENT_BYTES = 900_000
"""A packed document: with its frame it stays under the megabyte that brokers and clients take by default."""


class PolicyChange(Struct, frozen=True, kw_only=True, tag_field="type", tag="policy"):
    """One change of the policy.

    `number` counts the changes; a publication with a number that a partition has passed is no news to it.
    With `publish`, `document` is the whole policy (see `streams.policy.versions.pack`), and the partition
    goes by it from here on. With `migrate`, the open cases of `customers` move to `version`.
    """

    number: int
    action: Literal["publish", "migrate"]
    version: str
    changed_at: datetime
    document: bytes | None = None
    customers: tuple[str, ...] = ()

    @property
    def change_id(self) -> str:
        """Names the change: in decisions it stands where an event's id does, in headers as `ce_id`."""
        return f"policy-{self.number}"
