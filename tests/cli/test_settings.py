import json

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode

run = CliRunner()


def test_secrets_are_masked() -> None:
    environment = {
        "DUNNING_SECURITY_PROTOCOL": "SASL_SSL",
        "DUNNING_SASL_MECHANISM": "PLAIN",
        "DUNNING_SASL_USERNAME": "dunning",
        "DUNNING_SASL_PASSWORD": "opensesame",
    }
    for output in ("table", "json", "jsonl"):
        result = run.invoke(app, ["settings", "--output", output], env=environment)
        assert result.exit_code == ExitCode.OK, result.stderr
        assert "opensesame" not in result.stdout
        assert "DUNNING_SASL_PASSWORD" in result.stdout


def test_what_is_set_is_shown() -> None:
    result = run.invoke(app, ["settings", "--output", "json"], env={"DUNNING_APPLICATION_ID": "mine"})
    assert json.loads(result.stdout)["DUNNING_APPLICATION_ID"] == "mine"


@pytest.mark.parametrize("command", [["settings"], ["worker"], ["topics", "check"], ["demo"]])
def test_all_that_is_wrong_is_named(command: list[str]) -> None:
    environment = {"DUNNING_TICKS": "sometimes", "DUNNING_POLICI": "care"}
    result = run.invoke(app, command, env=environment)
    assert result.exit_code == ExitCode.SETTINGS
    assert "DUNNING_TICKS" in result.stderr
    assert "did you mean DUNNING_POLICY?" in result.stderr
    assert "Traceback" not in result.stderr
