"""One row for each run of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from experiments.metrics.catalogue import quantities
from experiments.scenario import scenario_of
from experiments.summary import Summary, read_summary
from experiments.sweeping.grid import Axis, Point, show, value_at
from experiments.sweeping.plan import Job, Plan

RESULTS: Final = "results.parquet"

Scalar = float | int | bool | str | None


def gather(plan: Plan, jobs: Iterable[Job]) -> pl.DataFrame:
    """One row for each run that is done: the varied keys, `seed`, every metric that is one number.

    Raises:
        ShoalError: ERR_UNREADABLE, a summary is damaged.
    """
    known: dict[int, dict[str, Scalar]] = {}
    rows: list[dict[str, Scalar]] = []
    for job in sorted(jobs, key=lambda job: (job.point.number, job.seed)):
        if job.done:
            varied = known.setdefault(job.point.number, varied_values(plan.axes, job.point))
            rows.append({**scalars(read_summary(job.folder)), **varied, "seed": job.seed})
    first = [axis.key for axis in plan.axes] + ["seed"]
    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    return pl.DataFrame({name: _column(name, [row.get(name) for row in rows]) for name in names})


def write_results(frame: pl.DataFrame, folder: Path) -> None:
    """Leave the rows."""
    new = folder / f"{RESULTS}.new"
    frame.write_parquet(new, compression="zstd")
    new.replace(folder / RESULTS)


def varied_values(axes: Sequence[Axis], point: Point) -> dict[str, Scalar]:
    """The varied keys of a point as numbers where they are some: `64 KiB` as 65536, `2 min` as 120."""
    read = msgspec.to_builtins(scenario_of(point.document))
    pairs = zip(axes, point.values, strict=True)
    return {axis.key: _as_scalar(value_at(read, axis.key), value) for axis, value in pairs}


def scalars(summary: Summary) -> dict[str, Scalar]:
    """Every metric that is one number: those of the catalogue by its names, then what else there is."""
    named: dict[str, Scalar] = {quantity.name: quantity.value for quantity in quantities(summary.metrics)}
    plain = msgspec.structs.asdict(summary.metrics)
    others = {name: value for name, value in plain.items() if isinstance(value, int | float) and name not in named}
    return {**named, **others}


def _as_scalar(read: object, written: object) -> Scalar:
    if isinstance(read, bool | int | float):
        return read
    return written if isinstance(written, bool | int | float | str) else show(written)


def _column(name: str, values: list[Scalar]) -> pl.Series:
    """Numbers if all are some; a metric that nobody could tell is a column of nothing."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        values = [None if value is None else show(value) for value in values]
    return pl.Series(name, values, dtype=None if kinds else pl.Float64)
