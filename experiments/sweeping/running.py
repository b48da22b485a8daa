"""Carries a sweep out: what is missing of its plan, and then what all of it came to."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import polars as pl
from msgspec import Struct

from bus.errors import ERR_ALREADY_RUNNING, ERR_FAILURE, ERR_PATH, ShoalError
from bus.places import DirectoryLock
from experiments.result import write_repetitions
from experiments.scenario import scenario_of
from experiments.sweeping.plan import LOCK, Job, Plan, jobs_of, keep_plan, read_plan
from experiments.sweeping.points import AtPoint, at_points
from experiments.sweeping.pool import Outcome, run_locally
from experiments.sweeping.progress import following
from experiments.sweeping.reporting import draw_sweep
from experiments.sweeping.results import RESULTS, gather, write_results

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
    events_lost: int
    """In all runs together; must be 0."""
    file: str
    """The rows of all runs, relative to the folder."""

    def raise_if_failed(self) -> None:
        """Raises ShoalError, ERR_FAILURE, if there are runs without a result."""
        if self.done < self.runs:
            first = f" ({self.failed[0].error})" if len(self.failed) == 1 else ""
            count = f"{self.runs - self.done} of {self.runs} runs"
            raise ShoalError(ERR_FAILURE, f"{count} have no result{first}; the same again tries them again")


def carry_out(plan: Plan, folder: Path, at_once: int = 0, runner: Runner | None = None) -> Swept:
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
        run = runner or (lambda chosen: run_locally(folder, chosen, at_once or cores_for(plan)))
        failed: list[Outcome] = []
        try:
            with following(len(jobs), len(jobs) - len(missing)) as follow, closing(run(missing)) as outcomes:
                for outcome in outcomes:
                    follow(outcome)
                    if outcome.error:
                        failed.append(outcome)
        finally:
            frame = gather(plan, jobs)
            write_results(frame, folder)
        rows = [Failed(outcome.job.point.title, outcome.job.seed, outcome.error) for outcome in failed]
        return _summed_up(plan, folder, frame, rows)


def sweep_anew(folder: Path) -> Swept:
    """Make rows, figures and report of the runs that a sweep's folder has.

    Raises:
        ShoalError: it holds no sweep, or the summary of a run is damaged.
    """
    plan = read_plan(folder)
    with _alone_in(folder):
        frame = gather(plan, list(jobs_of(plan, folder)))
        write_results(frame, folder)
        return _summed_up(plan, folder, frame, [], anew=True)


def cores_for(plan: Plan) -> int:
    """How many runs at once: real time is for one alone, for each takes the others' share of the machine."""
    simulated = all(scenario_of(point.document).backend == SIMULATOR for point in plan.points())
    return len(os.sched_getaffinity(0)) if simulated else 1


def _summed_up(plan: Plan, folder: Path, frame: pl.DataFrame, failed: list[Failed], anew: bool = False) -> Swept:
    """Leave figures and report."""
    points = at_points(frame, [axis.key for axis in plan.axes])
    runs = len(plan.points()) * len(plan.seeds)
    lost = 0 if frame.is_empty() else int(frame["events_lost"].sum())
    swept = Swept(plan.scenario, runs, len(frame), failed, points, lost, RESULTS)
    if plan.axes:
        draw_sweep(folder, plan, frame, points)
    elif points:
        write_repetitions(folder, anew)
    return swept


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
