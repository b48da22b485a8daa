"""Runs a scenario on a backend and leaves its result in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bus.errors import ERR_PATH, ShoalError
from experiments.backends import simulated
from experiments.backends.inproc import Threads
from experiments.backends.on_sockets import on_sockets
from experiments.backends.processes import Processes
from experiments.backends.recording import Recording
from experiments.cast import write_cast
from experiments.figures.style import check_drawing
from experiments.provenance import provenance
from experiments.result import SUMMARY, Conditions, Summary, write_repetitions, write_result
from experiments.scenario import Scenario
from experiments.summary import RUNS, Repetitions

Record = Callable[[Scenario, int, str, Path], Recording]
"""(scenario, seed, name, folder) -> what was recorded into the folder."""


BACKENDS: Final[dict[str, Record]] = {
    "processes": on_sockets(Processes),
    "inproc": on_sockets(Threads),
    "sim": simulated.record,
}


def run(
    scenario: Scenario,
    name: str,
    folder: Path,
    replace: bool = False,
    backend: str | None = None,
    seed: int | None = None,
) -> Summary:
    """Run a scenario once.

    Args:
        scenario: what to do.
        name: of the scenario, for the summary.
        folder: for the result; must be empty or not there.
        replace: it may hold an earlier result, which is deleted.
        backend: instead of the scenario's.
        seed: instead of the scenario's.

    Raises:
        ShoalError: what went wrong; the logs and events up to then are in the folder.
    """
    check_drawing()
    chosen, seed = backend or scenario.backend, scenario.seed if seed is None else seed
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
        made_by=provenance(),
        events=recording.heard,
        events_lost=recording.lost,
    )
    return write_result(folder, conditions)


def run_all(
    scenario: Scenario,
    name: str,
    folder: Path,
    replace: bool = False,
    backend: str | None = None,
    seed: int | None = None,
) -> Summary | Repetitions:
    """Run a scenario as often as it says, each time with the next seed.

    Several results lie in folders `runs/SEED` in the folder.  The arguments are those of `run`.

    Raises:
        ShoalError: what went wrong with a run; the results before it are there.
    """
    first = scenario.seed if seed is None else seed
    if scenario.repetitions == 1:
        return run(scenario, name, folder, replace, backend, first)
    _prepare(folder, replace)
    for number in range(first, first + scenario.repetitions):
        run(scenario, name, folder / RUNS / str(number), False, backend, number)
    return write_repetitions(folder)


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
