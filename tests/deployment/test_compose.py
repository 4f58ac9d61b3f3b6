"""The compose file: valid, bound to this machine, and settings that a worker takes."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from streams.messages.topics import DEFAULT_PARTITIONS

from .files import DEPLOY, seconds_to_stop, settings_of

FILE = DEPLOY / "compose" / "compose.yaml"
_COMPOSE = Path(sys.executable).with_name("docker-compose")
_POM = "{http://maven.apache.org/POM/4.0.0}"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """As Compose itself understands the file; it needs no engine for that."""
    command = [str(_COMPOSE), "--file", str(FILE), "config"]
    subprocess.run([*command, "--quiet"], check=True, timeout=60)
    read = subprocess.run(
        [*command, "--format", "json"], capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, dict[str, Any]] = json.loads(read.stdout)["services"]
    return found


def workers(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in services.items() if each.get("command") == ["worker"]}


def test_two_workers_share_the_partitions_under_names_of_their_own(
    services: dict[str, dict[str, Any]],
) -> None:
    found = [settings_of(each["environment"]) for each in workers(services).values()]
    assert len(found) == 2
    assert len({each.instance_id for each in found}) == 2
    assert len({each.application_id for each in found}) == 1
    create = services["topics"]["command"]
    assert create == ["topics", "create", "--partitions", str(DEFAULT_PARTITIONS), "--replication", "1"]
    settings_of(services["topics"]["environment"])


def test_a_worker_may_finish_its_round_and_keeps_its_state(services: dict[str, dict[str, Any]]) -> None:
    volumes = set()
    for each in workers(services).values():
        assert each["stop_grace_period"] == "2m0s"
        assert seconds_to_stop(settings_of(each["environment"])) < 120
        (volume,) = each["volumes"]
        assert volume["target"] == "/var/lib/dunning"
        volumes.add(volume["source"])
    assert len(volumes) == 2


def test_nothing_is_open_to_other_machines(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for each in services.values() for port in each.get("ports", ())]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert len({port["published"] for port in ports}) == len(ports)


def test_images_of_others_are_pinned_by_digest(services: dict[str, dict[str, Any]]) -> None:
    for name, each in services.items():
        if "build" not in each:
            assert re.fullmatch(r"[a-z0-9./-]+:v?[0-9.]+@sha256:[0-9a-f]{64}", each["image"]), name


def test_kafka_is_the_version_that_the_tests_run_on(services: dict[str, dict[str, Any]]) -> None:
    pom = ET.parse(DEPLOY / "local" / "pom.xml").getroot()
    version = pom.findtext(f"{_POM}properties/{_POM}kafka.version")
    assert services["kafka"]["image"].startswith(f"apache/kafka:{version}@")


def test_what_is_mounted_exists(services: dict[str, dict[str, Any]]) -> None:
    mounted = [
        volume["source"]
        for each in services.values()
        for volume in each.get("volumes", ())
        if volume["type"] == "bind"
    ]
    assert mounted
    assert [each for each in mounted if not Path(each).exists()] == []


def test_prometheus_scrapes_every_worker(services: dict[str, dict[str, Any]]) -> None:
    text = (FILE.parent / "prometheus.yml").read_text()
    assert set(re.findall(r"([\w-]+):9464", text)) == set(workers(services))
