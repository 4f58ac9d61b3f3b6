"""Settings come from the environment, are checked as a whole, and never show a secret."""

import pytest

from streams.settings import SettingsError, load_settings

_SASL = {
    "DUNNING_SECURITY_PROTOCOL": "SASL_SSL",
    "DUNNING_SASL_MECHANISM": "SCRAM-SHA-512",
    "DUNNING_SASL_USERNAME": "worker",
    "DUNNING_SASL_PASSWORD": "kept-to-ourselves",
}


def test_defaults_reach_a_local_broker() -> None:
    settings = load_settings({})
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.policy == "care"
    assert settings.engine("ticks").tick_interval_seconds == 1.0


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "DUNNING_MAX_RECORDS": "many",
                "DUNNING_STORE": "tape",
                "DUNNING_POLCY": "care",
                "DUNNING_BOOTSTRAP_SERVERS": "  ",
            }
        )
    told = "\n".join(caught.value.problems)
    assert "DUNNING_MAX_RECORDS" in told
    assert "DUNNING_STORE" in told
    assert "DUNNING_POLCY is no setting; did you mean DUNNING_POLICY?" in told


def test_a_setting_that_the_engine_refuses_is_told_as_ours() -> None:
    with pytest.raises(SettingsError, match="bootstrap_servers"):
        load_settings({"DUNNING_BOOTSTRAP_SERVERS": " "})


def test_sasl_needs_its_parts() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DUNNING_SECURITY_PROTOCOL": "SASL_SSL"})
    assert len(caught.value.problems) == 3


def test_secrets_reach_kafka_and_nothing_else() -> None:
    settings = load_settings(_SASL)
    assert settings.engine("ticks").client["sasl.password"] == "kept-to-ourselves"
    shown = [repr(settings), str(settings), str(settings.printable()), repr(settings.engine("ticks"))]
    assert not any("kept-to-ourselves" in text for text in shown)
    assert settings.printable()["DUNNING_SASL_PASSWORD"] == "********"


def test_external_ticks_turn_the_workers_own_off() -> None:
    assert load_settings({"DUNNING_TICKS": "external"}).engine("ticks").tick_interval_seconds is None


def test_none_turns_the_metrics_off() -> None:
    assert load_settings({"DUNNING_METRICS_PORT": "none"}).metrics_port is None


def test_variables_of_the_local_broker_and_of_tests_are_left_alone() -> None:
    load_settings({"DUNNING_CACHE_DIRECTORY": "x", "DUNNING_TEST_SEED": "1", "HOME": "y"})


def test_the_prefix_goes_before_every_topic() -> None:
    settings = load_settings({"DUNNING_TOPIC_PREFIX": "staging."})
    assert settings.topic("dunning.tick.v1") == "staging.dunning.tick.v1"
    assert settings.engine("dunning.tick.v1").tick_topic == "staging.dunning.tick.v1"
