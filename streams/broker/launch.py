"""The command lines that run a broker: a JVM of ours, or the official image in Docker."""

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.broker import installation
from streams.broker.errors import InstallationError, ToolMissingError
from streams.broker.process import HOST
from streams.broker.properties import PropertyValue, render, server_properties

HEAP = "512m"
"""Enough for some hundred partitions; a broker lives off the page cache, not off its heap."""

FORMAT_TIMEOUT_SECONDS = 60

_CONTAINER_DATA = "/var/lib/kafka/data"


@dataclass(frozen=True, slots=True)
class Node:
    """Which broker to run.

    Attributes:
        directory: holds its properties, data and log.
        port: clients' port on 127.0.0.1.
        controller_port: the controller's port on 127.0.0.1.
        cluster_id: names the cluster, so that another broker on the port is not taken for this one.
        properties: the caller's own broker properties.
    """

    directory: Path
    port: int
    controller_port: int
    cluster_id: str
    properties: Mapping[str, PropertyValue]

    @property
    def data_directory(self) -> Path:
        """Where a JVM of ours keeps the log."""
        return self.directory / "data"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a broker, and how to end it where a signal does not do.

    Attributes:
        command: runs in the foreground for as long as the broker runs; a SIGTERM ends both in order
            (`docker run` hands it on).
        kill_command: ends it at once; None when a SIGKILL to the command does.
        discard_command: removes data that does not lie in the directory; None when all of it does.
    """

    command: tuple[str, ...]
    kill_command: tuple[str, ...] | None = None
    discard_command: tuple[str, ...] | None = None


def prepare(node: Node) -> Launch:
    """Make the node ready to run: with Java where there is Java and Maven (or the jars), else with Docker.

    Raises:
        ToolMissingError: neither way is open.
        InstallationError: the jars could not be fetched or the data directory not be formatted.
    """
    try:
        java = installation.find_java()
        jars = installation.ensure_jars(java)
    except ToolMissingError:
        docker = installation.find_docker()
        if docker is None:
            raise
        return docker_launch(docker, installation.ensure_image(docker), node)
    launch = java_launch(java, jars, node)
    _write_properties(node)
    if not (node.data_directory / "meta.properties").is_file():
        _format(java, jars, node)
    return launch


def java_launch(java: Path, jars: Path, node: Node) -> Launch:
    """A JVM of ours, run with the node's directory as its working directory."""
    return Launch(
        command=(
            str(java),
            f"-Xmx{HEAP}",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            # log4j's built-in configuration writes to standard output, which is the log file.
            "-Dlog4j2.level=INFO",
            "-cp",
            f"{jars}/*",
            "kafka.Kafka",
            str(node.directory / "server.properties"),
        )
    )


def docker_launch(docker: Path, image: str, node: Node) -> Launch:
    """The official image; its data lies in a volume, because the image's user could not write to a directory.

    The image reads properties from the environment: KAFKA_ and the name, with "_" for ".".
    """
    digest = hashlib.sha256(str(node.directory.absolute()).encode()).hexdigest()[:12]
    name = f"dunning-kafka-{digest}"
    properties = server_properties(
        # All addresses of the container, of which only 127.0.0.1:port is published on this machine.
        listen_address="0.0.0.0",  # noqa: S104
        port=node.port,
        controller_port=node.controller_port,
        data_directory=_CONTAINER_DATA,
        properties=node.properties,
    )
    environment = {
        "CLUSTER_ID": node.cluster_id,
        "KAFKA_HEAP_OPTS": f"-Xmx{HEAP}",
        **{_environment_name(key): value for key, value in properties.items()},
    }
    return Launch(
        command=(
            str(docker),
            "run",
            "--rm",
            f"--name={name}",
            f"--publish={HOST}:{node.port}:{node.port}",
            f"--volume={name}:{_CONTAINER_DATA}",
            *(f"--env={key}={value}" for key, value in environment.items()),
            image,
        ),
        kill_command=(str(docker), "kill", name),
        discard_command=(str(docker), "volume", "rm", "--force", name),
    )


def _environment_name(key: str) -> str:
    # The image undoes this mapping, so "_" and "-" are doubled and tripled.
    return "KAFKA_" + key.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def _write_properties(node: Node) -> None:
    properties = server_properties(
        listen_address=HOST,
        port=node.port,
        controller_port=node.controller_port,
        # Relative to the working directory, so that no path needs Java's escapes.
        data_directory=node.data_directory.name,
        properties=node.properties,
    )
    (node.directory / "server.properties").write_text(render(properties), encoding="ascii")


def _format(java: Path, jars: Path, node: Node) -> None:
    command = [
        str(java),
        # It lives for a second: no time for the optimising compiler to pay.
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dlog4j2.level=WARN",
        "-cp",
        f"{jars}/*",
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        f"--cluster-id={node.cluster_id}",
        "--config",
        str(node.directory / "server.properties"),
    ]
    done = subprocess.run(  # noqa: S603
        command,
        cwd=node.directory,
        capture_output=True,
        text=True,
        timeout=FORMAT_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()
        raise InstallationError(f"cannot format {node.data_directory} for Kafka:\n{output}")
