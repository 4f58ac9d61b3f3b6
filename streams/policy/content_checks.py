"""Whether every message that the policy may send can be written, found out before any is.

Each text is read (syntax, names, what the sandbox refuses) and rendered with samples of all that its kind of
message can be given, in every locale and channel.
"""

from collections.abc import Iterator
from difflib import get_close_matches

import jinja2
from jinja2 import meta
from msgspec import Struct

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.dunning.variables import CALL_VARIABLES, VARIABLES, MessageKind
from streams.policy.content import ALWAYS_KNOWN, Content, Text, check_template
from streams.policy.errors import Problem, RenderError
from streams.policy.formats import parse_locale
from streams.policy.message_length import (
    MOST_PUSH_BODY,
    MOST_PUSH_TITLE,
    MOST_SMS_SEGMENTS,
    sms_segments,
)
from streams.policy.samples import samples
from streams.policy.usage import Use, reachable_channels, uses

_SUBJECT_NEEDED = frozenset({Channel.EMAIL, Channel.PUSH})
_NO_SUBJECT = frozenset({Channel.SMS, Channel.PHONE, Channel.IN_APP})


class _Place(Struct, frozen=True):
    """One text, and where it stands."""

    path: str
    locale: str
    channel: Channel
    text: Text


def content_problems(policy: Policy, content: Content) -> Iterator[Problem]:
    """Everything that is wrong with the policy's texts."""
    yield from _locales(policy, content)
    yield from _missing(policy, content)
    by_template: dict[str, list[Use]] = {}
    for use in uses(policy):
        by_template.setdefault(use.template, []).append(use)
    for locale, templates in content.texts.items():
        for template, channels in templates.items():
            asked = by_template.get(template, [])
            for channel, text in channels.items():
                path = f"content.{locale}.{template}.{channel.value}"
                known = _known_names({use.kind for use in asked}, channel)
                found = [*_shape(path, channel, text), *_syntax(path, text, known)]
                yield from found
                if not found:
                    place = _Place(path, locale, channel, text)
                    yield from _samples(place, content, asked)


def content_warnings(policy: Policy, content: Content) -> Iterator[Problem]:
    """Texts that nothing asks for."""
    asked = {use.template for use in uses(policy)}
    for locale, templates in content.texts.items():
        for template in templates:
            if template not in asked:
                hint = _nearest(template, asked)
                yield Problem(f"content.{locale}.{template}", "is used by no step, message or reminder", hint)


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


def _shape(path: str, channel: Channel, text: Text) -> Iterator[Problem]:
    if text.subject is None and channel in _SUBJECT_NEEDED:
        yield Problem(f"{path}.subject", "is missing", "the subject of an e-mail, or the title of a push")
    if text.subject is not None and channel in _NO_SUBJECT:
        yield Problem(f"{path}.subject", f"{channel.value} has no subject", "remove it")


def _syntax(path: str, text: Text, known: frozenset[str]) -> Iterator[Problem]:
    for part, source in (("subject", text.subject), ("body", text.body)):
        if source is None:
            continue
        try:
            tree, refused = check_template(source)
        except jinja2.TemplateSyntaxError as error:
            yield Problem(f"{path}.{part}", f"is not a template, line {error.lineno}: {error.message}")
            continue
        for what in refused:
            yield Problem(
                f"{path}.{part}", what, "a message has variables, conditions, loops and filters only"
            )
        if refused:
            continue
        for name in sorted(meta.find_undeclared_variables(tree) - known):
            hint = _nearest(name, known) or f"known here: {', '.join(sorted(known))}"
            yield Problem(f"{path}.{part}", f"the variable `{name}` is not known", hint)


def _known_names(kinds: set[MessageKind], channel: Channel) -> frozenset[str]:
    """What all of these kinds of message are given; for a text that is not used, what any is given."""
    always = ALWAYS_KNOWN | CALL_VARIABLES if channel is Channel.PHONE else ALWAYS_KNOWN
    sets = [VARIABLES[kind].required | VARIABLES[kind].optional for kind in kinds]
    if not sets:
        return always.union(*(each.required | each.optional for each in VARIABLES.values()))
    return frozenset.intersection(*sets) | always


def _samples(place: _Place, content: Content, asked: list[Use]) -> Iterator[Problem]:
    """Each problem once for a text: the samples differ little."""
    distinct = {(use.kind, use.decline_class): use for use in asked}
    reported: set[str] = set()
    for use in distinct.values():
        for command in samples(use, place.channel, place.locale):
            for problem in _rendered(place, content, command):
                if problem.message not in reported:
                    reported.add(problem.message)
                    yield problem


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
    if rendered.channel is Channel.SMS and (segments := sms_segments(rendered.body)) > MOST_SMS_SEGMENTS:
        yield Problem(f"{path}.body", f"takes {segments} SMS segments, more than {MOST_SMS_SEGMENTS}")
    if rendered.channel is Channel.PUSH and len(rendered.body) > MOST_PUSH_BODY:
        yield Problem(f"{path}.body", f"has {len(rendered.body)} characters, more than {MOST_PUSH_BODY}")
    if rendered.channel is Channel.PUSH and len(title) > MOST_PUSH_TITLE:
        yield Problem(f"{path}.subject", f"has {len(title)} characters, more than {MOST_PUSH_TITLE}")


def _given(command: NotificationCommand) -> str:
    return f"given: {', '.join(sorted(command.variables)) or 'no variables'}"


def _nearest(name: str, known: set[str] | frozenset[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else ""
