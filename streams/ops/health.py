"""What the health checks answer, by what the engine says of its progress.

- `/live`: something has moved lately, or there was nothing to do: progress, not existence. If not, a restart
  helps. A worker that is cut off from Kafka with nothing in hand is live: a restart would not bring Kafka
  back, and would cost a restore.
- `/ready`: every partition that this worker holds is restored and worked on, and Kafka answers.
- `/startup`: it was ready once since it started. Until then a restore may take its time.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

__all__ = ["Health", "HealthChecks", "HealthState", "Vitals", "state_of"]


class Health(NamedTuple):
    """The answer to a health check.

    Attributes:
        good: 200 if so, else 503.
        facts: what the answer rests on, for the person who looks; JSON values.
    """

    good: bool
    facts: Mapping[str, Any] = {}


class HealthState(StrEnum):
    """What a worker is at; the first that applies, in this order."""

    DRAINING = "draining"
    """It was told to stop, finishes what it has in hand, and leaves."""
    CUT_OFF = "cut_off"
    """Kafka has not answered for longer than the session: others may have the partitions by now."""
    STALLED = "stalled"
    """Nothing has moved for too long although there is something to do."""
    STARTING = "starting"
    """The consumer group has not answered yet."""
    REBALANCING = "rebalancing"
    """The group is dividing the partitions anew; this worker has none until it is done."""
    RESTORING = "restoring"
    """Partitions that it holds are not restored yet; those that are, it works on."""
    WORKING = "working"
    """All that it holds is worked on; which may be nothing, if there are more workers than partitions."""


class Vitals(Protocol):
    """What the checks look at; the engine's `Progress` has it."""

    @property
    def age_seconds(self) -> float:
        """Seconds since something moved."""

    @property
    def silence_seconds(self) -> float:
        """Seconds since Kafka last answered a question."""

    @property
    def joined(self) -> bool:
        """The group has answered at least once."""

    @property
    def rebalancing(self) -> bool:
        """The group took the partitions away and has not given any yet."""

    @property
    def assigned(self) -> AbstractSet[int]:
        """Partition numbers held."""

    @property
    def ready(self) -> AbstractSet[int]:
        """Those of them that are restored and worked on."""

    @property
    def restoring(self) -> Mapping[tuple[str, int], int]:
        """Changelog offsets left to read, by table and partition."""

    @property
    def started(self) -> bool:
        """All that was held was ready once."""

    @property
    def stopping(self) -> bool:
        """A stop was asked for."""


def state_of(vitals: Vitals, *, stuck_after_seconds: float, cut_off_after_seconds: float) -> HealthState:
    """What the worker is at."""
    if vitals.stopping:
        return HealthState.DRAINING
    if vitals.silence_seconds > cut_off_after_seconds:
        return HealthState.CUT_OFF
    if vitals.age_seconds > stuck_after_seconds:
        return HealthState.STALLED
    if not vitals.joined:
        return HealthState.STARTING
    if vitals.rebalancing:
        return HealthState.REBALANCING
    return HealthState.WORKING if vitals.assigned == vitals.ready else HealthState.RESTORING


class HealthChecks:
    """The three checks of one worker.

    Args:
        vitals: of its engine; read at each question, from any thread.
        stuck_after_seconds: so long may nothing move.
        cut_off_after_seconds: so long may Kafka not answer.
    """

    def __init__(self, vitals: Vitals, *, stuck_after_seconds: float, cut_off_after_seconds: float) -> None:
        self._vitals = vitals
        self._stuck_after = stuck_after_seconds
        self._cut_off_after = cut_off_after_seconds

    def live(self) -> Health:
        """Whether it makes progress, as far as there is something to do."""
        return self._answer(good=self._vitals.stopping or self._vitals.age_seconds <= self._stuck_after)

    def ready(self) -> Health:
        """Whether it works on all that it holds."""
        return self._answer(good=self._state() is HealthState.WORKING)

    def startup(self) -> Health:
        """Whether it was ready once."""
        return self._answer(good=self._vitals.started)

    def _state(self) -> HealthState:
        return state_of(
            self._vitals,
            stuck_after_seconds=self._stuck_after,
            cut_off_after_seconds=self._cut_off_after,
        )

    def _answer(self, *, good: bool) -> Health:
        vitals = self._vitals
        return Health(
            good,
            {
                "state": self._state(),
                "seconds_since_progress": round(vitals.age_seconds, 1),
                "seconds_since_kafka_answered": round(vitals.silence_seconds, 1),
                "assigned": sorted(vitals.assigned),
                "ready": sorted(vitals.ready),
                "restore_remaining_offsets": sum(dict(vitals.restoring).values()),
            },
        )
