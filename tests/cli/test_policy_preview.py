import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode

run = CliRunner()


def preview(*arguments: str) -> str:
    result = run.invoke(app, ["policy", "preview", *arguments])
    assert result.exit_code == ExitCode.OK, result.output
    return result.stdout


def test_a_message_in_the_terminal() -> None:
    shown = preview("final_notice", "--locale", "de-AT", "--channel", "sms", "--tone", "formal")
    assert re.match(r"final_notice  sms  de-AT \(text in de\)  formal  [12] of 3 SMS segments, GSM-7", shown)
    assert "Ihr Abonnement wird am 23. September 2026 ausgesetzt" in shown


def test_the_segment_chooses_the_tone(tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text(
        "extends: care\nname: mine\nsegments: [{name: at_risk, tone: short}]\n", encoding="utf-8"
    )
    arguments = ("suspension_apology", "--channel", "email", "--policy", str(policy))
    assert "  short\n" in preview(*arguments, "--segment", "at_risk")
    assert "  supportive\n" in preview(*arguments)
    assert "  formal\n" in preview(*arguments, "--segment", "at_risk", "--tone", "formal")


def test_all_messages_on_one_page(tmp_path: Path) -> None:
    page = tmp_path / "messages.html"
    assert preview("--locale", "ja", "--html", str(page)) == ""
    html = page.read_text(encoding="utf-8")
    assert html.count("<article") == 54
    assert html.count('<iframe sandbox=""') == 9
    assert not re.search(r"<(script|link|img)\b|@import|\burl\(", html), "it loads nothing"
    assert "UCS-2" in html


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("final_notce",), "did you mean `final_notice`?"),
        (("final_notice", "--segment", "nwe"), "did you mean `new`?"),
        (("final_notice", "--tone", "rude"), "rude"),
    ],
)
def test_what_there_is_not(arguments: tuple[str, ...], words: str) -> None:
    result = run.invoke(app, ["policy", "preview", *arguments])
    assert result.exit_code == ExitCode.USAGE
    assert words in result.output
