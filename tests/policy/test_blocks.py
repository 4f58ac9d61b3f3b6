"""Tones, and the blocks that texts share."""

from typing import Any

import msgspec
import pytest

from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.dunning.variables import MessageKind
from streams.policy import LoadedPolicy
from streams.policy.documents import Document
from streams.policy.loading import from_document
from streams.policy.samples import samples
from streams.policy.usage import Use

from .conftest import Problems

APOLOGY = next(
    samples(Use("test", "suspension_apology", MessageKind.APOLOGY, (Channel.EMAIL,)), Channel.EMAIL, "en-US")
)


def with_apology(document: dict[str, Any], body: str, blocks: dict[str, Any], **text: Any) -> dict[str, Any]:
    document["content"]["en"]["suspension_apology"]["email"] = {"subject": "s", "body": body, **text}
    document["content"]["en"]["blocks"] |= blocks
    return document


def written(document: dict[str, Any], tone: str | None = None, locale: str = "en-US") -> str:
    loaded = from_document(Document("test", document))
    return loaded.render(msgspec.structs.replace(APOLOGY, tone=tone, locale=locale)).body


def test_a_block_stands_where_it_is_named(document: dict[str, Any]) -> None:
    with_apology(document, "A{{ blocks.x }}C\n\n{{blocks.y}}", {"x": "b", "y": "one\ntwo\n"})
    assert written(document) == "AbC\n\none\ntwo"


def test_a_block_may_hold_another(document: dict[str, Any]) -> None:
    with_apology(document, "{{ blocks.x }}", {"x": "[{{ blocks.y }}]", "y": {"supportive": "s", "short": ""}})
    assert written(document) == "[s]"
    assert written(document, "short") == "[]"


@pytest.mark.parametrize(
    ("block", "default", "expected"),
    [
        ({"supportive": "a", "formal": "b", "short": "c"}, "supportive", "abc"),
        ({"supportive": "a", "short": "c"}, "supportive", "aac"),
        ({"supportive": "a", "short": "c"}, "short", "acc"),
        # Not even the default tone: the first, in the order of the tones and not of the file.
        ({"short": "c", "formal": "b"}, "supportive", "bbc"),
        ("a", "formal", "aaa"),
    ],
)
def test_a_tone_falls_back(document: dict[str, Any], block: Any, default: str, expected: str) -> None:
    with_apology(document, "{{ blocks.x }}", {"x": block})
    document["default_tone"] = default
    assert "".join(written(document, tone.value) for tone in Tone) == expected
    assert written(document) == written(document, default)


def test_a_whole_text_may_differ_by_tone(document: dict[str, Any]) -> None:
    with_apology(document, "long", {}, tones={"short": {"body": "brief"}, "formal": {"subject": "Sir"}})
    loaded = from_document(Document("test", document))
    said = {tone: loaded.render(msgspec.structs.replace(APOLOGY, tone=tone.value)) for tone in Tone}
    assert {tone: (each.subject, each.body) for tone, each in said.items()} == {
        Tone.SUPPORTIVE: ("s", "long"),
        Tone.FORMAL: ("Sir", "long"),
        Tone.SHORT: ("s", "brief"),
    }


def test_a_regions_blocks_go_before_its_languages(document: dict[str, Any]) -> None:
    with_apology(document, "{{ blocks.x }} {{ blocks.y }}", {"x": "colour", "y": "yes"})
    document["content"]["en-US"] = {
        "blocks": {"x": "color"},
        "suspension_apology": {"email": document["content"]["en"]["suspension_apology"]["email"]},
    }
    assert written(document) == "color yes"
    assert written(document, locale="en-GB") == "colour yes"


@pytest.mark.parametrize(
    ("body", "blocks", "told"),
    [
        ("{{ blocks.x }}", {}, ("suspension_apology.email.body", "there is no block `x`")),
        ("{{ blocks.x }}", {"x": "{{ blocks.x }}"}, ("blocks.x", "the block `x` holds itself")),
        ("{{ blocks.x }}", {"x": "{% if %}"}, ("blocks.x", "is not a template, line 1")),
        ("{{ blocks.x }}", {"x": {"short": "{{ range(9) }}"}}, ("blocks.x.short", "calls something")),
        ("{{ blocks.x }}", {"x": {"shrot": "y"}}, ("blocks.x.shrot", "short")),
        ("{{ blocks.x }}", {"x": {"short": "{{ pay_url }}"}}, ("suspension_apology.email.body", "`pay_url`")),
        ("{{ blocks.x }}" * 65, {"x": "y"}, ("suspension_apology.email.body", "more than 64 blocks")),
        (
            "{% if tone == 'short' %}{{ sender }}{% endif %}x",
            {},
            ("suspension_apology.email", "may be absent"),
        ),
    ],
)
def test_what_is_wrong_with_a_block_is_told(
    document: dict[str, Any], problems_of: Problems, body: str, blocks: dict[str, Any], told: tuple[str, str]
) -> None:
    path, words = told
    problems = problems_of(with_apology(document, body, blocks))
    assert any(words in str(problem) for problem in problems.values()), problems
    assert f"content.en.{path}" in problems


def test_blocks_that_double_each_other_are_refused(document: dict[str, Any], problems_of: Problems) -> None:
    blocks = {f"b{n}": f"{{{{ blocks.b{n + 1} }}}}{{{{ blocks.b{n + 1} }}}}" for n in range(40)}
    problems = problems_of(with_apology(document, "{{ blocks.b0 }}", {**blocks, "b40": "x"}))
    assert "more than 64 blocks" in str(problems["content.en.suspension_apology.email.body"])


def test_what_is_not_used_or_not_translated_is_a_warning(document: dict[str, Any]) -> None:
    document["content"]["en"]["blocks"]["spare"] = "x"
    document["content"]["de"] = {"final_notice": {"sms": {"body": "Offen: {{ total }}"}}}
    warnings = {warning.path: str(warning) for warning in from_document(Document("test", document)).warnings}
    assert "is used by no text" in warnings["content.en.blocks.spare"]
    assert "not written for email, letter, in_app, push, phone" in warnings["content.de.final_notice"]
    assert "sent in en instead" in warnings["content.de.suspension_apology"]


def test_the_same_words_have_the_same_version(care: LoadedPolicy) -> None:
    document = msgspec.to_builtins(care.document)
    blocks = document["content"]["de"]["blocks"]
    document["content"]["de"]["blocks"] = dict(reversed(blocks.items()))
    assert from_document(Document("test", document)).version == care.version
