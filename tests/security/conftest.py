"""A deployment of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.harness import Deployment


@pytest.fixture
def deployment(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    """Topics with a prefix of their own on the session's broker, and workers that are ended with the test."""
    made = Deployment(kafka, topic_prefix, tmp_path)
    yield made
    made.close()
