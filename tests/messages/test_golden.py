"""The bytes of one message of each kind are committed: a change of them is a change of the contract.

`golden.txt` has a line for each topic: its name and the value in hex.
"""

import io
import json
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import fastavro
import msgspec
import pytest
from msgspec import NODEFAULT

from streams.messages.codec import Decoder, Encoder
from streams.messages.examples import EXAMPLES
from streams.messages.schemas import (
    present_schema,
    released_schemas,
    schema_fingerprint,
    without_logical_types,
)
from streams.messages.topics import TOPICS, Topic, topic_named

GOLDEN = {
    name: bytes.fromhex(value)
    for name, value in map(str.split, Path(__file__).with_name("golden.txt").read_text().splitlines())
}
WITH_SCHEMA = [topic for topic in TOPICS if topic.struct is not None]
each_topic = pytest.mark.parametrize("topic", WITH_SCHEMA, ids=lambda topic: topic.kind)


def test_every_topic_has_golden_bytes() -> None:
    assert list(GOLDEN) == [topic.name for topic in WITH_SCHEMA]


@each_topic
def test_the_example_is_written_as_the_golden_bytes(topic: Topic) -> None:
    assert topic.struct is not None
    assert Encoder().encode(EXAMPLES[topic.struct]).hex() == GOLDEN[topic.name].hex()


@each_topic
def test_the_golden_bytes_are_read_as_the_example(topic: Topic) -> None:
    assert topic.struct is not None
    assert Decoder().read(topic.name, GOLDEN[topic.name]) == EXAMPLES[topic.struct]


def test_what_earlier_versions_wrote_is_still_read() -> None:
    lines = Path(__file__).with_name("golden-earlier.txt").read_text().splitlines()
    for name, value in map(str.split, lines):
        struct = topic_named(name).struct
        assert struct is not None
        written = _fields_written(name, bytes.fromhex(value))
        later = {
            field.name: field.default_factory() if field.default is NODEFAULT else field.default
            for field in msgspec.structs.fields(struct)
            if field.name not in written
        }
        expected = msgspec.structs.replace(EXAMPLES[struct], **later)
        assert Decoder().read(name, bytes.fromhex(value)) == expected


def _fields_written(topic: str, value: bytes) -> set[str]:
    """The fields of the released schema whose fingerprint stands before the value."""
    schemas = {schema_fingerprint(schema): schema for _, schema in released_schemas(topic)}
    return {field["name"] for field in schemas[value[2:10]]["fields"]}


@each_topic
def test_both_avro_libraries_read_the_golden_bytes_alike(topic: Topic) -> None:
    body = GOLDEN[topic.name][10:]
    schema = present_schema(topic.name)
    by_fastavro = fastavro.schemaless_reader(io.BytesIO(body), fastavro.parse_schema(schema), None)
    parsed = avro.schema.parse(json.dumps(schema))
    stream = io.BytesIO(body)
    by_avro: Any = avro.io.DatumReader(parsed, parsed).read(avro.io.BinaryDecoder(stream))
    assert by_fastavro == by_avro
    assert stream.tell() == len(body)


@each_topic
def test_the_header_is_a_released_schemas_fingerprint(topic: Topic) -> None:
    released = [schema_fingerprint(schema) for _, schema in released_schemas(topic.name)]
    assert GOLDEN[topic.name][2:10] in released


@each_topic
def test_the_avro_package_computes_the_same_fingerprint(topic: Topic) -> None:
    # Of the schema without logical types: the avro package keeps `{"type": "long"}` where the specification's
    # canonical form says "long".
    parsed = avro.schema.parse(json.dumps(without_logical_types(present_schema(topic.name))))
    assert parsed.fingerprint() == schema_fingerprint(present_schema(topic.name))


def test_fingerprints_are_those_of_the_specification() -> None:
    # Avro's own test vector (schema-tests.txt): "int" has -8247732601305521295, hexadecimal 8F5C393F1AD57572
    # as bytes in little-endian order.
    assert fastavro.schema.fingerprint('"int"', "CRC-64-AVRO") == "8f5c393f1ad57572"
