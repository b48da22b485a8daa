"""Runs a scenario on a backend and leaves its result in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bus.errors import ERR_CONFIG, ERR_PATH, ShoalError
from bus.reactor import Reactor
from experiments.acting import Role
from experiments.backends import simulated
from experiments.backends.inproc import Threads
from experiments.backends.processes import Processes
from experiments.backends.real import Actors, RealRun, note, role_of, shaping_of
from experiments.backends.recording import Recording
from experiments.cast import write_cast
from experiments.casting import Player, players
from experiments.collector import Collector, read_events
from experiments.figures import check_drawing
from experiments.material import write_content
from experiments.provenance import provenance
from experiments.result import SUMMARY, Conditions, Summary, write_result
from experiments.scenario import Scenario, real_problems

STATE: Final = "state"
LOGS: Final = "logs"
Record = Callable[[Scenario, int, str, Path], Recording]
"""(scenario, seed, name, folder) -> what was recorded into the folder."""


def on_real_sockets(make: Callable[[Path, dict[str, Role]], Actors]) -> Record:
    """The backend whose peers are made so, from a base directory and their roles."""

    def record(scenario: Scenario, seed: int, name: str, folder: Path) -> Recording:
        for problem in real_problems(scenario):
            raise ShoalError(ERR_CONFIG, f"scenario {name}: {problem}")
        cast = players(scenario, seed)
        base_dir, source = folder / STATE / "base", folder / STATE / name
        base_dir.mkdir(parents=True)
        write_content(source, scenario.content, seed)
        reactor = Reactor()
        try:
            note(f"starting a tracker and {len(cast)} peers")
            roles = {player.name: role_of(player, scenario) for player in cast}
            with make(base_dir, roles) as fleet, Collector(reactor, fleet, folder) as collector:
                RealRun(scenario, cast, seed, fleet, reactor, collector).carry_out(source)
                heard = {process: row.events for process, row in collector.hearing.items()}
                lost = collector.lost
        finally:
            reactor.close()
            _put_away(base_dir, folder)
        if any(lost.values()):
            note(f"EVENTS LOST, the numbers are not to be trusted: {lost}")
        return Recording(shaping_of(scenario), heard, lost, [player.member(ids) for player, ids in _ids(cast, folder)])

    return record


BACKENDS: Final[dict[str, Record]] = {
    "processes": on_real_sockets(Processes),
    "inproc": on_real_sockets(Threads),
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
) -> dict[Path, Summary]:
    """Run a scenario as often as it says, each time with the next seed; folder -> what came out.

    Several results lie in folders `seed-N` inside the folder.  The arguments are those of `run`.

    Raises:
        ShoalError: what went wrong with a run; the results before it are there.
    """
    first = scenario.seed if seed is None else seed
    if scenario.repetitions == 1:
        return {folder: run(scenario, name, folder, replace, backend, first)}
    folders = {folder / f"seed-{number}": number for number in range(first, first + scenario.repetitions)}
    return {place: run(scenario, name, place, replace, backend, number) for place, number in folders.items()}


def _ids(cast: list[Player], folder: Path) -> list[tuple[Player, list[str]]]:
    """The ids under which each peer published."""
    recorded = read_events(folder)
    return [(player, list(dict.fromkeys(row.source for row in recorded[player.name]))) for player in cast]


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


def _put_away(base_dir: Path, folder: Path) -> None:
    """Keep the logs, delete the peers' state and the files."""
    if (base_dir / LOGS).exists():
        shutil.move(base_dir / LOGS, folder / LOGS)
    shutil.rmtree(folder / STATE)
