import io
import json
import shutil
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from streams.dunning.events import CustomerEvent, PaymentRecovered, SubscriptionChanged, Tick
from streams.messages import schemas
from streams.messages.codec import Decoder, Encoder
from streams.messages.errors import (
    BadRecord,
    BadRecordCode,
    EncodingError,
    SchemaError,
    UnknownTopicError,
)
from streams.messages.examples import EXAMPLES
from streams.messages.framing import confluent_header, confluent_schema_id
from streams.messages.instants import EPOCH
from streams.messages.mapping import struct_reader
from streams.messages.schemas import present_schema, schema_directory, schema_fingerprint
from streams.messages.topics import INPUTS, topic_of

from .strategies import STRUCTS, events, structs

ENCODER = Encoder()
DECODER = Decoder()
RECOVERED = "billing.payment-recovered.v1"


class Registry:
    """A registry in memory."""

    def __init__(self, known: dict[int, str]) -> None:
        self.known = known
        self.asked: list[int] = []
        self.registered: dict[str, int] = {}

    def schema(self, schema_id: int) -> str:
        self.asked.append(schema_id)
        return self.known[schema_id]

    def id_of(self, subject: str, schema: str) -> int:
        assert json.loads(schema)["type"] == "record"
        return self.registered[subject]


def recovered() -> PaymentRecovered:
    message = EXAMPLES[PaymentRecovered]
    assert isinstance(message, PaymentRecovered)
    return message


def milliseconds(message: Any) -> int:
    return int((message.occurred_at - EPOCH).total_seconds() * 1000)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
@given(data=st.data())
def test_every_message_comes_back_as_it_went(struct: type[Struct], data: st.DataObject) -> None:
    message = data.draw(structs(struct))
    assert DECODER.read(topic_of(message).name, ENCODER.encode(message)) == message


@given(event=events)
def test_valid_events_pass_every_check(event: CustomerEvent) -> None:
    key = event.customer_id.encode()
    value = ENCODER.encode(event)
    assert DECODER.decode(topic_of(event).name, key, value, milliseconds(event), []) == event


def test_a_tick_needs_no_key() -> None:
    tick = EXAMPLES[Tick]
    assert DECODER.decode("dunning.tick.v1", None, ENCODER.encode(tick), None) == tick


@given(event=events, cut=st.integers(0, 400), tail=st.binary(max_size=60))
def test_mangled_bytes_are_bad_records_and_nothing_else(event: CustomerEvent, cut: int, tail: bytes) -> None:
    value = ENCODER.encode(event)[:cut] + tail
    try:
        DECODER.decode(topic_of(event).name, event.customer_id.encode(), value, None)
    except BadRecord as error:
        assert error.code in BadRecordCode  # noqa: PT017 - most mangled bytes fail, some happen to be right


@given(value=st.binary(max_size=120), topic=st.sampled_from(INPUTS))
def test_garbage_behind_a_good_header_is_a_bad_record(value: bytes, topic: Any) -> None:
    header = ENCODER.encode(EXAMPLES[topic.struct])[:10]
    try:
        DECODER.decode(topic.name, b"k", header + value, None)
    except BadRecord as error:
        assert error.code in BadRecordCode  # noqa: PT017 - as above


def test_the_header_is_the_fingerprint_of_the_schema() -> None:
    value = ENCODER.encode(recovered())
    assert value[:2] == b"\xc3\x01"
    assert value[2:10] == schema_fingerprint(present_schema(RECOVERED))


def test_confluent_framing_is_written_and_read_with_a_registry() -> None:
    registry = Registry({7: json.dumps(present_schema(RECOVERED))})
    registry.registered[f"{RECOVERED}-value"] = 7
    value = Encoder(ids=registry).encode(recovered())
    assert value[:5] == b"\x00\x00\x00\x00\x07"
    decoder = Decoder(source=registry)
    assert [decoder.read(RECOVERED, value) for _ in range(3)] == [recovered()] * 3
    assert registry.asked == [7], "a schema is asked for once"
    assert decoder.read(RECOVERED, ENCODER.encode(recovered())) == recovered(), (
        "the other framing still works"
    )


def test_ids_use_all_four_bytes() -> None:
    assert confluent_schema_id(confluent_header(2**32 - 1)) == 2**32 - 1


def test_confluent_framing_without_a_registry_says_what_is_missing() -> None:
    with pytest.raises(BadRecord, match="no registry is configured") as caught:
        DECODER.read(RECOVERED, confluent_header(7) + b"anything")
    assert caught.value.code is BadRecordCode.UNKNOWN_SCHEMA


