"""Prometheus and its `promtool`, for tests of rules, dashboards and scrapes."""

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

__all__ = ["Prometheus", "find", "promtool"]

_CONFIGURATION = Path(__file__).parents[1] / "deploy" / "prometheus"


def find(program: str) -> Path:
    """`prometheus` or `promtool` on PATH; skips the test if there is none, but in CI fails it."""
    found = shutil.which(program)
    if found is None:
        reason = f"no {program} on PATH; Debian: apt-get install prometheus, macOS: brew install prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return Path(found)


def promtool(*arguments: str | Path) -> None:
    """Run promtool; what it objects to is the test's failure."""
    done = subprocess.run(
        [find("promtool"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Prometheus:
    """A real one on a free port, with the project's rules, that scrapes workers every second.

    Args:
        directory: for its data, configuration and log.
        targets: `host:port` of the workers.
    """

    def __init__(self, directory: Path, targets: Sequence[str]) -> None:
        self._log = directory / "prometheus.log"
        configuration = yaml.safe_load((_CONFIGURATION / "prometheus.yml").read_text())
        configuration["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        configuration["rule_files"] = [str(_CONFIGURATION / name) for name in configuration["rule_files"]]
        configuration["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
        path = directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(configuration))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    find("prometheus"),
                    f"--config.file={path}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=directory,
            )

    def ask(self, path: str, **parameters: str) -> Any:
        """Its answer's data; None while it does not answer yet.

        Raises:
            AssertionError: it says that the question is wrong.
        """
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode()
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it is still starting
                return None
            raise AssertionError(f"{parameters}: {said}") from error
        except OSError:
            assert self._process.poll() is None, self._log.read_text()
            return None

    def values(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The value of each series that the query gives now, by its labels."""
        data = self.ask("query", query=query)
        found = [] if data is None else data["result"]
        return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
