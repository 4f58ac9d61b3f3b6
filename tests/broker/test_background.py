import os
from pathlib import Path

import msgspec
import pytest

from streams.broker import AlreadyRunningError, process, start_background, status, stop_background


def write_pid_file(directory: Path, *, pid: int, started: str) -> None:
    content = {"pid": pid, "started": started, "port": 9092}
    (directory / "pid.json").write_bytes(msgspec.json.encode(content))


@pytest.mark.kafka
def test_starts_is_found_again_and_stops(tmp_path: Path) -> None:
    running = start_background(tmp_path, port=0)
    try:
        assert status(tmp_path).running == running
        assert f"runs on {running.bootstrap_servers}" in status(tmp_path).message
        assert start_background(tmp_path, port=running.port) == running
        with pytest.raises(AlreadyRunningError, match=f"already runs on port {running.port}"):
            start_background(tmp_path, port=running.port + 1)
    finally:
        assert stop_background(tmp_path) == running
    assert status(tmp_path).running is None
    assert process.port_is_free(running.port)


def test_nothing_runs_in_an_unknown_directory(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert status(missing).running is None
    assert stop_background(missing) is None


def test_a_pid_that_was_given_to_another_process_is_not_ours(tmp_path: Path) -> None:
    write_pid_file(tmp_path, pid=os.getpid(), started="another time")
    assert status(tmp_path).running is None
    assert "another program's now" in status(tmp_path).message
    assert stop_background(tmp_path) is None  # and this process lives on
    assert not (tmp_path / "pid.json").exists()


def test_the_same_process_is_ours(tmp_path: Path) -> None:
    started = process.started(os.getpid())
    assert started is not None
    write_pid_file(tmp_path, pid=os.getpid(), started=started)
    assert status(tmp_path).running is not None


def test_a_process_that_ended_is_told(tmp_path: Path) -> None:
    child = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(child, 0)
    write_pid_file(tmp_path, pid=child, started="whenever")
    assert "has ended" in status(tmp_path).message


def test_a_damaged_pid_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "pid.json").write_text("{")
    assert "damaged" in status(tmp_path).message
