"""A cluster per test: topics of its own, and workers that do not outlive it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .harness import Cluster


@pytest.fixture
def cluster(
    kafka: str, topic_prefix: str, create_topics: Callable[..., None], tmp_path: Path
) -> Iterator[Cluster]:
    cluster = Cluster(kafka, topic_prefix, tmp_path, create_topics)
    yield cluster
    cluster.close()
