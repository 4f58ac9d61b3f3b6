"""Messages as customers would see them, rendered from samples: for those who write or approve the words."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import jinja2
import msgspec
from msgspec import Struct

from streams.dunning.audience import Tone
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.segments import tone_of
from streams.policy.loading import LoadedPolicy
from streams.policy.message_length import MOST_PUSH_BODY, MOST_SMS_SEGMENTS, sms_size
from streams.policy.samples import samples
from streams.policy.usage import reachable_channels, uses

_PAGE = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
).from_string(Path(__file__).with_name("preview.html").read_text(encoding="utf-8"))


class Preview(Struct, frozen=True):
    """One message with sample values. `written_in` is the locale of its text; `size` says how long it is."""

    command: NotificationCommand
    written_in: str
    size: str


def previews(
    loaded: LoadedPolicy,
    *,
    locale: str,
    tone: Tone,
    template: str | None = None,
    channel: Channel | None = None,
) -> Iterator[Preview]:
    """The messages of a template, or of all, by every channel that they may go out by, or by one.

    Raises:
        LookupError: The policy uses no such template, or not by this channel.
    """
    seen: set[tuple[str, Channel]] = set()
    used: set[str] = set()
    for use in uses(loaded.policy):
        used.add(use.template)
        if template is not None and use.template != template:
            continue
        for by in reachable_channels(loaded.policy, use):
            if (use.template, by) in seen or channel not in {None, by}:
                continue
            seen.add((use.template, by))
            fullest = max(samples(use, by, locale), key=lambda each: len(each.variables))
            written_in, _ = loaded.content.find(use.template, by, locale)
            command = loaded.render(msgspec.structs.replace(fullest, tone=tone.value))
            yield Preview(command, written_in, _size(command))
    if not seen and template is not None and template not in used:
        raise LookupError(f"the policy uses no template `{template}`{_hint(template, used)}")
    if not seen:
        raise LookupError(f"nothing of it goes out by {'any channel' if channel is None else channel.value}")


def tone_for(loaded: LoadedPolicy, segment: str | None) -> Tone:
    """How the policy speaks to a segment, or by default.

    Raises:
        LookupError: There is no such segment.
    """
    names = {each.name for each in loaded.policy.segments}
    if segment is not None and segment not in names:
        raise LookupError(f"the policy has no segment `{segment}`{_hint(segment, names)}")
    return tone_of(segment, loaded.policy)


def page(loaded: LoadedPolicy, shown: list[Preview], tone: Tone, locale: str) -> str:
    """One HTML document that shows them all and loads nothing from elsewhere."""
    return _PAGE.render(
        policy=loaded.policy.name, version=loaded.version, tone=tone.value, locale=locale, shown=shown
    )


def _size(command: NotificationCommand) -> str:
    if command.channel is Channel.SMS:
        size = sms_size(command.body)
        return f"{size.segments} of {MOST_SMS_SEGMENTS} SMS segments, {size}"
    if command.channel is Channel.PUSH:
        return f"{len(command.body)} of {MOST_PUSH_BODY} characters"
    return ""


def _hint(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else f"; there is: {', '.join(sorted(known))}"
