"""An experiment's report as tables for people."""

from rich.table import Table

from streams.cli.console import data_console
from streams.cli.outputs import money
from streams.lab.comparison import Difference, Sample
from streams.lab.experiments import RESULTS, ArmCounts, ExperimentReport


def print_report(report: ExperimentReport) -> None:
    """One experiment: its arms, their differences to the control, and whether the sample suffices."""
    console = data_console()
    console.print(f"{report.experiment}: on each {report.subject}, control {report.control}", markup=False)
    console.print(_arms(report))
    if any(comparison.difference is not None for comparison in report.comparisons):
        console.print(_differences(report))
    for arm, sample in report.samples.items():
        console.print(f"  {_sample(arm, sample, report)}", markup=False)
    console.print()


def _arms(report: ExperimentReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    results = RESULTS[report.subject]
    table.add_column("  arm")
    for name in ("weight", "exposed", "open", "sent", "delivered", "opened", "responded", *results):
        table.add_column(name, justify="right")
    table.add_column("recovered", justify="right")
    for arm in report.arms:
        table.add_row(
            f"  {arm.arm}",
            *(f"{number:,}" for number in (arm.weight, arm.exposed, arm.open, arm.sent)),
            *(_share(getattr(arm, name), arm.sent) for name in ("delivered", "opened", "responded")),
            *(_share(getattr(arm, name), arm.exposed) for name in results),
            _recovered(arm),
        )
    return table


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})" if total else "-"


def _recovered(arm: ArmCounts) -> str:
    return ", ".join(money(minor, currency) for currency, minor in sorted(arm.recovered.items())) or "-"


def _differences(report: ExperimentReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"  to {report.control}")
    for name in ("rate", "control", "difference", f"interval ({report.confidence:.0%})", ""):
        table.add_column(name, justify="right")
    for comparison in report.comparisons:
        found = comparison.difference
        if found is not None:
            table.add_row(
                f"  {comparison.arm}: {comparison.result}",
                f"{found.rate:.1%}",
                f"{found.control_rate:.1%}",
                f"{_points(found.difference)} points",
                f"{_points(found.low)} to {_points(found.high)}",
                _verdict(found),
            )
    return table


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"


def _verdict(found: Difference) -> str:
    if not found.is_clear:
        return "no clear difference"
    return "higher" if found.low > 0 else "lower"


def _sample(arm: str, sample: Sample, report: ExperimentReport) -> str:
    exposed = next(each.exposed for each in report.arms if each.arm == arm)
    effect = f"a difference of {report.minimum_effect * 100:g} points"
    if sample.suffices:
        return f"{arm}: the sample suffices for {effect} (power {sample.power:.0%})"
    return (
        f"{arm}: the sample does not suffice yet for {effect}: {exposed:,} of about {sample.needed:,} "
        f"customers (power {sample.power:.0%} of {report.power:.0%})"
    )
