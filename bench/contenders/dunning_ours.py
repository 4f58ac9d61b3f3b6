"""The dunning job on the real worker: `streams.app.build_app`, without its HTTP endpoint."""

import sys

from bench.assignment import Assignment, from_argument
from streams.app import build_app
from streams.engine import App, run_worker
from streams.settings import load_settings


def build(assignment: Assignment) -> App:
    """The worker; ticks come from the harness."""
    settings = load_settings(
        bootstrap_servers=assignment.servers,
        application_id=assignment.application,
        instance_id=assignment.instance,
        topic_prefix=assignment.input,
        policy="care",
        ticks="external",
        store=assignment.store,
        data_directory=assignment.state_directory,
        max_records=assignment.records_per_transaction,
        metrics_port=None,
        log_level="WARNING",
    )
    return build_app(settings)


if __name__ == "__main__":
    sys.exit(run_worker(build(from_argument())))
