"""What the JSON Schema finds wrong in a document, in words for people."""

from collections.abc import Iterator
from datetime import date, timedelta
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

_BEGIN = "begin with `extends: care` to change only what differs"

_TYPES = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "empty",
}

_PATTERNS = {
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "a local time of day, HH:MM, like 09:00",
    "^[A-Z]{2}$": "a country, ISO 3166-1 alpha-2, like US",
    "^[A-Z]{3}$": "a currency, ISO 4217, like USD",
    "^[a-z][a-z0-9_]{0,63}$": "a name in lower case with digits and _",
    "^[a-z][a-z0-9_]{0,39}$": "a name in lower case with digits and _, at most 40 characters",
    "^[a-z][a-z0-9_-]{0,63}$": "a name in lower case with digits, _ and -",
}

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("duration", raises=msgspec.ValidationError)
def _is_duration(value: object) -> bool:
    if isinstance(value, str):
        msgspec.convert(value, timedelta)
    return True


@_FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    if isinstance(value, str):
        date.fromisoformat(value)
    return True


_HINTS = {
    "duration": "ISO 8601, like P3D (three days) or PT12H (twelve hours)",
    "date": "ISO 8601, like 2026-03-31",
}

_SCHEMA = whole_document_schema()
_VALIDATOR = Draft202012Validator(_SCHEMA, format_checker=_FORMATS)


def schema_errors(document: dict[str, Any]) -> list[ValidationError]:
    """Everything in a whole document that the schema refuses, as the validator says it."""
    return list(_VALIDATOR.iter_errors(document))


def schema_problems(document: dict[str, Any]) -> list[Problem]:
    """Everything in a whole document that the schema refuses, in the document's order of paths."""
    # There is an error for every name that is missing, and each is told with all of them.
    found = {problem for error in schema_errors(document) for problem in _problems(error)}
    problems = sorted(found, key=lambda problem: (problem.path, problem.message))
    absent = [
        index
        for index, problem in enumerate(problems)
        if problem.path in _SCHEMA["$defs"]["Policy"]["required"] and problem.path not in document
    ]
    if len(absent) > 1:
        first = absent[0]
        problems[first] = msgspec.structs.replace(problems[first], hint=_BEGIN)
    return problems


def _problems(error: ValidationError) -> Iterator[Problem]:
    path = dotted(tuple(error.absolute_path))
    schema = error.schema if isinstance(error.schema, dict) else {}
    value: Any = error.instance
    if "propertyNames" in error.absolute_schema_path:
        # The instance is the key, and the path that of its map.
        hint = _meaning(error, schema)
        yield Problem(_join(path, str(value)), "is not known here", hint)
    elif error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        for key in value:
            if key not in known:
                yield Problem(_join(path, key), "is not a setting", _nearest(key, known))
    elif error.validator == "required":
        for name in schema["required"]:
            if name not in value:
                yield Problem(_join(path, name), "is missing")
    elif error.validator == "anyOf":
        yield from _alternative_problems(error, path)
    else:
        message, hint = _value_in_words(error, schema)
        yield Problem(path, message, hint)


def _value_in_words(error: ValidationError, schema: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with one value, and what to do."""
    value: Any = error.instance
    expected: Any = error.validator_value
    match error.validator:
        case "type":
            wanted = _TYPES.get(str(expected), str(expected))
            quotes = expected == "string" and isinstance(value, int | float | bool)
            return f"is {_describe(value)}, and should be {wanted}", "put it in quotes" if quotes else ""
        case "enum":
            return f"is {_describe(value)}, which is not known", _meaning(error, schema)
        case "pattern":
            return f"is {_describe(value)}, which does not fit", _meaning(error, schema)
        case "format":
            return f"is {_describe(value)}, which is not a {expected}", _HINTS[str(expected)]
        case "minimum":
            return f"is {value}, and must be at least {expected}", ""
        case "maximum":
            return f"is {value}, and must be at most {expected}", ""
        case "minItems" | "minProperties" | "minLength":
            return "is empty", "give it at least one entry"
        case _:
            return error.message, ""


def _meaning(error: ValidationError, schema: dict[str, Any]) -> str:
    if error.validator == "enum":
        return _nearest(str(error.instance), [str(name) for name in schema["enum"]])
    pattern = str(error.validator_value)
    return f"expected: {_PATTERNS.get(pattern) or schema.get('description') or pattern}"


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


def nearest_name(key: str, known: list[str]) -> str | None:
    """The name that was probably meant; None if nothing known is like it."""
    return next(iter(get_close_matches(key, known, n=1)), None)


def _nearest(key: str, known: list[str]) -> str:
    close = nearest_name(key, known)
    if close is not None:
        return f"did you mean `{close}`?"
    if len(known) > MOST_NAMES_TOLD:
        return "the reference of the policy names all settings"
    return f"known: {', '.join(known)}" if known else ""