def test_an_id_that_the_registry_does_not_have() -> None:
    with pytest.raises(BadRecord, match="no schema with the id 8") as caught:
        Decoder(source=Registry({})).read(RECOVERED, confluent_header(8) + b"anything")
    assert caught.value.code is BadRecordCode.UNKNOWN_SCHEMA


def test_a_registry_that_does_not_answer_is_no_fault_of_the_record() -> None:
    class Silent:
        def schema(self, schema_id: int) -> str:
            raise TimeoutError(schema_id)

    with pytest.raises(TimeoutError):
        Decoder(source=Silent()).read(RECOVERED, confluent_header(8) + b"anything")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{not json", BadRecordCode.UNKNOWN_SCHEMA),
        ('{"type": "mystery"}', BadRecordCode.UNKNOWN_SCHEMA),
        ('"string"', BadRecordCode.WRONG_SCHEMA),
        (json.dumps(present_schema("billing.card-updated.v1")), BadRecordCode.WRONG_SCHEMA),
        (
            json.dumps(present_schema(RECOVERED)).replace("timestamp-micros", "timestamp-millis"),
            BadRecordCode.WRONG_SCHEMA,
        ),
    ],
)
def test_a_registered_schema_that_is_not_the_topics(text: str, code: BadRecordCode) -> None:
    with pytest.raises(BadRecord) as caught:
        Decoder(source=Registry({1: text})).read(RECOVERED, confluent_header(1) + b"anything")
    assert caught.value.code is code


def test_a_newer_symbol_of_a_registered_schema_is_an_unknown_symbol() -> None:
    topic = "billing.subscription-changed.v1"
    newer = present_schema(topic)
    field = next(field for field in newer["fields"] if field["name"] == "change")
    field["type"]["symbols"].append("transfer")
    changed = EXAMPLES[SubscriptionChanged]
    values = msgspec.to_builtins(changed) | {"change": "transfer", "occurred_at": 1_770_000_000_000_000}
    body = _write(newer, values)
    with pytest.raises(BadRecord) as caught:
        Decoder(source=Registry({1: json.dumps(newer)})).read(topic, confluent_header(1) + body)
    assert (caught.value.code, caught.value.field) == (BadRecordCode.UNKNOWN_SYMBOL, "change")


def test_a_record_of_another_topic_is_named() -> None:
    value = ENCODER.encode(recovered())
    with pytest.raises(BadRecord, match=r"is a record of billing\.payment-recovered\.v1") as caught:
        DECODER.read("billing.payment-failed.v1", value)
    assert caught.value.code is BadRecordCode.WRONG_SCHEMA


def test_an_older_released_version_is_read_as_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "schemas"
    shutil.copytree(schema_directory(), directory)
    older = present_schema(RECOVERED)
    older["fields"] = [field for field in older["fields"] if field["name"] != "subscription_id"]
    released = directory / "released" / RECOVERED
    (released / "1.avsc").write_text(json.dumps(older))
    (released / "2.avsc").write_text(json.dumps(present_schema(RECOVERED)))
    monkeypatch.setattr(schemas, "schema_directory", lambda: directory)
    values = {name: getattr(recovered(), name) for name in ("event_id", "customer_id", "invoice_id")}
    body = _write(
        older, {**values, "occurred_at": recovered().occurred_at, "amount_minor": 1, "currency": "EUR"}
    )
    read = Decoder().read(RECOVERED, b"\xc3\x01" + schema_fingerprint(older) + body)
    assert read == msgspec.structs.replace(recovered(), subscription_id=None, amount_minor=1)


def test_what_does_not_fit_the_schema_is_not_written() -> None:
    naive = msgspec.structs.replace(recovered(), occurred_at=recovered().occurred_at.replace(tzinfo=None))
    with pytest.raises(EncodingError, match="occurred_at has no time zone"):
        ENCODER.encode(naive)
    with pytest.raises(EncodingError, match=RECOVERED):
        ENCODER.encode(msgspec.structs.replace(recovered(), amount_minor=2**70))


def test_structs_without_a_topic_and_topics_that_are_no_input() -> None:
    class Stranger(Struct):
        name: str

    with pytest.raises(UnknownTopicError, match="Stranger"):
        ENCODER.encode(Stranger("x"))
    with pytest.raises(UnknownTopicError, match=r"elsewhere\.v1"):
        DECODER.read("elsewhere.v1", b"")
    with pytest.raises(UnknownTopicError, match=r"dunning\.decision\.v1"):
        DECODER.decode("dunning.decision.v1", b"k", b"", None)


def test_a_struct_that_left_its_schema_is_found_at_start() -> None:
    schema = present_schema(RECOVERED)
    schema["fields"].pop()
    with pytest.raises(SchemaError, match="subscription_id"):
        struct_reader(schema, PaymentRecovered)


def _write(schema: dict[str, Any], values: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), values)
    return stream.getvalue()
