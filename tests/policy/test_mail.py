"""The HTML of a mail: what the text says, nothing of it live but what the layout makes."""

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import DeclineClass
from streams.dunning.variables import MessageKind
from streams.policy import LoadedPolicy
from streams.policy.content_output import link_mark, mail, plain, tidy
from streams.policy.documents import Document
from streams.policy.formats import parse_locale
from streams.policy.loading import from_document
from streams.policy.samples import samples
from streams.policy.usage import Use, uses

from .conftest import Problems

TAGS = frozenset(
    {"html", "head", "meta", "title", "style", "body", "table", "tr", "td", "p", "h1", "ul", "li", "br", "a"}
)


class Page(HTMLParser):
    """What a mail's HTML has in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def renewal(**variables: str) -> NotificationCommand:
    use = Use("test", "renewal_upcoming", MessageKind.RENEWAL_UPCOMING, (Channel.EMAIL,))
    fullest = max(samples(use, Channel.EMAIL, "en-US"), key=lambda each: len(each.variables))
    return msgspec.structs.replace(fullest, variables={**fullest.variables, **variables})


def failure(**variables: str) -> NotificationCommand:
    use = Use("test", "payment_failed_hard", MessageKind.FAILURE, (Channel.EMAIL,), DeclineClass.HARD)
    fullest = max(samples(use, Channel.EMAIL, "en-US"), key=lambda each: len(each.variables))
    return msgspec.structs.replace(fullest, variables={**fullest.variables, **variables})


def html_of(care: LoadedPolicy, command: NotificationCommand) -> str:
    html = care.render(command).html_body
    assert html is not None
    return html


def test_it_says_what_the_text_says(care: LoadedPolicy) -> None:
    for use in {use.template: use for use in uses(care.policy)}.values():
        for locale in ("en-US", "ja-JP", "fr-FR"):
            for command in samples(use, Channel.EMAIL, locale):
                written = care.render(command)
                page = Page(written.html_body or "")
                words = re.sub(r"[\s:\uff1a-]|https?://\S+", "", written.body)
                assert words in re.sub(r"[\s:\uff1a-]|https?://\S+", "", page.text)
                assert page.tags <= TAGS
                assert "src" not in page.attributes, "nothing is loaded from elsewhere"
                assert f'lang="{locale}"' in (written.html_body or "")


def test_a_link_alone_is_a_button_and_in_text_an_address(care: LoadedPolicy) -> None:
    command = failure(pay_url="https://pay.example/1?a=b&c=%22")
    assert Page(html_of(care, command)).links == ["https://pay.example/1?a=b&c=%22"]
    assert "background:#1a56b0" in html_of(care, command)
    body = care.render(command).body
    assert "\n\nAdd a card, or choose another way to pay: https://pay.example/1?a=b&c=%22\n\n" in body


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", " https://a b/"])
def test_a_link_that_is_no_web_address_stays_text(care: LoadedPolicy, url: str) -> None:
    page = Page(html_of(care, failure(pay_url=url)))
    assert page.links == []
    assert url.strip() in page.text


HOSTILE = (
    '<script>alert(1)</script> & "quotes" <a href="https://evil.example">x</a>'
    "\r\nBcc: all@example.com\n\n- item \x02label\x1fhttps://evil.example\x03"
)


def test_a_value_is_never_markup(care: LoadedPolicy) -> None:
    written = care.render(renewal(plan_name=HOSTILE))
    page = Page(written.html_body or "")
    assert page.tags <= TAGS
    assert page.links == []
    assert "<script>alert(1)</script>" in page.text
    assert "\n" not in (written.subject or "")
    assert "\x02" not in written.body


@given(st.text())
def test_no_value_breaks_out(care: LoadedPolicy, value: str) -> None:
    written = care.render(renewal(plan_name=value))
    page = Page(written.html_body or "")
    assert page.tags <= TAGS
    assert page.links == []
    assert "\n" not in (written.subject or "")
    # The lines of the text are the template's: a value adds none.
    assert len(written.body.splitlines()) == len(care.render(renewal(plan_name="x")).body.splitlines())


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t")))
def test_no_text_breaks_out(text: str) -> None:
    locale = parse_locale("en")
    assert locale is not None
    page = Page(mail(tidy(text), text, locale, text))
    assert page.tags <= TAGS
    assert page.links == []


def test_an_authors_own_markup_is_shown_as_it_is_written(document: dict[str, Any]) -> None:
    document["content"]["en"]["suspension_apology"]["email"]["body"] = "Terms & <b>conditions</b>"
    loaded = from_document(Document("test", document))
    use = Use("test", "suspension_apology", MessageKind.APOLOGY, (Channel.EMAIL,))
    written = loaded.render(next(samples(use, Channel.EMAIL, "en-US")))
    assert written.body == "Terms & <b>conditions</b>"
    assert "Terms &amp; &lt;b&gt;conditions&lt;/b&gt;" in (written.html_body or "")


def test_lists_and_lines_and_links_in_a_sentence() -> None:
    locale = parse_locale("fr")
    assert locale is not None
    text = f"Un\ndeux\n- trois\n- quatre\ncinq {link_mark('https://a.example', 'Ici')}."
    assert (
        "<p>Un<br>deux</p><ul><li>trois</li><li>quatre</li></ul>"
        '<p>cinq <a href="https://a.example">Ici</a>.</p>'
    ) in mail(text, "s", locale, None)
    assert plain(text, locale).endswith("cinq Ici\u00a0: https://a.example.")


def test_a_tag_alone_on_its_line_leaves_no_line_and_one_at_its_end_takes_none(
    document: dict[str, Any],
) -> None:
    document["content"]["en"]["suspension_apology"]["email"]["body"] = (
        "A\n{% if sender %}\nB\n{% endif %}\nC{% if not sender %}D{% endif %}\n\n"
        "E\n  {% if sender %}\nx\n{% endif %}\n\n\n\nF   \n"
    )
    loaded = from_document(Document("test", document))
    use = Use("test", "suspension_apology", MessageKind.APOLOGY, (Channel.EMAIL,))
    assert loaded.render(next(samples(use, Channel.EMAIL, "en-US"))).body == "A\nCD\n\nE\n\nF"


# Links and the sender: settings of the policy


def test_the_policys_links_are_used(document: dict[str, Any]) -> None:
    document["sender"] = "Acme & Co"
    document["links"] = {
        "pay": "https://pay.example/{customer_id}/{command_id}?lang={locale}",
        "cancel": "https://pay.example/cancel",
    }
    loaded = from_document(Document("test", document))
    command = msgspec.structs.replace(failure(), customer_id="a/b?c", locale="en-US")
    variables = {name: value for name, value in command.variables.items() if name != "pay_url"}
    written = loaded.render(msgspec.structs.replace(command, variables=variables))
    assert Page(written.html_body or "").links == ["https://pay.example/a%2Fb%3Fc/sample?lang=en-US"]
    assert "your Acme & Co team" in written.body
    assert Page(loaded.render(command).html_body or "").links == [command.variables["pay_url"]]
    assert "https://pay.example/cancel" in loaded.render(renewal()).body


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("http://pay.example/", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("https://", "names no host"),
        ("https://localhost/", "names no host"),
        ("https://{customer_id}.example/", "has braces in its host"),
        ("https://a@evil.example/", "a user's name before the host"),
        ("https://pay.example/{costumer_id}", "did you mean `{customer_id}`"),
        ("https://pay.example/{", "a character that no address may have"),
        ("https://pay.example/a b", "a character that no address may have"),
        ("https://pay.example/" + "x" * 400, "more than 400"),
        ("https://[pay.example/", "is not an address"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(
    document: dict[str, Any], problems_of: Problems, link: str, words: str
) -> None:
    document["links"] = {"manage": link}
    problems = problems_of(document)
    assert words in str(problems["links.manage"])


def test_a_long_link_counts_in_an_sms(document: dict[str, Any], problems_of: Problems) -> None:
    document["content"]["en"]["card_expiring"]["sms"]["body"] = "Your card expires. {{ update_url }}"
    document["links"] = {"update_card": "https://pay.example/" + "x" * 370}
    assert set(problems_of(document)) == set()
    document["content"]["en"]["card_expiring"]["sms"]["body"] += " ž"
    problems = problems_of(document)
    assert "UCS-2 because of ž" in str(problems["content.en.card_expiring.sms.body"])


# The reason that may be told


@pytest.mark.parametrize(
    ("table", "code"), [("vendor", "lost_card"), ("iso8583", "43"), ("vendor", "authentication_required")]
)
def test_of_fraud_no_reason_may_be_told(
    document: dict[str, Any], problems_of: Problems, table: str, code: str
) -> None:
    document["told_reasons"][table][code] = "details_incorrect"
    assert "whose reason is never told" in str(problems_of(document)[f"told_reasons.{table}.{code}"])


def test_every_told_code_is_a_code_of_the_tables(care: LoadedPolicy) -> None:
    for table, codes in care.policy.told_reasons.items():
        assert set(codes) <= set(care.policy.declines[table])
