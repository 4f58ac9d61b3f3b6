"""Settings come from the environment, are checked as a whole, and never show a secret."""

from pathlib import Path

import pytest

from streams.settings import SECRETS, Settings, SettingsError, load_settings

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


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("STORE", "tape", "DUNNING_STORE is 'tape', and must be 'rocksdb' or 'memory'"),
        ("MAX_RECORDS", "many", "DUNNING_MAX_RECORDS is 'many', and must be a whole number"),
        ("MAX_RECORDS", "0", "DUNNING_MAX_RECORDS is 0, and must be at least 1"),
        ("METRICS_PORT", "99999", "DUNNING_METRICS_PORT is 99999, and must be at most 65535"),
        ("TICK_INTERVAL_SECONDS", "soon", "DUNNING_TICK_INTERVAL_SECONDS is 'soon', and must be a number"),
        ("BAD_RECORD_SHARE", "0", "DUNNING_BAD_RECORD_SHARE is 0, and must be more than 0"),
        ("STATIC_MEMBERSHIP", "perhaps", "DUNNING_STATIC_MEMBERSHIP is 'perhaps', and must be true or false"),
        (
            "APPLICATION_ID",
            "a b",
            "DUNNING_APPLICATION_ID is 'a b', and must be 1 to 100 letters, digits, '.', '_' and '-'",
        ),
    ],
)
def test_a_problem_is_a_sentence_with_the_value(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({f"DUNNING_{name}": value})
    assert caught.value.problems == (sentence,)


def test_a_secret_is_not_told() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({}, sasl_password=["hush"])
    assert caught.value.problems == ("DUNNING_SASL_PASSWORD must be text",)


def test_every_secret_is_known_to_be_one() -> None:
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secrets == SECRETS


def test_a_setting_that_the_engine_refuses_is_told_as_ours() -> None:
    with pytest.raises(SettingsError, match="bootstrap_servers"):
        load_settings({"DUNNING_BOOTSTRAP_SERVERS": " "})


def test_sasl_needs_its_parts() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DUNNING_SECURITY_PROTOCOL": "SASL_SSL"})
    assert len(caught.value.problems) == 3


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"DUNNING_SECURITY_PROTOCOL": "SSL", "DUNNING_SSL_KEY_LOCATION": "key.pem"})
    assert caught.value.problems == (
        "DUNNING_SSL_CERTIFICATE_LOCATION and DUNNING_SSL_KEY_LOCATION go together: set both or none",
    )


def test_what_the_protocol_makes_no_use_of_is_a_mistake() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({**_SASL, "DUNNING_SECURITY_PROTOCOL": "SSL", "DUNNING_SSL_CA_LOCATION": "ca.pem"})
    assert caught.value.problems == tuple(
        f"DUNNING_SASL_{name} is set, and SSL makes no use of it; is DUNNING_SECURITY_PROTOCOL right?"
        for name in ("MECHANISM", "USERNAME", "PASSWORD")
    )
    with pytest.raises(SettingsError, match="SSL_CA_LOCATION is set, and SASL_PLAINTEXT"):
        load_settings(
            {**_SASL, "DUNNING_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "DUNNING_SSL_CA_LOCATION": "ca.pem"}
        )


@pytest.mark.parametrize(
    "address", ["registry:8081", "http://", "https://me:hush@registry", "ftp://registry"]
)
def test_a_registrys_address_is_one_and_holds_no_password(address: str) -> None:
    with pytest.raises(SettingsError, match="DUNNING_SCHEMA_REGISTRY_URL") as caught:
        load_settings({"DUNNING_SCHEMA_REGISTRY_URL": address})
    assert "hush" not in str(caught.value)


def test_what_is_rekeyed_becomes_an_input() -> None:
    settings = load_settings({"DUNNING_REKEY": "a=billing.payment-failed.v1, b = crm.customer-profile.v1,"})
    assert settings.rekeyed == {"a": "billing.payment-failed.v1", "b": "crm.customer-profile.v1"}
    for wrong in ("a", "=billing.payment-failed.v1", "a=dunning.decision.v1"):
        with pytest.raises(SettingsError, match="must be TOPIC=INPUT"):
            load_settings({"DUNNING_REKEY": wrong})
    same = "billing.payment-failed.v1=billing.payment-failed.v1"
    with pytest.raises(SettingsError, match="into itself"):
        load_settings({"DUNNING_REKEY": same})
    assert load_settings({"DUNNING_REKEY": same, "DUNNING_TOPIC_PREFIX": "v2."}).rekeyed


def test_secrets_reach_kafka_and_nothing_else() -> None:
    settings = load_settings(_SASL)
    assert settings.engine("ticks").client["sasl.password"] == "kept-to-ourselves"
    shown = [repr(settings), str(settings), str(settings.printable()), repr(settings.engine("ticks"))]
    assert not any("kept-to-ourselves" in text for text in shown)
    assert settings.printable()["DUNNING_SASL_PASSWORD"] == "********"


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("kept-to-ourselves\n")
    given = {name: value for name, value in _SASL.items() if name != "DUNNING_SASL_PASSWORD"}
    settings = load_settings({**given, "DUNNING_SASL_PASSWORD_FILE": str(file)})
    assert settings.kafka_properties["sasl.password"] == "kept-to-ourselves"


def test_a_secrets_file_is_read_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"geheim\xe4")
    given = {**_SASL, "DUNNING_SASL_PASSWORD_FILE": str(tmp_path / "gone")}
    with pytest.raises(SettingsError) as caught:
        load_settings(given)
    assert caught.value.problems == (
        "DUNNING_SASL_PASSWORD and DUNNING_SASL_PASSWORD_FILE are both set; set one of them",
        f"DUNNING_SASL_PASSWORD_FILE names {tmp_path}/gone, which cannot be read: No such file or directory",
    )
    for name, problem in (("empty", "which is empty"), ("latin", "which cannot be read: it is not UTF-8")):
        with pytest.raises(SettingsError) as caught:
            load_settings(
                {
                    "DUNNING_SECURITY_PROTOCOL": "SSL",
                    "DUNNING_SSL_KEY_PASSWORD_FILE": str(tmp_path / name),
                }
            )
        assert caught.value.problems == (f"DUNNING_SSL_KEY_PASSWORD_FILE names {tmp_path / name}, {problem}",)


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


def test_the_token_for_the_web_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("sixteen letters!\n")
    token = load_settings({"DUNNING_WEB_TOKEN_FILE": str(file)}).web_token
    assert token is not None
    assert token.get_secret_value() == "sixteen letters!"


def test_a_token_is_long_enough_and_set_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="shorter than 16") as error:
        load_settings({"DUNNING_WEB_TOKEN": "secret"})
    assert "secret" not in str(error.value)
    (tmp_path / "token").write_text("x" * 16)
    with pytest.raises(SettingsError, match="both set"):
        load_settings({"DUNNING_WEB_TOKEN": "x" * 16, "DUNNING_WEB_TOKEN_FILE": str(tmp_path / "token")})
