"""The points of a sweep: each metric's mean over the seeds, with its 95% interval."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from msgspec import Struct

from experiments.statistics import Interval, mean_interval
from experiments.sweeping.results import Scalar


class AtPoint(Struct, frozen=True):
    """One point of the grid."""

    values: list[Scalar]
    """Of the varied keys."""
    runs: int
    metrics: dict[str, Interval]
    """Those that any of the runs could tell, by name."""


def at_points(frame: pl.DataFrame, keys: Sequence[str]) -> list[AtPoint]:
    """The points that have a run, in the order of the grid.

    Args:
        frame: one row a run.
        keys: the varied ones.
    """
    if frame.is_empty():
        return []
    groups = frame.group_by(keys, maintain_order=True) if keys else [((), frame)]
    metrics = [name for name in frame.columns if name != "seed" and name not in keys]
    return [AtPoint(list(values), len(rows), _means(rows.select(metrics))) for values, rows in groups]


def _means(rows: pl.DataFrame) -> dict[str, Interval]:
    told = {column.name: column.drop_nulls().cast(pl.Float64).to_list() for column in rows}
    return {name: mean_interval(values).rounded(6) for name, values in told.items() if values}
