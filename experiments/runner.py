"""Runs a scenario on a backend and leaves its result in a folder."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_DISK_FULL, ERR_PATH, ERR_USAGE, ShoalError
from experiments.backends import simulated
from experiments.backends.recording import Recording
from experiments.cast import write_cast
from experiments.figures.style import check_drawing
from experiments.provenance import provenance
from experiments.result import SUMMARY, Conditions, Summary, write_result
from experiments.scenario import Scenario
from experiments.summary import write_whole
from experiments.sweeping.plan import PLAN

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says when there is no room for what is written."""
BEGUN: Final = "run.json"
RESULT: Final = (BEGUN, SUMMARY, PLAN)
"""Files of which each says that a folder is a result, or what is left of one, and nothing else."""

Record = Callable[[Scenario, int, str, Path], Recording]
"""(scenario, seed, name, folder) -> what was recorded into the folder."""


class Begun(Struct, frozen=True):
    """What a folder is for: written before anything else, and all that a run that was cut short says of itself."""

    scenario: str
    backend: str
    seed: int


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
        replace: it may hold an earlier result, or what a failed run left, which is deleted.
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
    _prepare(folder, Begun(name, chosen, seed), replace)
    try:
        return _carry_out(scenario, name, folder, chosen, seed, report)
    except OSError as error:
        if error.errno in FULL:
            told = f"{folder} has not enough room for this experiment ({error.strerror}); free some, or choose another"
            raise ShoalError(ERR_DISK_FULL, told) from error
        if error.filename is None:  # it is not about a file
            raise
        raise ShoalError(ERR_PATH, f"{error.filename} cannot be used: {error.strerror}") from error


def _carry_out(scenario: Scenario, name: str, folder: Path, chosen: str, seed: int, report: bool) -> Summary:
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


def remove_result(folder: Path) -> None:
    """Delete a result, or what is left of one; a folder with anything else stays as it is.

    Raises:
        ShoalError: ERR_PATH, it cannot be deleted.
    """
    if not _is_result(folder):
        return
    try:
        # The marks last: who is interrupted here can say --replace once more.
        for path in sorted(folder.iterdir(), key=lambda path: path.name in RESULT):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot be replaced: {error.strerror}") from None


def _prepare(folder: Path, begun: Begun, replace: bool) -> None:
    if replace:
        remove_result(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(path.name != BEGUN for path in folder.iterdir())  # one that was refused left nothing else
        if not occupied:
            write_whole(folder / BEGUN, msgspec.json.format(msgspec.json.encode(begun)) + b"\n")
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot hold a result: {error.strerror}") from None
    if occupied:
        hint = "choose another, or say --replace" if _is_result(folder) else "choose another folder"
        raise ShoalError(ERR_PATH, f"{folder} is not empty; {hint}")


def _is_result(folder: Path) -> bool:
    return any((folder / name).is_file() for name in RESULT)
