"""Whether every message that the policy may send can be written, found out before any is.

Each text is read (syntax, names, what the sandbox refuses) and rendered with samples of all that its kind of
message can be given, in every locale and channel.
"""

from collections.abc import Iterator
from difflib import get_close_matches

import jinja2
import msgspec
from msgspec import Struct

from streams.dunning.audience import Tone
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.dunning.variables import CALL_VARIABLES, VARIABLES, MessageKind
from streams.policy.content import ALWAYS_KNOWN, Content
from streams.policy.content_blocks import mentioned, prepared, varies_by_tone
from streams.policy.content_texts import BLOCKS, Block, Blocks, Text, Wording
from streams.policy.content_verdicts import Verdicts, fingerprint, of_this_process
from streams.policy.errors import Problem, RenderError
from streams.policy.formats import parse_locale
from streams.policy.message_length import (
    MOST_PUSH_BODY,
    MOST_PUSH_TITLE,
    MOST_SMS_SEGMENTS,
    sms_size,
)
from streams.policy.samples import samples
from streams.policy.usage import Use, reachable_channels, uses

_SUBJECT_NEEDED = frozenset({Channel.EMAIL, Channel.PUSH})
_NO_SUBJECT = frozenset({Channel.SMS, Channel.PHONE, Channel.IN_APP})
_ONLY = "a message has variables, blocks, conditions, loops and filters only"
_TOLD = Problem("", "")
"""Stands for what is told elsewhere: the text cannot be rendered, and needs no second mention."""


class _Place(Struct, frozen=True):
    """One text, and where it stands."""

    path: str
    locale: str
    channel: Channel
    text: Text


def content_problems(policy: Policy, content: Content, verdicts: Verdicts | None = None) -> Iterator[Problem]:
    """Everything that is wrong with the policy's texts, but those that `verdicts` knows to be without fault.

    It adds what it finds without fault; without any given, they are those of this process.
    """
    verdicts = of_this_process() if verdicts is None else verdicts
    yield from _locales(policy, content)
    yield from _missing(policy, content)
    yield from _blocks(content, verdicts)
    by_template: dict[str, list[Use]] = {}
    for use in uses(policy):
        by_template.setdefault(use.template, []).append(use)
    for locale, templates in content.texts.items():
        for template, channels in templates.items():
            asked = by_template.get(template, [])
            for channel, text in channels.items():
                place = _Place(f"content.{locale}.{template}.{channel.value}", locale, channel, text)
                given = _fingerprint(place, content, asked)
                if given in verdicts.faultless:
                    continue
                found = list(_text(place, content, asked))
                yield from (problem for problem in found if problem is not _TOLD)
                if not found:
                    verdicts.add(given)


def _text(place: _Place, content: Content, asked: list[Use]) -> list[Problem]:
    found = [*_shape(place), *_syntax(place, content, asked)]
    return found or list(_samples(place, content, asked))


def _fingerprint(place: _Place, content: Content, asked: list[Use]) -> str:
    """Of all that decides whether a text has a fault. Its path does not."""
    sources = [source for _, source in _sources(place)]
    blocks = _used_blocks(sources, content.blocks_of(place.locale))
    words = str((sources, blocks))
    return fingerprint(
        place.locale,
        place.channel,
        place.text,
        blocks,
        sorted({(use.kind, use.decline_class or "") for use in asked}),
        content.default_tone,
        # A text that does not name the sender is the same whoever it is.
        {name: value for name, value in content.settings().items() if name in words},
    )


def _used_blocks(sources: list[str], blocks: Blocks) -> dict[str, Block | None]:
    names = {name for source in sources for name in mentioned(source, blocks)}
    return {name: blocks.get(name) for name in names}


def content_warnings(policy: Policy, content: Content) -> Iterator[Problem]:
    """Texts and blocks that nothing asks for, and what a locale lacks of what customers may be sent."""
    asked = {use.template for use in uses(policy)}
    for locale, templates in content.texts.items():
        for template in templates:
            if template not in asked:
                hint = _nearest(template, asked)
                yield Problem(f"content.{locale}.{template}", "is used by no step, message or reminder", hint)
    yield from _unused_blocks(content)
    yield from _gaps(policy, content)


def _unused_blocks(content: Content) -> Iterator[Problem]:
    used: set[tuple[str, str]] = set()
    for locale, templates in content.texts.items():
        blocks = content.blocks_of(locale)
        for template, channels in templates.items():
            for channel, text in channels.items():
                place = _Place(f"content.{locale}.{template}.{channel.value}", locale, channel, text)
                for _, source in _sources(place):
                    used |= {(_language(locale), name) for name in mentioned(source, blocks)}
    for locale, blocks in content.blocks.items():
        for name in blocks:
            if (_language(locale), name) not in used:
                yield Problem(f"content.{locale}.{BLOCKS}.{name}", "is used by no text")


