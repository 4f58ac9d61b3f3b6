"""What the JSON Schema finds wrong in a document, in words for people."""

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from streams.policy.errors import Problem
from streams.policy.schema import whole_document_schema
from streams.policy.strict_yaml import dotted

MOST_NAMES_TOLD = 12
"""A longer list of what would be right helps nobody in an error message."""

_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("duration", raises=msgspec.ValidationError)
def _is_duration(value: object) -> bool:
    if isinstance(value, str):
        msgspec.convert(value, timedelta)
    return True


_VALIDATOR = Draft202012Validator(whole_document_schema(), format_checker=_FORMATS)


def schema_problems(document: dict[str, Any]) -> list[Problem]:
    """Everything in a whole document that the schema refuses, in the document's order of paths."""
    problems = [problem for error in _VALIDATOR.iter_errors(document) for problem in _problems(error)]
    return sorted(problems, key=lambda problem: problem.path)


def _problems(error: ValidationError) -> Iterator[Problem]:
    path = dotted(tuple(error.absolute_path))
    value = error.instance
    expected = error.validator_value
    schema = error.schema if isinstance(error.schema, dict) else {}
    if "propertyNames" in error.absolute_schema_path:
        # The instance is the key, and the path that of its map.
        names = [str(name) for name in expected] if error.validator == "enum" else []
        hint = _nearest(str(value), names) if names else f"expected: {schema.get('description', '')}"
        yield Problem(_join(path, str(value)), "is not known here", hint)
        return
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            for key in value:
                if key not in known:
                    yield Problem(_join(path, key), "is not a setting", _nearest(key, known))
        case "required":
            for name in expected:
                if name not in value:
                    yield Problem(_join(path, name), "is missing")
        case "type":
            wanted = _TYPES.get(str(expected), str(expected))
            yield Problem(
                path, f"is {_describe(value)}, and should be {wanted}", _quote_hint(value, expected)
            )
        case "enum":
            allowed = [str(item) for item in expected]
            yield Problem(path, f"is {_describe(value)}, which is not known", _nearest(str(value), allowed))
        case "pattern":
            meaning = schema.get("description", f"must match {expected}")
            yield Problem(path, f"is {_describe(value)}, which does not fit", f"expected: {meaning}")
        case "format":
            hint = "ISO 8601, like P3D (three days) or PT12H (twelve hours)"
            yield Problem(path, f"is {_describe(value)}, which is not a duration", hint)
        case "minimum":
            yield Problem(path, f"is {value}, and must be at least {expected}")
        case "maximum":
            yield Problem(path, f"is {value}, and must be at most {expected}")
        case "minItems" | "minProperties" | "minLength":
            yield Problem(path, "is empty", "give it at least one entry")
        case "anyOf":
            yield from _alternative_problems(error, path)
        case _:
            yield Problem(path, error.message)


def _alternative_problems(error: ValidationError, path: str) -> Iterator[Problem]:
    """Of the alternatives that all failed, the one that the author most likely meant."""
    causes = [
        cause
        for cause in error.context or []
        if not (cause.validator == "type" and cause.validator_value == "null") and cause.validator != "const"
    ]
    if not causes:
        yield Problem(path, f"is {_describe(error.instance)}, which does not fit")
        return
    for cause in causes:
        yield from _problems(cause)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _describe(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"`{value}`"
        case dict():
            return "a map"
        case list():
            return "a list"
        case None:
            return "empty"
        case _:
            return str(value)


def _nearest(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if len(known) > MOST_NAMES_TOLD:
        return "the reference of the policy names all settings"
    return f"known: {', '.join(known)}" if known else ""


def _quote_hint(value: object, expected: object) -> str:
    if expected == "string" and isinstance(value, int | float | bool):
        return "put it in quotes"
    return ""
