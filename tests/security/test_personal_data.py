"""A worker's logs and metrics tell nothing of any customer, and it listens to this machine only."""

import socket
import struct
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from streams.dunning.events import CustomerEvent, Tick
from streams.messages.examples import EXAMPLES
from streams.messages.history import Arrival
from streams.messages.topics import INPUTS, topic_of_kind
from tests.app.harness import Deployment, Worker, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

D0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
# Each is nowhere else in the project, so that it is found wherever it appears.
MARK = "quillfeather"
_LISTENING = "0A"


def _marked(value: object) -> object:
    """An event whose free texts all hold the mark."""
    return f"{value}-{MARK}" if isinstance(value, str) else value


def _events() -> list[CustomerEvent]:
    found: list[CustomerEvent] = []
    for topic in INPUTS:
        assert topic.struct is not None
        example = EXAMPLES[topic.struct]
        texts = {
            name: _marked(getattr(example, name))
            for name in ("event_id", "invoice_id", "subscription_id", "plan_name", "text")
            if getattr(example, name, None) is not None
        }
        # One each, so that none's payment settles another's failure.
        texts["customer_id"] = _marked(topic.kind)
        found.append(cast("CustomerEvent", replace(example, occurred_at=D0, **texts)))
    return found


def test_a_history_with_bad_records_leaves_no_trace_of_customers(deployment: Deployment) -> None:
    worker = deployment.start(log_level="DEBUG", metrics_port=0)
    for event in _events():
        deployment.send(Arrival(D0, event))
    key = f"{MARK}-key".encode()
    for topic in INPUTS:
        for value in (None, MARK.encode(), deployment.encoder.encode(EXAMPLES[topic.struct])):  # type: ignore[index]
            deployment.send_raw(topic.name, key, value, timestamp=int(D0.timestamp() * 1000))
    deployment.tick(Tick(D0 + timedelta(days=4)))
    deployment.tick(Tick(D0 + timedelta(days=80)))
    deployment.wait_until_done()
    metrics = urllib.request.urlopen(f"{_endpoint(worker)}metrics", timeout=10).read().decode()
    listening = _listening(worker.process.pid)
    assert worker.stop() == 0

    commands = deployment.messages(topic_of_kind("notification-command").name)
    assert any(MARK.encode() in (each.value() or b"") for each in commands)
    assert len(deployment.dead_letters()) > len(INPUTS)
    assert 'dunning_events_total{kind="payment-failed"' in metrics
    assert MARK not in metrics
    log = worker.log.read_text()
    assert "DEBUG" in log
    assert MARK not in log
    if sys.platform == "linux":
        assert [host for host, _ in listening] == ["127.0.0.1"]


def _endpoint(worker: Worker) -> str:
    said: list[str] = []

    def found() -> bool:
        said[:] = [
            line.rpartition(" ")[2] for line in worker.log.read_text().splitlines() if "metrics and" in line
        ]
        return bool(said)

    wait_for(found, "the endpoint's address is logged")
    return said[0].rstrip("/") + "/"


def _listening(pid: int) -> list[tuple[str, int]]:
    """The addresses on which a process accepts connections (Linux)."""
    inodes = {
        target.removeprefix("socket:[").removesuffix("]")
        for each in Path(f"/proc/{pid}/fd").glob("*")
        if (target := str(each.readlink() if each.is_symlink() else "")).startswith("socket:[")
    }
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in inodes:
                address, port = fields[1].split(":")
                host = socket.inet_ntoa(struct.pack("<I", int(address, 16))) if table == "tcp" else address
                found.append((host, int(port, 16)))
    return found
