"""What can be wrong with settings, in words for the person who set them."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from streams.messages.topics import INPUTS

PREFIX = "DUNNING_"

_NUMBER = re.compile(r"-?[0-9.]+")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "path": "a path",
    "string": "text",
}
_PATTERNS = {
    r"^[A-Za-z0-9._-]{1,100}$": "1 to 100 letters, digits, '.', '_' and '-'",
    r"^[A-Za-z0-9._-]{0,100}$": "at most 100 letters, digits, '.', '_' and '-'",
}


def value_in_words(problem: Mapping[str, Any], *, secret: bool = False) -> str:
    """What Pydantic finds wrong with a value, in words that follow the value's name; never a secret."""
    if problem["type"] == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    value, context = problem["input"], problem.get("ctx", {})
    wanted = _wanted(problem["type"], context) or f"right ({problem['msg']})"
    if secret:
        return f"must be {wanted}"
    shown = value if _NUMBER.fullmatch(str(value)) else repr(value)
    return f"is {shown}, and must be {wanted}"


def _wanted(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than_equal":
            return f"at least {context['ge']:g}"
        case "less_than_equal":
            return f"at most {context['le']:g}"
        case "greater_than":
            return f"more than {context['gt']:g}"
        case "literal_error" | "enum":
            return str(context["expected"])
        case "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], f"of the form {context['pattern']}")
        case _:
            return _KINDS.get(kind.partition("_")[0], "")


def problems_of_rekey(text: str, topic_prefix: str) -> list[str]:
    """What is wrong with the topics that are re-keyed."""
    known = {topic.name for topic in INPUTS}
    problems = []
    for each in filter(None, map(str.strip, text.split(","))):
        source, _, target = map(str.strip, each.partition("="))
        if not source or target not in known:
            problems.append(
                f"{PREFIX}REKEY holds {each!r}, and must be TOPIC=INPUT, where INPUT is one of "
                f"{', '.join(sorted(known))}"
            )
        elif source == topic_prefix + target:
            problems.append(f"{PREFIX}REKEY re-keys {source} into itself")
    return problems


def problems_of_url(url: str | None) -> list[str]:
    """What is wrong with the address of a schema registry."""
    if url is None:
        return []
    name = f"{PREFIX}SCHEMA_REGISTRY_URL"
    parts = urlsplit(url)
    if parts.username or parts.password:
        # An address is printed, a password is not.
        return [
            f"{name} holds a user or password, which have settings of their own: ..._USERNAME, ..._PASSWORD"
        ]
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return [f"{name} is {url!r}, and must be an address such as https://registry:8081"]
    return []
