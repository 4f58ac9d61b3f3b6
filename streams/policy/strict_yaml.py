"""Reading YAML and JSON without surprises.

YAML 1.1 reads `NO` as false, `21:00` as 1260 and `05` as 5, and takes the last of two equal keys. Here keys
are always text, only `true` and `false` are booleans, times and codes stay text, and a key that stands twice
is an error. Every value knows the line that it came from.
"""

import json
import re
from typing import Any

import yaml

from streams.policy.errors import PolicyError, Problem

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and list indexes from the top."""

Locations = dict[Path, str]
"""The file and line (`care/policy.yaml:12`) of each path."""

MAX_CHARACTERS = 2_000_000
"""A policy is a page or two and its texts; more is a wrong file, refused before it is parsed."""

MAX_DEPTH = 32
"""Deeper than any policy by far, and shallow enough for the recursion."""

MAX_DIGITS = 40
"""Longer whole numbers stay text, which no setting takes for a number."""

_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset({"map", "seq", "str", "null", "bool", "int", "float"})

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Loader):  # type: ignore[misc,valid-type]
    """A loader that knows null, true, false, whole numbers and decimals; all else is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own)


_PlainLoader.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_PlainLoader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_PlainLoader.add_implicit_resolver(_TAG + "int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_PlainLoader.add_implicit_resolver(_TAG + "float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))


def parse(text: str, source: str) -> tuple[Any, Locations]:
    """The document in `text` and where each part of it stands. `source` names the file in messages.

    Raises:
        PolicyError: The text is too long, or is neither YAML nor JSON, or has a key twice, an alias or a
            tag; with line and column.
    """
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(source, [Problem("", f"has more than {MAX_CHARACTERS:,} characters")])
    if text.lstrip().startswith("{"):
        # JSON escapes characters outside the basic plane as pairs, which YAML does not join again.
        try:
            document = json.loads(
                text, object_pairs_hook=lambda pairs: _unique(pairs, source), parse_constant=_no_number
            )
        except (ValueError, RecursionError):
            pass  # A flow mapping of YAML, or broken: YAML's message fits both.
        else:
            _refuse_json(document, source)
            return document, {}
    try:
        _refuse_depth(text, source)
        node = yaml.compose(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise PolicyError(source, [Problem("", f"is not YAML: {error.problem}", location=where)]) from error
    except yaml.YAMLError as error:
        raise PolicyError(source, [Problem("", f"is not YAML: {error}")]) from error
    if node is None:
        return {}, {}
    reader = _Reader(source)
    value = reader.read(node, ())
    if reader.problems:
        raise PolicyError(source, reader.problems)
    return value, reader.locations


def _refuse_depth(text: str, source: str) -> None:
    """Composing recurses in C without a limit, so the depth is counted on the flat events before."""
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = event.start_mark
            where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
            raise PolicyError(
                source, [Problem("", f"is nested deeper than {MAX_DEPTH} levels", location=where)]
            )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_json(document: Any, source: str) -> None:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        raise PolicyError(source, [Problem("", f"is nested deeper than {MAX_DEPTH} levels")])
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        problem = Problem("", "has half a character: a `\\ud800` without its other half")
        raise PolicyError(source, [problem]) from error


def _unique(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise PolicyError(source, [Problem(key, "stands twice in the same map", "keep one of the two")])
        result[key] = value
    return result


class _Reader:
    """Turns nodes into plain values, collecting problems instead of stopping at the first."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._seen: set[int] = set()
        self.locations: Locations = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.locations[path] = f"{self._source}:{node.start_mark.line + 1}"
        if id(node) in self._seen:
            self._refuse(node, path, "is an alias (`*name`)", "write the value out, or use `extends`")
            return None
        self._seen.add(id(node))
        if node.tag.removeprefix(_TAG) not in _TAGS:
            self._refuse(node, path, f"has the tag `{node.tag}`", "a policy uses no YAML tags")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._map(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self._scalar(node)
        except ValueError:
            self._refuse(node, path, "does not fit its tag", "a policy uses no YAML tags")
            return None

    def _map(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, path, "has a key that is not text", "keys are words or codes")
                continue
            key: str = key_node.value
            if key in result:
                self._refuse(key_node, (*path, key), "stands twice in the same map", "keep one of the two")
                continue
            result[key] = self.read(value_node, (*path, key))
            self.locations[(*path, key)] = f"{self._source}:{key_node.start_mark.line + 1}"
        return result

    @staticmethod
    def _scalar(node: yaml.Node) -> Any:
        text: str = node.value
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text == "true"
            case "int" if len(text) <= MAX_DIGITS:
                return int(text)
            case "float":
                return float(text)
            case _:
                return text

    def _refuse(self, node: yaml.Node, path: Path, message: str, hint: str) -> None:
        mark = node.start_mark
        location = f"{self._source}:{mark.line + 1}:{mark.column + 1}"
        self.problems.append(Problem(dotted(path), message, hint, location))


def dotted(path: Path) -> str:
    """A path as people write it: `campaigns.standard.ladder[3].day`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _PlainDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that a person can read them."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(_TAG + "str", value, style="|" if "\n" in value else None)


_PlainDumper.add_representer(str, _text)


def dump(document: dict[str, Any]) -> str:
    """The document as YAML that `parse` reads back to the same values."""
    text: str = yaml.dump(document, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100)
    return text
