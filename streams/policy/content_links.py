"""The policy's links: where a customer pays, changes a card, manages an account, cancels."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import quote, urlsplit

from streams.dunning.audience import Links
from streams.dunning.commands import NotificationCommand
from streams.policy.errors import Problem

PLACEHOLDERS = ("command_id", "customer_id", "locale")
"""What a link may hold in braces: attributes of the command."""

LINK_VARIABLES = {"update_url": "update_card", "manage_url": "manage", "cancel_url": "cancel"}
"""What texts call the policy's links. `pay_url` is the event's own link, else the policy's."""

LONGEST_LINK = 400
"""Characters. A longer one breaks in mails, and no text message holds it."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_KNOWN = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
_UNSAFE = re.compile(r"[\s\"'<>\\^`|\x00-\x1f\x7f]")


def filled(link: str | None, command: NotificationCommand) -> str | None:
    """The link for one command: what stands in braces is put in, safe in any part of an address."""
    if link is None or "{" not in link:
        return link
    return _KNOWN.sub(lambda found: quote(getattr(command, found[1]), safe=""), link)


def link_problems(links: Links) -> Iterator[Problem]:
    """What is wrong with the links, each by its path."""
    for name in links.__struct_fields__:
        link = getattr(links, name)
        if link is not None:
            for message, hint in _wrong(link):
                yield Problem(f"links.{name}", message, hint)


def _wrong(link: str) -> Iterator[tuple[str, str]]:
    if len(link) > LONGEST_LINK:
        yield f"has {len(link)} characters, more than {LONGEST_LINK}", "shorten it"
        return
    for name in _BRACES.findall(link):
        if name not in PLACEHOLDERS:
            close = get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"did you mean `{{{close[0]}}}`?" if close else f"known here: {', '.join(PLACEHOLDERS)}"
            yield f"`{{{name}}}` is not known", hint
    without = _BRACES.sub("", link)
    if _UNSAFE.search(link) or "{" in without or "}" in without:
        yield "has a character that no address may have", "write it percent-encoded, like %20 for a space"
        return
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError as error:
        yield f"is not an address: {error}", ""
        return
    if parts.scheme != "https":
        yield "does not begin with https://", "customers give their card there"
    elif not host or "." not in host:
        yield "names no host", "https://billing.example.com/..."
    elif parts.username is not None or parts.password is not None:
        yield "has a user's name before the host", "it hides where the link leads"
    elif "{" in parts.netloc:
        yield "has braces in its host", "what differs by customer stands after the host"
