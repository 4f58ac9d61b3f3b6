import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import docs
from streams.cli.app import COMMANDS, app
from streams.cli.exit_codes import MEANINGS, ExitCode

run = CliRunner()


def test_every_exit_code_has_a_meaning_in_the_help() -> None:
    text = run.invoke(app, ["--help"]).stdout
    assert set(MEANINGS) == set(ExitCode)
    for code, meaning in MEANINGS.items():
        assert f"{code}  {meaning}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = run.invoke(app, [name, "--help"])
    assert result.exit_code == ExitCode.OK
    assert result.stdout.startswith(f"Usage: dunning {name} ")
    assert "completion" not in result.stdout


def test_a_command_that_is_not_there() -> None:
    result = run.invoke(app, ["simulat"])
    assert result.exit_code == ExitCode.USAGE
    assert "No such command 'simulat'" in result.stderr


def test_the_version() -> None:
    result = run.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (ExitCode.OK, f"dunning {version('dunning-streams')}\n")


def test_stale_pages_are_named_and_written(tmp_path: Path) -> None:
    assert docs.stale(tmp_path) == list(docs.PAGES)
    assert docs.write(tmp_path) == list(docs.PAGES)
    assert docs.stale(tmp_path) == []
    (tmp_path / "docs/cli.md").write_text("old", encoding="utf-8")
    assert docs.stale(tmp_path) == ["docs/cli.md"]


def test_the_page_of_the_command_line_is_current() -> None:
    assert "docs/cli.md" not in docs.stale()


def test_the_page_does_not_depend_on_the_terminal() -> None:
    script = "from streams.cli.reference import render; import sys; sys.stdout.write(render())"
    narrow, wide = (
        subprocess.run(
            [sys.executable, "-c", script], env={"COLUMNS": columns}, capture_output=True, check=True
        ).stdout
        for columns in ("40", "200")
    )
    assert narrow == wide
