"""Runs a scenario on real processes and leaves its result in a folder.

start      the tracker and all peers, in a fresh base directory inside the folder
listen     a tap on each, until each was heard
share      a file of seeded bytes, at the first peer; until the tracker counts the seed
fetch      at all others at once; until all are complete, or one failed, or the time is over
check      every fetched file against the shared one; every event against its number
write      what the events add up to
"""

from __future__ import annotations

import filecmp
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ERR_PATH, ERR_TIMEOUT, ShoalError
from bus.messages import ControlPing, Done, Get, Shared, SharePath
from bus.reactor import Reactor
from experiments.cast import Member, write_cast
from experiments.collector import TRACKER, Collector
from experiments.figures.style import check_drawing
from experiments.fleet import Fleet
from experiments.material import write_material
from experiments.provenance import provenance
from experiments.result import SUMMARY, Conditions, Summary, write_result
from experiments.scenario import Scenario

STATE: Final = "state"
LOGS: Final = "logs"
PROCESSES: Final = "processes"
LISTEN: Final = 10.0
"""Seconds within which every tap must have heard its process."""
ANNOUNCED: Final = 15.0
"""Seconds within which the tracker must count the seed."""


class Run:
    """One experiment from the first tap to the last heartbeat.

    Args:
        scenario: what to do.
        fleet: running: the seed is its first peer.
        reactor: the loop.
        collector: listening to the fleet.
    """

    def __init__(self, scenario: Scenario, fleet: Fleet, reactor: Reactor, collector: Collector) -> None:
        self._scenario = scenario
        self._fleet = fleet
        self._reactor = reactor
        self._collector = collector
        self._wanted: Callable[[], bool] | None = None
        reactor.on_turn(self._look)

    def carry_out(self, source: Path) -> None:
        """Share `source` and have all others fetch it.

        Raises:
            ShoalError: something did not happen in time, or a download failed.
        """
        seed, *others = self._fleet.peers
        self._heartbeat("a heartbeat of every process")
        for peer in self._fleet.peers:  # connected before it matters
            self._fleet.ask(peer, ControlPing(0), Done)
        note(f"sharing at {seed.name}")
        content = self._fleet.ask(seed, SharePath(0, str(source)), Shared).id
        self._until(self._seed_announced, ANNOUNCED, "the tracker to count the seed")
        note(f"fetching at {len(others)} peers")
        for peer in others:
            self._fleet.ask(peer, Get(0, content), Done)
        self._until(self._all_ended, self._scenario.timeout, "all downloads to end")
        self._heartbeat("a last heartbeat of every process")
        self._check(source)

    def _heartbeat(self, what: str) -> None:
        """Wait for the next heartbeat of each process: it tells whether all before it was heard."""
        before = self._collector.heartbeats()
        self._until(
            lambda: all(count > before[name] for name, count in self._collector.heartbeats().items()), LISTEN, what
        )

    def _seed_announced(self) -> bool:
        announced = self._collector.last[TRACKER].get("content.announced")
        return announced is not None and bool(announced.data["seeds"])

    def _all_ended(self) -> bool:
        newest = [self._collector.last[peer.name] for peer in self._fleet.peers[1:]]
        failed = next((row["transfer.failed"] for row in newest if "transfer.failed" in row), None)
        if failed is not None:
            raise ShoalError(ERR_FAILURE, f"a download failed: {failed.data['error']}")
        return all("transfer.completed" in row for row in newest)

    def _check(self, source: Path) -> None:
        for peer in self._fleet.peers[1:]:
            path = Path(str(self._collector.last[peer.name]["transfer.completed"].data["path"]))
            if not filecmp.cmp(source, path, shallow=False):
                raise ShoalError(ERR_INTEGRITY, f"what {peer.name} fetched differs from what was shared: {path}")

    def _until(self, wanted: Callable[[], bool], within: float, what: str) -> None:
        """Turn the loop until something is so."""
        self._wanted = wanted
        timer = self._reactor.call_later(within, self._reactor.stop)
        self._reactor.run()
        timer.cancel()
        if self._wanted is not None:
            raise ShoalError(ERR_TIMEOUT, f"waited {within:g} s for {what}; see the logs")

    def _look(self) -> None:
        if self._wanted is not None and self._wanted():
            self._wanted = None
            self._reactor.stop()


def run(scenario: Scenario, name: str, folder: Path, replace: bool = False) -> Summary:
    """Run a scenario.

    Args:
        scenario: what to do.
        name: of the scenario, for the summary.
        folder: for the result; must be empty or not there.
        replace: it may hold an earlier result, which is deleted.

    Raises:
        ShoalError: what went wrong; the logs and events up to then are in the folder.
    """
    check_drawing()
    _prepare(folder, replace)
    base_dir, source = folder / STATE / "base", folder / STATE / f"{name}.bin"
    base_dir.mkdir(parents=True)
    write_material(source, scenario.size, scenario.seed)
    limits = {key: rate for key, rate in msgspec.structs.asdict(scenario.limits).items() if rate}
    reactor = Reactor()
    try:
        note(f"starting a tracker and {scenario.leechers + 1} peers")
        with (
            Fleet(base_dir, scenario.leechers + 1, {"limits": limits}) as fleet,
            Collector(reactor, fleet, folder) as collector,
        ):
            write_cast(folder, cast_of(scenario, fleet))
            Run(scenario, fleet, reactor, collector).carry_out(source)
            heard = {process: row.events for process, row in collector.hearing.items()}
            lost = collector.lost
    finally:
        reactor.close()
        _put_away(base_dir, folder)
    if any(lost.values()):
        note(f"EVENTS LOST, the numbers are not to be trusted: {lost}")
    # What was fetched was compared byte by byte.
    conditions = Conditions(
        name, scenario, PROCESSES, provenance(), heard, lost,
        shaped_by="the peers' own rate limits", seed=scenario.seed, wrong_bytes=0,
    )  # fmt: skip
    return write_result(folder, conditions)


def cast_of(scenario: Scenario, fleet: Fleet) -> list[Member]:
    """The first peer is the seed, the others fetch."""
    limits = scenario.limits
    return [
        Member(
            peer.name, [peer.id], "leechers" if place else "seeds", complete=not place, up=limits.up, down=limits.down
        )
        for place, peer in enumerate(fleet.peers)
    ]


def note(line: str) -> None:
    """One line about what goes on."""
    print(f"experiment: {line}", file=sys.stderr, flush=True)


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
