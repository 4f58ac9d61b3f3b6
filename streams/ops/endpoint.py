"""The HTTP endpoint that Prometheus and a supervisor ask: `/metrics`, `/live`, `/ready` and `/startup`.

These tell nothing about a customer, and need no token; it listens on the loopback address unless told
otherwise. Pages that do are given to it with their guard. It runs on threads of its own, so it answers while
the event loop is busy or hangs.
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
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import parse_qsl, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.ops.health import Health
from streams.ops.pages import Answer, Page, Request

__all__ = ["Checks", "Endpoint", "EndpointError"]

logger = logging.getLogger(__name__)

# A scrape takes milliseconds; a connection that says nothing for so long is let go.
_IDLE_SECONDS = 10.0
_STOP_SECONDS = 5.0
_LONGEST_FORM_BYTES = 8_192
_TEXT = "text/plain; charset=utf-8"


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
        pages: what else is served, by its path. Called on other threads.

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
        pages: Mapping[str, Page] = MappingProxyType({}),
    ) -> None:
        self.host = host
        answers = {"/live": checks.live, "/ready": checks.ready, "/startup": checks.startup}
        self._server = _listen(host, port, _Served(registry, answers, pages))
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


class _Served(NamedTuple):
    registry: CollectorRegistry
    checks: Mapping[str, Callable[[], Health]]
    pages: Mapping[str, Page]


def _listen(host: str, port: int, served: _Served) -> "_Server":
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return _Server(family, (host, port), served)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise EndpointError(host, port, reason) from error


class _Server(ThreadingHTTPServer):
    def __init__(self, family: socket.AddressFamily, address: tuple[str, int], served: _Served) -> None:
        self.address_family = family
        self.served = served
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
        asked = urlsplit(self.path)
        path, served = asked.path, self.server.served
        check, page = served.checks.get(path), served.pages.get(path)
        if check is not None:
            self._health(path, check)
        elif page is not None:
            self._page(page, Request("GET", path, _fields(asked.query), self.headers))
        elif path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(served.registry))
        else:
            self._not_found()

    do_HEAD = do_GET  # noqa: N815 - the base class's

    def do_POST(self) -> None:
        """A form, of a page."""
        path = urlsplit(self.path).path
        page = self.server.served.pages.get(path)
        length = self.headers.get("Content-Length", "")
        if page is None:
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"that takes no form\n")
        elif not length.isdecimal() or int(length) > _LONGEST_FORM_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TEXT, b"that is no form of this page\n")
        else:
            form = self.rfile.read(int(length)).decode(errors="replace")
            self._page(page, Request("POST", path, _fields(form), self.headers))

    def _page(self, page: Page, request: Request) -> None:
        try:
            answer = page(request)
        except Exception:
            logger.exception("the page %s failed", request.path)
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"the page failed; the log says why\n", _TEXT)
        self._answer(answer.status, answer.content_type, answer.body, answer.headers)

    def _not_found(self) -> None:
        served = self.server.served
        paths = ", ".join(["/metrics", *served.checks, *served.pages])
        self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"there is {paths}\n".encode())

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

    def _answer(
        self,
        status: HTTPStatus,
        content_type: str,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - as above
        """Scrapes come every few seconds; they are worth a line only when looked for."""
        # Without the query, which may name a customer; a request that is none has no path at all.
        logger.debug("%s %s: %s", self.command, urlsplit(getattr(self, "path", "")).path, code)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - the base class's
        """What else the base class tells quotes the request."""
        logger.debug("a request was not understood or its connection was lost")


def _fields(encoded: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(encoded, max_num_fields=16))
    except ValueError:
        return {}
