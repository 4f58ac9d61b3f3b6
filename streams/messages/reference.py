"""Renders the reference of all messages, from the topics, the schemas and the examples."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from streams.messages.errors import BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.history import to_json_line
from streams.messages.schemas import Schema, schema_fingerprint
from streams.messages.topics import TOPICS, Cleanup, Direction, Topic
from streams.messages.validation import DEFAULT_LIMITS, FIRST_CUSTOMER_SINCE, FIRST_MOMENT, LAST_MOMENT

_DAY_MS = 24 * 60 * 60 * 1000
_AHEAD_HOURS = DEFAULT_LIMITS.ahead.total_seconds() / 3600

_HEADINGS = {
    Direction.INPUT: "Inputs: what others tell the engine",
    Direction.INTERNAL: "Internal: the clock, and the shares of offers",
    Direction.CONTROL: "Control: what whoever runs the engine tells it",
    Direction.OUTPUT: "Outputs: what the engine says",
    Direction.DEAD_LETTERS: "Dead letters: what could not be used",
}

_INTRODUCTION = """# Messages

<!-- Made from the topics and schemas by `python -m streams.cli.docs`. Edit those, not this page. -->

Every topic, what is in it, and what makes a record unusable.

## How a record looks

- **Key**: `customer_id` in UTF-8, so that all of a customer's records share a partition number.
- **Value**: Avro. With a schema registry it is framed in Confluent's wire format (`00`, then the schema's
  id in 4 bytes). Without one it is framed in Avro's single-object encoding: `c3 01`, then the CRC-64-AVRO
  fingerprint of the schema it was written with (8 bytes, little-endian; given for each topic below). Any
  released version of a schema is read.
