import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streams.ops import Endpoint, EndpointError, Health, Metrics


class Checks:
    """Health that a test turns on and off."""

    def __init__(self) -> None:
        self.good = True
        self.broken = False

    def live(self) -> Health:
        return Health(good=True)

    def ready(self) -> Health:
        if self.broken:
            raise RuntimeError("no answer")
        return Health(self.good, {"restoring": 3})

    def startup(self) -> Health:
        return Health(good=False)


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def endpoint(metrics: Metrics, checks: Checks) -> Iterator[Endpoint]:
    with Endpoint(metrics.registry, checks, port=0) as endpoint:
        yield endpoint


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, Message, str]:
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def test_metrics_are_served_as_text(endpoint: Endpoint) -> None:
    status, headers, body = get(endpoint.url + "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert any(family.name == "dunning_events" for family in text_string_to_metric_families(body))


def test_metrics_are_served_as_openmetrics_when_asked_for(endpoint: Endpoint) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    status, headers, body = get(endpoint.url + "/metrics?x=1", Accept=accept)
    assert status == 200
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(body)  # type: ignore[no-untyped-call]
    assert any(family.name == "dunning_events" for family in families)


def test_it_listens_on_loopback_unless_told_otherwise(endpoint: Endpoint) -> None:
    assert endpoint.host == "127.0.0.1"
    assert endpoint.port > 0


def test_health_is_answered_with_its_facts(endpoint: Endpoint, checks: Checks) -> None:
    status, headers, body = get(endpoint.url + "/live")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "good"}
    checks.good = False
    status, _, body = get(endpoint.url + "/ready")
    assert status == 503
    assert json.loads(body) == {"status": "bad", "restoring": 3}
    assert get(endpoint.url + "/startup")[0] == 503


def test_a_check_that_fails_says_so(
    endpoint: Endpoint, checks: Checks, caplog: pytest.LogCaptureFixture
) -> None:
    checks.broken = True
    status, _, body = get(endpoint.url + "/ready")
    assert status == 503
    assert json.loads(body)["error"] == "RuntimeError: no answer"
    assert "the check /ready failed" in caplog.text


def test_anything_else_is_not_found(endpoint: Endpoint) -> None:
    status, _, body = get(endpoint.url + "/table/customers")
    assert status == 404
    assert body == "there is /metrics, /live, /ready, /startup\n"
    assert get(endpoint.url + "/metrics/")[0] == 404


def test_head_has_no_body_and_nothing_else_is_allowed(endpoint: Endpoint) -> None:
    status, headers, body = get(endpoint.url + "/metrics", "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 0
    assert get(endpoint.url + "/metrics", "POST")[0] == 405


def test_a_client_that_says_nothing_holds_up_nobody(endpoint: Endpoint) -> None:
    with socket.create_connection((endpoint.host, endpoint.port)):
        assert get(endpoint.url + "/live")[0] == 200


def test_a_port_in_use_is_named(endpoint: Endpoint, metrics: Metrics) -> None:
    with pytest.raises(EndpointError, match=rf"at 127.0.0.1:{endpoint.port}: .*in use; .*another") as caught:
        Endpoint(metrics.registry, Checks(), port=endpoint.port)
    assert (caught.value.host, caught.value.port) == ("127.0.0.1", endpoint.port)
    assert get(endpoint.url + "/live")[0] == 200


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("host.invalid", 0), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_had_is_named(metrics: Metrics, host: str, port: int) -> None:
    with pytest.raises(EndpointError, match=f"metrics cannot be served at {host}:{port}: "):
        Endpoint(metrics.registry, Checks(), host=host, port=port)


def test_stopping_frees_the_port_and_leaves_no_thread(metrics: Metrics) -> None:
    before = threading.active_count()
    endpoint = Endpoint(metrics.registry, Checks(), port=0)
    assert get(endpoint.url + "/live")[0] == 200
    endpoint.stop()
    endpoint.stop()
    assert threading.active_count() == before
    with pytest.raises(urllib.error.URLError):
        get(endpoint.url + "/live")
    with Endpoint(metrics.registry, Checks(), port=endpoint.port) as another:
        assert another.port == endpoint.port


def test_it_listens_on_ipv6_too(metrics: Metrics) -> None:
    try:
        endpoint = Endpoint(metrics.registry, Checks(), host="::1", port=0)
    except EndpointError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with endpoint:
        assert endpoint.url.startswith("http://[::1]:")
        assert get(endpoint.url + "/live")[0] == 200


def test_a_request_is_logged_without_what_it_asks_for(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        get(endpoint.url + "/metrics?customer=quillfeather")
        host, _, port = endpoint.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(b"quillfeather is no request\r\n\r\n")
            connection.recv(1_000)
    assert "GET /metrics: 200" in caplog.text
    assert "quillfeather" not in caplog.text
