"""The points of a sweep in words: each metric's mean over the seeds, with its 95% interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
from msgspec import Struct

from experiments.statistics import Interval, mean_interval
from experiments.sweeping.grid import show

SHOWN: Final = ("median_completion", "last_completion", "share_of_bound", "seed_share", "duplicate_share")
"""Metrics that a report shows unless the scenario names others; the table has all."""


class AtPoint(Struct, frozen=True):
    """One point of the grid."""

    values: list[float | int | bool | str | None]
    """Of the varied keys."""
    runs: int
    metrics: dict[str, Interval | None]
    """None: no run could tell."""


def at_points(frame: pl.DataFrame, keys: Sequence[str], metrics: Sequence[str]) -> list[AtPoint]:
    """The mean of metrics at each point, in the order of the grid.

    Args:
        frame: one row a run, as results.parquet has it.
        keys: the varied ones.
        metrics: names of columns.
    """
    if frame.is_empty():
        return []
    groups = frame.group_by(keys, maintain_order=True) if keys else [((), frame)]
    return [AtPoint(list(values), len(rows), {name: _mean(rows[name]) for name in metrics}) for values, rows in groups]


def markdown_table(points: Sequence[AtPoint], keys: Sequence[str], metrics: Sequence[str]) -> str:
    """One row for each point."""
    head = [*keys, "runs", *metrics]
    rows = [
        [*map(_word, point.values), str(point.runs), *(_interval(point.metrics[name]) for name in metrics)]
        for point in points
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _mean(column: pl.Series) -> Interval | None:
    values = column.drop_nulls().cast(pl.Float64).to_list()
    return mean_interval(values) if values else None


def _interval(found: Interval | None) -> str:
    """The mean and half of its interval, with as many digits as tell something."""
    if found is None:
        return "-"
    if found.high is None:
        return f"{found.value:.4g}"
    return f"{found.value:.4g} ± {found.high - found.value:.2g}"


def _word(value: float | bool | str | None) -> str:
    return f"{value:.10g}" if isinstance(value, float) else show(value)
