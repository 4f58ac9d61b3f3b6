"""The systemd unit: understood by systemd, and started again only where that can help."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from streams.cli.exit_codes import ExitCode
from streams.engine import ExitCode as WorkerExitCode
from streams.settings import load_settings

from .files import DEPLOY, seconds_to_stop

UNIT = DEPLOY / "systemd" / "dunning-worker@.service"
TEXT = UNIT.read_text()


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", TEXT, re.MULTILINE)


def test_systemd_understands_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/dunning/bin/dunning", "/bin/true"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_it_is_not_started_again_where_a_person_has_to_change_something() -> None:
    (codes,) = values("RestartPreventExitStatus")
    assert list(map(int, codes.split())) == [
        ExitCode.USAGE,
        ExitCode.POLICY,
        ExitCode.SETTINGS,
        WorkerExitCode.CONFIGURATION,
        WorkerExitCode.MISSING_CHANGELOG,
    ]
    assert values("Restart") == ["on-failure"]


def test_its_settings_are_those_of_a_worker_which_may_finish_its_round() -> None:
    given = dict(each.split("=", 1) for each in values("Environment"))
    settings = load_settings({name: value.replace("%i", "0") for name, value in given.items()})
    assert settings.instance_id == "0"
    assert float(values("TimeoutStopSec")[0]) > seconds_to_stop(settings)
