"""What cannot be used goes to the dead letters whole, and the rest goes on."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Message
from msgspec.structs import replace

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import PaymentFailed, Tick
from streams.messages.codec import Encoder
from streams.messages.history import Arrival
from streams.messages.topics import INPUTS, TICKS, topic_of

from .harness import Deployment, headers_of

pytestmark = pytest.mark.kafka

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GOOD = PaymentFailed(
    event_id="good",
    occurred_at=NOON,
    customer_id="customer-1",
    invoice_id="invoice-1",
    amount_minor=4_900,
    currency="USD",
)
TOPIC = topic_of(GOOD).name
# In parts, so that no text of this project looks like a card's number.
CARD_NUMBER = "4111" + "1111" * 3


def _encoded(**changes: object) -> bytes:
    return Encoder().encode(replace(GOOD, **changes))


BAD: dict[str, tuple[bytes | None, bytes | None]] = {
    "null_value": (b"customer-1", None),
    "not_avro": (b"customer-1", b"{}"),
    "unknown_schema": (b"customer-1", b"\xc3\x01" + b"\x07" * 8 + b"rest"),
    "undecodable": (b"customer-1", _encoded()[:-3]),
    "missing_customer": (None, _encoded()),
    "key_mismatch": (b"customer-2", _encoded()),
    "unknown_currency": (b"customer-1", _encoded(currency="ZZZ")),
    "negative_amount": (b"customer-1", _encoded(amount_minor=-1)),
    "time_out_of_range": (b"customer-1", _encoded(occurred_at=NOON + timedelta(days=2))),
    "card_number": (b"customer-1", _encoded(invoice_id=f"paid with {CARD_NUMBER}")),
}


def _header(message: Message, name: str) -> str:
    values = [value for key, value in headers_of(message) if key == name]
    assert len(values) == 1, f"{name} stands {len(values)} times"
    assert isinstance(values[0], bytes)
    return values[0].decode()


def test_each_kind_of_bad_record_is_kept_whole_and_the_good_go_on(deployment: Deployment) -> None:
    worker = deployment.start()
    timestamp = int(NOON.timestamp() * 1000)
    headers = [("traceparent", b"00-11-22-01"), ("twice", b"a"), ("twice", b"b"), ("empty", None)]
    for key, value in BAD.values():
        deployment.send_raw(TOPIC, key, value, timestamp=timestamp, headers=headers)
    deployment.send(Arrival(NOON, GOOD))
    deployment.wait_until_done()
    assert worker.stop() == 0

    letters = {_header(each, "dunning.reason"): each for each in deployment.dead_letters()}
    assert set(letters) == set(BAD)
    for code, (key, value) in BAD.items():
        letter = letters[code]
        assert (letter.key(), letter.value()) == (key, value)
        assert letter.timestamp()[1] == timestamp
        assert headers_of(letter)[: len(headers)] == headers
        assert _header(letter, "__connect.errors.topic") == deployment.prefix + TOPIC
        assert int(_header(letter, "__connect.errors.offset")) >= 0
        assert CARD_NUMBER not in _header(letter, "__connect.errors.exception.message")
    asked = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert [each.step_id for each in asked] == ["d0_email"]


def test_garbage_on_every_topic_stops_nothing(deployment: Deployment) -> None:
    worker = deployment.start()
    timestamp, sent = int(NOON.timestamp() * 1000), 0
    for topic in (*INPUTS, TICKS):
        for value in (None, b"", b"\x00\x00\x00\x00\x09rest", b"\xff" * 40):
            if value is None and topic.erasable:
                continue  # that is no garbage: it erases the customer
            deployment.send_raw(topic.name, b"customer-1", value, timestamp=timestamp, partition=0)
            sent += 1
    deployment.send(Arrival(NOON, GOOD))
    deployment.tick(Tick(NOON + timedelta(days=4)))
    deployment.wait_until_done()
    assert worker.stop() == 0
    assert len(deployment.dead_letters()) == sent
    asked = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert [each.step_id for each in asked] == ["d0_email", "d3_email"]


def test_a_flood_of_bad_records_stops_the_worker_before_it_empties_the_topic(deployment: Deployment) -> None:
    for _ in range(400):
        deployment.send_raw(TOPIC, b"customer-1", b"wrong", timestamp=int(NOON.timestamp() * 1000))
    deployment.flush()
    worker = deployment.start()
    assert worker.wait() == 78
    told = worker.log.read_text()
    assert "were bad" in told
    assert "Look for a wrong topic, key or schema" in told
    assert len(deployment.dead_letters()) < 100
