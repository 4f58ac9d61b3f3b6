"""From what a template has written to what is sent: plain text, and for e-mail the same as HTML.

The HTML is made of the finished text: all of it is escaped, whoever wrote it, and only what is made here is
markup. A blank line parts paragraphs, `- ` begins an item of a list, and a link that stands alone becomes a
button. Nothing in it is loaded from elsewhere.
"""

import re
from functools import lru_cache
from pathlib import Path

import jinja2
from babel import Locale
from markupsafe import escape

from streams.policy import formats

_BEGIN, _BETWEEN, _END = "\x02", "\x1f", "\x03"
# No text and no value has these characters: see `clean`, and the check of a text's source.
_LINK = re.compile(f"{_BEGIN}([^{_BETWEEN}{_END}]*){_BETWEEN}([^{_BETWEEN}{_END}]*){_END}")
_STRAY = re.compile(f"[{_BEGIN}{_BETWEEN}{_END}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACE_AT_END = re.compile(r"[ \t]+$", re.MULTILINE)
_SPACES = re.compile(r"[ \x00-\x1f\x7f-\x9f\u2028\u2029]+")
_WEB_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)

_SMS_EQUALS = str.maketrans(
    {
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00ab": '"',
        "\u00bb": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2026": "...",
    }
)
"""What is not in the SMS alphabet and has an equal there: one of them halves what fits a segment."""

_LAYOUT = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
).from_string(Path(__file__).with_name("mail.html").read_text(encoding="utf-8"))

_HOLE = "\x00"
"""Where the layout takes what differs by message: a character that no setting has, and escaping leaves."""

_BUTTON = (
    '<p><a href="{url}" style="display:inline-block;padding:12px 20px;border-radius:6px;'
    'background:#1a56b0;color:#ffffff;font-weight:600;text-decoration:none">{label}</a></p>'
)


def clean(value: str) -> str:
    """A value in one line: a line break in it would make paragraphs, or add a header to an e-mail."""
    return value if value.isascii() and value.isprintable() else _CONTROL.sub(" ", value)


def one_line(written: str) -> str:
    """A subject: a line break in it would let a value add headers to an e-mail."""
    return _SPACES.sub(" ", written).strip(" ")


def link_mark(url: str, label: str) -> str:
    """A link as a template writes it, until it is known whether it becomes text or HTML."""
    return f"{_BEGIN}{label}{_BETWEEN}{url}{_END}"


def tidy(written: str) -> str:
    """What a template has written, without the blank lines that its conditions left."""
    if " \n" in written or "\t\n" in written:
        written = _SPACE_AT_END.sub("", written)
    if "\n\n\n" in written:
        written = _BLANK_LINES.sub("\n\n", written)
    return written.strip()


def plain(tidied: str, locale: Locale) -> str:
    """The text with each link written out."""
    if _BEGIN not in tidied:
        return tidied
    return _without_strays(_LINK.sub(lambda link: formats.labelled(link[1], link[2], locale), tidied))


def _without_strays(text: str) -> str:
    """A link that a filter has cut in two leaves its marks."""
    return _STRAY.sub("", text) if _BEGIN in text or _BETWEEN in text or _END in text else text


def sms(text: str) -> str:
    """The text with the characters of the SMS alphabet where they say the same."""
    return text if text.isascii() else text.translate(_SMS_EQUALS)


def mail(tidied: str, subject: str, locale: Locale, sender: str | None) -> str:
    """A whole HTML document that says what the text says."""
    paragraphs = "\n".join(map(_paragraph, str(escape(tidied)).split("\n\n")))
    title = str(escape(subject))
    before, between, after, end = _frame(str(locale).replace("_", "-"), locale.text_direction, sender)
    return f"{before}{title}{between}{title}{after}{paragraphs}{end}"


# As many as there are locales in use: what differs by message is not in it.
@lru_cache(maxsize=256)
def _frame(language: str, direction: str, sender: str | None) -> tuple[str, str, str, str]:
    """The layout around the subject (twice) and the paragraphs, escaped by Jinja."""
    around = _LAYOUT.render(
        language=language, direction=direction, sender=sender, subject=_HOLE, content=_HOLE
    ).split(_HOLE)
    before, between, after, end = around
    return before, between, after, end


def _paragraph(escaped: str) -> str:
    if _BEGIN in escaped:
        alone = _LINK.fullmatch(escaped)
        if alone is not None and _WEB_ADDRESS.fullmatch(alone[2]):
            return _BUTTON.format(url=alone[2], label=alone[1])
        escaped = _without_strays(_LINK.sub(_anchor, escaped))
    parts: list[str] = []
    lines: list[str] = []
    items: list[str] = []
    for line in escaped.split("\n"):
        if line.startswith("- "):
            parts += _closed(lines, "<p>", "<br>", "</p>")
            items.append(line[2:])
        else:
            parts += _closed(items, "<ul><li>", "</li><li>", "</li></ul>")
            lines.append(line)
    parts += _closed(items, "<ul><li>", "</li><li>", "</li></ul>")
    parts += _closed(lines, "<p>", "<br>", "</p>")
    return "".join(parts)


def _closed(lines: list[str], begin: str, between: str, end: str) -> list[str]:
    if not lines:
        return []
    part = begin + between.join(lines) + end
    lines.clear()
    return [part]


def _anchor(link: re.Match[str]) -> str:
    label, url = link[1], link[2]
    # A link of another scheme could run a program: it stays text.
    return f'<a href="{url}">{label}</a>' if _WEB_ADDRESS.fullmatch(url) else f"{label} {url}"
