"""Carries a sweep out: what is missing of its plan, and then what all of it came to."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import polars as pl
from msgspec import Struct

from bus.errors import ERR_ALREADY_RUNNING, ERR_CONFIG, ERR_PATH, ShoalError
from bus.places import DirectoryLock
from bus.strict_yaml import read_yaml
from experiments.scenario import Scenario, scenario_of
from experiments.sweeping.grid import MAX_RUNS, Axis, expand, parse_axes, parse_seeds
from experiments.sweeping.plan import LOCK, Job, Plan, jobs_of, keep_plan
from experiments.sweeping.points import AtPoint
from experiments.sweeping.pool import Outcome, run_locally
from experiments.sweeping.progress import following
from experiments.sweeping.reporting import write_report
from experiments.sweeping.results import RESULTS, gather

SIMULATOR: Final = "sim"

Runner = Callable[[Sequence[Job]], Generator[Outcome]]
"""Carries out jobs; closing what it returns ends those that still run."""


class Failed(Struct, frozen=True):
    """A run without a result."""

    point: str
    seed: int
    error: str


class Swept(Struct, frozen=True):
    """A sweep that was carried out."""

    scenario: str
    runs: int
    """Points times seeds."""
    done: int
    """Those that have a result."""
    failed: list[Failed]
    points: list[AtPoint]
    """Means of the metrics that the report shows."""
    file: str
    """The rows of all runs."""


def make_plan(scenario: str, document: object, sets: Sequence[str] = (), seeds: str = "", backend: str = "") -> Plan:
    """A plan of which every point was checked.

    Args:
        scenario: its name.
        document: the scenario as its file says it.
        sets: `KEY=VALUE,VALUE...` each.
        seeds: `1-20` or `1,2,5`; empty: as many from the scenario's `seed` on as it has `repetitions`.
        backend: instead of the scenario's; empty: the scenario's.

    Raises:
        ShoalError: ERR_CONFIG, one line with the key, what was expected and what was found.
    """
    try:
        return _checked_plan(scenario, document, parse_axes(sets), seeds, backend)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"sweep of {scenario}: {error}") from None


def read_document(path: Path) -> object:
    """The scenario in a file as the file says it.

    Raises:
        ShoalError: ERR_CONFIG.
    """
    try:
        return read_yaml(path)
    except OSError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: expected a readable file: {error.strerror}") from None
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: {error}") from None


def sweep(plan: Plan, folder: Path, at_once: int = 0, runner: Runner | None = None) -> Swept:
    """Do what is missing of a plan in a folder.

    Args:
        plan: of which the folder may hold a part, from a sweep that was interrupted.
        folder: empty, not there, or one with this plan.
        at_once: how many runs; 0: as many as this process has cores, and one if they run in real time.
        runner: what carries them out instead of processes on this machine.

    Raises:
        ShoalError: the folder cannot hold the sweep, or another sweep is in it.  Runs that fail raise nothing.
    """
    _make(folder)
    with _alone_in(folder):
        keep_plan(folder, plan)
        jobs = list(jobs_of(plan, folder))
        missing = [job for job in jobs if not job.done]
        carry_out = runner or (lambda chosen: run_locally(folder, chosen, at_once or cores_for(plan)))
        failed: list[Outcome] = []
        try:
            with following(len(jobs), len(jobs) - len(missing)) as follow, closing(carry_out(missing)) as outcomes:
                for outcome in outcomes:
                    follow(outcome)
                    if outcome.error:
                        failed.append(outcome)
        finally:
            frame = gather(plan, jobs)
            write_results(frame, folder)
            points = write_report(folder, plan, frame, failed)
    rows = [Failed(outcome.job.point.title, outcome.job.seed, outcome.error) for outcome in failed]
    return Swept(plan.scenario, len(jobs), len(frame), rows, points, str(folder / RESULTS))


def cores_for(plan: Plan) -> int:
    """How many runs at once: real time is for one alone, for each takes the others' share of the machine."""
    simulated = all(scenario_of(point.document).backend == SIMULATOR for point in plan.points())
    return len(os.sched_getaffinity(0)) if simulated else 1


def write_results(frame: pl.DataFrame, folder: Path) -> None:
    """Leave the rows of all runs."""
    new = folder / f"{RESULTS}.new"
    frame.write_parquet(new, compression="zstd")
    new.replace(folder / RESULTS)


def _checked_plan(name: str, document: object, axes: list[Axis], seeds: str, backend: str) -> Plan:
    if backend:
        if any(axis.key == "backend" for axis in axes):
            raise ValueError("backend: expected it either in --set or as --backend, found both")
        document = {**document, "backend": backend} if isinstance(document, dict) else document
    chosen = parse_seeds(seeds) if seeds else None
    scenarios: list[Scenario] = []
    for point in expand(document, axes):
        scenarios.append(_scenario_at(point.title, point.document))
        if len(scenarios) * len(chosen or [0]) > MAX_RUNS:
            raise ValueError(f"expected at most {MAX_RUNS:,} runs, found more")
    first = scenarios[0]
    return Plan(name, document, axes, chosen or list(range(first.seed, first.seed + first.repetitions)))


def _scenario_at(title: str, document: object) -> Scenario:
    try:
        return scenario_of(document)
    except ValueError as error:
        raise ValueError(f"{error} (at {title})" if title else str(error)) from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot hold a sweep: {error.strerror}") from None


def _alone_in(folder: Path) -> DirectoryLock:
    try:
        return DirectoryLock(folder / LOCK)
    except ShoalError as error:
        if error.code != ERR_ALREADY_RUNNING:
            raise
        raise ShoalError(ERR_ALREADY_RUNNING, f"another sweep works in {folder}; wait for its end") from None
