"""The page that explains a customer: made as it is asked for, with no script and nothing from elsewhere."""

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from confluent_kafka import KafkaException
from markupsafe import Markup

from streams.dunning.explanation import Explanation
from streams.dunning.reason_words import FACTORS
from streams.dunning.story import CHANNELS
from streams.lab.partition_reader import LogTooLongError
from streams.messages.currencies import in_major_units
from streams.ops.pages import HTML, Answer, Request
from streams.policy import PolicyError

PATH = "/customers"
"""Where the page is."""

LONGEST_ID = 200
"""Characters of a customer's id, more than any biller's has."""

_AT_ONCE = 2
"""Each reads a whole partition; more at once would be felt by the worker beside them."""

_HERE = Path(__file__)
_STYLE = _HERE.with_suffix(".css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_JINJA = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
)


def _template(name: str) -> jinja2.Template:
    return _JINJA.from_string(_HERE.with_name(name).read_text(encoding="utf-8"))


def _sentence(words: str, stop: str = ".") -> str:
    return words[:1].upper() + words[1:] + stop


def _subscription(subscription_id: str | None) -> str:
    return "the account" if subscription_id is None else f"subscription {subscription_id}"


_JINJA.filters.update({"money": in_major_units, "sentence": _sentence, "subscription": _subscription})
_PAGE, _SIGN_IN = _template("customer_page.html"), _template("sign_in.html")

Explain = Callable[[str, datetime | None], Explanation]
"""Explains a customer as of a moment (UTC), or as of now."""


def sign_in(problem: str) -> Answer:
    """The form for the token, with what was wrong with the one before."""
    body = _SIGN_IN.render(style=Markup(_STYLE), problem=problem).encode()  # noqa: S704 - our own file
    return Answer(HTTPStatus.UNAUTHORIZED, body, HTML, _HEADERS)


class CustomerPage:
    """Answers for any customer; a program that asks for JSON gets the explanation as that.

    Args:
        explain: finds and explains. Called on other threads, on `_AT_ONCE` at a time.
    """

    def __init__(self, explain: Explain) -> None:
        self._explain = explain
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def __call__(self, request: Request) -> Answer:
        """The page for the fields `customer` and `at` (UTC), each of which may be missing."""
        customer = request.fields.get("customer", "").strip()
        as_json = "application/json" in request.headers.get("Accept", "")
        status, problem, explanation = HTTPStatus.OK, "", None
        at: datetime | None = None
        try:
            at = _moment(request.fields.get("at", ""))
        except ValueError:
            status, problem = HTTPStatus.BAD_REQUEST, "That is no time; write one such as 2026-03-01T09:00."
        if len(customer) > LONGEST_ID:
            status, problem = HTTPStatus.BAD_REQUEST, f"No id is longer than {LONGEST_ID} characters."
            customer = ""
        if customer and not problem:
            status, problem, explanation = self._found(customer, at)
        if as_json:
            body = msgspec.json.encode({"error": problem} if explanation is None else explanation)
            return Answer(status, body, "application/json", _HEADERS)
        return Answer(status, _rendered(customer, at, problem, explanation), HTML, _HEADERS)

    def _found(self, customer: str, at: datetime | None) -> tuple[HTTPStatus, str, Explanation | None]:
        if not self._free.acquire(blocking=False):
            return HTTPStatus.SERVICE_UNAVAILABLE, "Others are being looked up just now; ask again.", None
        try:
            explanation = self._explain(customer, at)
        except KafkaException as error:
            told = error.args[0].str() if error.args else str(error)
            return HTTPStatus.SERVICE_UNAVAILABLE, f"Kafka does not answer: {told}.", None
        except LogTooLongError as error:
            problem = f"{_sentence(str(error))} `dunning explain` takes its time."
            return HTTPStatus.GATEWAY_TIMEOUT, problem, None
        except PolicyError as error:
            return HTTPStatus.INTERNAL_SERVER_ERROR, _sentence(str(error)), None
        finally:
            self._free.release()
        if not explanation.is_known:
            return HTTPStatus.NOT_FOUND, "Nothing is known of such a customer; ids are spelt exactly.", None
        return HTTPStatus.OK, "", explanation


def _moment(text: str) -> datetime | None:
    """A browser's field for local time, which is taken for UTC, or any RFC 3339. Raises ValueError."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _rendered(customer: str, at: datetime | None, problem: str, explanation: Explanation | None) -> bytes:
    zone = ZoneInfo("UTC" if explanation is None else explanation.zone)
    return _PAGE.render(
        title=f"{customer} · customers" if customer else "Customers",
        style=Markup(_STYLE),  # noqa: S704 - our own file
        customer=customer,
        at="" if at is None else at.strftime("%Y-%m-%dT%H:%M"),
        longest=LONGEST_ID,
        problem=problem,
        explanation=explanation,
        moment=lambda moment: _time(moment, zone),
        channels=CHANNELS,
        factors=FACTORS,
    ).encode()


def _time(moment: datetime, zone: ZoneInfo) -> Markup:
    """A time by the customer's clock, with the one in UTC beside it for whoever looks closely."""
    utc = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    local = moment.astimezone(zone)
    shown = f"{local:%a} {local.day} {local:%b %Y %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), utc, shown)
