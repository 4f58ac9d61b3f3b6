"""What those who run it look at: metrics and health."""

from streams.ops.endpoint import Endpoint, EndpointError
from streams.ops.facts import NO_CASES, CaseCounts, CaseStage, EventOutcome, move_cases
from streams.ops.health import Health, HealthChecks, HealthState
from streams.ops.metrics import Metrics, PartitionFacts

__all__ = [
    "NO_CASES",
    "CaseCounts",
    "CaseStage",
    "Endpoint",
    "EndpointError",
    "EventOutcome",
    "Health",
    "HealthChecks",
    "HealthState",
    "Metrics",
    "PartitionFacts",
    "move_cases",
]
