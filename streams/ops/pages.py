"""Pages that the endpoint serves beside metrics and health, and who may see them."""

import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

__all__ = ["Answer", "Guard", "Page", "Request", "is_loopback"]

HTML = "text/html; charset=utf-8"

_COOKIE = "dunning_session"
_SESSION_SECONDS = 12 * 60 * 60
"""A working day: then the token is asked for again."""


class Headers(Protocol):
    """Headers by their names."""

    def get(self, name: str, default: str, /) -> str:
        """The header's value; the default if it is not there."""


class Request(NamedTuple):
    """What is asked for. `fields` are those of the query or of the form that was sent, the last of a name."""

    method: str
    path: str
    fields: Mapping[str, str]
    headers: Headers


class Answer(NamedTuple):
    """What is answered."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = HTML
    headers: Mapping[str, str] = {}


Page = Callable[[Request], Answer]
"""Answers what is asked of one path, on any thread."""


def is_loopback(host: str) -> bool:
    """Whether a host, as one listens on it or as a browser names it, is this machine alone."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Guard:
    """A page for those who have the token.

    A program sends it with each request (`Authorization: Bearer ...`). A person gives it once, in a form, and
    has it remembered by a cookie for twelve hours: not the token itself, but what can only be made with it.

    Without a token the page is for this machine alone, and for no other name of it: a page from elsewhere
    could have its own name lead here, and read with the browser's eyes.

    Args:
        page: what is guarded.
        path: where it is.
        token: the token; None if there is none.
        sign_in: answers with the form, given what was wrong with the token before; empty at first.
        clock: epoch seconds.
    """

    def __init__(
        self,
        page: Page,
        *,
        path: str,
        token: str | None,
        sign_in: Callable[[str], Answer],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._page = page
        self._path = path
        self._token = None if token is None else token.encode()
        self._sign_in = sign_in
        self._clock = clock

    def __call__(self, request: Request) -> Answer:
        """The page, or what is needed to see it."""
        if self._token is None:
            host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
            if not is_loopback(host):
                return Answer(
                    HTTPStatus.FORBIDDEN, b"without a token this page is for localhost only\n", "text/plain"
                )
            return self._page(request)
        if request.method == "POST":
            return self._signed_in(request, self._token)
        if self._may_see(request, self._token):
            return self._page(request)
        return self._asked()

    def _may_see(self, request: Request, token: bytes) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), token)
        try:
            cookie = SimpleCookie(request.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        if cookie is None:
            return False
        until, _, mark = cookie.value.partition(".")
        if not hmac.compare_digest(mark.encode(), _mark(until, token).encode()):
            return False
        return self._clock() < int(until)

    def _signed_in(self, request: Request, token: bytes) -> Answer:
        if not hmac.compare_digest(request.fields.get("token", "").strip().encode(), token):
            return self._asked("That is not the token.")
        until = str(int(self._clock()) + _SESSION_SECONDS)
        # A proxy in front says whether the browser came by TLS; the endpoint itself has none.
        secure = "; Secure" if request.headers.get("X-Forwarded-Proto", "") == "https" else ""
        cookie = (
            f"{_COOKIE}={until}.{_mark(until, token)}; Path={self._path}; Max-Age={_SESSION_SECONDS}; "
            f"HttpOnly; SameSite=Strict{secure}"
        )
        return Answer(HTTPStatus.SEE_OTHER, headers={"Location": self._path, "Set-Cookie": cookie})

    def _asked(self, problem: str = "") -> Answer:
        form = self._sign_in(problem)
        headers = {**form.headers, "WWW-Authenticate": 'Bearer realm="dunning"'}
        return form._replace(status=HTTPStatus.UNAUTHORIZED, headers=headers)


def _mark(until: str, token: bytes) -> str:
    return hmac.new(token, f"session until {until}".encode(), sha256).hexdigest()
