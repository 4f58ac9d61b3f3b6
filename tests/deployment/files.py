"""The files of deploy/, and the settings that they give to a worker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from streams.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document is not None]


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Fails as a worker would, if one of them is none of ours or has a wrong value."""
    return load_settings(dict(environment))


def seconds_to_stop(settings: Settings) -> float:
    """By when a worker has ended; it is time enough for the round in hand."""
    engine = settings.engine("ticks")
    assert settings.stop_seconds > engine.agent_timeout_seconds + engine.transaction_timeout_seconds
    return settings.stop_seconds
