"""A local Apache Kafka for development and tests: one node on 127.0.0.1, run by Java or by Docker.

    with LocalKafka.start() as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap_servers})

`start_background`, `status` and `stop_background` are for a broker that outlives the command that started it.
This package is no part of a production deployment.
"""

from streams.broker.background import Running, Status, start_background, status, stop_background
from streams.broker.errors import (
    AlreadyRunningError,
    InstallationError,
    LocalKafkaError,
    PortInUseError,
    StartError,
    StopError,
    ToolMissingError,
)
from streams.broker.local import LocalKafka

__all__ = [
    "AlreadyRunningError",
    "InstallationError",
    "LocalKafka",
    "LocalKafkaError",
    "PortInUseError",
    "Running",
    "StartError",
    "Status",
    "StopError",
    "ToolMissingError",
    "start_background",
    "status",
    "stop_background",
]
