"""The page about a customer: what it shows, what it never does, and what it says when it cannot."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http import HTTPStatus
from itertools import pairwise

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.dunning.events import Channel, FeedbackKind
from streams.dunning.explanation import Explanation, explain
from streams.dunning.story import Entry, Kind
from streams.lab.customer_page import LONGEST_ID, CustomerPage, sign_in
from streams.lab.partition_reader import LogTooLongError
from streams.ops.pages import Answer, Request
from streams.policy import PolicyError, Problem
from tests.dunning.customer import Customer, care, utc
from tests.dunning.test_explanation import explained

D0 = utc("2026-01-05 15:00")
DAY = timedelta(days=1)
EVIL = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    customer = Customer(content=care().content)
    customer.profile(D0 - DAY, channels=[Channel.EMAIL, Channel.SMS, Channel.LETTER])
    customer.failed(D0, attempt=1)
    customer.feedback(D0 + timedelta(hours=1), FeedbackKind.DELIVERED)
    customer.feedback(D0 + 2 * DAY, FeedbackKind.PROMISED, promised_until=D0 + 4 * DAY)
    return explained(customer, D0 + 3 * DAY)


def asked(page: Callable[[Request], Answer], accept: str = "text/html", **fields: str) -> Answer:
    return page(Request("GET", "/customers", fields, {"Accept": accept}))


def page_of(explanation: Explanation) -> CustomerPage:
    return CustomerPage(lambda _customer, _at: explanation)


class Outline(HTMLParser):
    """Tags, ids, and what a form's labels are for; fails on a tag that is not closed."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.points_to: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "no program in an attribute"
            assert name != "style"
            if name == "hidden":
                self.tags.remove(tag)
            if name == "id":
                assert value not in self.ids
                self.ids.add(value or "")
            if name in {"for", "aria-labelledby"}:
                self.points_to.add(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_shows_how_things_stand_what_happened_and_what_is_to_come(explanation: Explanation) -> None:
    html = asked(page_of(explanation), customer="cus_1").body.decode()
    for words in (
        "20.00 USD",
        "Waits: the customer promised to pay",
        "Payment of invoice inv-1 failed, attempt 1",
        "We could not collect your payment of $20.00",
        "delivered",
        "Suspend subscription sub-1",
        "no address on file",
        "America/New_York",
        "Mon 5 Jan 2026 10:00",
    ):
        assert words in html, words


def test_it_is_sound_and_can_be_used_without_eyes_or_a_mouse(explanation: Explanation) -> None:
    for answer in (
        asked(page_of(explanation)),
        asked(page_of(explanation), customer="c"),
        sign_in(""),
        sign_in("That is not the token."),
    ):
        html = answer.body.decode()
        outline = Outline(html)
        assert outline.points_to <= outline.ids
        assert outline.tags.count("main") == 1
        assert outline.tags.count("label") == outline.tags.count("input")
        assert '<html lang="en">' in html
        assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
        levels = [int(tag[1]) for tag in outline.tags if re.fullmatch(r"h\d", tag)]
        assert levels[:1] in ([], [1])
        assert all(after <= before + 1 for before, after in pairwise(levels))


def test_nothing_of_it_runs_is_loaded_or_is_kept(explanation: Explanation) -> None:
    for answer in (asked(page_of(explanation), customer="c"), sign_in("")):
        html = answer.body.decode()
        assert not re.search(r"<script|<link|<img|src=|@import|url\(", html)
        style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        policy = answer.headers["Content-Security-Policy"]
        assert f"style-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_everything_is_escaped(explanation: Explanation) -> None:
    entry = Entry(
        at=D0,
        kind=Kind.CONTACT,
        what=EVIL,
        why=EVIL,
        channel=Channel.EMAIL,
        steps=(EVIL,),
        amount_minor=1,
        currency=EVIL,
        text=EVIL,
        body=EVIL,
        reports=(EVIL,),
        missing=(EVIL,),
    )
    assert explanation.now is not None
    (case,) = explanation.now.cases
    evil_case = msgspec.structs.replace(
        case, subscription_id=EVIL, campaign=EVIL, stands=(EVIL,), currency=EVIL
    )
    now = msgspec.structs.replace(explanation.now, cases=(evil_case,), segment=EVIL, disputed=(EVIL,))
    evil = msgspec.structs.replace(
        explanation, customer_id=EVIL, past=(entry,), ahead=(entry,), now=now, notes=(EVIL,)
    )
    html = asked(page_of(evil), customer=EVIL).body.decode()
    Outline(html)
    assert "<script" not in html
    assert html.count("alert(1)") > 20


def test_a_program_gets_the_explanation_as_json(explanation: Explanation) -> None:
    answer = asked(page_of(explanation), accept="application/json", customer="c")
    assert answer.content_type == "application/json"
    assert msgspec.json.decode(answer.body, type=Explanation) == explanation
    missing = asked(
        page_of(explain("c", None, [], D0, care().policy)), accept="application/json", customer="c"
    )
    assert missing.status == HTTPStatus.NOT_FOUND
    assert "Nothing is known" in json.loads(missing.body)["error"]


def test_the_time_is_utc_and_stays_in_the_form(explanation: Explanation) -> None:
    times: list[datetime | None] = []

    def explain(_customer: str, at: datetime | None) -> Explanation:
        times.append(at)
        return explanation

    page = CustomerPage(explain)
    html = asked(page, customer="c", at="2026-01-06T10:30").body.decode()
    asked(page, customer="c", at="2026-01-06T10:30:00+02:00")
    asked(page, customer="c")
    assert times == [datetime(2026, 1, 6, 10, 30, tzinfo=UTC), datetime(2026, 1, 6, 8, 30, tzinfo=UTC), None]
    assert 'value="2026-01-06T10:30"' in html
    assert asked(page, customer="c", at="yesterday").status == HTTPStatus.BAD_REQUEST


def test_without_a_customer_nothing_is_looked_up() -> None:
    def never(_customer: str, _at: datetime | None) -> Explanation:
        raise AssertionError

    assert asked(CustomerPage(never)).status == HTTPStatus.OK
    assert asked(CustomerPage(never), customer="  ").status == HTTPStatus.OK
    assert asked(CustomerPage(never), customer="x" * (LONGEST_ID + 1)).status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)), 503, "Kafka does not answer"),
        (LogTooLongError(20), 504, "20 s"),
        (PolicyError("version 1", [Problem("", "is of a newer release")]), 500, "newer release"),
    ],
)
def test_what_cannot_be_found_out_is_said(error: Exception, status: int, words: str) -> None:
    def failing(_customer: str, _at: datetime | None) -> Explanation:
        raise error

    answer = asked(CustomerPage(failing), customer="c")
    assert answer.status == status
    assert words in answer.body.decode()


def test_not_more_than_two_look_at_once(explanation: Explanation) -> None:
    inside, go_on = threading.Semaphore(0), threading.Event()

    def slow(_customer: str, _at: datetime | None) -> Explanation:
        inside.release()
        assert go_on.wait(10)
        return explanation

    page = CustomerPage(slow)
    threads = [threading.Thread(target=asked, args=(page,), kwargs={"customer": "c"}) for _ in range(2)]
    for thread in threads:
        thread.start()
        assert inside.acquire(timeout=10)
    assert asked(page, customer="c").status == HTTPStatus.SERVICE_UNAVAILABLE
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert asked(page, customer="c").status == HTTPStatus.OK
