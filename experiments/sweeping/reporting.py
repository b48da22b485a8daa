"""The report of a grid: what was varied, and what each point came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from experiments.figures.against import Line, draw_against
from experiments.figures.efficiency import Point, draw_efficiency
from experiments.figures.style import FIGURES
from experiments.metrics.catalogue import Quantity, asked_for, quantities
from experiments.report.content import conditions, foot
from experiments.report.document import Document, Figure, Section, Table
from experiments.report.wording import UNKNOWN, amount
from experiments.result import write_report
from experiments.scenario import scenario_of
from experiments.statistics import Interval
from experiments.summary import Summary, read_summary
from experiments.sweeping.grid import Axis, show
from experiments.sweeping.plan import Plan, jobs_of
from experiments.sweeping.points import AtPoint
from experiments.sweeping.results import RESULTS, Scalar, varied_values

SHOWN: Final = ("finished", "median_completion", "last_completion", "share_of_bound", "seed_load", "duplicate_share")
"""Numbers that the report shows unless the scenario names others; results.parquet has all."""
SCALES: Final = {
    "share": (100.0, "%"),
    "bytes/s": (1 / 2**20, "MiB/s"),
    "bytes": (1 / 2**20, "MiB"),
    "count": (1.0, ""),
}
"""Unit -> what to multiply by for a figure, and the unit then."""


def draw_sweep(folder: Path, plan: Plan, frame: pl.DataFrame, points: Sequence[AtPoint]) -> None:
    """Leave figures and report of a sweep with at least one axis."""
    done = next((job for job in jobs_of(plan, folder) if job.done), None)
    if done is None:
        nothing = Document(f"Sweep of {plan.scenario}", "", "No run has a result.", _grid(plan), "")
        write_report(folder, nothing)
        return
    summary = read_summary(done.folder)
    shown = shown_numbers(plan, summary, points)
    sections = [
        Section("Points", [_table(plan, points, shown)]),
        Section("Figures", list(_draw(folder, plan, points, shown))),
        *_grid(plan),
        *conditions(summary)[:2],  # the configuration of the first run, and what made it
    ]
    config = summary.config
    answer = _answer(plan, len(frame), points, shown)
    write_report(
        folder, Document(f"Sweep of {plan.scenario}", config.description, answer, sections, foot(summary.made_by))
    )


def shown_numbers(plan: Plan, summary: Summary, points: Sequence[AtPoint]) -> list[Quantity]:
    """Those that the scenario names, or the usual ones, as far as any run could tell them."""
    wanted = scenario_of(plan.points()[0].document).metrics or SHOWN
    told = [row for row in quantities(summary.metrics) if any(row.name in point.metrics for point in points)]
    return asked_for(told, wanted)


def _answer(plan: Plan, done: int, points: Sequence[AtPoint], shown: Sequence[Quantity]) -> str:
    runs = len(plan.points()) * len(plan.seeds)
    said = f"{done} of {runs} runs have a result"
    times = [quantity for quantity in shown if quantity.unit == "s"][:1]
    for quantity in times:
        told = [(point.metrics[quantity.name].value, point) for point in points if quantity.name in point.metrics]
        least, most = min(told, key=lambda row: row[0]), max(told, key=lambda row: row[0])
        ends = [f"{amount(value, quantity.unit)} ({_title(plan, point)})" for value, point in (least, most)]
        said += f"; the {quantity.label} is between {ends[0]} and {ends[1]}"
    return f"{said}."


def _table(plan: Plan, points: Sequence[AtPoint], shown: Sequence[Quantity]) -> Table:
    head = [*(axis.key for axis in plan.axes), "runs", *(quantity.label for quantity in shown)]
    rows = [
        [*map(_word, point.values), str(point.runs), *(_mean(point.metrics.get(row.name), row) for row in shown)]
        for point in points
    ]
    return Table(head, rows, f"{RESULTS}; means over the seeds, ± half of the 95% interval (Student's t)")


def _grid(plan: Plan) -> list[Section]:
    rows = [[axis.key, ", ".join(map(show, axis.values))] for axis in plan.axes]
    rows.append(["seed", ", ".join(map(str, plan.seeds))])
    return [Section("Grid", [Table(["key", "values"], rows, "sweep.json")], detail=True)]


def _draw(folder: Path, plan: Plan, points: Sequence[AtPoint], shown: Sequence[Quantity]) -> Iterator[Figure]:
    key, *others = [_short(axis) for axis in plan.axes]
    efficiency = _efficiency(points) if not others else []
    if efficiency:
        draw_efficiency(folder / FIGURES / "efficiency", efficiency)
        yield Figure(f"{FIGURES}/efficiency.svg", "Share of the least time possible", RESULTS)
    for quantity in shown:
        scale, unit = SCALES.get(quantity.unit, (1.0, quantity.unit))
        lines = _lines(points, others, quantity.name, scale)
        if len({mean.value for line in lines for _, mean in line.points}) < 2:
            continue  # it is the same everywhere
        stem = quantity.name.replace(".", "-")
        draw_against(
            folder / FIGURES / stem, key, ", ".join(filter(None, (quantity.label, unit))), lines, _written(plan)
        )
        caption = f"{quantity.label[:1].upper()}{quantity.label[1:]} against {key}: means with 95% intervals"
        yield Figure(f"{FIGURES}/{stem}.svg", caption, f"{RESULTS}, column {quantity.name}")


def _efficiency(points: Sequence[AtPoint]) -> list[Point]:
    """Share of the bounds against the number of leechers, if that is what was varied."""
    names = ("leechers", "share_of_bound", "share_of_chunked_bound")
    told = [[point.metrics[name] for name in names] for point in points if set(names) <= set(point.metrics)]
    sizes = {leechers.value for leechers, _, _ in told}
    if len(sizes) < 2 or len(sizes) < len(points):
        return []
    return [Point(round(leechers.value), fluid, chunked) for leechers, fluid, chunked in told]


def _lines(points: Sequence[AtPoint], others: Sequence[str], name: str, scale: float) -> list[Line]:
    """A line for each combination of the values of all axes but the first."""
    lines: dict[str, list[tuple[float | str, Interval]]] = {}
    for point in points:
        where, *rest = point.values
        if name in point.metrics:
            title = ", ".join(
                f"{key.rpartition('.')[2]} {_word(value)}" for key, value in zip(others, rest, strict=True)
            )
            place = float(where) if isinstance(where, int | float) and not isinstance(where, bool) else _word(where)
            lines.setdefault(title, []).append((place, point.metrics[name].scaled(scale)))
    return [Line(title, found) for title, found in lines.items()]


def _short(axis: Axis) -> str:
    """Its key; of several, what they have in common."""
    return axis.key if len(axis.keys) == 1 else axis.keys[0].rpartition(".")[2]


def _written(plan: Plan) -> dict[float, str]:
    """The values of the first axis that are numbers to us and words in the scenario, such as `1 MiB`."""
    pairs = [(varied_values(plan.axes, point)[plan.axes[0].key], point.values[0]) for point in plan.points()]
    return {float(read): word for read, word in pairs if isinstance(word, str) and isinstance(read, int | float)}


def _mean(found: Interval | None, quantity: Quantity) -> str:
    if found is None:
        return UNKNOWN
    value = amount(found.value, quantity.unit)
    return value if found.high is None else f"{value} ± {amount(found.high - found.value, quantity.unit)}"


def _title(plan: Plan, point: AtPoint) -> str:
    return ", ".join(f"{axis.key}={_word(value)}" for axis, value in zip(plan.axes, point.values, strict=True))


def _word(value: Scalar) -> str:
    return f"{value:.10g}" if isinstance(value, float) else show(value)
