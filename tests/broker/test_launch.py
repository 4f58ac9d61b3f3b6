"""How the broker would be run on other machines: no broker is started here."""

import stat
from pathlib import Path

import pytest

from streams.broker import InstallationError, ToolMissingError, installation, launch
from streams.broker.launch import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, 9092, 9093, "cluster-1", {"log.retention.ms": 5, "auto.create.topics.enable": True})


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on PATH but what a test puts into the directory returned, and an empty cache."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("DUNNING_CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(installation, "_java_wheel", lambda: None)
    return programs


def install(programs: Path, name: str, script: str) -> Path:
    path = programs / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_docker_command_line(node: Node) -> None:
    built = launch.docker_launch(Path("/bin/docker"), "apache/kafka:4.1.1", node)
    assert built.command[:3] == ("/bin/docker", "run", "--rm")
    assert built.command[-1] == "apache/kafka:4.1.1"
    assert "--publish=127.0.0.1:9092:9092" in built.command
    assert "--env=CLUSTER_ID=cluster-1" in built.command
    assert "--env=KAFKA_LISTENERS=CLIENT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093" in built.command
    assert "--env=KAFKA_ADVERTISED_LISTENERS=CLIENT://127.0.0.1:9092" in built.command
    assert "--env=KAFKA_LOG_RETENTION_MS=5" in built.command
    assert "--env=KAFKA_AUTO_CREATE_TOPICS_ENABLE=true" in built.command
    (name,) = (part.removeprefix("--name=") for part in built.command if part.startswith("--name="))
    assert f"--volume={name}:/var/lib/kafka/data" in built.command
    assert built.kill_command == ("/bin/docker", "kill", name)
    assert built.discard_command == ("/bin/docker", "volume", "rm", "--force", name)


def test_each_directory_has_a_container_of_its_own(node: Node, tmp_path: Path) -> None:
    other = Node(tmp_path / "other", 9092, 9093, "cluster-2", {})
    docker = Path("/bin/docker")
    first, second = (
        launch.docker_launch(docker, "apache/kafka:4.1.1", node),
        launch.docker_launch(docker, "apache/kafka:4.1.1", other),
    )
    assert first.kill_command != second.kill_command


def test_missing_java_says_how_to_get_it(bare_machine: Path, node: Node) -> None:
    assert not list(bare_machine.iterdir())
    with pytest.raises(ToolMissingError, match=r"Java 17 .*apt-get install .*brew install .*Docker"):
        launch.prepare(node)


def test_old_java_is_told_from_no_java(bare_machine: Path) -> None:
    install(bare_machine, "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    with pytest.raises(ToolMissingError, match="is Java 11"):
        installation.find_java()


def test_missing_maven_says_how_to_get_it(bare_machine: Path, node: Node) -> None:
    install(bare_machine, "java", "echo 'openjdk version \"21\" 2023-09-19' >&2")
    with pytest.raises(ToolMissingError, match=r"Maven .*apt-get install maven.*brew install maven"):
        launch.prepare(node)


def test_docker_serves_where_java_does_not(bare_machine: Path, node: Node) -> None:
    docker = install(bare_machine, "docker", "exit 0")
    assert launch.prepare(node).command[0] == str(docker)


def test_docker_without_an_engine_says_so(bare_machine: Path, node: Node) -> None:
    install(bare_machine, "docker", "echo 'cannot connect to the daemon' >&2; exit 1")
    with pytest.raises(InstallationError, match=r"Java 17 .*cannot connect to the daemon"):
        launch.prepare(node)


def test_a_download_that_fails_leaves_no_half_cache(bare_machine: Path, node: Node, tmp_path: Path) -> None:
    install(bare_machine, "java", "echo 'openjdk version \"21\" 2023-09-19' >&2")
    install(bare_machine, "mvn", "echo 'no such artifact'; exit 1")
    with pytest.raises(InstallationError, match="no such artifact"):
        launch.prepare(node)
    assert [path.name for path in (tmp_path / "cache" / "kafka").iterdir()] == ["lock"]
