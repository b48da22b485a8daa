"""What the runs of a sweep came to: one row a run, and each metric's mean with its interval at each point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from msgspec import Struct

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.result import SUMMARY
from experiments.scenario import scenario_of
from experiments.sweeping.grid import Axis, Point, show, value_at
from experiments.sweeping.plan import Job, Plan

RESULTS: Final = "results.parquet"
NOT_MEASURED: Final = {"downloads", "matrix"}
"""Metrics of single peers."""

Scalar = float | int | bool | str | None


class _Summary(Struct, frozen=True):
    """What a sweep reads of a run's summary."""

    metrics: dict[str, object]


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
            rows.append({**varied, "seed": job.seed, **scalars_of(job.folder / SUMMARY)})
    return pl.DataFrame({name: _column(name, [row.get(name) for row in rows]) for name in _names(rows)})


def varied_values(axes: Sequence[Axis], point: Point) -> dict[str, Scalar]:
    """The varied keys of a point as numbers where they are some: `64 KiB` as 65536, `2 min` as 120."""
    read = msgspec.to_builtins(scenario_of(point.document))
    pairs = zip(axes, point.values, strict=True)
    return {axis.key: _as_scalar(value_at(read, axis.key), value) for axis, value in pairs}


def scalars_of(file: Path) -> dict[str, Scalar]:
    """Every metric of a summary that is one number, by dotted name.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        metrics = msgspec.json.decode(file.read_bytes(), type=_Summary).metrics
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{file} is no summary of an experiment: {error}") from None
    return dict(_numbers({name: value for name, value in metrics.items() if name not in NOT_MEASURED}, ""))


def _numbers(found: object, name: str) -> Iterator[tuple[str, Scalar]]:
    """Numbers below `name`; items of a list go by their first text."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(found, list):
        for row in found:
            if isinstance(row, dict):
                titles = [value.replace(" ", ".") for value in row.values() if isinstance(value, str)]
                yield from _numbers(row, ".".join([name, *titles[:1]]))
    elif found is None or isinstance(found, float | int):
        yield name, found


def _as_scalar(read: object, written: object) -> Scalar:
    if isinstance(read, bool | int | float):
        return read
    return written if isinstance(written, bool | int | float | str) else show(written)


def _names(rows: Sequence[Mapping[str, Scalar]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(name: str, values: list[Scalar]) -> pl.Series:
    """Numbers if all are some; a metric that nobody could tell is a column of nothing."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        values = [None if value is None else show(value) for value in values]
    return pl.Series(name, values, dtype=None if kinds else pl.Float64)