- **Timestamp**: when it happened, in milliseconds.
- **Headers**: CloudEvents 1.0 in binary mode: `ce_specversion`, `ce_id`, `ce_type` (the topic's name),
  `ce_source`, `ce_time`, `content-type` (`application/avro`). A command's `ce_id` is its `command_id`, a
  decision's its `decision_id`: who has seen it may drop it. `traceparent` and `tracestate` of an input are
  passed on to what it leads to.

Amounts are integers of ISO 4217 minor units: 2900 EUR is € 29.00, 2900 JPY is ¥ 2900. Times are UTC with
microseconds; in JSON they are RFC 3339 text. An enumeration's symbol `unknown` is what an older reader sees
of a symbol that was added later; nobody writes it, and an input that shows it goes to the dead letters.

## Histories

A history is a file of JSON lines, one input each: `type` (the topic's middle word), `arrived_at` (optional;
when it reaches the engine, `occurred_at` if left out) and the fields of the message. Times need an offset.
Optional fields may be left out or null. Commands and decisions are written in the same form.

## Unusable records

A record that cannot be used goes to `dunning.dlq.v1` whole: key, value, headers and timestamp unchanged.
Added are the headers `__connect.errors.topic`, `.partition`, `.offset`, `.stage`, `.class.name`,
`.exception.class.name` and `.exception.message`, and `dunning.reason`, one of the codes below;
`dunning.field` names the field, if it is one.

Once the cause is mended, `dunning dlq replay` sends such records again: to the topic and partition where they
were read, with key, value, timestamp and headers as they were. Added are the headers `dunning.replay.count`,
`dunning.replay.origin` and `dunning.replay.letter`, which say how often that has been done, where the record
was read first and which dead letter it was (each place as `topic/partition/offset`). What became of a letter
(`dunning.dlq.fate`: `replayed` or `dropped`) is written into its partition of `dunning.dlq.v1`, as a record
with neither key nor value whose headers `dunning.dlq.partition` and `dunning.dlq.offset` name the letter.

| `dunning.reason` | meaning |
|---|---|
"""

_LIMITS = f"""
A time is out of range before {FIRST_MOMENT.year} (`customer_since`: {FIRST_CUSTOMER_SINCE.year}) or from
{LAST_MOMENT.year} on, and `occurred_at` also more than {_AHEAD_HOURS:g} h after or
{DEFAULT_LIMITS.behind.days} days before the record's timestamp. Texts are at most
{DEFAULT_LIMITS.text_bytes} bytes long, lists {DEFAULT_LIMITS.items} items.

What looks like a card number: 13 to 19 digits that satisfy the Luhn formula, together or in the groups that
are printed on cards (4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4, with single spaces or dashes), in any text field. One
in ten arbitrary numbers satisfies Luhn: identifiers that are bare numbers of 13 to 19 digits (epoch
milliseconds, snowflake ids) will be refused now and then. UUIDs with dashes never are.

A time zone, locale, country or region that is not known does not make a record unusable: the engine falls
back on the country's zone, then UTC, and on the policy's locale.
"""


def render() -> str:
    """Give the page `docs/messages.md`.

    Raises:
        SchemaError: a schema is missing or wrong.
    """
    codes = "".join(f"| `{code.value}` | {code.meaning} |\n" for code in BadRecordCode)
    parts = [_INTRODUCTION + codes + _LIMITS]
    for direction, heading in _HEADINGS.items():
        parts.append(f"## {heading}\n")
        parts.extend(_topic(topic) for topic in TOPICS if topic.direction is direction)
    return "\n".join(parts)


def _topic(topic: Topic) -> str:
    lines = [f"### `{topic.name}`", "", topic.purpose, "", f"- Key: {topic.key}"]
    if topic.struct is not None:
        lines.append(f"- In JSON: `type` is `{topic.kind}`")
    kept = (
        "the last of each key"
        if topic.cleanup is Cleanup.COMPACT
        else f"{topic.retention_ms // _DAY_MS} days by its timestamp"
    )
    lines.append(f"- Kept: {kept} ({topic.retention_reason})")
    if topic.struct is None or topic.schema is None:
        return "\n".join([*lines, ""])
    lines.append(f"- Fingerprint of the present schema: `{schema_fingerprint(topic.schema).hex()}`")
    if topic.compaction_lag_ms:
        lines.append(
            f"- Every record stays for {topic.compaction_lag_ms // _DAY_MS} days at least, so that a worker "
            "that was down sees all"
        )
    lines += ["", *_fields(topic.schema)]
    example = msgspec.json.decode(to_json_line(EXAMPLES[topic.struct]))
    lines += ["", "```json", json.dumps(example, indent=2, ensure_ascii=False), "```", ""]
    return "\n".join(lines)


def _fields(schema: Schema) -> list[str]:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [f"| `{path}` | {type_} | {doc} |" for path, type_, doc in _rows(schema, "", {})]
    return rows


def _rows(schema: Schema, path: str, names: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field in schema["fields"]:
        at = f"{path}{field['name']}"
        type_, record, suffix = _type(field["type"], names)
        default = field.get("default")
        if default is not None:
            type_ += f", default `{json.dumps(default)}`"
        yield at, type_, field["doc"]
        if record is not None:
            yield from _rows(record, f"{at}{suffix}.", names)


def _type(node: Any, names: dict[str, Any]) -> tuple[str, Schema | None, str]:
    """Give a type's words, the record in it if there is one, and what its fields' path has between."""
    if isinstance(node, list):
        words, record, suffix = _type(next(branch for branch in node if branch != "null"), names)
        return f"{words}, may be null", record, suffix
    if isinstance(node, str):
        return _type(names[node], names) if node in names else (node, None, "")
    names[node.get("name")] = node
    if "logicalType" in node:
        return node["logicalType"], None, ""
    if node["type"] == "enum":
        return f"one of {' '.join(f'`{symbol}`' for symbol in node['symbols'])}", None, ""
    if node["type"] == "record":
        return node["name"], node, ""
    if node["type"] == "array":
        words, record, _ = _type(node["items"], names)
        return f"list of {words}", record, "[]"
    words, record, _ = _type(node["values"], names)
    return f"map from string to {words}", record, "{}"
