"""The JSON Schema of a policy's document: generated from the model, in terms of the file."""

import json
from typing import Any

import msgspec

from streams.dunning.events import Channel
from streams.dunning.policy import Policy

NEVER = "never"
"""How a file says that a contact is not delivered until feedback says so; None in the model."""

_NAME = "^[a-z][a-z0-9_]{0,63}$"
_LOCALE = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$"
_CHANNELS = {"enum": [channel.value for channel in Channel]}

_CONTENT: dict[str, Any] = {
    "description": "The texts, by locale, template and channel (Jinja).",
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"description": "A locale, BCP 47: `en`, `de-AT`.", "pattern": _LOCALE},
    "additionalProperties": {
        "type": "object",
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
    },
    "required": ["body"],
    "additionalProperties": False,
}


def whole_document_schema() -> dict[str, Any]:
    """The schema of a document that is complete: all that it extends is merged into it."""
    schema = msgspec.json.schema(Policy)
    definitions = schema["$defs"]
    policy = definitions["Policy"]
    properties = policy["properties"]
    # Loading sets the version from the content: an author cannot.
    del properties["version"]
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
    definitions["Text"] = _TEXT
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Policy", **schema}


def file_schema() -> dict[str, Any]:
    """The schema of a file as it is written: with `extends`, nothing else is required."""
    schema = whole_document_schema()
    policy = schema["$defs"]["Policy"]
    policy["properties"] = {
        "extends": {
            "description": "A shipped policy, or a file (relative to this one): maps are merged, lists "
            "replaced, `null` removes an entry.",
            "type": "string",
            "minLength": 1,
        },
        **policy["properties"],
    }
    policy["anyOf"] = [{"required": ["extends"]}, {"required": policy.pop("required")}]
    return schema


def render() -> str:
    """The text of `policies/policy.schema.json`."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
