"""What the report of several runs of one scenario says."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.metrics.catalogue import Quantity, asked_for, quantities
from experiments.report.content import conditions, foot
from experiments.report.document import Document, Figure, Section, Table
from experiments.report.wording import UNKNOWN, amount, interval
from experiments.statistics import mean_interval
from experiments.summary import RUNS, Repetitions, Series, Summary


def series_of(summaries: Sequence[Summary]) -> list[Series]:
    """Every number that any run has, with its mean and 95% interval over those that have it."""
    found: dict[str, list[Quantity]] = {}
    for summary in summaries:
        for quantity in quantities(summary.metrics):
            found.setdefault(quantity.name, []).append(quantity)
    every = []
    for name, row in found.items():
        values = [float(quantity.value) for quantity in row if quantity.value is not None]
        if values:
            every.append(Series(name, row[0].label, row[0].unit, values, mean_interval(values).rounded(6)))
    return every


def of_repetitions(repetitions: Repetitions, summaries: Sequence[Summary], figures: Sequence[Figure]) -> Document:
    """The report of all runs together."""
    names = repetitions.config.metrics or [row.name for row in repetitions.series]
    rows = [
        [row.label, amount(row.mean.value, row.unit), interval(row.mean, row.unit), _range(row), str(len(row.values))]
        for row in asked_for(repetitions.series, names)
    ]
    head = ["number", "mean", "95% interval", "range", "runs"]
    numbers = Table(head, rows, f"{RUNS}/*/summary.json, by experiments.statistics.mean_interval (Student's t)")
    each = [
        [name, _seed(summary), f"{summary.metrics.finished} of {summary.metrics.leechers}", *_ends(summary)]
        for name, summary in zip(repetitions.runs, summaries, strict=True)
    ]
    runs = Table(["run", "seed", "finished", "median", "last"], each, f"{RUNS}/*/report.html has each of them")
    sections = [
        Section("Numbers", [numbers]),
        *([Section("Figure", list(figures))] if figures else []),
        Section("Runs", [runs]),
        *conditions(repetitions),
    ]
    return Document(
        f"Experiment {repetitions.scenario}, {len(summaries)} runs",
        repetitions.question,
        _answer(repetitions, summaries),
        sections,
        foot(repetitions.made_by),
    )


def _answer(repetitions: Repetitions, summaries: Sequence[Summary]) -> str:
    finished = sum(summary.metrics.finished for summary in summaries)
    leechers = sum(summary.metrics.leechers for summary in summaries)
    said = f"In {len(summaries)} runs {finished} of {leechers} leechers finished"
    median = next((row for row in repetitions.series if row.name == "median_completion"), None)
    if median is not None:
        said += f", the median of a run {amount(median.mean.value, 's')} after its start"
        if median.mean.low is not None:
            said += f" (95%: {interval(median.mean, 's')})"
    return f"{said}."


def _ends(summary: Summary) -> list[str]:
    seconds = summary.metrics.completion[0].seconds
    return [amount(seconds.median.value if seconds else None, "s"), amount(summary.metrics.last_completion, "s")]


def _seed(summary: Summary) -> str:
    return UNKNOWN if summary.seed is None else str(summary.seed)


def _range(row: Series) -> str:
    return f"{amount(min(row.values), row.unit)} to {amount(max(row.values), row.unit)}"
