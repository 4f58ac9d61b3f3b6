"""Asks a real worker's endpoint."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

from .harness import Worker, wait_for

__all__ = ["Asked"]


class Asked:
    """A worker's endpoint."""

    def __init__(self, worker: Worker) -> None:
        pattern = re.compile(r"metrics and health at (http://\S+)")
        wait_for(lambda: pattern.search(worker.log.read_text()) is not None, "the endpoint listens")
        found = pattern.search(worker.log.read_text())
        assert found is not None
        self.url = found[1]

    def __call__(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and facts; 0 if nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def status(self, path: str) -> int:
        return self(path)[0]

    def all(self) -> tuple[int, int, int]:
        return self.status("/live"), self.status("/ready"), self.status("/startup")