def _gaps(policy: Policy, content: Content) -> Iterator[Problem]:
    """What customers of a language would be sent in another one, and blocks that lack a tone."""
    for locale in content.texts:
        lacking: dict[str, list[str]] = {}
        for use in uses(policy):
            for channel in reachable_channels(policy, use):
                tag, _ = content.find(use.template, channel, locale)
                names = lacking.setdefault(use.template, [])
                if _language(tag) != _language(locale) and channel.value not in names:
                    names.append(channel.value)
        for template, channels in lacking.items():
            if channels:
                what = f"is not written for {', '.join(channels)}"
                yield Problem(
                    f"content.{locale}.{template}", what, f"sent in {policy.default_locale} instead"
                )


def _language(locale: str) -> str:
    return locale.replace("_", "-").lower().partition("-")[0]


def _locales(policy: Policy, content: Content) -> Iterator[Problem]:
    for locale in content.texts:
        if parse_locale(locale) is None:
            yield Problem(f"content.{locale}", "is not a locale that is known", "BCP 47, like en or de-AT")
    if not content.locale_chain(policy.default_locale) and parse_locale(policy.default_locale) is not None:
        written = ", ".join(content.texts)
        yield Problem(
            "default_locale", f"there is no content in `{policy.default_locale}`", f"there is: {written}"
        )


def _missing(policy: Policy, content: Content) -> Iterator[Problem]:
    """The default locale must have every text, so that each other locale can fall back to it."""
    if not content.locale_chain(policy.default_locale):
        # It would lack every text: that is one mistake, which is told already.
        return
    written = {template for templates in content.texts.values() for template in templates}
    reported: set[tuple[str, str]] = set()
    for use in uses(policy):
        lacking = [
            channel.value
            for channel in reachable_channels(policy, use)
            if not _has(content, use.template, channel, policy.default_locale)
        ]
        if lacking and (use.path, use.template) not in reported:
            reported.add((use.path, use.template))
            yield Problem(
                use.path,
                f"the content has no `{use.template}` in {policy.default_locale} for {', '.join(lacking)}",
                _nearest(use.template, written - {use.template}) if use.template not in written else "",
            )


def _has(content: Content, template: str, channel: Channel, locale: str) -> bool:
    try:
        content.find(template, channel, locale)
    except LookupError:
        return False
    return True


def _blocks(content: Content, verdicts: Verdicts) -> Iterator[Problem]:
    """Each block by itself. What it may speak of depends on the texts that use it."""
    for locale, blocks in content.blocks.items():
        known = content.blocks_of(locale)
        for name, block in blocks.items():
            path = f"content.{locale}.{BLOCKS}.{name}"
            for place, source in _block_sources(path, block):
                given = fingerprint(name, source, _used_blocks([source], known), content.default_tone)
                if given in verdicts.faultless:
                    continue
                try:
                    refused = prepared(source, known, content.default_tone, name).refused
                except jinja2.TemplateSyntaxError as error:
                    if error.name in {None, name}:
                        yield Problem(place, f"is not a template, line {error.lineno}: {error.message}")
                    continue
                for what in refused:
                    yield Problem(place, what, _ONLY)
                if not refused:
                    verdicts.add(given)


def _block_sources(path: str, block: Block) -> list[tuple[str, str]]:
    if isinstance(block, str):
        return [(path, block)]
    return [(f"{path}.{tone.value}", words) for tone, words in block.items()]


def _shape(place: _Place) -> Iterator[Problem]:
    subjects = {f"{place.path}.subject": place.text.subject}
    subjects |= {
        f"{place.path}.tones.{tone.value}.subject": wording.subject
        for tone, wording in place.text.tones.items()
        if wording.subject is not None
    }
    for path, subject in subjects.items():
        if subject is None and place.channel in _SUBJECT_NEEDED:
            yield Problem(path, "is missing", "the subject of an e-mail, or the title of a push")
        if subject is not None and place.channel in _NO_SUBJECT:
            yield Problem(path, f"{place.channel.value} has no subject", "remove it")


