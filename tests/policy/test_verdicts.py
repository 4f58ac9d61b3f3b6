"""What was found without fault is not checked again; all else is, and nothing faulty is ever believed."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from streams.dunning.events import Channel
from streams.policy import RenderError, content_verdicts, faultless, load
from streams.policy.content import Content
from streams.policy.content_checks import content_problems
from streams.policy.content_verdicts import Verdicts, of_this_process
from streams.policy.documents import policies_directory
from streams.policy.loading import read_policy
from streams.policy.samples import samples
from streams.policy.usage import uses
from tests.policy.conftest import Problems


@pytest.fixture
def fresh() -> Iterator[None]:
    """Verdicts as in a process that begins."""
    of_this_process.cache_clear()
    yield
    of_this_process.cache_clear()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are rendered from now on."""
    rendered: list[str] = []
    original = Content.render_text

    def spied(content: Content, command: Any, tag: str, text: Any) -> Any:
        rendered.append(f"{tag}.{command.template}.{command.channel.value}")
        return original(content, command, tag, text)

    monkeypatch.setattr(Content, "render_text", spied)
    return rendered


@pytest.mark.usefixtures("fresh")
def test_the_shipped_policy_starts_without_reading_a_text_again(checked: list[str]) -> None:
    load("care")
    assert checked == []


@pytest.mark.usefixtures("fresh")
def test_a_changed_text_is_checked_and_no_other(checked: list[str], document: dict[str, Any]) -> None:
    email = document["content"]["en"]["suspension_apology"]["email"]
    email["body"] += "\nWe are sorry."
    read = read_policy(document)
    assert list(content_problems(*read)) == []
    assert set(checked) == {"en.suspension_apology.email"}
    checked.clear()
    assert list(content_problems(*read)) == []
    assert checked == []


@pytest.mark.usefixtures("fresh")
def test_a_changed_block_has_every_text_checked_that_holds_it(
    checked: list[str], document: dict[str, Any]
) -> None:
    document["content"]["en"]["blocks"]["greeting"] = "Good day,"
    list(content_problems(*read_policy(document)))
    texts = document["content"]["en"]
    assert {each for each in checked if each.endswith(".email")} == {
        f"en.{template}.email"
        for template, channels in texts.items()
        if template != "blocks" and "blocks.greeting" in str(channels["email"])
    }
    assert "en.payment_failed_soft.sms" not in checked


@pytest.mark.usefixtures("fresh")
def test_a_setting_has_the_texts_checked_that_name_it(checked: list[str], document: dict[str, Any]) -> None:
    document["content"]["en"]["suspension_apology"]["in_app"] = {"body": "We are sorry. {{ sender }}"}
    document["sender"] = "Example"
    list(content_problems(*read_policy(document)))
    assert "en.suspension_apology.in_app" in checked
    checked.clear()
    document["sender"] = "Another"
    list(content_problems(*read_policy(document)))
    assert "en.suspension_apology.in_app" in checked
    assert "en.payment_failed_soft.sms" not in checked


@pytest.mark.usefixtures("fresh")
def test_a_message_that_asks_otherwise_has_its_text_checked(
    problems_of: Problems, document: dict[str, Any]
) -> None:
    """The text is the same: what it is given is not."""
    document["messages"]["apology"]["template"] = "renewal_upcoming"
    found = problems_of(document)
    assert any("is not known" in problem.message for problem in found.values())


@pytest.mark.usefixtures("fresh")
def test_faults_are_told_every_time(problems_of: Problems, document: dict[str, Any]) -> None:
    faulty = copy.deepcopy(document)
    faulty["content"]["en"]["suspension_apology"]["sms"]["body"] = "We are sorry, {{ nme }}"
    faulty["content"]["en"]["blocks"]["greeting"] = "{% for x in y %}"
    first, second = problems_of(faulty), problems_of(faulty)
    assert (
        set(first)
        == set(second)
        >= {
            "content.en.suspension_apology.sms.body",
            "content.en.blocks.greeting",
        }
    )


@pytest.mark.usefixtures("fresh")
def test_other_code_believes_nothing_of_what_was_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(of_this_process().faultless) > 200
    of_this_process.cache_clear()
    monkeypatch.setattr(content_verdicts, "judged_by", lambda: "another")
    assert of_this_process().faultless == set()


@pytest.mark.parametrize("written", ["", "\xff"])
@pytest.mark.usefixtures("fresh")
def test_without_a_file_that_can_be_read_everything_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, written: str
) -> None:
    monkeypatch.setattr(content_verdicts, "policies_directory", lambda: tmp_path)
    assert of_this_process().faultless == set()
    of_this_process.cache_clear()
    (tmp_path / content_verdicts.FILE).write_text(written, encoding="latin-1")
    assert of_this_process().faultless == set()


def test_the_shipped_verdicts_are_what_a_full_check_finds() -> None:
    assert (policies_directory() / content_verdicts.FILE).read_text(encoding="utf-8") == faultless.render()


def test_a_verdict_opens_no_way_around_the_sandbox(document: dict[str, Any]) -> None:
    """Even a text that was wrongly believed cannot do what a text may not."""
    document["content"]["en"]["suspension_apology"]["sms"]["body"] = "{{ sender.__class__ }}"
    policy, content = read_policy(document)
    use = next(use for use in uses(policy) if use.template == "suspension_apology")
    with pytest.raises(RenderError, match="private"):
        content.render(next(samples(use, Channel.SMS, "en")))


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_verdicts, "_MOST", 3)
    verdicts = Verdicts()
    for number in range(10):
        verdicts.add(str(number))
    assert "9" in verdicts.faultless
    assert len(verdicts.faultless) <= 3
