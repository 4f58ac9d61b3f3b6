"""Dashboards of Grafana, as its JSON: rows of panels, each with queries to Prometheus.

Queries are written without the selection of a job, which is added to each of them: one Prometheus may watch
several deployments, and the dashboard's variable `job` says which are shown.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Dashboard", "Panel", "Query", "Row", "render"]

_COLUMNS = 24
_HEIGHTS = {"stat": 4, "timeseries": 8, "table": 6}
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION = 39  # of Grafana 11; later ones read it, too
# From one dashboard to the other, for the same deployment and time.
_LINKS = {
    "type": "dashboards",
    "title": "Dunning",
    "tags": ["dunning"],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
    "targetBlank": False,
    "icon": "dashboard",
    "tooltip": "",
}
_METRIC = re.compile(r"\b(dunning_[a-z_]+)(?:\{([^}]*)\})?")


@dataclass(frozen=True, slots=True)
class Query:
    """One line, or one for each series.

    Attributes:
        expression: PromQL, without the job.
        legend: of its series, with labels in double braces.
    """

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        meaning: shown when asked for; what to look for.
        queries: one or more.
        kind: `stat` for one number, `timeseries`, or `table` for labels.
        unit: as Grafana names it.
        width: of 24 columns.
        stacked: whether series add up to a whole.
        limit: from here on it is red.
    """

    title: str
    meaning: str
    queries: tuple[Query, ...]
    kind: Literal["stat", "timeseries", "table"] = "timeseries"
    unit: str = "short"
    width: int = 8
    stacked: bool = False
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: names it in links.
        title: in Grafana's list.
        meaning: for whom it is.
        since: the time shown at first, such as `now-6h`.
        rows: from the top.
    """

    uid: str
    title: str
    meaning: str
    since: str
    rows: tuple[Row, ...]


def render(dashboard: Dashboard) -> str:
    """The dashboard as a file that Grafana provisions."""
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.meaning,
        "tags": ["dunning"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": dashboard.since, "to": "now"},
        "refresh": "30s",
        "timezone": "browser",
        "links": [_LINKS],
        "templating": {"list": _variables()},
        "panels": _panels(dashboard.rows),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "job",
            "label": "Deployment",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": "label_values(dunning_build_info, job)", "refId": "job"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _panels(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
                "panels": [],
            }
        )
        y, x, height = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                y, x, height = y + height, 0, 0
            place = {"x": x, "y": y, "w": panel.width, "h": _HEIGHTS[panel.kind]}
            made.append({"id": len(made) + 1, "gridPos": place, **_panel(panel)})
            x, height = x + panel.width, max(height, place["h"])
        y += height
    return made


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "targets": [_target(panel, place, query) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": _LABELS_ONLY} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, place: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + place),
        "datasource": _SOURCE,
        "expr": _METRIC.sub(_with_job, query.expression),
        "legendFormat": query.legend or "__auto",
        "instant": panel.kind != "timeseries",
        "range": panel.kind == "timeseries",
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _with_job(found: re.Match[str]) -> str:
    matchers = ['job=~"$job"', *filter(None, [found[2]])]
    return f"{found[1]}{{{','.join(matchers)}}}"


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 30 if panel.stacked else 5,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.limit is None else "dashed"},
        }
    return defaults


# Of a table's columns, the labels say something; time and value do not.
_LABELS_ONLY = [
    {
        "id": "organize",
        "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True}, "indexByName": {}},
    }
]


def _options(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case "stat":
            return {
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "colorMode": "value" if panel.limit is None else "background",
                "graphMode": "none",
                "textMode": "auto",
            }
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}
