"""PNG plots of what lies in bench/results, into docs/; runs in the contenders' environment (matplotlib).

Run as ``python -m bench.programs.plots``; it starts itself again there. What was not measured is not drawn.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"

_WIDTH, _HEIGHT = 8.0, 4.5
_DPI = 120
_OURS, _THEIRS = "#1f6f8b", "#b8b8b8"


def main() -> int:
    """Draw, after changing to the environment that has matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - only the other environment has it
    except ImportError:
        return _again()
    for name in ("engine", "engine-pinned", "dunning", "dunning-pinned"):
        if (document := _read(name)) is not None:
            figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
            pinned = " on one core" if document["pinned_to"] is not None else ""
            _contenders(figure.subplots(), document, f"{document['job']} job{pinned}")
            _save(figure, f"bench-{name}")
    if (document := _read("latency")) is not None:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        _latency(figure.subplots(), document["data"])
        _save(figure, "bench-latency")
    if (document := _read("customers")) is not None:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        _customers(figure.subplots(1, 2), document["data"])
        _save(figure, "bench-customers")
    if (document := _read("workers")) is not None:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        _workers(figure.subplots(), document["data"])
        _save(figure, "bench-workers")
    if (document := _read("restore_speed")) is not None:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        _restore(figure.subplots(), document["data"])
        _save(figure, "bench-restore")
    return 0


def _again() -> int:
    from bench import environment  # noqa: PLC0415 - only the project's environment has it

    environment.ensure_contenders()
    python = str(environment.contenders_python())
    variables = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    return subprocess.run([python, str(Path(__file__))], env=variables, check=False).returncode


def _read(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    return msgspec.json.decode(path.read_bytes()) if path.is_file() else None


def _save(figure: Any, name: str) -> None:
    path = DOCS / f"{name}.png"
    figure.savefig(path, dpi=_DPI)
    print(path.relative_to(HERE.parent))


def _contenders(axes: Any, job: Mapping[str, Any], title: str) -> None:
    rows = [row for row in reversed(job["rows"]) if row["median"]]
    medians = [row["median"] for row in rows]
    spread = [
        [row["median"] - row["lowest"] for row in rows],
        [row["highest"] - row["median"] for row in rows],
    ]
    colours = [_OURS if row["contender"].startswith("ours") else _THEIRS for row in rows]
    axes.barh([row["title"] for row in rows], medians, xerr=spread, color=colours, capsize=3)
    axes.set_xlabel("records/s, median; lines from lowest to highest")
    axes.set_title(f"{title}, {job['records']:,} records, {job['rounds']} rounds")


def _latency(axes: Any, data: Mapping[str, Any]) -> None:
    for label, found in data.items():
        shares = found["milliseconds"]
        axes.plot(
            [f"p{float(share) * 100:.0f}" for share in shares], list(shares.values()), "o-", label=label
        )
    axes.set_ylabel("ms from produce to committed output")
    axes.set_ylim(bottom=0)
    axes.legend(title="events/s")


def _customers(pair: Any, data: Mapping[str, Any]) -> None:
    for store in ("memory", "rocksdb"):
        points = sorted(
            (each["customers"], each["records_per_second"], each["memory_bytes"] / 2**20)
            for each in data.values()
            if each["store"] == store
        )
        if points:
            sizes, rates, memory = zip(*points, strict=True)
            pair[0].semilogx(sizes, rates, "o-", label=store)
            pair[1].loglog(sizes, memory, "o-", label=store)
    pair[0].set_ylim(bottom=0)
    pair[0].set_ylabel("records/s")
    pair[1].set_ylabel("MiB, at the highest")
    for axes in pair:
        axes.set_xlabel("customers")
        axes.legend()


def _workers(axes: Any, data: Mapping[str, Any]) -> None:
    for job in ("engine", "dunning"):
        points = sorted(
            (each["workers"], each["records_per_second"]) for each in data.values() if each["job"] == job
        )
        if points:
            counts, rates = zip(*points, strict=True)
            axes.plot(counts, rates, "o-", label=f"{job} job")
            axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("workers")
    axes.set_ylabel("records/s")
    axes.legend()


def _restore(axes: Any, data: Mapping[str, Any]) -> None:
    names = [label.replace("-", ", ") + " keys" for label in data]
    axes.barh(names, [each["keys_per_second"] for each in data.values()], color=_OURS)
    axes.set_xlabel("keys/s restored from the changelog")


if __name__ == "__main__":
    sys.exit(main())
