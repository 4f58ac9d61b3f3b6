"""Settings are refused as a whole, with every problem named."""

import pytest

from streams.engine import ConfigurationError, EngineSettings, ExitCode


def test_defaults_are_valid_and_frozen() -> None:
    settings = EngineSettings(application_id="app", bootstrap_servers="localhost:9092")
    assert settings.transactional_id == "app-0"
    assert settings.changelog("customers") == "app-customers-changelog"
    with pytest.raises(AttributeError):
        settings.max_records = 1  # type: ignore[misc]


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EngineSettings(
            application_id="no spaces",
            bootstrap_servers=" ",
            store="disk",  # type: ignore[arg-type]
            max_records=0,
            tick_interval_seconds=0,
            agent_timeout_seconds=400,
            producer={"transactional.id": "mine"},
            changelog_config={"cleanup.policy": "delete"},
        )
    problems = " ".join(caught.value.problems)
    assert len(caught.value.problems) == 8
    for word in ("application_id", "bootstrap_servers", "store", "max_records", "tick_interval_seconds",
                 "agent_timeout_seconds", "transactional.id", "cleanup.policy"):  # fmt: skip
        assert word in problems
    assert caught.value.exit_code == ExitCode.CONFIGURATION


def test_an_assignor_that_spreads_equal_partitions_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"partition\.assignment\.strategy"):
        EngineSettings(
            application_id="app",
            bootstrap_servers="x:1",
            consumer={"partition.assignment.strategy": "cooperative-sticky"},
        )


def test_secrets_are_not_shown() -> None:
    settings = EngineSettings(
        application_id="app", bootstrap_servers="x:1", client={"sasl.password": "hunter2"}
    )
    assert "hunter2" not in repr(settings)


def test_exit_codes_are_distinct() -> None:
    assert len({int(code) for code in ExitCode}) == len(ExitCode)
