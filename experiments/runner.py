"""Runs a scenario on a backend and leaves its result in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bus.errors import ERR_PATH, ERR_USAGE, ShoalError
from experiments.backends import simulated
from experiments.backends.recording import Recording
from experiments.cast import write_cast
from experiments.figures.style import check_drawing
from experiments.provenance import provenance
from experiments.result import SUMMARY, Conditions, Summary, write_result
from experiments.scenario import Scenario

Record = Callable[[Scenario, int, str, Path], Recording]
"""(scenario, seed, name, folder) -> what was recorded into the folder."""


def _in_processes(scenario: Scenario, seed: int, name: str, folder: Path) -> Recording:
    # Late, as below: each simulated run of a sweep is a process that needs no socket.
    from experiments.backends.on_sockets import on_sockets
    from experiments.backends.processes import Processes

    return on_sockets("processes", Processes)(scenario, seed, name, folder)


def _in_threads(scenario: Scenario, seed: int, name: str, folder: Path) -> Recording:
    from experiments.backends.inproc import Threads
    from experiments.backends.on_sockets import on_sockets

    return on_sockets("inproc", Threads)(scenario, seed, name, folder)


BACKENDS: Final[dict[str, Record]] = {"processes": _in_processes, "inproc": _in_threads, "sim": simulated.record}


def run(
    scenario: Scenario,
    name: str,
    folder: Path,
    replace: bool = False,
    backend: str | None = None,
    seed: int | None = None,
    report: bool = True,
) -> Summary:
    """Run a scenario once.

    Args:
        scenario: what to do.
        name: of the scenario, for the summary.
        folder: for the result; must be empty or not there.
        replace: it may hold an earlier result, which is deleted.
        backend: instead of the scenario's.
        seed: instead of the scenario's.
        report: with figures and report; `experiments report` makes them later too.

    Raises:
        ShoalError: what went wrong; the logs and events up to then are in the folder.
    """
    check_drawing()
    chosen, seed = backend or scenario.backend, scenario.seed if seed is None else seed
    if chosen not in BACKENDS:
        raise ShoalError(ERR_USAGE, f"backend: expected one of {', '.join(BACKENDS)}, found {chosen!r}")
    _prepare(folder, replace)
    recording = BACKENDS[chosen](scenario, seed, name, folder)
    write_cast(folder, recording.cast)
    conditions = Conditions(
        scenario=name,
        config=scenario,
        backend=chosen,
        question=scenario.description,
        wrong_bytes=recording.wrong_bytes,
        shaped_by=recording.shaped_by,
        seed=seed,
        trace=recording.trace,
        progress=recording.progress,
        made_by=provenance(),
        events=recording.heard,
        events_lost=recording.lost,
    )
    return write_result(folder, conditions, report)


def _prepare(folder: Path, replace: bool) -> None:
    try:
        if replace and (folder / SUMMARY).exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(folder.iterdir())
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot hold a result: {error.strerror}") from None
    if occupied:
        hint = "choose another folder" if not (folder / SUMMARY).exists() else "choose another, or say --replace"
        raise ShoalError(ERR_PATH, f"{folder} is not empty; {hint}")
