from collections.abc import Callable

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.ops import Metrics

from .examples import WALL


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3", wall_clock=lambda: WALL)


@pytest.fixture
def read(metrics: Metrics) -> Callable[[str], dict[tuple[str, ...], float]]:
    """The samples of a name by the values of their labels, in order of the labels' names; no zeros."""

    def samples(name: str) -> dict[tuple[str, ...], float]:
        text = generate_latest(metrics.registry).decode()
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and sample.value
        }

    return samples


@pytest.fixture
def commit(metrics: Metrics) -> Callable[[], None]:
    def committed() -> None:
        metrics.round_committed(duration_seconds=0.015, records=3, outputs=2, changes=1)

    return committed
