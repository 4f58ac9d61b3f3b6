import pytest

from bench import report
from bench.catalogue import Job, contenders
from bench.measure import Measurement
from bench.observer import NothingHappenedError, observe
from bench.program import percentile


def measured(contender: str, rate: float, *, wrong: str | None = None) -> Measurement:
    return Measurement(
        contender=contender,
        round=1,
        records_per_second=rate,
        seconds=1.0,
        records=100,
        outputs=100,
        changelog_records=40,
        processor_seconds=0.001,
        memory_bytes=1,
        wrong=wrong,
        counts={},
    )


def test_rows_are_medians_of_the_rounds_that_were_right() -> None:
    entries = contenders(Job.ENGINE, ["ours-memory", "quix"])
    found = report.rows(
        entries,
        [
            measured("ours-memory", 30.0),
            measured("ours-memory", 10.0),
            measured("ours-memory", 20.0),
            measured("quix", 5.0),
            measured("quix", 99.0, wrong="1 output for 2 records"),
        ],
    )
    ours, quix = found
    assert (ours.median, ours.lowest, ours.highest, ours.ratio) == (20.0, 10.0, 30.0, 1.0)
    assert (quix.median, quix.wrong, quix.ratio) == (5.0, 1, 4.0)
    assert report.cells(quix)[-1] == "WRONG in 1 of 2"
    assert ours.processor_microseconds == 10.0
    assert ours.changelog_share == 0.4


def test_aims_of_a_wrong_contender_are_not_judged() -> None:
    entries = contenders(Job.ENGINE, ["ours-memory", "quix", "loop"])
    found = report.rows(
        entries, [measured("ours-memory", 30.0), measured("quix", 10.0), measured("loop", 1.0, wrong="x")]
    )
    assert report.aims("engine", found, pinned=False) == ["ours-memory / quix: 3.00, aim 2.0: met"]


def test_percentiles() -> None:
    values = [float(each) for each in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


class Ends:
    """Stands for the broker: the committed ends, one answer after another."""

    def __init__(self, *totals: int) -> None:
        self.totals = list(totals)

    def total(self, _topics: object) -> int:
        return self.totals.pop(0) if len(self.totals) > 1 else self.totals[0]


def test_what_was_committed_when_the_clock_started_does_not_count() -> None:
    timing = observe(
        Ends(0, 0, 20, 50, 100),  # type: ignore[arg-type]
        ["out"],
        baseline=0,
        is_complete=lambda written: written == 100,
        is_alive=lambda: True,
        patience_seconds=5,
        limit_seconds=5,
    )
    assert timing.finished
    assert timing.share == 0.8


def test_silence_is_an_error() -> None:
    with pytest.raises(NothingHappenedError):
        observe(
            Ends(0),  # type: ignore[arg-type]
            ["out"],
            baseline=0,
            is_complete=lambda _: False,
            is_alive=lambda: True,
            patience_seconds=0.1,
            limit_seconds=5,
        )
