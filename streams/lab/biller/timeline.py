"""The biller's own virtual time: what is to happen, and what it has told."""

from collections.abc import Callable
from datetime import datetime
from heapq import heappop, heappush

from streams.dunning.events import CustomerEvent

Action = Callable[[datetime], None]
"""Something that happens at its moment (UTC)."""


class Timeline:
    """Things that are to happen, in order, and the events that they cause.

    Attributes:
        now: how far it has come (UTC).
    """

    def __init__(self, start: datetime) -> None:
        self.now = start
        # The name makes the order of what happens at one moment independent of who asked for it first.
        self._agenda: list[tuple[datetime, str, int, Action]] = []
        self._count = 0
        self._told: list[CustomerEvent] = []

    def schedule(self, at: datetime, name: str, action: Action) -> None:
        """Have something happen, now at the earliest."""
        self._count += 1
        heappush(self._agenda, (max(at, self.now), name, self._count, action))

    def tell(self, event: CustomerEvent) -> None:
        """Publish an event with the next batch."""
        self._told.append(event)

    def run_until(self, moment: datetime) -> list[CustomerEvent]:
        """Let happen all that is to happen up to the moment (included); gives what was told, in order."""
        while self._agenda and self._agenda[0][0] <= moment:
            self.now, _, _, action = heappop(self._agenda)
            action(self.now)
        self.now = moment
        told, self._told = self._told, []
        return sorted(told, key=lambda event: (event.occurred_at, event.event_id))
