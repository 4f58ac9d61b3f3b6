"""A topic of another key, another number of partitions and JSON, through `dunning rekey` to the worker."""

import signal
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from confluent_kafka import Producer

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import PaymentFailed
from streams.lab.partitioner import partition_of
from streams.messages.topics import topic_of_kind
from tests.conftest import CreateTopics

from .harness import Deployment, headers_of, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FAILED = "billing.payment-failed.v1"
RECORDS = 3_000
CUSTOMERS = 200


def _event(number: int) -> PaymentFailed:
    return PaymentFailed(
        event_id=f"e-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        customer_id=f"c-{number % CUSTOMERS}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )


def _publish(servers: str, topic: str, first: int, end: int) -> None:
    producer = Producer({"bootstrap.servers": servers})
    for number in range(first, end):
        event = _event(number)
        producer.produce(
            topic,
            msgspec.json.encode({**msgspec.to_builtins(event), "shop": "Kiel"}),
            event.invoice_id.encode(),
            timestamp=int(event.occurred_at.timestamp() * 1000),
            headers=[("traceparent", f"00-{number:032x}-00f067aa0ba902b7-01".encode())],
        )
    assert producer.flush(30) == 0


def test_each_record_comes_once_beside_all_else_of_its_customer(
    deployment: Deployment, create_topics: CreateTopics
) -> None:
    source = f"{deployment.prefix}their.payments"
    create_topics([source], partitions=3, config={"message.timestamp.after.max.ms": str(2**63 - 1)})
    command, settings = ("rekey", source), {"rekey": f"{source}={FAILED}", "input_format": "json"}
    rekeyer = deployment.run(command, "r", **settings)
    _publish(deployment.servers, source, 0, RECORDS // 2)
    wait_for(lambda: len(deployment.messages(FAILED)) > RECORDS // 20, "some are re-keyed")
    rekeyer.process.send_signal(signal.SIGKILL)
    rekeyer.process.wait(10)
    producer = Producer({"bootstrap.servers": deployment.servers})
    producer.produce(source, b"{", b"bad")
    producer.produce(source, None, b"a tombstone of an invoice")
    assert producer.flush(30) == 0
    _publish(deployment.servers, source, RECORDS // 2, RECORDS)
    again = deployment.run(command, "r", **settings)
    deployment.start()
    wait_for(lambda: len(deployment.messages(FAILED)) >= RECORDS, "all are re-keyed", 90)
    wait_for(lambda: len(deployment.dead_letters()) >= 2, "the bad ones are put aside")
    # Offsets tell nothing here: what was written in transactions ends with a marker that nobody reads.
    decisions = topic_of_kind("decision").name
    wait_for(lambda: len(deployment.messages(decisions)) >= RECORDS, "all are decided")
    assert again.stop() == 0

    messages = deployment.messages(FAILED)
    seen = Counter(deployment.decoder.read(FAILED, each.value()).event_id for each in messages)
    assert seen == Counter(f"e-{number}" for number in range(RECORDS))
    for each in messages:
        event = deployment.decoder.read(FAILED, each.value())
        assert each.key() == event.customer_id.encode()
        assert each.partition() == partition_of(event.customer_id, deployment.partitions)
        assert each.timestamp()[1] == int(event.occurred_at.timestamp() * 1000)
        number = int(event.event_id.removeprefix("e-"))
        assert ("traceparent", f"00-{number:032x}-00f067aa0ba902b7-01".encode()) in headers_of(each)
    letters = deployment.dead_letters()
    assert sorted(each.key() or b"" for each in letters) == [b"a tombstone of an invoice", b"bad"]
    assert all(("__connect.errors.topic", source.encode()) in headers_of(each) for each in letters)
    sent = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert {each.customer_id for each in sent} == {f"c-{number}" for number in range(CUSTOMERS)}


def test_a_worker_reads_json_by_a_setting(deployment: Deployment) -> None:
    deployment.start(input_format="json")
    event = _event(1)
    deployment.send_raw(
        FAILED,
        event.customer_id.encode(),
        msgspec.json.encode(event),
        timestamp=int(event.occurred_at.timestamp() * 1000),
    )
    deployment.wait_until_done()
    sent = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert [each.customer_id for each in sent] == [event.customer_id]
