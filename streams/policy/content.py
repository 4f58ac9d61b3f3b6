"""The words: one text per template, channel and locale, rendered in a tone from what a command says.

A text is found by the customer's locale, then its language, then the policy's default locale (`de-AT`,
`de`, `en`), for each template and channel by itself; then by the command's tone, else the policy's.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
import msgspec
from babel import Locale
from msgspec import Struct

from streams.dunning.audience import Tone
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.dunning.variables import CALL_VARIABLES, VARIABLES
from streams.policy import content_output, formats
from streams.policy.content_blocks import compiled
from streams.policy.content_links import LINK_VARIABLES, filled
from streams.policy.content_texts import Blocks, Text, Texts
from streams.policy.errors import RenderError
from streams.policy.sandbox import LOCALE
from streams.policy.usage import uses

_WHOLE_NUMBERS = frozenset(
    {
        "amount_minor",
        "attempts",
        "days_left",
        "days_overdue",
        "offer_discount_minor",
        "offer_percent",
        "offer_price_minor",
        "offer_price_part",
        "exp_month",
        "exp_year",
        "previous_amount_minor",
        "subscription_count",
        "trial_days",
    }
)
_FLAGS = frozenset({"trial_ends"})
_IN_LINES = frozenset({"contacts_made"})

ALWAYS_KNOWN = frozenset({"invoices", "total", "currency", "tone", "sender", *LINK_VARIABLES})
"""What every template may use besides the variables of its kind: the invoices (`invoice_id`, `amount`), their
total with its currency, or None if the message is about none; the tone, who signs, and the policy's links,
None if the policy has none."""

# Locales come from profiles: any text at all.
_MOST_LOCALES = 1024


class _Words(Struct, frozen=True):
    """A text in one tone, compiled."""

    body: jinja2.Template
    subject: jinja2.Template | None


class Content:
    """The texts of one policy, compiled when first used.

    The only state is the cache of compiled templates, so one instance serves a whole process.
    """

    def __init__(self, policy: Policy, texts: Texts, blocks: Mapping[str, Blocks] | None = None) -> None:
        self.texts = texts
        self.blocks = blocks or {}
        self.default_tone = policy.default_tone
        self._default_locale = policy.default_locale
        self._sender = None if policy.sender is None else content_output.clean(policy.sender)
        self._links = policy.links
        self._by_tag = {tag.replace("_", "-").lower(): tag for tag in texts}
        self._optional: dict[str, frozenset[str]] = {}
        for use in uses(policy):
            names = self._optional.get(use.template, frozenset())
            self._optional[use.template] = names | VARIABLES[use.kind].optional
        self._compiled: dict[tuple[str, str, Channel, Tone], _Words] = {}
        self.locale_chain = lru_cache(_MOST_LOCALES)(self._locale_chain)

    def settings(self) -> dict[str, str | None]:
        """What texts are given of the policy's own settings, by the name that they have there."""
        links = {name: getattr(self._links, setting) for name, setting in LINK_VARIABLES.items()}
        return {"sender": self._sender, "pay_url": self._links.pay, **links}

    def render(self, command: NotificationCommand) -> NotificationCommand:
        """The command with its subject and body, and for e-mail its HTML.

        Raises:
            RenderError: There is no such text, or the command lacks a variable that the text needs.
        """
        try:
            tag, text = self.find(command.template, command.channel, command.locale)
        except LookupError as error:
            raise _render_error(command, str(error)) from error
        return self.render_text(command, tag, text)

    def find(self, template: str, channel: Channel, locale: str) -> tuple[str, Text]:
        """The text for a customer's locale, and the locale that it is written in.

        Raises:
            LookupError: Not even the default locale has it.
        """
        for tag in self.locale_chain(locale):
            text = self.texts[tag].get(template, {}).get(channel)
            if text is not None:
                return tag, text
        raise LookupError("the policy's content has no such text")

    def _locale_chain(self, locale: str) -> tuple[str, ...]:
        """The locales of the content that may serve a customer's, the best first."""
        wanted = [*_shorter(locale), self._default_locale.replace("_", "-").lower()]
        return tuple(dict.fromkeys(self._by_tag[tag] for tag in wanted if tag in self._by_tag))

    def blocks_of(self, tag: str) -> Blocks:
        """The blocks for texts in a locale of the content: its own, else those of its language."""
        found: dict[str, Any] = {}
        for shorter in reversed(_shorter(tag)):
            found.update(self.blocks.get(self._by_tag.get(shorter, ""), {}))
        return found

    def render_text(self, command: NotificationCommand, tag: str, text: Text) -> NotificationCommand:
        """The command with this text, which is written in the locale `tag`. Raises RenderError."""
        try:
            locale = _writing_locale(command.locale, tag)
            tone = self._tone(command)
            words = self._words(command, tag, text, tone)
            context = self._context(command, locale, tone)
            body = content_output.tidy(words.body.render(context))
            subject = None
            if words.subject is not None:
                subject = content_output.one_line(content_output.plain(words.subject.render(context), locale))
        except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError) as error:
            raise _render_error(command, str(error)) from error
        html = None
        if command.channel is Channel.EMAIL:
            html = content_output.mail(body, subject or "", locale, self._sender)
        body = content_output.plain(body, locale)
        if command.channel is Channel.SMS:
            body = content_output.sms(body)
        return msgspec.structs.replace(command, subject=subject, body=body, html_body=html, tone=tone.value)

    def _tone(self, command: NotificationCommand) -> Tone:
        return self.default_tone if command.tone is None else Tone(command.tone)

    def _words(self, command: NotificationCommand, tag: str, text: Text, tone: Tone) -> _Words:
        key = (tag, command.template, command.channel, tone)
        words = self._compiled.get(key)
        if words is None:
            wording, blocks = text.in_tone(tone), self.blocks_of(tag)
            words = self._compiled[key] = _Words(
                compiled(wording.body or "", blocks, self.default_tone),
                None if wording.subject is None else compiled(wording.subject, blocks, self.default_tone),
            )
        return words

    def _context(self, command: NotificationCommand, locale: Locale, tone: Tone) -> dict[str, Any]:
        # What may be absent is None; what is required and missing stays undefined, which is an error.
        context: dict[str, Any] = dict.fromkeys(self._optional.get(command.template, frozenset()))
        if command.channel is Channel.PHONE:
            context |= dict.fromkeys(CALL_VARIABLES)
        context["currency"] = command.currency
        context["total"] = (
            formats.money(command.total_minor, command.currency, locale)
            if command.total_minor is not None and command.currency is not None
            else None
        )
        context["invoices"] = [
            {
                "invoice_id": content_output.clean(invoice.invoice_id),
                "amount": formats.money(invoice.amount_minor, invoice.currency, locale),
            }
            for invoice in command.invoices
        ]
        context["tone"] = tone.value
        context["sender"] = self._sender
        for name, setting in LINK_VARIABLES.items():
            context[name] = filled(getattr(self._links, setting), command)
        if "pay_url" in context:
            context["pay_url"] = filled(self._links.pay, command)
        for name, value in command.variables.items():
            context[name] = _typed(name, value)
        context[LOCALE] = locale
        return context


def _shorter(locale: str) -> list[str]:
    """A locale's tag in lower case, and its shorter forms: `de-at`, `de`."""
    parts = locale.replace("_", "-").lower().split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _typed(name: str, value: str) -> str | int | bool:
    if name in _WHOLE_NUMBERS:
        return int(value)
    if name in _FLAGS:
        return value == "true"
    if name in _IN_LINES:
        return "\n".join(map(content_output.clean, value.split("\n")))
    return content_output.clean(value)


@lru_cache(_MOST_LOCALES)
def _writing_locale(wanted: str, tag: str) -> Locale:
    """Numbers and dates follow the customer's region only in their language: no German date in English."""
    written = formats.parse_locale(tag)
    if written is None:
        raise ValueError(f"the locale {tag} is not known")
    locale = formats.parse_locale(wanted)
    return locale if locale is not None and locale.language == written.language else written


def _render_error(command: NotificationCommand, reason: str) -> RenderError:
    return RenderError(
        template=command.template, channel=command.channel.value, locale=command.locale, reason=reason
    )
