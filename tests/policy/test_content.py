"""The words: found by locale, rendered from what a command says, and checked before any is sent."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.dunning.audience import Tone
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import DeclineClass
from streams.dunning.variables import MessageKind
from streams.policy import LoadedPolicy, RenderError
from streams.policy.content_texts import BLOCKS
from streams.policy.documents import Document
from streams.policy.formats import MINOR_UNIT_DIGITS, money, parse_locale
from streams.policy.loading import from_document
from streams.policy.message_length import sms_size
from streams.policy.samples import samples
from streams.policy.usage import Use, uses

from .conftest import Problems


def rendered(care: LoadedPolicy, template: str = "") -> Iterator[NotificationCommand]:
    """Every English message that the policy can send, with every sample, in every tone."""
    seen: dict[str, Use] = {use.template: use for use in uses(care.policy)}
    for use in seen.values():
        if use.template.endswith(template):
            for channel in Channel:
                for command in samples(use, channel, "en-US"):
                    for tone in Tone:
                        yield care.render(msgspec.structs.replace(command, tone=tone.value))


def a_command(template: str, kind: MessageKind, channel: Channel = Channel.EMAIL, **values: Any) -> Any:
    use = Use("test", template, kind, (channel,), values.pop("decline_class", None))
    command = max(samples(use, channel, "en-US"), key=lambda each: len(each.variables))
    return msgspec.structs.replace(command, **values)


def test_every_message_has_words(care: LoadedPolicy) -> None:
    templates = {use.template for use in uses(care.policy)}
    assert templates | {BLOCKS} == set(care.document["content"]["en"])
    for command in rendered(care):
        assert len(command.body) > 40
        assert "None" not in command.body
        assert "{{" not in command.body
        assert "\n\n\n" not in command.body
        assert command.body == command.body.strip()
        needs_subject = command.channel in {Channel.EMAIL, Channel.PUSH, Channel.LETTER}
        assert bool(command.subject) is needs_subject
        assert command.customer_id not in command.body


FORBIDDEN = {
    # A hard decline: no attempt of ours is promised, and the reason is not told.
    "_hard": r"again|retry|re-try|attempt|stolen|lost|fraud|blocked|suspicious",
    # The bank wants the customer: the card is fine.
    "_authentication": r"(update|new|another|replace|different|change)\W+(your\W+)?(card|details)|expired",
    "authentication_required": r"(update|new|another|replace|different|change)\W+(your\W+)?(card|details)",
    "new_card_failed": r"again|retry|attempt|stolen|fraud",
    "final_notice": r"again|retry|attempt|legal|collection|immediately|failure to",
    "": r"you failed|your fault|refus|overdue|delinquen|debt|must pay|unfortunately you|!",
}


@pytest.mark.parametrize("template", FORBIDDEN)
def test_what_a_message_never_says(care: LoadedPolicy, template: str) -> None:
    for command in rendered(care, template):
        text = f"{command.subject or ''}\n{command.body}"
        found = re.search(FORBIDDEN[template], text, re.IGNORECASE)
        assert found is None, f"{command.template} by {command.channel}: {found}"


REQUIRED = {
    "_soft": (r"will try again", r"pay"),
    "_hard": (r"new card", r"help|tell us|another way"),
    "_authentication": (r"confirm", r"help|glad|tell us|link|reply"),
    "authentication_required": (r"confirm", r"help|glad|tell us|link|reply"),
    "final_notice": (r"[A-Z][a-z]+ 23, 2026", r"suspended", r"pay", r"talk|reply|support|tell us|agreed"),
    "suspension_apology": (r"sorry|apologise|mistake", r"active again|The suspension was"),
    "card_expiring": (r"4242", r"September 2027", r"new (one|card)"),
    "renewal_upcoming": (r"[A-Z][a-z]+ 23, 2026", r"\$1,234\.56", r"cancel", r"update|way to pay"),
}


@pytest.mark.parametrize("template", REQUIRED)
def test_what_a_message_always_says(care: LoadedPolicy, template: str) -> None:
    for command in rendered(care, template):
        text = f"{command.subject or ''}\n{command.body}"
        for pattern in REQUIRED[template]:
            assert re.search(pattern, text, re.IGNORECASE), f"{pattern}: {command.template}, {text}"


def test_a_known_retry_is_named(care: LoadedPolicy) -> None:
    for channel in Channel:
        command = a_command(
            "payment_failed_soft", MessageKind.FAILURE, channel, decline_class=DeclineClass.SOFT
        )
        assert "September 23, 2026" in care.render(command).body


def test_a_renewal_says_what_changes(care: LoadedPolicy) -> None:
    for channel in Channel:
        command = a_command("renewal_upcoming", MessageKind.RENEWAL_UPCOMING, channel)
        text = f"{care.render(command).subject} {care.render(command).body}"
        assert "$999.00" in text
        assert "trial" in text
        same = {**command.variables, "previous_amount_minor": command.variables["amount_minor"]}
        del same["trial_ends"]
        unchanged = care.render(msgspec.structs.replace(command, variables=same)).body
        assert unchanged.count("$1,234.56") == 1
        assert "trial" not in unchanged


def test_all_open_invoices_are_listed_with_their_total(care: LoadedPolicy) -> None:
    command = a_command("payment_failed_hard", MessageKind.FAILURE, decline_class=DeclineClass.HARD)
    body = care.render(command).body
    assert "payment of $98.01" in body
    assert "- invoice in_0: $49.00\n- invoice in_1: $49.01" in body


def test_only_the_words_of_a_command_change(care: LoadedPolicy) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE)
    written = care.render(command)
    assert msgspec.structs.replace(written, subject=None, body="", html_body=None, tone=None) == command


@pytest.mark.parametrize("name", ["suspension_date"])
def test_a_missing_variable_is_an_error_that_names_itself(care: LoadedPolicy, name: str) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE)
    variables = {key: value for key, value in command.variables.items() if key != name}
    with pytest.raises(RenderError, match=rf"final_notice \(email, en-US\).*{name}"):
        care.render(msgspec.structs.replace(command, variables=variables))


def test_an_unknown_template_is_an_error(care: LoadedPolicy) -> None:
    command = a_command("nothing_like_it", MessageKind.FINAL_NOTICE)
    with pytest.raises(RenderError, match="no such text"):
        care.render(command)


def test_a_bad_value_is_an_error(care: LoadedPolicy) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE)
    for name, value in (("suspension_date", "tomorrow"), ("days_overdue", "many")):
        with pytest.raises(RenderError):
            care.render(msgspec.structs.replace(command, variables={**command.variables, name: value}))


def test_a_value_cannot_add_a_header_or_run_as_a_template(care: LoadedPolicy) -> None:
    command = a_command("renewal_upcoming", MessageKind.RENEWAL_UPCOMING)
    variables = {**command.variables, "plan_name": "Pro\r\nBcc: all@example.com {{ 7 + 7 }}"}
    written = care.render(msgspec.structs.replace(command, variables=variables))
    assert written.subject is not None
    assert "\n" not in written.subject
    assert "Pro Bcc: all@example.com {{ 7 + 7 }}" in written.subject


# Locales


@pytest.fixture
def bilingual(document: dict[str, Any]) -> LoadedPolicy:
    document["content"]["de"] = {
        "final_notice": {
            "email": {"subject": "Bis {{ suspension_date | date }}", "body": "Offen: {{ total }}"},
        }
    }
    document["content"]["de-AT"] = {"final_notice": {"sms": {"body": "Servus: {{ total }}"}}}
    return from_document(Document("test", document))


@pytest.mark.parametrize(
    ("locale", "channel", "body"),
    [
        ("de", Channel.EMAIL, "Offen: 98,01\u00a0$"),
        ("de-DE", Channel.EMAIL, "Offen: 98,01\u00a0$"),
        ("de-AT", Channel.EMAIL, "Offen: $\u00a098,01"),
        ("de_at", Channel.EMAIL, "Offen: $\u00a098,01"),
        ("DE-at", Channel.SMS, "Servus: $ 98,01"),
        ("de-ZZ", Channel.EMAIL, "Offen: 98,01\u00a0$"),
    ],
)
def test_the_locale_nearest_to_the_customers(
    bilingual: LoadedPolicy, locale: str, channel: Channel, body: str
) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE, channel, locale=locale)
    assert bilingual.render(command).body == body


@pytest.mark.parametrize("locale", ["fr-CA", "en-GB", "de", "", "x", "not a locale", "zh-Hant-TW"])
def test_the_default_locale_serves_the_rest(bilingual: LoadedPolicy, locale: str) -> None:
    command = a_command("suspension_apology", MessageKind.APOLOGY, locale=locale)
    assert bilingual.render(command).body.startswith("Hello,")


def test_english_text_has_no_foreign_dates(bilingual: LoadedPolicy) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE, Channel.PUSH, locale="de-DE")
    assert "September 23, 2026" in bilingual.render(command).body
    british = msgspec.structs.replace(command, locale="en-GB")
    assert "23 September 2026" in bilingual.render(british).body


def test_the_dates_of_a_locale(bilingual: LoadedPolicy) -> None:
    command = a_command("final_notice", MessageKind.FINAL_NOTICE, locale="de-DE")
    assert bilingual.render(command).subject == "Bis 23. September 2026"


@pytest.mark.parametrize(
    ("minor_units", "currency", "locale", "text"),
    [
        (123456, "USD", "en-US", "$1,234.56"),
        (5, "USD", "en-US", "$0.05"),
        (123456, "JPY", "en-US", "¥123,456"),
        (123456, "KWD", "en-US", "KWD\u00a0123.456"),
        (123456, "RSD", "en-US", "RSD\u00a01,234.56"),
        (-100, "EUR", "de-DE", "-1,00\u00a0€"),
        (100, "INR", "en-IN", "₹1.00"),
        (12345678900, "INR", "en-IN", "₹12,34,56,789.00"),
        (100, "ZZZ", "en", "ZZZ\u00a01.00"),
    ],
)
def test_money(minor_units: int, currency: str, locale: str, text: str) -> None:
    parsed = parse_locale(locale)
    assert parsed is not None
    assert money(minor_units, currency, parsed) == text


@given(st.integers(0, 10**15), st.sampled_from(["USD", "JPY", "KWD", "CLF", "RSD", "EUR"]))
def test_money_keeps_every_digit(minor_units: int, currency: str) -> None:
    locale = parse_locale("en-US")
    assert locale is not None
    digits = re.sub(r"[^0-9]", "", money(minor_units, currency, locale))
    assert int(digits) == minor_units
    decimals = money(minor_units, currency, locale).partition(".")[2]
    assert len(decimals) == MINOR_UNIT_DIGITS.get(currency, 2)


# Checks


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ suspenson_date }}", "did you mean `suspension_date`"),
        ("{{ next_retry_on }}", "the variable `next_retry_on` is not known"),
        ("{{ customer_id }}", "the variable `customer_id` is not known"),
        ("{{ pay_url }}", "may be absent is written"),
        ("{{ pay_url | upper }}", "may be absent is written"),
        ("{{ pay_url | truncate(9) }}", "may be absent is written"),
        ("{{ 'at ' ~ pay_url }}", "joins with `~`"),
        ("{{ none }}", "may be absent is written"),
        ("{{ suspension_date", "is not a template, line 1"),
        ("{% if pay_url %}x", "is not a template"),
        ("{{ total | reverse }}", "uses `reverse`, which there is not"),
        ("{% if total is callable_ %}x{% endif %}", "is not a template|uses `callable_`"),
        ("{{ ''.__class__ }}", "asks for the private `__class__`"),
        ("{{ total['__class__'] }}", "asks for the private `__class__`"),
        ("{{ total.__class__.__mro__[1].__subclasses__() }}", "calls something|asks for the private"),
        ("{{ total.upper() }}", "calls something"),
        ("{{ range(10) }}", "calls something"),
        ("{{ 'x' * 1000000000 }}", "multiplies"),
        ("{{ 9 ** 99999 }}", "uses powers"),
        ("{{ '%999999999d' % 1 }}", "uses `%`"),
        ("{% include 'other' %}", "includes another template"),
        ("{% import 'other' as other %}x", "imports another template"),
        ("{% extends 'other' %}", "extends another template"),
        ("{% macro m() %}x{% endmacro %}x", "defines a macro"),
        ("{% set x = 'xx' %}{% set x = x + x %}{{ x }}", "sets a name"),
        ("{% set x = [1, 1] %}{% set x = [x, x] %}{{ x }}", "sets a name"),
        ("{% with x = 1 %}{{ x }}{% endwith %}", "sets a name"),
        ("{% block b %}x{% endblock %}", "defines a block"),
        ("{% for a in invoices %}{% for b in invoices %}x{% endfor %}{% endfor %}", "a loop within a loop"),
        ("{{ 1 // 0 }}", "divides"),
        ("{{ {'a': total} }}", "uses Jinja's (Dict|Pair)"),
        ("{{ total[0:1] }}", "uses Jinja's Slice"),
        ("{% filter upper %}x{% endfilter %}", "uses Jinja's FilterBlock"),
        ("{% autoescape false %}x{% endautoescape %}", "uses Jinja's ScopedEvalContextModifier"),
        ("{{ total.format }}", "no text or number, but a "),
        ("{{ invoices }}", "no text or number, but a list"),
        ("{{ invoices | join }}", "no text or number, but a dict"),
        ("{{ invoices | first }}", "no text or number, but a dict"),
        ("{{ 1 == 1 }}", "no text or number, but a bool"),
        ("{% for i in invoices %}{{ loop }}{% endfor %}", "no text or number, but a LoopContext"),
        ("{{ self }}", "the variable `self` is not known|no text or number"),
        ("{{ " + "(" * 5000 + "total" + ")" * 5000 + " }}", "is nested too deeply"),
        ("{% if total %}" * 120 + "x" + "{% endif %}" * 120, "too deep to be compiled"),
        ("{{ " + "9" * 5000 + " }}", "is not a template"),
        ("a\x02b", "control character"),
        ("{{ blocks.nothing }}", "there is no block `nothing`"),
        ("{{ blocks.greeting | upper }}", "a block stands by itself"),
        ("{% if blocks.greeting %}x{% endif %}", "a block stands by itself"),
        ("{{ suspension_date | money }}", "cannot be rendered"),
        ("{% if pay_url is none %}{{ suspension_date.nothing }}{% endif %}x", "cannot be rendered"),
        ("{% if pay_url %}x{% endif %}", "is empty when rendered"),
        ("x" * 460, "takes 4 SMS segments"),
        ("ž" * 202, "takes 4 SMS segments"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(
    document: dict[str, Any], problems_of: Problems, body: str, words: str
) -> None:
    document["content"]["en"]["final_notice"]["sms"]["body"] = body
    problems = problems_of(document)
    assert problems
    assert all(path.startswith("content.en.final_notice.sms") for path in problems)
    assert any(re.search(words, str(problem)) for problem in problems.values()), problems


@pytest.mark.parametrize(
    ("channel", "text", "words"),
    [
        ("email", {"body": "x"}, "subject: is missing"),
        ("push", {"body": "x"}, "subject: is missing"),
        ("sms", {"body": "x", "subject": "y"}, "sms has no subject"),
        ("push", {"body": "x" * 179, "subject": "y"}, "has 179 characters, more than 178"),
        ("push", {"body": "x", "subject": "y" * 66}, "has 66 characters, more than 65"),
    ],
)
def test_the_shape_of_a_channels_text(
    document: dict[str, Any], problems_of: Problems, channel: str, text: dict[str, str], words: str
) -> None:
    document["content"]["en"]["suspension_apology"][channel] = text
    (problem,) = problems_of(document).values()
    assert words in str(problem)


def test_a_text_in_another_locale_is_checked_as_well(document: dict[str, Any], problems_of: Problems) -> None:
    document["content"]["fr"] = {"final_notice": {"sms": {"body": "{{ montant }}"}}}
    document["content"]["qq"] = {"final_notice": {"sms": {"body": "x"}}}
    assert set(problems_of(document)) >= {"content.fr.final_notice.sms.body", "content.qq"}


def test_a_hard_text_may_not_ask_for_the_next_retry(document: dict[str, Any], problems_of: Problems) -> None:
    """It is known by name to failures, and never given to a hard one: printed, it would be absent."""
    document["content"]["en"]["payment_failed_hard"]["push"]["body"] = "Next: {{ next_retry_on }}"
    assert set(problems_of(document)) == {"content.en.payment_failed_hard.push"}


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ž" * 70, 1),
        ("ž" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_how_many_sms_a_text_takes(text: str, segments: int) -> None:
    assert sms_size(text).segments == segments


_NAMES = st.sampled_from(["total", "pay_url", "invoices", "suspension_date", "self", "_locale", "x"])
_BITS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "if ",
        "endif",
        "for i in ",
        "endfor",
        "|",
        "date",
        ".",
        "__class__",
        "(",
        ")",
        "[0]",
    ]
)


@settings(max_examples=30)
@given(st.lists(_NAMES | _BITS | st.text(max_size=3), max_size=12).map(" ".join))
def test_no_text_brings_the_check_down(care: LoadedPolicy, problems_of: Problems, body: str) -> None:
    document = dict(care.document)
    document["content"] = {"en": {**document["content"]["en"]}}
    document["content"]["en"]["final_notice"] = {
        **document["content"]["en"]["final_notice"],
        "in_app": {"body": body or "x"},
    }
    for path in problems_of(document):
        assert path.startswith("content.en.final_notice.in_app")
