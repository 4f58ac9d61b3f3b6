"""Bytes to structs and back: `Decoder` for what is read, `Encoder` for what is written.

Everything that can be worked out beforehand is, when they are made; make one of each and keep it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, cast

import fastavro
from msgspec import Struct

from streams.dunning.events import Input, Tick
from streams.messages.card_numbers import holds_card_number, may_hold_card_number
from streams.messages.errors import BadRecord, BadRecordCode, EncodingError, UnknownTopicError
from streams.messages.framing import (
    CONFLUENT_HEADER_BYTES,
    CONFLUENT_MAGIC,
    SINGLE_OBJECT_HEADER_BYTES,
    SINGLE_OBJECT_MAGIC,
    SchemaIds,
    SchemaSource,
    confluent_header,
    confluent_schema_id,
    single_object_header,
)
from streams.messages.json_values import json_reader, looks_like_json
from streams.messages.mapping import struct_reader, struct_writer
from streams.messages.schemas import (
    Schema,
    logical_types,
    present_schema,
    released_schemas,
    schema_fingerprint,
    without_logical_types,
)
from streams.messages.topics import INPUTS, TICKS, TOPICS, Topic, subject_of
from streams.messages.validation import DEFAULT_LIMITS, Limits, validate, validate_texts

Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers in their order; a name may come twice."""

_ReadValues = Callable[[BytesIO], dict[str, Any]]


