"""The report of a sweep: what was varied, and what each point came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from experiments.result import REPORT
from experiments.scenario import scenario_of
from experiments.sweeping.grid import show
from experiments.sweeping.plan import PLAN, Plan, write_whole
from experiments.sweeping.points import SHOWN, AtPoint, at_points, markdown_table
from experiments.sweeping.pool import Outcome
from experiments.sweeping.results import RESULTS


def write_report(folder: Path, plan: Plan, frame: pl.DataFrame, failed: Sequence[Outcome]) -> list[AtPoint]:
    """Leave report.md, and return the points that it shows.

    Args:
        folder: of the sweep.
        plan: what was to do.
        frame: one row for each run that is done.
        failed: the others that were tried.
    """
    keys = [axis.key for axis in plan.axes]
    metrics = shown_metrics(plan, frame)
    points = at_points(frame, keys, metrics)
    total = len(plan.points()) * len(plan.seeds)
    lines = [
        f"# Sweep of {plan.scenario}",
        "",
        *(f"- {axis.key}: {', '.join(map(show, axis.values))}" for axis in plan.axes),
        f"- seeds: {ranges(plan.seeds)}",
        f"- runs: {len(frame)} of {total}",
        "",
        markdown_table(points, keys, metrics),
        "",
        f"Means over the seeds, ± half of the 95% interval (Student's t). Every run: {RESULTS}; the grid: {PLAN}.",
    ]
    if failed:
        lines += ["", "Failed:", "", *(f"- {outcome.job.title}: {outcome.error}" for outcome in failed)]
    write_whole(folder / REPORT, ("\n".join(lines) + "\n").encode())
    return points


def shown_metrics(plan: Plan, frame: pl.DataFrame) -> list[str]:
    """Those that the scenario names, or the usual ones, as far as they were measured."""
    wanted = scenario_of(plan.points()[0].document).metrics or SHOWN
    return [name for name in wanted if name in frame.columns and name not in {axis.key for axis in plan.axes}]


def ranges(seeds: Sequence[int]) -> str:
    """Seeds as a user would write them: `1-20`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
