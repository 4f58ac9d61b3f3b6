"""Who may see a page, and what the endpoint does with it."""

import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from streams.ops import Endpoint, Metrics
from streams.ops.pages import Answer, Guard, Request, is_loopback

from .test_endpoint import Checks, get

TOKEN = "a token of some length"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def page(request: Request) -> Answer:
    return Answer(HTTPStatus.OK, f"the page: {request.fields.get('customer', '')}".encode(), "text/plain")


def sign_in(problem: str) -> Answer:
    return Answer(HTTPStatus.OK, (problem or "token?").encode(), headers={"Cache-Control": "no-store"})


def guarded(token: str | None, clock: Clock | None = None) -> Guard:
    return Guard(page, path="/customers", token=token, sign_in=sign_in, clock=clock or Clock())


def asked(
    *, method: str = "GET", headers: dict[str, str] | None = None, fields: dict[str, str] | None = None
) -> Request:
    return Request(method, "/customers", fields or {}, {"Host": "127.0.0.1:9464", **(headers or {})})


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN]
)
def test_without_the_token_there_is_the_form(authorization: str) -> None:
    answer = guarded(TOKEN)(asked(headers={"Authorization": authorization}))
    assert answer.status == HTTPStatus.UNAUTHORIZED
    assert answer.body == b"token?"
    assert answer.headers == {"Cache-Control": "no-store", "WWW-Authenticate": 'Bearer realm="dunning"'}


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_a_program_sends_the_token(authorization: str) -> None:
    answer = guarded(TOKEN)(asked(headers={"Authorization": authorization}, fields={"customer": "c"}))
    assert (answer.status, answer.body) == (HTTPStatus.OK, b"the page: c")


def test_a_person_signs_in_and_is_remembered_for_a_day_of_work() -> None:
    clock = Clock()
    guard = guarded(TOKEN, clock)
    wrong = guard(asked(method="POST", fields={"token": "wrong"}))
    assert (wrong.status, wrong.body) == (HTTPStatus.UNAUTHORIZED, b"That is not the token.")
    assert "Set-Cookie" not in wrong.headers
    right = guard(asked(method="POST", fields={"token": TOKEN}))
    assert right.status == HTTPStatus.SEE_OTHER
    assert right.headers["Location"] == "/customers"
    cookie, *attributes = right.headers["Set-Cookie"].split("; ")
    assert TOKEN not in cookie
    assert set(attributes) == {"Path=/customers", "Max-Age=43200", "HttpOnly", "SameSite=Strict"}
    assert guard(asked(headers={"Cookie": f"other=1; {cookie}"})).status == HTTPStatus.OK
    clock.now += 13 * 3600
    assert guard(asked(headers={"Cookie": cookie})).status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "dunning_session=",
        "dunning_session=9999999999.",
        "dunning_session=x.y",
        "dunning_session=\x01",
        "é=é",
    ],
)
def test_a_cookie_of_ones_own_making_opens_nothing(cookie: str) -> None:
    assert guarded(TOKEN)(asked(headers={"Cookie": cookie})).status == HTTPStatus.UNAUTHORIZED


def test_a_cookie_of_another_token_or_with_another_end_opens_nothing() -> None:
    cookie = guarded(TOKEN)(asked(method="POST", fields={"token": TOKEN})).headers["Set-Cookie"].split(";")[0]
    assert (
        guarded("another token, as long")(asked(headers={"Cookie": cookie})).status == HTTPStatus.UNAUTHORIZED
    )
    name, _, value = cookie.partition("=")
    later = f"{name}=9{value}"
    assert guarded(TOKEN)(asked(headers={"Cookie": later})).status == HTTPStatus.UNAUTHORIZED


def test_behind_tls_the_cookie_travels_by_tls_only() -> None:
    right = guarded(TOKEN)(
        asked(method="POST", fields={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    )
    assert right.headers["Set-Cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9464", HTTPStatus.OK),
        ("localhost", HTTPStatus.OK),
        ("[::1]:9464", HTTPStatus.OK),
        ("elsewhere.example:9464", HTTPStatus.FORBIDDEN),
        ("localhost.elsewhere.example", HTTPStatus.FORBIDDEN),
        ("10.0.0.7:9464", HTTPStatus.FORBIDDEN),
        ("", HTTPStatus.FORBIDDEN),
    ],
)
def test_without_a_token_it_is_for_this_machine_by_its_own_name(host: str, status: HTTPStatus) -> None:
    """Or a page elsewhere could have its own name lead here."""
    assert guarded(None)(asked(headers={"Host": host})).status == status


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("LOCALHOST", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "", "10.0.0.1", "host.example", "127.0.0.1.example")],
)
def test_what_is_this_machine_alone(host: str, loopback: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is loopback


@pytest.fixture
def endpoint(metrics: Metrics) -> Iterator[Endpoint]:
    def failing(request: Request) -> Answer:
        raise RuntimeError(request.path)

    with Endpoint(
        metrics.registry,
        Checks(),
        port=0,
        pages={"/customers": guarded(TOKEN), "/failing": failing},
    ) as endpoint:
        yield endpoint


def test_the_endpoint_serves_a_page_with_its_fields_and_headers(endpoint: Endpoint) -> None:
    url = f"{endpoint.url}/customers?customer=a%26b&customer=c%20d"
    status, headers, body = get(url, Authorization=f"Bearer {TOKEN}")
    assert (status, body) == (200, "the page: c d")
    assert headers["Content-Type"] == "text/plain"
    status, headers, body = get(url)
    assert (status, body) == (401, "token?")
    assert headers["Cache-Control"] == "no-store"
    assert get(url, "HEAD", Authorization=f"Bearer {TOKEN}")[2] == ""


def test_a_form_signs_in(endpoint: Endpoint) -> None:
    form = urllib.parse.urlencode({"token": TOKEN}).encode()

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_arguments: object, **_more: object) -> None:
            return None

    opener = urllib.request.build_opener(NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as told:
        opener.open(f"{endpoint.url}/customers", form, timeout=5)
    with told.value as answer:
        assert answer.code == 303
        cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert get(f"{endpoint.url}/customers", Cookie=cookie)[0] == 200


def test_a_page_that_fails_is_told_and_the_endpoint_goes_on(endpoint: Endpoint) -> None:
    status, _, body = get(f"{endpoint.url}/failing")
    assert status == 500
    assert "the log says why" in body
    assert get(f"{endpoint.url}/live")[0] == 200


@pytest.mark.parametrize("length", ["", "x", "-1", "100000000"])
def test_a_form_of_no_or_of_any_length_is_refused(endpoint: Endpoint, length: str) -> None:
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=5) as connection:
        connection.sendall(
            f"POST /customers HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.0 413")


def test_only_a_page_takes_a_form(endpoint: Endpoint) -> None:
    request = urllib.request.Request(f"{endpoint.url}/metrics", b"x=1")
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request, timeout=5)
    assert told.value.code == 405
    told.value.close()