class Decoder:
    """Reads values: any released version of a topic's schema, as the present one.

    Args:
        source: finds schemas by a registry's ids; without it only single-object encoding is read.
        limits: how far an input may go.
        json: inputs may be JSON, too.

    Raises:
        SchemaError: the schemas and the domain's structs do not fit.
    """

    def __init__(
        self, *, source: SchemaSource | None = None, limits: Limits = DEFAULT_LIMITS, json: bool = False
    ) -> None:
        self._source = source
        self._json = {topic.name: json_reader(topic) for topic in INPUTS} if json else {}
        self._limits = limits
        self._topics = {topic.name: _ReadTopic(topic) for topic in TOPICS if topic.struct is not None}
        self._origin = {header: name for name, plan in self._topics.items() for header in plan.by_fingerprint}
        self._inputs = frozenset(topic.name for topic in (*INPUTS, TICKS))

    def decode(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int | None,
        headers: Headers = (),  # noqa: ARG002 - part of a record; nothing in them is needed to read it
    ) -> Input:
        """Read an input and check it.

        Args:
            topic: the record's topic.
            key: its key.
            value: its value.
            timestamp_ms: its timestamp in epoch milliseconds; `None` or -1 if it has none.
            headers: its headers.

        Raises:
            BadRecord: it cannot be used.
            UnknownTopicError: the topic is no input.
        """
        event = self._event(topic, value)
        if not isinstance(event, Tick):
            self._check_key(key, event.customer_id)
        validate(event, timestamp_ms=None if timestamp_ms == -1 else timestamp_ms, limits=self._limits)
        return event

    def decode_any_key(self, topic: str, value: bytes | None, timestamp_ms: int | None) -> Input:
        """Read an input whose key may be another than `customer_id`, or none, and check it otherwise.

        Args:
            topic: the topic of the contract that it is an input of.
            value: its value.
            timestamp_ms: its timestamp in epoch milliseconds; `None` or -1 if it has none.

        Raises:
            BadRecord: it cannot be used.
            UnknownTopicError: the topic is no input.
        """
        event = self._event(topic, value)
        validate(event, timestamp_ms=None if timestamp_ms == -1 else timestamp_ms, limits=self._limits)
        return event

    def _event(self, topic: str, value: bytes | None) -> Input:
        if topic not in self._inputs:
            raise UnknownTopicError(topic, ", ".join(sorted(self._inputs)))
        if value is not None and looks_like_json(value) and topic in self._json:
            return self._json[topic](value, self._limits)
        plan, values = self._values(topic, value)
        assert value is not None
        if len(value) > self._limits.text_bytes or may_hold_card_number(value):
            validate_texts(values, limits=self._limits)
        event: Input = plan.build(values)
        return event

    def read(self, topic: str, value: bytes | None) -> Any:
        """Read a value of any topic that has a schema, without checking its content.

        Raises:
            BadRecord: the bytes cannot be read.
            UnknownTopicError: the topic has no schema.
        """
        plan, values = self._values(topic, value)
        return plan.build(values)

    def _values(self, topic: str, value: bytes | None) -> tuple["_ReadTopic", dict[str, Any]]:
        plan = self._topics.get(topic)
        if plan is None:
            raise UnknownTopicError(topic, ", ".join(self._topics))
        if value is None:
            raise BadRecord(BadRecordCode.NULL_VALUE, "the value is null")
        read = plan.by_fingerprint.get(value[:SINGLE_OBJECT_HEADER_BYTES])
        start = SINGLE_OBJECT_HEADER_BYTES
        if read is None:
            read, start = self._find_reader(plan, value)
        stream = BytesIO(value)
        stream.seek(start)
        try:
            values = read(stream)
        except Exception as error:
            # Whatever a reader raises on arbitrary bytes (end of data, index, Unicode), they are no record of
            # this schema, now or later.
            raise BadRecord(
                BadRecordCode.UNDECODABLE,
                f"the value does not follow its schema ({type(error).__name__}: {str(error)[:200]})",
            ) from error
        if (left := len(value) - stream.tell()) != 0:
            raise BadRecord(BadRecordCode.UNDECODABLE, f"the value has {left} bytes after the record's end")
        return plan, values

    def _find_reader(self, plan: "_ReadTopic", value: bytes) -> tuple[_ReadValues, int]:
        header = value[:SINGLE_OBJECT_HEADER_BYTES]
        if header.startswith(SINGLE_OBJECT_MAGIC) and len(header) == SINGLE_OBJECT_HEADER_BYTES:
            if (origin := self._origin.get(header)) is not None:
                raise BadRecord(
                    BadRecordCode.WRONG_SCHEMA, f"the value is a record of {origin}, not of {plan.topic.name}"
                )
            raise BadRecord(
                BadRecordCode.UNKNOWN_SCHEMA,
                f"no released schema of {plan.topic.name} has the fingerprint {header[2:].hex()}",
            )
        if len(value) >= CONFLUENT_HEADER_BYTES and value[0] == CONFLUENT_MAGIC:
            return self._registered_reader(plan, confluent_schema_id(value)), CONFLUENT_HEADER_BYTES
        raise BadRecord(
            BadRecordCode.NOT_AVRO,
            "the value is empty"
            if not value
            else f"the value starts with {value[:2].hex()}: neither Avro's single-object encoding (c301) "
            "nor Confluent's wire format (00)",
        )

    def _registered_reader(self, plan: "_ReadTopic", schema_id: int) -> _ReadValues:
        if (known := plan.by_schema_id.get(schema_id)) is not None:
            return known
        if self._source is None:
            raise BadRecord(
                BadRecordCode.UNKNOWN_SCHEMA,
                f"the value names schema {schema_id} of a registry, and no registry is configured",
            )
        try:
            text = self._source.schema(schema_id)
        except LookupError:
            raise BadRecord(
                BadRecordCode.UNKNOWN_SCHEMA, f"the registry has no schema with the id {schema_id}"
            ) from None
        reader = plan.reader_of(text, schema_id)
        plan.by_schema_id[schema_id] = reader
        return reader

    def _check_key(self, key: bytes | None, customer_id: str) -> None:
        if not key:
            raise BadRecord(BadRecordCode.MISSING_CUSTOMER, "the record has no key", field="key")
        if not customer_id:
            raise BadRecord(BadRecordCode.MISSING_CUSTOMER, "customer_id is empty", field="customer_id")
        if key != customer_id.encode():
            if holds_card_number(key.decode(errors="replace")):
                raise BadRecord(
                    BadRecordCode.CARD_NUMBER, "the key holds what looks like a card number", field="key"
                )
            raise BadRecord(BadRecordCode.KEY_MISMATCH, "the key is not customer_id in UTF-8", field="key")


