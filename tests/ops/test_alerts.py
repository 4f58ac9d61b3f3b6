"""Alerts: they ask for what workers say, fire when they should, stay quiet else, and lead to a page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import promtool

from .queries import problems

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook"
TESTS = sorted(PROMETHEUS.glob("*.test.yml"))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "dunning.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


RULES = rules()
NAMES = [rule["alert"] for rule in RULES]


def expectations() -> Iterator[tuple[str, bool]]:
    """Each alert that a test asks for, and whether it is to fire."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for each in test.get("promql_expr_test", ()):
                yield re.findall(r'alertname="(\w+)"', each["expr"])[0], bool(each.get("exp_samples"))
            for each in test.get("alert_rule_test", ()):
                yield each["alertname"], bool(each["exp_alerts"])


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_asks_for_what_workers_say(rule: dict[str, Any]) -> None:
    assert not list(problems(rule["expr"]))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_says_what_to_do_and_links_to_its_page(rule: dict[str, Any]) -> None:
    assert re.fullmatch("Dunning[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["description"].endswith(".")
    base = "{{ with $externalLabels.runbook_base }}{{ . }}/{{ end }}"
    assert annotations["runbook_url"] == f"{base}docs/runbook/{rule['alert']}.md"
    page = (RUNBOOK / f"{rule['alert']}.md").read_text()
    assert page.startswith(f"# {rule['alert']}\n")
    assert "## What to do\n" in page


def test_the_runbook_has_a_page_for_every_alert_and_no_other() -> None:
    assert len(set(NAMES)) == len(NAMES)
    pages = {path.stem for path in RUNBOOK.glob("*.md")} - {"README"}
    assert pages == set(NAMES)
    index = re.findall(
        r"^\| \[(\w+)\]\(\1\.md\) \| .* \| a (\w+) \|$", (RUNBOOK / "README.md").read_text(), re.MULTILINE
    )
    assert index == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]


@pytest.mark.parametrize("page", sorted(RUNBOOK.glob("*.md")), ids=lambda path: path.stem)
def test_the_runbook_asks_for_what_workers_say_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for code in re.findall(r"`([^`\n]*dunning_[^`\n]*)`", text):
        assert not list(problems(code)), code
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / link).exists(), link


def test_the_runbook_names_commands_that_there_are() -> None:
    commands = set(
        re.findall(r"^## `dunning ([a-z ]+)`$", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    )
    for page in RUNBOOK.glob("*.md"):
        for said in re.findall(r"`dunning ([a-z]+(?: [a-z]+)?)", page.read_text()):
            assert {said, said.split()[0]} & commands, f"{page.stem}: dunning {said}"


def test_every_alert_is_tested_firing_and_quiet() -> None:
    seen = set(expectations())
    assert {name for name, fires in seen if fires} == set(NAMES)
    assert {name for name, fires in seen if not fires} == set(NAMES)


def test_prometheus_accepts_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", PROMETHEUS / "dunning.rules.yml")
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_the_alerts_fire_and_stay_quiet() -> None:
    promtool("test", "rules", *TESTS)
