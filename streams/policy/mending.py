"""What is sound of a document that the schema refuses, so that all the rest can be checked in the same go.

The smallest part that is wrong is replaced: by the shipped policy's value of the same setting, or by one that
says as little as the schema allows. What is then found about a replaced part, or about what leans on it, says
nothing about the author's document and is not told.
"""

import copy
from collections.abc import Iterator
from typing import Any

from jsonschema.exceptions import ValidationError
from msgspec import Struct

from streams.policy.schema import whole_document_schema
from streams.policy.schema_errors import nearest_name, schema_errors
from streams.policy.strict_yaml import dotted

Place = tuple[str | int, ...]

_MOST_ROUNDS = 4
"""Mending may leave a smaller thing to mend, such as a list that is now empty."""

_DECIDES_FOR_THE_LIST = frozenset({"action", "days_before"})
"""Of an item of a list: what is found about the whole list leans on it."""

_SAMPLES = {
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "12:00",
    "^[A-Z]{2}$": "US",
    "^[A-Z]{3}$": "USD",
}
_DEFINITIONS: dict[str, Any] = whole_document_schema()["$defs"]
_ABSENT: Any = object()
_TEXT_DEPTH = 5
"""content, locale, template, channel, and `subject` or `body`."""


class Mended(Struct, frozen=True):
    """A document that the schema accepts, and the paths of what in it is not the author's."""

    values: dict[str, Any]
    broken: frozenset[str] = frozenset()
    lacks_texts: bool = False

    def hides(self, path: str) -> bool:
        """Whether what is found at a path leans on a part that was replaced: one within it or around it."""
        return any(_within(path, broken) or _within(broken, path) for broken in self.broken)


def mend(values: dict[str, Any], baseline: dict[str, Any]) -> Mended:
    """Replace what the schema refuses in `values`, as far as possible with what `baseline` has there."""
    mended = copy.deepcopy(values)
    broken: set[str] = set()
    lacks_texts = False
    for _ in range(_MOST_ROUNDS):
        errors = sorted(schema_errors(mended), key=lambda error: len(error.absolute_path))
        if not errors:
            break
        for place, value in [each for error in errors for each in _replacements(error, len(broken))]:
            _put(mended, place, _at(baseline, place, value))
            broken.add(dotted(_leans_on(place)))
            lacks_texts = lacks_texts or (place[0] == "content" and len(place) < _TEXT_DEPTH)
        mended = _without_absent(mended)
    return Mended(mended, frozenset(broken), lacks_texts)


def _replacements(error: ValidationError, number: int) -> Iterator[tuple[Place, Any]]:
    """Each place that an error is about, with the value that says least."""
    place: Place = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    value: Any = error.instance
    if "propertyNames" in error.absolute_schema_path:
        yield (*place, str(value)), _ABSENT
    elif error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        for key in value:
            if key not in known:
                yield (*place, key), _ABSENT
                meant = nearest_name(key, known)
                if meant is not None and meant not in value:
                    yield (*place, meant), _neutral(schema["properties"][meant], number)
    elif error.validator == "required":
        for name in schema["required"]:
            if name not in value:
                yield (*place, name), _neutral(schema["properties"][name], number)
    elif error.validator == "minProperties":
        yield place, _ABSENT
    else:
        neutral = _neutral(schema, number)
        # A list of names goes on without one; in a list of maps the others would change their numbers.
        item_of_names = bool(place) and isinstance(place[-1], int) and not isinstance(neutral, dict)
        yield place, _ABSENT if item_of_names else neutral


def _neutral(schema: dict[str, Any], number: int) -> Any:
    """A value that a schema accepts and that says as little as possible; `number` makes a name unique."""
    if "$ref" in schema:
        return _neutral(_DEFINITIONS[schema["$ref"].rpartition("/")[2]], number)
    if "default" in schema:
        default = schema["default"]
        return list(default) if isinstance(default, tuple) else default
    if "anyOf" in schema:
        return _neutral(schema["anyOf"][0], number)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _neutral(schema["properties"][name], number) for name in schema.get("required", ())}
        case "array":
            return [_neutral(schema["items"], number)] * schema.get("minItems", 0)
        case "string":
            name = _SAMPLES.get(schema.get("pattern", ""), f"mended_{number}")
            return "P1D" if schema.get("format") == "duration" else name
        case "boolean":
            return False
        case _:
            return schema.get("minimum", 0)


def _leans_on(place: Place) -> Place:
    """The part about which nothing can be said once the value at `place` is not the author's."""
    if isinstance(place[-1], int):
        return place[:-1]
    return place[:-2] if place[-1] in _DECIDES_FOR_THE_LIST and isinstance(place[-2], int) else place


def _at(baseline: Any, place: Place, otherwise: Any) -> Any:
    """What the baseline has at a place, unless the way leads through a list: its items are others."""
    if otherwise is _ABSENT:
        return otherwise
    value = baseline
    for part in place:
        if not isinstance(value, dict) or part not in value:
            return otherwise
        value = value[part]
    return copy.deepcopy(value)


def _put(values: Any, place: Place, value: Any) -> None:
    """Set the value at a place, unless an error around it has taken the place away."""
    *way, last = place
    for part in way:
        values = _item(values, part)
    if isinstance(values, dict):
        if values.get(last) is not _ABSENT:
            values[last] = value
    elif isinstance(values, list) and isinstance(last, int) and last < len(values):
        values[last] = value


def _item(values: Any, part: str | int) -> Any:
    if isinstance(values, dict):
        return values.get(part)
    return values[part] if isinstance(values, list) and isinstance(part, int) and part < len(values) else None


def _without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item is not _ABSENT}
    if isinstance(value, list):
        return [_without_absent(item) for item in value if item is not _ABSENT]
    return value


def _within(path: str, around: str) -> bool:
    return path == around or path.startswith((f"{around}.", f"{around}["))
