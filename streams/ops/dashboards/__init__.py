"""Grafana's dashboards, made from code as the reference of the metrics is."""

from collections.abc import Callable, Mapping

from streams.ops.dashboards.business import BUSINESS
from streams.ops.dashboards.engine import ENGINE
from streams.ops.dashboards.grafana import render

__all__ = ["BUSINESS", "ENGINE", "PAGES"]

PAGES: Mapping[str, Callable[[], str]] = {
    "deploy/grafana/dashboards/business.json": lambda: render(BUSINESS),
    "deploy/grafana/dashboards/engine.json": lambda: render(ENGINE),
}
"""Each generated file and what makes it."""
