"""The JSON Schema of a policy's document: generated from the model, in terms of the file."""

import json
import re
from typing import Any

import msgspec

from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.policy.content_texts import BLOCKS

NEVER = "never"
"""How a file says that a contact is not delivered until feedback says so; None in the model."""

_CHANGE = "Change"
"""What the definitions of a file with `extends` are called after: `PolicyChange` to `Policy`."""

_NAME = "^[a-z][a-z0-9_]{0,63}$"
_LOCALE = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$"
_CHANNELS = {"enum": [channel.value for channel in Channel]}
_TONES = {"enum": [tone.value for tone in Tone]}

_CONTENT: dict[str, Any] = {
    "description": "The texts, by locale, template and channel (Jinja).",
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"description": "A locale, BCP 47: `en`, `de-AT`.", "pattern": _LOCALE},
    "additionalProperties": {
        "type": "object",
        "properties": {
            BLOCKS: {
                "description": "Pieces that texts of this locale share, by name: `{{ blocks.name }}` in a "
                "text stands for one. A block is one text, or one for each tone.",
                "type": "object",
                "propertyNames": {"description": "A block's name.", "pattern": _NAME},
                "additionalProperties": {
                    "anyOf": [
                        {"type": "string", "minLength": 1},
                        {
                            "type": "object",
                            "minProperties": 1,
                            "propertyNames": _TONES,
                            "additionalProperties": {
                                "description": "May be empty: the tone leaves it out.",
                                "type": "string",
                            },
                        },
                    ]
                },
            }
        },
        "propertyNames": {"description": "A template's name.", "pattern": _NAME},
        "additionalProperties": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _CHANNELS,
            "additionalProperties": {"$ref": "#/$defs/Text"},
        },
    },
}

_TEXT: dict[str, Any] = {
    "title": "Text",
    "description": "One message by one channel.",
    "type": "object",
    "properties": {
        "subject": {
            "description": "The subject of an e-mail, the title of a push, the headline of a letter.",
            "type": "string",
            "minLength": 1,
        },
        "body": {"description": "What the message says.", "type": "string", "minLength": 1},
        "tones": {
            "description": "What a tone says otherwise; what it leaves out is as above.",
            "type": "object",
            "propertyNames": _TONES,
            "additionalProperties": {"$ref": "#/$defs/Wording"},
        },
    },
    "required": ["body"],
    "additionalProperties": False,
}

_WORDING: dict[str, Any] = {
    "title": "Wording",
    "description": "What one tone says otherwise.",
    "type": "object",
    "minProperties": 1,
    "properties": {part: _TEXT["properties"][part] for part in ("subject", "body")},
    "additionalProperties": False,
}


def whole_document_schema() -> dict[str, Any]:
    """The schema of a document that is complete: all that it extends is merged into it."""
    schema = msgspec.json.schema(Policy)
    definitions = schema["$defs"]
    policy = definitions["Policy"]
    properties = policy["properties"]
    # Loading sets these: an author cannot.
    del properties["version"], properties["earlier"], properties["earlier_arms"]
    del definitions["Compliance"]["properties"]["windows"], definitions["ReminderWindow"]
    properties["assume_delivered_after"] = {
        "description": "A contact that has not bounced counts as delivered after this; "
        f"`{NEVER}`: only feedback says so.",
        "type": "object",
        "propertyNames": _CHANNELS,
        "additionalProperties": {"anyOf": [{"type": "string", "format": "duration"}, {"const": NEVER}]},
    }
    properties["windows"]["propertyNames"] = _CHANNELS
    properties["zones"]["propertyNames"] = {
        "description": "A country, ISO 3166-1 alpha-2.",
        "pattern": "^[A-Z]{2}$",
    }
    properties["declines"]["propertyNames"] = {
        "description": "A table's name, lower case.",
        "pattern": _NAME,
    }
    properties["content"] = _CONTENT
    policy["required"] = [*policy["required"], "content"]
    definitions["Text"], definitions["Wording"] = _TEXT, _WORDING
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Policy", **schema}


def file_schema() -> dict[str, Any]:
    """The schema of a file as it is written: whole, or with `extends` and only what differs."""
    schema = whole_document_schema()
    definitions = schema["$defs"]
    changes = {name + _CHANGE: _change(definition) for name, definition in definitions.items()}
    changes["Policy" + _CHANGE]["properties"]["extends"] = {
        "description": "A shipped policy, or a file (relative to this one): maps are merged, lists "
        "replaced, `null` removes an entry.",
        "type": "string",
        "minLength": 1,
    }
    del schema["$ref"]
    return {
        **schema,
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/$defs/Policy{_CHANGE}"},
        "else": {"$ref": "#/$defs/Policy"},
        "$defs": {**definitions, **{name: changes[name] for name in sorted(_reachable(changes))}},
    }


def _change(node: dict[str, Any]) -> dict[str, Any]:
    """The schema of a change to what `node` describes: nothing is required, and null removes an entry.

    Lists are replaced as a whole, so what is in them stays as it is.
    """
    if "$ref" in node:
        return {**node, "$ref": node["$ref"] + _CHANGE}
    if node.get("type") != "object":
        return node
    change = {key: value for key, value in node.items() if key not in {"required", "minProperties"}}
    if "properties" in node:
        change["properties"] = {name: _removable(value) for name, value in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        change["additionalProperties"] = _removable(node["additionalProperties"])
    return change


def _removable(node: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [_change(node), {"type": "null"}]}


def _reachable(definitions: dict[str, Any]) -> set[str]:
    """The definitions that a change of a policy leads to."""
    found: set[str] = set()
    waiting = ["Policy" + _CHANGE]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found.add(name)
            waiting += re.findall(r'"#/\$defs/(\w+)"', json.dumps(definitions[name]))
    return found


def render() -> str:
    """The text of `policies/policy.schema.json`."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
