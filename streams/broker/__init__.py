"""A local Apache Kafka for development and tests: one node, on 127.0.0.1, with nothing to install but Java.

    with LocalKafka.start() as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap_servers})

It is no part of a production deployment.
"""

from streams.broker.errors import (
    InstallationError,
    LocalKafkaError,
    NotOursError,
    PortInUseError,
    StartError,
    ToolMissingError,
)
from streams.broker.local import LocalKafka

__all__ = [
    "InstallationError",
    "LocalKafka",
    "LocalKafkaError",
    "NotOursError",
    "PortInUseError",
    "StartError",
    "ToolMissingError",
]
