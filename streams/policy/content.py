"""The words: one text per template, channel and locale, rendered from what a command says.

A text is found by the customer's locale, then its language, then the policy's default locale (`de-AT`,
`de`, `en`), for each template and channel by itself. Texts are plain: a sender that makes HTML of them
escapes them.
"""

from collections.abc import Mapping
from typing import Any

import jinja2
import msgspec
from babel import Locale
from jinja2 import nodes
from msgspec import Struct

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import Policy
from streams.dunning.variables import CALL_VARIABLES, VARIABLES
from streams.policy import formats
from streams.policy.errors import RenderError
from streams.policy.sandbox import LOCALE, Sandbox
from streams.policy.usage import uses

_WHOLE_NUMBERS = frozenset(
    {
        "amount_minor",
        "attempts",
        "days_left",
        "days_overdue",
        "exp_month",
        "exp_year",
        "previous_amount_minor",
        "subscription_count",
        "trial_days",
    }
)
_FLAGS = frozenset({"trial_ends"})

ALWAYS_KNOWN = frozenset({"invoices", "total", "currency"})
"""What every template may use besides the variables of its kind: the invoices (`invoice_id`, `amount`), their
total with its currency, or None if the message is about none."""

_ENVIRONMENT = Sandbox()


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """One message by one channel. `subject` is an e-mail's subject, a push's title, a letter's headline."""

    body: str
    subject: str | None = None


Texts = Mapping[str, Mapping[str, Mapping[Channel, Text]]]
"""Locale, template, channel."""


def check_template(source: str) -> tuple[nodes.Template, tuple[str, ...]]:
    """The syntax tree of a text, and what in it is not for messages, in words.

    Raises:
        jinja2.TemplateSyntaxError: It is not a template.
    """
    tree = _ENVIRONMENT.parse(source)
    return tree, tuple(_ENVIRONMENT.refusals(tree))


class Content:
    """The texts of one policy, compiled when first used.

    The only state is the cache of compiled templates, so one instance serves a whole process.
    """

    def __init__(self, policy: Policy, texts: Texts) -> None:
        self.texts = texts
        self._default_locale = policy.default_locale
        self._by_tag = {tag.replace("_", "-").lower(): tag for tag in texts}
        self._optional: dict[str, frozenset[str]] = {}
        for use in uses(policy):
            names = self._optional.get(use.template, frozenset())
            self._optional[use.template] = names | VARIABLES[use.kind].optional
        self._compiled: dict[tuple[str, str, Channel, str], jinja2.Template] = {}

    def render(self, command: NotificationCommand) -> NotificationCommand:
        """The command with its subject and body.

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

    def locale_chain(self, locale: str) -> tuple[str, ...]:
        """The locales of the content that may serve a customer's, the best first."""
        parts = locale.replace("_", "-").lower().split("-")
        wanted = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
        wanted.append(self._default_locale.replace("_", "-").lower())
        return tuple(dict.fromkeys(self._by_tag[tag] for tag in wanted if tag in self._by_tag))

    def render_text(self, command: NotificationCommand, tag: str, text: Text) -> NotificationCommand:
        """The command with this text, which is written in the locale `tag`. Raises RenderError."""
        try:
            context = self._context(command, _writing_locale(command.locale, tag))
            body = self._compile(command, tag, "body", text.body).render(context).strip()
            subject = None
            if text.subject is not None:
                # A line break in a subject would let a value add headers to an e-mail.
                subject = " ".join(
                    self._compile(command, tag, "subject", text.subject).render(context).split()
                )
        except (jinja2.TemplateError, ValueError, TypeError, ArithmeticError) as error:
            raise _render_error(command, str(error)) from error
        if command.channel is Channel.SMS:
            # Spaces that do not break are not in the SMS alphabet: one of them halves what fits a segment.
            body = body.replace("\u00a0", " ").replace("\u202f", " ")
        return msgspec.structs.replace(command, subject=subject, body=body)

    def _compile(self, command: NotificationCommand, tag: str, part: str, source: str) -> jinja2.Template:
        key = (tag, command.template, command.channel, part)
        template = self._compiled.get(key)
        if template is None:
            template = self._compiled[key] = _ENVIRONMENT.from_string(source)
        return template

    def _context(self, command: NotificationCommand, locale: Locale) -> dict[str, Any]:
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
                "invoice_id": invoice.invoice_id,
                "amount": formats.money(invoice.amount_minor, invoice.currency, locale),
            }
            for invoice in command.invoices
        ]
        context.update({name: _typed(name, value) for name, value in command.variables.items()})
        context[LOCALE] = locale
        return context


def _typed(name: str, value: str) -> str | int | bool:
    if name in _WHOLE_NUMBERS:
        return int(value)
    if name in _FLAGS:
        return value == "true"
    return value


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