class _ReadTopic:
    """How one topic is read: its readers by the framing's first bytes, and what makes the struct."""

    def __init__(self, topic: Topic) -> None:
        assert topic.struct is not None
        self.topic = topic
        self.schema = present_schema(topic.name)
        self.build = struct_reader(self.schema, topic.struct)
        self._plain = fastavro.parse_schema(without_logical_types(self.schema))
        self.by_fingerprint: dict[bytes, _ReadValues] = {}
        self.by_schema_id: dict[int, _ReadValues] = {}
        for _, released in released_schemas(topic.name):
            self.by_fingerprint[single_object_header(schema_fingerprint(released))] = self._reader(released)
        present = single_object_header(schema_fingerprint(self.schema))
        self.by_fingerprint[present] = self._reader(self.schema)

    def reader_of(self, text: str, schema_id: int) -> _ReadValues:
        """Make a reader of what a registry's schema wrote."""
        try:
            writer: Any = json.loads(text)
            reader = self._reader(writer)
        except (ValueError, KeyError, TypeError, fastavro.schema.SchemaParseException) as error:
            raise BadRecord(
                BadRecordCode.UNKNOWN_SCHEMA, f"the registry's schema {schema_id} is no Avro schema: {error}"
            ) from error
        if not isinstance(writer, dict) or _full_name(writer) != _full_name(self.schema):
            raise BadRecord(
                BadRecordCode.WRONG_SCHEMA,
                f"the registry's schema {schema_id} is not one of {_full_name(self.schema)}",
            )
        units = logical_types(writer)
        for path, unit in logical_types(self.schema).items():
            # Schema resolution looks at the plain type only, so milliseconds would pass for microseconds.
            if units.get(path, unit) != unit:
                raise BadRecord(
                    BadRecordCode.WRONG_SCHEMA,
                    f"the registry's schema {schema_id} has {path} as {units[path]}, not {unit}",
                    field=path,
                )
        return reader

    def _reader(self, writer: Schema) -> _ReadValues:
        written = fastavro.parse_schema(without_logical_types(writer))
        # Without resolution reading is much faster; the same canonical form has the same bytes.
        reader = None if schema_fingerprint(writer) == schema_fingerprint(self.schema) else self._plain

        def read(stream: BytesIO) -> dict[str, Any]:
            values: Any = fastavro.schemaless_reader(stream, written, reader)
            return cast("dict[str, Any]", values)

        return read


def _full_name(schema: Schema) -> str:
    name: str = schema.get("name", "")
    return name if "." in name else f"{schema.get('namespace', '')}.{name}".removeprefix(".")


class Encoder:
    """Writes messages with the present schemas.

    Args:
        ids: finds a registry's ids; without it values are framed in single-object encoding.

    Raises:
        SchemaError: the schemas and the domain's structs do not fit.
    """

    def __init__(self, *, ids: SchemaIds | None = None) -> None:
        self._ids = ids
        self._topics: Mapping[type, _WriteTopic] = {
            topic.struct: _WriteTopic(topic) for topic in TOPICS if topic.struct is not None
        }

    def look_up(self, topics: Iterable[Topic]) -> None:
        """Look up the schemas of topics now, so that one that is not registered is told at the start.

        Raises:
            LookupError: the registry does not have one.
        """
        for topic in topics:
            if topic.struct is not None:
                self._topics[topic.struct].header(self._ids)

    def encode(self, message: Struct) -> bytes:
        """Give the value of a message's record; `topic_of(message)` says where it goes.

        Raises:
            EncodingError: the message does not follow its schema.
            LookupError: the registry does not have its schema.
            UnknownTopicError: it belongs to no topic.
        """
        plan = self._topics.get(type(message))
        if plan is None:
            raise UnknownTopicError(type(message).__name__, ", ".join(topic.kind for topic in TOPICS))
        stream = BytesIO()
        stream.write(plan.header(self._ids))
        try:
            fastavro.schemaless_writer(stream, plan.schema, plan.values(message))
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as error:
            raise EncodingError(plan.topic.name, f"{type(error).__name__}: {error}") from error
        return stream.getvalue()


class _WriteTopic:
    """How one topic is written."""

    def __init__(self, topic: Topic) -> None:
        assert topic.struct is not None
        self.topic = topic
        self._schema = present_schema(topic.name)
        self.schema = fastavro.parse_schema(without_logical_types(self._schema))
        self.values = struct_writer(self._schema, topic.struct)
        self._header: bytes | None = None

    def header(self, ids: SchemaIds | None) -> bytes:
        if self._header is None:
            self._header = (
                single_object_header(schema_fingerprint(self._schema))
                if ids is None
                else confluent_header(ids.id_of(subject_of(self.topic), json.dumps(self._schema)))
            )
        return self._header
