"""What can go wrong with a local broker, told to the person who has to put it right."""

from pathlib import Path


class LocalKafkaError(Exception):
    """The root of this package's errors."""


class ToolMissingError(LocalKafkaError):
    """A program that the broker needs is not on this machine.

    Attributes:
        tool: what is missing, for example "Java 17".
    """

    def __init__(self, tool: str, advice: str) -> None:
        self.tool = tool
        super().__init__(f"{tool} was not found. {advice}")


class InstallationError(LocalKafkaError):
    """Kafka's jars could not be fetched, or the data directory could not be formatted."""


class PortInUseError(LocalKafkaError):
    """Another process listens on the port that was asked for.

    Attributes:
        port: the TCP port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__(
            f"port {port} on 127.0.0.1 is already in use. If a Kafka runs there, point "
            f"DUNNING_BOOTSTRAP_SERVERS=127.0.0.1:{port} at it; otherwise stop the program that holds the "
            f"port (`lsof -i :{port}` names it) or choose another port."
        )


class StartError(LocalKafkaError):
    """The broker ended, or did not answer before the deadline.

    Attributes:
        log_path: the broker's whole log.
        log_excerpt: its telling lines, also part of the message.
    """

    def __init__(self, reason: str, log_path: Path, log_excerpt: str) -> None:
        self.log_path = log_path
        self.log_excerpt = log_excerpt
        super().__init__(
            f"the local Kafka {reason}. Its log, {log_path}, says:\n{log_excerpt or '(nothing)'}"
        )


class AlreadyRunningError(LocalKafkaError):
    """A broker of this directory runs already, but not on the port that was asked for."""


class StopError(LocalKafkaError):
    """The broker was told to stop and did not."""
