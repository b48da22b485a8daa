"""From a way to run real peers to a backend: the content is made, they run, their state is deleted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_CONFIG, ShoalError
from bus.reactor import Reactor
from experiments.acting import Role
from experiments.backends.namespaces import check_offered
from experiments.backends.real import Actors, RealRun, note, roles_of, shaping_of
from experiments.backends.recording import Recording
from experiments.backends.state import STATE, remove_state
from experiments.casting import Player, players
from experiments.collector import Collector
from experiments.material import write_content
from experiments.scenario import Scenario, backend_problems
from experiments.tables.recording import FOLDER

LOGS: Final = "logs"


class _Source(Struct):
    """What is read of an event to know under which id it was published."""

    source: str


def on_sockets(
    backend: str, make: Callable[[Path, dict[str, Role]], Actors]
) -> Callable[[Scenario, int, str, Path], Recording]:
    """The backend of that name, whose peers are made so, from a base directory and their roles."""

    def record(scenario: Scenario, seed: int, name: str, folder: Path) -> Recording:
        for problem in backend_problems(scenario, backend):
            raise ShoalError(ERR_CONFIG, f"scenario {name}: {problem}")
        cast = players(scenario, seed)
        roles = roles_of(cast, scenario)
        if wires := [role.wire for role in roles.values() if role.wire]:
            check_offered(wires)
        base_dir, source = folder / STATE / "base", folder / STATE / name
        base_dir.mkdir(parents=True)
        reactor = Reactor()
        try:
            write_content(source, scenario.content, seed)
            note(f"starting a tracker and {len(cast)} peers")
            with make(base_dir, roles) as fleet, Collector(reactor, fleet, folder) as collector:
                RealRun(scenario, cast, seed, fleet, reactor, collector).carry_out(source)
                heard = {process: row.events for process, row in collector.hearing.items()}
                lost = collector.lost
        finally:
            reactor.close()
            _put_away(base_dir, folder)
        if any(lost.values()):
            note(f"EVENTS LOST, the numbers are not to be trusted: {lost}")
        members = [player.member(ids) for player, ids in _ids(cast, folder)]
        return Recording(shaping_of(scenario), heard, lost, members, wrong_bytes=0)

    return record


def _ids(cast: list[Player], folder: Path) -> list[tuple[Player, list[str]]]:
    """The ids under which each peer published."""
    decoder = msgspec.json.Decoder(_Source)
    found = []
    for player in cast:
        lines = (folder / FOLDER / f"{player.name}.jsonl").read_bytes()
        found.append((player, list(dict.fromkeys(row.source for row in decoder.decode_lines(lines)))))
    return found


def _put_away(base_dir: Path, folder: Path) -> None:
    """Keep the logs, delete the peers' state and the files."""
    if (base_dir / LOGS).exists():
        shutil.move(base_dir / LOGS, folder / LOGS)
    remove_state(folder)