def _syntax(place: _Place, content: Content, asked: list[Use]) -> Iterator[Problem]:
    blocks = content.blocks_of(place.locale)
    known = _known_names({use.kind for use in asked}, place.channel)
    for path, source in _sources(place):
        try:
            found = prepared(source, blocks, content.default_tone)
        except jinja2.TemplateSyntaxError as error:
            # What is wrong within a block is told once, of the block.
            told = error.name is not None
            yield _TOLD if told else Problem(path, f"is not a template, line {error.lineno}: {error.message}")
            continue
        for what in found.refused:
            yield Problem(path, what, _ONLY)
        for name in sorted(found.names - known):
            hint = _nearest(name, known) or f"known here: {', '.join(sorted(known))}"
            if name == BLOCKS:
                hint = "a block stands by itself: {{ blocks.greeting }}"
            yield Problem(path, f"the variable `{name}` is not known", hint)


def _sources(place: _Place) -> Iterator[tuple[str, str]]:
    """Every template of a text, with its path."""
    wordings = {"": Wording(place.text.subject, place.text.body)}
    wordings |= {f".tones.{tone.value}": wording for tone, wording in place.text.tones.items()}
    for below, wording in wordings.items():
        for part, source in (("subject", wording.subject), ("body", wording.body)):
            if source is not None:
                yield f"{place.path}{below}.{part}", source


def _known_names(kinds: set[MessageKind], channel: Channel) -> frozenset[str]:
    """What all of these kinds of message are given; for a text that is not used, what any is given."""
    always = ALWAYS_KNOWN | CALL_VARIABLES if channel is Channel.PHONE else ALWAYS_KNOWN
    sets = [VARIABLES[kind].required | VARIABLES[kind].optional for kind in kinds]
    if not sets:
        return always.union(*(each.required | each.optional for each in VARIABLES.values()))
    return frozenset.intersection(*sets) | always


def _samples(place: _Place, content: Content, asked: list[Use]) -> Iterator[Problem]:
    """Each problem once for a text: the samples differ little, and often not at all in what it uses."""
    distinct = {(use.kind, use.decline_class): use for use in asked}
    names = _names(place, content)
    tones = _tones(place, content)
    tried: set[tuple[int, frozenset[tuple[str, str]]]] = set()
    reported: set[str] = set()
    for use in distinct.values():
        for command in samples(use, place.channel, place.locale):
            used = frozenset((name, value) for name, value in command.variables.items() if name in names)
            alike = (len(command.invoices), used)
            if alike in tried:
                continue
            tried.add(alike)
            for tone in tones:
                toned = msgspec.structs.replace(command, tone=tone.value)
                for problem in _rendered(place, content, toned):
                    if problem.message not in reported:
                        reported.add(problem.message)
                        yield problem


def _names(place: _Place, content: Content) -> frozenset[str]:
    """All the variables that a text uses."""
    blocks = content.blocks_of(place.locale)
    return frozenset[str]().union(
        *(prepared(source, blocks, content.default_tone).names for _, source in _sources(place))
    )


def _tones(place: _Place, content: Content) -> tuple[Tone, ...]:
    """The tones in which a text says something else."""
    blocks = content.blocks_of(place.locale)
    if place.text.tones or any(varies_by_tone(source, blocks) for _, source in _sources(place)):
        return tuple(Tone)
    return (content.default_tone,)


def _rendered(place: _Place, content: Content, command: NotificationCommand) -> Iterator[Problem]:
    try:
        rendered = content.render_text(command, place.locale, place.text)
    except RenderError as error:
        yield Problem(place.path, f"cannot be rendered: {error.reason}", _given(command))
        return
    for part, written in (("subject", rendered.subject), ("body", rendered.body)):
        if written is None:
            continue
        if not written:
            yield Problem(f"{place.path}.{part}", "is empty when rendered", _given(command))
    yield from _lengths(place.path, rendered)


def _lengths(path: str, rendered: NotificationCommand) -> Iterator[Problem]:
    title = rendered.subject or ""
    if rendered.channel is Channel.SMS and (size := sms_size(rendered.body)).segments > MOST_SMS_SEGMENTS:
        yield Problem(
            f"{path}.body", f"takes {size.segments} SMS segments, more than {MOST_SMS_SEGMENTS}", str(size)
        )
    if rendered.channel is Channel.PUSH and len(rendered.body) > MOST_PUSH_BODY:
        yield Problem(f"{path}.body", f"has {len(rendered.body)} characters, more than {MOST_PUSH_BODY}")
    if rendered.channel is Channel.PUSH and len(title) > MOST_PUSH_TITLE:
        yield Problem(f"{path}.subject", f"has {len(title)} characters, more than {MOST_PUSH_TITLE}")


def _given(command: NotificationCommand) -> str:
    return f"given: {', '.join(sorted(command.variables)) or 'no variables'}"


def _nearest(name: str, known: set[str] | frozenset[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else ""
