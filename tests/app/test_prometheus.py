"""A real Prometheus, with the project's rules, scrapes a real worker."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from streams.dunning.events import Tick
from streams.engine import ExitCode
from streams.ops.catalogue import CATALOGUE
from tests.prometheus import Prometheus, find

from .endpoint import Asked
from .harness import Deployment, wait_for
from .histories import random_history

pytestmark = pytest.mark.kafka

# What a first start on empty topics has no occasion for.
SELDOM = {"dunning_restored_records", "dunning_restore_remaining_offsets"}


def test_a_worker_is_scraped_and_its_rules_are_evaluated(deployment: Deployment, tmp_path: Path) -> None:
    find("prometheus")
    worker = deployment.start(metrics_port=0)
    ask = Asked(worker)
    with Prometheus(tmp_path, [ask.url.removeprefix("http://")]) as prometheus:
        history = random_history(Random(6), customers=30, days=20)
        for arrival in history:
            deployment.send(arrival)
        deployment.tick(Tick(datetime.now(UTC)))
        deployment.wait_until_done()
        decided = 'sum(dunning_events_total{outcome!="bad"})'
        wait_for(lambda: prometheus.values(decided) == {(): len(history)}, "every event is scraped")
        wait_for(lambda: prometheus.values("sum(dunning_lag_records)") == {(): 0}, "there is no lag")
        wait_for(lambda: len(prometheus.values("dunning_store_bytes")) > 0, "sizes are told")
        names = set(prometheus.ask("label/__name__/values"))
        for metric in CATALOGUE:
            name = f"{metric.name}_bucket" if metric.kind == "histogram" else metric.name
            assert name in names or name in SELDOM, name
        assert prometheus.values("sum(dunning_partitions) by (state)") == {
            (("state", "assigned"),): 4,
            (("state", "ready"),): 4,
        }
        assert prometheus.values("dunning_input_partitions").popitem()[1] == 4
        groups = prometheus.ask("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert rules
        assert {rule["health"] for rule in rules} == {"ok"}
        states = {(each["labels"]["alertname"], each["state"]) for each in prometheus.ask("alerts")["alerts"]}
        assert not {name for name, state in states if state == "firing"}
        assert worker.stop() == ExitCode.OK
        wait_for(lambda: prometheus.values('up{job="dunning"}').popitem()[1] == 0, "its end is noticed")
