"""PNG plots of what lies in bench/results, into docs/; runs in the contenders' environment (matplotlib).

Run as ``python -m bench.programs.plots``; it starts itself again there. What was not measured is not drawn.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"

_WIDTH, _HEIGHT = 8.0, 4.5
_DPI = 120
_OURS, _OURS_TOO, _THEIRS, _AIM = "#1f6f8b", "#e08a3c", "#b8b8b8", "#444444"
_STORES = {"memory": ("memory", _OURS_TOO), "rocksdb": ("RocksDB", _OURS)}
_JOBS = {"engine": ("engine job", _OURS), "dunning": ("dunning job", _OURS_TOO)}

_RESTORE_AIM = 200_000
_MEMORY_AIM_GIB = 2
_LATENCY_AIM_MS = 50


def main() -> int:
    """Draw, after changing to the environment that has matplotlib."""
    parser = argparse.ArgumentParser(prog="python -m bench.programs.plots", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON files are")
    parser.add_argument("--into", type=Path, default=DOCS, help="where the PNGs go")
    given = parser.parse_args()
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - only the other environment has it
    except ImportError:
        return _again()
    drawn = 0
    for name, draw in _PLOTS.items():
        source = given.results / f"{name}.json"
        if not source.is_file():
            print(f"{name} was not measured")
            continue
        document = msgspec.json.decode(source.read_bytes())
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        draw(figure, document)
        figure.supxlabel(_origin(document), fontsize=7, color="#777777", x=0.99, ha="right")
        target = given.into / f"bench-{name.partition('_')[0]}.png"
        figure.savefig(target, dpi=_DPI)
        print(target)
        drawn += 1
    return 0 if drawn else 1


def _again() -> int:
    from bench import environment  # noqa: PLC0415 - only the project's environment has it

    environment.ensure_contenders()
    python = str(environment.contenders_python())
    variables = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    command = [python, str(Path(__file__)), *sys.argv[1:]]
    return subprocess.run(command, env=variables, check=False).returncode


def _origin(document: Mapping[str, Any]) -> str:
    machine = document["machine"]
    facts = f"{machine['processor']}, {machine['processors']} processors, {machine['memory']}"
    return f"{document['command']}, {document['date']}, {facts}"


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _place: f"{value:,.0f}")


def _tidy(axes: Any, grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="#e4e4e4")
    axes.set_axisbelow(True)


def _contenders(figure: Any, job: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    rows = [row for row in reversed(job["rows"]) if row["median"]]
    medians = [row["median"] for row in rows]
    several = job["rounds"] > 1
    spread = [
        [row["median"] - row["lowest"] for row in rows],
        [row["highest"] - row["median"] for row in rows],
    ]
    colours = [_OURS if row["contender"].startswith("ours") else _THEIRS for row in rows]
    bars = axes.barh(
        [row["title"] for row in rows], medians, xerr=spread if several else None, color=colours, capsize=3
    )
    axes.bar_label(bars, [f"{median:,.0f}" for median in medians], padding=6, fontsize=9)
    axes.set_xlim(right=1.15 * max(row["highest"] for row in rows))
    pinned = ", each on one core" if job["pinned_to"] is not None else ""
    rounds = f"{job['rounds']} rounds" if several else "one round"
    axes.set_title(f"{job['job'].capitalize()} job{pinned}: {job['records']:,} records, {rounds}")
    lines = "; bars are medians, lines go from lowest to highest" if several else ""
    axes.set_xlabel(f"input records per second{lines}")
    _thousands(axes.xaxis)
    _tidy(axes, "x")


def _latency(figure: Any, document: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    warm = [(label, found) for label, found in document["data"].items() if label != "cold"]
    for (label, found), colour in zip(warm, (_OURS, _OURS_TOO), strict=False):
        shares = found["milliseconds"]
        names = [f"p{float(share) * 100:.0f}" for share in shares]
        axes.plot(names, list(shares.values()), "o-", color=colour, label=f"{int(label[1:]):,} events/s")
        for name, value in zip(names, shares.values(), strict=True):
            axes.annotate(f"{value:.0f}", (name, value), (0, 7), textcoords="offset points", ha="center")
    axes.axhline(
        _LATENCY_AIM_MS, color=_AIM, linestyle=":", label=f"aim for p99 at 200/s: {_LATENCY_AIM_MS} ms"
    )
    axes.set_title("Latency from produce to committed decision")
    axes.set_xlabel("share of events that took at most so long")
    axes.set_ylabel("milliseconds")
    axes.set_ylim(bottom=0)
    axes.legend()
    _tidy(axes, "y")


def _customers(figure: Any, document: Mapping[str, Any]) -> None:
    rates, memory = figure.subplots(1, 2)
    for store, (label, colour) in _STORES.items():
        points = sorted(
            (each["customers"], each["records_per_second"], each["memory_bytes"] / 2**30)
            for each in document["data"].values()
            if each["store"] == store
        )
        if points:
            sizes, speeds, sums = zip(*points, strict=True)
            rates.semilogx(sizes, speeds, "o-", color=colour, label=label)
            memory.semilogx(sizes, sums, "o-", color=colour, label=label)
    figure.suptitle("Engine job by the number of customers, one worker")
    rates.set_ylabel("records per second")
    memory.set_ylabel("GiB resident at the highest")
    memory.axhline(_MEMORY_AIM_GIB, color=_AIM, linestyle=":", label=f"aim: {_MEMORY_AIM_GIB} GiB")
    _thousands(rates.yaxis)
    for axes in (rates, memory):
        axes.set_ylim(bottom=0)
        axes.set_xlabel("customers")
        axes.legend()
        _tidy(axes, "y")


def _workers(figure: Any, document: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    found = document["data"].values()
    counts = sorted({each["workers"] for each in found})
    width = 0.8 / len(_JOBS)
    for place, (job, (label, colour)) in enumerate(_JOBS.items()):
        rates = {each["workers"]: each["records_per_second"] for each in found if each["job"] == job}
        at = [counts.index(count) + (place - 0.5) * width for count in rates]
        bars = axes.bar(at, list(rates.values()), width, color=colour, label=label)
        axes.bar_label(bars, [f"{rate:,.0f}" for rate in rates.values()], padding=2)
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_title("Throughput by the number of workers; the broker runs on the same machine")
    axes.set_xlabel("workers")
    axes.set_ylabel("records per second")
    axes.margins(y=0.12)
    axes.legend()
    _thousands(axes.yaxis)
    _tidy(axes, "y")


def _restore(figure: Any, document: Mapping[str, Any]) -> None:
    speeds, restarts = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    found = list(reversed(document["data"].values()))
    names = [f"{_STORES[each['store']][0]},\n{each['keys']:,} keys" for each in found]
    colours = [_STORES[each["store"]][1] for each in found]
    rates = [each["keys_per_second"] for each in found]
    bars = speeds.barh(names, rates, color=colours)
    speeds.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3)
    speeds.axvline(_RESTORE_AIM, color=_AIM, linestyle=":", label=f"aim: {_RESTORE_AIM:,}")
    speeds.set_xlabel("keys per second from the changelog")
    speeds.xaxis.set_major_locator(_every_so_often())
    _thousands(speeds.xaxis)
    bars = restarts.barh(names, [each["warm_seconds"] for each in found], color=colours)
    restarts.bar_label(bars, [f"{each['warm_seconds']:.1f}" for each in found], padding=3)
    restarts.set_xlabel("seconds from a restart to ready\n(memory is restored anew)")
    figure.suptitle("Restoring a worker")
    figure.legend(loc="upper right", fontsize=9)
    for axes in (speeds, restarts):
        axes.margins(x=0.2)
        _tidy(axes, "x")


def _every_so_often() -> Any:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - only the other environment has it

    return MaxNLocator(4)


def _tick(figure: Any, document: Mapping[str, Any]) -> None:
    axes = figure.subplots()
    found = list(reversed(document["data"].values()))
    names = [f"{_STORES[each['store']][0]},\n{each['due']:,} due" for each in found]
    height = 0.36
    for offset, key, label, colour in (
        (height / 2, "median_ms", "the whole tick", _OURS),
        (-height / 2, "agenda_ms", "of which: finding who is due", _OURS_TOO),
    ):
        values = [each[key] for each in found]
        bars = axes.barh(
            [place + offset for place in range(len(found))], values, height, color=colour, label=label
        )
        axes.bar_label(
            bars, [f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in values], padding=3
        )
    axes.set_yticks(range(len(found)), names)
    axes.set_xscale("log")
    axes.set_title(f"A tick with {found[0]['pending']:,} customers pending in one partition")
    axes.set_xlabel("milliseconds")
    axes.legend()
    axes.margins(x=0.15)
    _tidy(axes, "x")


_PLOTS: Mapping[str, Callable[[Any, Mapping[str, Any]], None]] = {
    "engine": _contenders,
    "engine-pinned": _contenders,
    "dunning": _contenders,
    "dunning-pinned": _contenders,
    "latency": _latency,
    "customers": _customers,
    "workers": _workers,
    "restore_speed": _restore,
    "tick_cost": _tick,
}

if __name__ == "__main__":
    sys.exit(main())
