"""The demo as a person runs it: a process that is watched, interrupted and disturbed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.cli.exit_codes import ExitCode

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PATIENCE_SECONDS = 120
WORKER = re.compile(r"worker (\d+) starts")


class Demo:
    """A running demo; `output` is what it has printed so far."""

    def __init__(self, kafka: str, directory: Path, *options: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DUNNING_")}
        self._log = directory / "demo.out"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli.main", "demo", *options],
                cwd=directory,
                env={**environment, "DUNNING_BOOTSTRAP_SERVERS": kafka},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, pattern: re.Pattern[str]) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := pattern.search(self.output)) is None:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return found

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    running: list[Demo] = []
    yield running
    for demo in running:
        demo.process.kill()
        demo.process.wait()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def demo_topics(kafka: str) -> list[str]:
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=30).topics
    return [name for name in topics if name.startswith("demo-")]


def test_it_plays_to_the_end_and_cleans_up(kafka: str, tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(kafka, tmp_path, "--days", "10", "--customers", "20")
    demos.append(demo)
    assert demo.wait() == ExitCode.OK, demo.output
    assert "exactly once: all " in demo.output
    assert "the story of cus-" in demo.output
    for title in ("events", "contacts by kind and channel", "recovered", "accounts", "not sent, and why"):
        assert title in demo.output
    assert "what came of each step" in demo.output
    assert "d0_email" in (tmp_path / "var" / "demo" / "report.html").read_text(encoding="utf-8")
    assert "\x1b" not in demo.output
    assert "Traceback" not in demo.output
    assert not is_alive(int(demo.wait_for(WORKER)[1]))
    assert demo_topics(kafka) == []


def test_ctrl_c_stops_it_in_order(kafka: str, tmp_path: Path, demos: list[Demo]) -> None:
    demo = Demo(kafka, tmp_path, "--days", "3650", "--customers", "20")
    demos.append(demo)
    worker = int(demo.wait_for(WORKER)[1])
    demo.wait_for(re.compile(r"d0_email"))
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == ExitCode.INTERRUPTED, demo.output
    assert "Traceback" not in demo.output
    assert not is_alive(worker)
    assert demo_topics(kafka) == []


def test_a_worker_that_is_killed_is_started_again_and_nothing_is_lost_or_repeated(
    kafka: str, tmp_path: Path, demos: list[Demo]
) -> None:
    demo = Demo(kafka, tmp_path, "--days", "20", "--customers", "30")
    demos.append(demo)
    for kills in range(1, 3):
        demo.wait_for(re.compile(rf"(d0_email[\s\S]*){{{kills * 2}}}"))
        children = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        demo.wait_for(re.compile(rf"(ended by SIGKILL[\s\S]*){{{kills}}}"))
    assert demo.wait() == ExitCode.OK, demo.output
    assert "exactly once: all " in demo.output
