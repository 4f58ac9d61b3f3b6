"""All topics as an AsyncAPI 3 document: from the topics, the schemas and the examples.

The document speaks of the engine: it receives what is in inputs, and sends what is in outputs. Bindings are
those of AsyncAPI for Kafka, version 0.5.0.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import msgspec
import yaml

from streams.messages.dead_letters import CONNECT_PREFIX
from streams.messages.errors import BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.headers import CONTENT_TYPE, SOURCE
from streams.messages.history import to_json_line
from streams.messages.topics import TOPICS, Direction, Topic, topic_config

_ASYNCAPI = "3.0.0"  # 3.1 adds nothing that is used here, and fewer tools read it
_BINDING = "0.5.0"
# What the document's format is called where it has Avro; the specification of Avro itself is 1.12.
_AVRO = "application/vnd.apache.avro+json;version=1.9.0"
_BYTES = "application/octet-stream"

_HEAD = "# Made from the topics and schemas by `python -m streams.cli.docs`. Edit those, not this file.\n"

_DESCRIPTION = """\
The topics of a dunning engine: it hears of failed payments, expiring cards and coming renewals, and says who
is to be contacted and which subscription is to be suspended. Keys are the customer's id, and all topics have
the same number of partitions. Values are Avro: in Confluent's wire format with a schema registry, and in
Avro's single-object encoding without one."""

_ACTIONS: dict[Direction, tuple[str, ...]] = {
    Direction.INPUT: ("receive",),
    Direction.INTERNAL: ("receive", "send"),
    Direction.CONTROL: ("receive",),
    Direction.OUTPUT: ("send",),
    Direction.DEAD_LETTERS: ("send",),
}


def render() -> str:
    """The file `docs/asyncapi.yaml`.

    Raises:
        SchemaError: a schema is missing or wrong.
    """
    text: str = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return _HEAD + text


def document() -> dict[str, Any]:
    """The document, as JSON.

    Raises:
        SchemaError: a schema is missing or wrong.
    """
    return {
        "asyncapi": _ASYNCAPI,
        "info": {
            "title": "Dunning engine",
            "version": version("dunning-streams"),
            "description": _DESCRIPTION,
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.kind: _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "messages": {topic.kind: _message(topic) for topic in TOPICS},
            "messageTraits": {"cloud-event": {"headers": _cloud_event()}},
        },
    }


class _Plain(yaml.SafeDumper):
    """Writes everything out: anchors would only puzzle a reader."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{topic.purpose} Key: {topic.key}.",
        "messages": {topic.kind: {"$ref": f"#/components/messages/{topic.kind}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": _BINDING,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """The broker's settings in the types that the binding has for them."""
    config = topic_config(topic, virtual_time=False)
    return {
        name: [value] if name == "cleanup.policy" else int(value) if value.lstrip("-").isdecimal() else value
        for name, value in config.items()
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for topic in TOPICS:
        for action in _ACTIONS[topic.direction]:
            yield (
                f"{action}-{topic.kind}",
                {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic.kind}"},
                    "summary": topic.purpose,
                    "messages": [{"$ref": f"#/channels/{topic.kind}/messages/{topic.kind}"}],
                },
            )


def _message(topic: Topic) -> dict[str, Any]:
    if topic.struct is None or topic.schema is None:
        return {
            "title": "A record that could not be used",
            "summary": topic.purpose,
            "contentType": _BYTES,
            "headers": _dead_letter_headers(),
            "payload": {
                "type": "string",
                "format": "binary",
                "description": "The value as it came. Null in a record that says what became of another.",
            },
        }
    return {
        "name": f"{topic.schema['namespace']}.{topic.schema['name']}",
        "title": topic.schema["name"],
        "summary": topic.purpose,
        "contentType": CONTENT_TYPE,
        "traits": [{"$ref": "#/components/messageTraits/cloud-event"}],
        "payload": {"schemaFormat": _AVRO, "schema": topic.schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "4",
                "schemaLookupStrategy": "TopicNameStrategy",
                "bindingVersion": _BINDING,
            }
        },
        "examples": [
            {"name": topic.kind, "payload": msgspec.json.decode(to_json_line(EXAMPLES[topic.struct]))}
        ],
    }


def _cloud_event() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source"],
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {"type": "string", "description": "Who has seen it may drop the record."},
            "ce_type": {"type": "string", "enum": [topic.name for topic in TOPICS if topic.struct]},
            "ce_source": {"type": "string", "format": "uri-reference", "examples": [SOURCE]},
            "ce_time": {"type": "string", "format": "date-time"},
            "content-type": {"type": "string", "const": CONTENT_TYPE},
            "traceparent": {"type": "string", "description": "W3C Trace Context; passed on."},
            "tracestate": {"type": "string", "description": "W3C Trace Context; passed on."},
        },
    }


def _dead_letter_headers() -> dict[str, Any]:
    texts = (
        "topic",
        "partition",
        "offset",
        "stage",
        "class.name",
        "exception.class.name",
        "exception.message",
    )
    return {
        "type": "object",
        "properties": {
            **{f"{CONNECT_PREFIX}{name}": {"type": "string"} for name in texts},
            "dunning.reason": {"type": "string", "enum": [code.value for code in BadRecordCode]},
            "dunning.field": {"type": "string"},
            "dunning.dlq.fate": {"type": "string", "enum": ["replayed", "dropped"]},
            "dunning.dlq.partition": {"type": "string"},
            "dunning.dlq.offset": {"type": "string"},
        },
    }
