"""The HTTP endpoint that Prometheus and a supervisor ask: `/metrics`, `/live`, `/ready` and `/startup`.

It tells nothing about a customer, and needs no token; it listens on the loopback address unless told
otherwise. It runs on threads of its own, so it answers while the event loop is busy or hangs.
"""

import json
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.ops.health import Health

__all__ = ["Checks", "Endpoint", "EndpointError"]

logger = logging.getLogger(__name__)

# A scrape takes milliseconds; a connection that says nothing for so long is let go.
_IDLE_SECONDS = 10.0
_STOP_SECONDS = 5.0


class EndpointError(OSError):
    """The endpoint cannot listen where it was told to.

    Attributes:
        host: the address.
        port: the port.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"metrics cannot be served at {host}:{port}: {reason}; give another address or port (0 for any "
            "that is free)"
        )
        self.host = host
        self.port = port


class Checks(Protocol):
    """What answers the health checks; `HealthChecks` does."""

    def live(self) -> Health:
        """Whether the worker makes progress; a supervisor restarts it if not."""

    def ready(self) -> Health:
        """Whether the worker does its work: assigned and restored."""

    def startup(self) -> Health:
        """Whether it was ready once."""


class Endpoint:
    """Listens from its making to `stop`; a context manager.

    Args:
        registry: what `/metrics` shows.
        checks: the answers to `/live`, `/ready` and `/startup`, asked for on other threads.
        host: the address to listen on.
        port: the port; 0 for any that is free.

    Attributes:
        host: as given.
        port: the port that it listens on.

    Raises:
        EndpointError: it cannot listen there.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        checks: Checks,
        *,
        host: str = "127.0.0.1",
        port: int = 9464,
    ) -> None:
        self.host = host
        answers = {"/live": checks.live, "/ready": checks.ready, "/startup": checks.startup}
        self._server = _listen(host, port, registry, answers)
        self.port: int = self._server.server_address[1]
        # The poll interval is the longest that `stop` has to wait.
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="metrics-endpoint",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def stop(self) -> None:
        """Listen no more, and free the port. A second call does nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _listen(
    host: str, port: int, registry: CollectorRegistry, checks: Mapping[str, Callable[[], Health]]
) -> "_Server":
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return _Server(family, (host, port), registry, checks)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EndpointError(host, port, reason) from error


class _Server(ThreadingHTTPServer):
    def __init__(
        self,
        family: socket.AddressFamily,
        address: tuple[str, int],
        registry: CollectorRegistry,
        checks: Mapping[str, Callable[[], Health]],
    ) -> None:
        self.address_family = family
        self.registry = registry
        self.checks = checks
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the name service for the host's name, as the base class would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        """A client that goes away in the middle is no error of the worker's."""
        logger.warning(
            "a request from %s to the metrics endpoint failed", client_address, exc_info=sys.exception()
        )


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        check = self.server.checks.get(path)
        if check is not None:
            self._health(path, check)
        elif path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))
        else:
            paths = ", ".join(["/metrics", *self.server.checks])
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"there is {paths}\n".encode())

    do_HEAD = do_GET  # noqa: N815 - the base class's

    def _health(self, path: str, check: Callable[[], Health]) -> None:
        try:
            health = check()
        except Exception as error:
            # A check that fails must be told from one that hangs, or says no.
            logger.exception("the check %s failed", path)
            health = Health(good=False, facts={"error": f"{type(error).__name__}: {error}"})
        status = HTTPStatus.OK if health.good else HTTPStatus.SERVICE_UNAVAILABLE
        body = {"status": "good" if health.good else "bad", **health.facts}
        self._answer(status, "application/json", json.dumps(body, default=str).encode() + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's
        """Scrapes come every few seconds; they are worth a line only when looked for."""
        logger.debug(format, *args)
