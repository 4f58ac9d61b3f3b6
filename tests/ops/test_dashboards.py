"""Dashboards: every query asks for what workers say, and Prometheus can read it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.ops.catalogue import CATALOGUE
from streams.ops.dashboards import PAGES
from tests.prometheus import promtool

from .queries import metrics_of, problems

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
NAMES = [path.stem for path in FILES]
# What Grafana puts in the place of its variables.
VARIABLES = {"$__rate_interval": "1m", "$__range": "7d", "$job": ".*"}


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def queries(path: Path) -> list[str]:
    return [target["expr"] for panel in load(path)["panels"] for target in panel.get("targets", ())]


def filled(query: str) -> str:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


def test_the_files_are_those_that_are_made() -> None:
    assert {str(path.relative_to(ROOT)) for path in FILES} == set(PAGES)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_query_asks_for_what_workers_say_of_the_chosen_deployment(path: Path) -> None:
    for query in queries(path):
        assert not list(problems(query)), query
        assert query.count('job=~"$job"') == sum(query.count(f"{name}{{") for name in asked(query)), query
        assert "$" not in filled(query), "a variable that the dashboard does not have"


def asked(query: str) -> set[str]:
    names = metrics_of(query)
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "sum", "count")}


def test_every_metric_is_shown_somewhere() -> None:
    shown = {name for path in FILES for query in queries(path) for name in metrics_of(query)}
    missing = {metric.name for metric in CATALOGUE} - shown
    assert not missing, "show them in streams/ops/dashboards"


def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"dashboard:{path.stem}:{number}", "expr": filled(query)}
        for path in FILES
        for number, query in enumerate(queries(path))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_panels_lie_side_by_side_and_every_source_is_the_chosen_one(path: Path) -> None:
    dashboard = load(path)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        squares = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not squares & taken, panel["title"]
        taken |= squares
        if panel["type"] != "row":
            assert panel["description"].endswith((".", "?"))
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert {source["uid"] for source in sources} == {"${datasource}"}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert [each["name"] for each in dashboard["templating"]["list"]] == ["datasource", "job"]


def test_provisioning_is_well_formed() -> None:
    for path in (GRAFANA / "provisioning").rglob("*.yml"):
        assert yaml.safe_load(path.read_text())["apiVersion"] == 1
