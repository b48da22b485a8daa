"""A run on real sockets and disks: peers that are driven over their control sockets and heard through taps.

listen     a tap on each, until each was heard
share      the content at the seeds that are there from the start; until the tracker counts them
direct     arrivals, departures and failures, until all that is awaited has completed or the time is over
check      every honest peer's content against what was shared; every event against its number
"""

from __future__ import annotations

import filecmp
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ERR_TIMEOUT, ERR_UNREACHABLE, ShoalError
from bus.messages import (
    LIMIT_DEFAULT,
    ChangeLimits,
    ControlPing,
    Done,
    Get,
    Instruct,
    Limits,
    Message,
    Shared,
    SharePath,
)
from bus.reactor import Reactor
from bus.ready import PeerUp
from experiments.acting import Role
from experiments.backends.namespaces import Wire
from experiments.behaviours.orders import Order, write_order
from experiments.behaviours.wrapping import Part
from experiments.casting import Player
from experiments.collector import TRACKER, Collector
from experiments.directing import Director
from experiments.fleet import Fleet
from experiments.scenario import Scenario

LISTEN: Final = 10.0
"""Seconds within which every tap must have heard its process."""
ANNOUNCED: Final = 30.0
"""Seconds within which the tracker must count the seeds."""

M = TypeVar("M", bound=Message)


class Actors(Fleet):
    """A tracker and actors, however they run."""

    def kill(self, peer: PeerUp, away: float) -> None:
        """End it without a word; see Stage.kill."""
        self.order(peer, Order("kill", away))

    def pause(self, peer: PeerUp, lasts: float, later: Callable[[float, Callable[[], None]], None]) -> None:
        """Let it stand still; see Stage.pause.  `later` calls something in so many seconds."""
        self.order(peer, Order("pause", lasts))

    def order(self, peer: PeerUp, order: Order) -> None:
        self.ask(peer, Instruct(0, write_order(order)), Done)

    def check(self) -> None:
        """Raises ShoalError if an actor ended that nobody starts again."""


class RealRun:
    """One run, from the first tap to the last heartbeat; a Stage (experiments/directing.py)."""

    def __init__(
        self,
        scenario: Scenario,
        cast: Sequence[Player],
        seed: int,
        fleet: Actors,
        reactor: Reactor,
        collector: Collector,
    ) -> None:
        """`fleet` runs, and `collector` listens to it in `reactor`."""
        self._scenario = scenario
        self._cast = cast
        self._fleet = fleet
        self._reactor = reactor
        self._collector = collector
        self._peers = {peer.name: peer for peer in fleet.peers}
        self._director = Director(scenario, cast, seed, self)
        self._fetching: dict[str, Player] = {}
        """Who fetches and has not completed."""
        self._source = Path()
        self._content = ""
        self._failure: ShoalError | None = None
        self._wanted: Callable[[], bool] | None = None
        reactor.on_turn(self._look)

    def carry_out(self, source: Path) -> None:
        """Do what the scenario says with the content that lies there.

        Raises:
            ShoalError: something did not happen in time, or a download failed.
        """
        self._source = source
        self._heartbeat("a heartbeat of every process")
        for peer in self._fleet.peers:  # connected before it matters
            self._fleet.ask(peer, ControlPing(0), Done)
        note("sharing")
        self._director.open()
        self._until(self._seeds_announced, ANNOUNCED, "the tracker to count the seeds")
        note(f"fetching at {self._scenario.leechers} peers")
        self._director.begin()
        if self._scenario.stop == "time":
            self._pass(self._scenario.timeout)
        else:
            self._until(lambda: self._director.over, self._scenario.timeout, "all downloads to end")
        self._pass_heartbeats()
        self._check()

    # -- the stage --

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self._reactor.call_later(seconds, lambda: self._try(call))

    def enter(self, player: Player) -> bool:
        peer = self._peers[player.name]
        if player.config.complete:
            return self._reached(player, lambda: self._share(peer))
        self._fetching[player.name] = player
        return self._reached(player, lambda: self._fleet.ask(peer, Get(0, self._content), Done))

    def leave(self, player: Player, away: float) -> bool:
        return self._reached(player, lambda: self._fleet.order(self._peers[player.name], Order("leave", away)))

    def kill(self, player: Player, away: float) -> None:
        self._fleet.kill(self._peers[player.name], away)

    def pause(self, player: Player, lasts: float) -> None:
        self._fleet.pause(self._peers[player.name], lasts, self.later)

    def order(self, player: Player, order: Order) -> None:
        self._reached(player, lambda: self._fleet.order(self._peers[player.name], order))

    def cap(self, player: Player, rate: int | None) -> bool:
        change = ChangeLimits(0, up=LIMIT_DEFAULT if rate is None else rate)
        return self._reached(player, lambda: self._fleet.ask(self._peers[player.name], change, Limits))

    def ids_of(self, players: Sequence[Player]) -> tuple[str, ...]:
        newest = [self._collector.last[player.name].values() for player in players]
        return tuple(max(events, key=lambda event: event.time).source for events in newest if events)

    def _share(self, peer: PeerUp) -> None:
        self._content = self._fleet.ask(peer, SharePath(0, str(self._source)), Shared).id

    def _reached(self, player: Player, ask: Callable[[], object]) -> bool:
        """Ask a peer; False if it is not there."""
        try:
            ask()
        except ShoalError as error:
            if error.code not in (ERR_UNREACHABLE, ERR_TIMEOUT):
                raise
            note(f"{player.name} cannot be reached now: {error.message}")
            return False
        return True

    # -- waiting --

    def _try(self, call: Callable[[], None]) -> None:
        """What goes wrong in a timer ends the run."""
        try:
            call()
        except ShoalError as error:
            self._failure = self._failure or error

    def _heartbeat(self, what: str) -> None:
        """Wait for the next heartbeat of each process: it tells whether all before it was heard."""
        before = self._collector.heartbeats()
        self._until(
            lambda: all(count > before[name] for name, count in self._collector.heartbeats().items()), LISTEN, what
        )

    def _pass_heartbeats(self) -> None:
        """Let everybody that is there give one more heartbeat."""
        self._pass(1.5)

    def _seeds_announced(self) -> bool:
        seeds = sum(player.config.complete and player.arrives == 0 for player in self._cast)
        announced = self._collector.last[TRACKER].get("content.announced")
        return announced is not None and announced.data["seeds"] == seeds

    def _completions(self) -> None:
        for name, player in list(self._fetching.items()):
            events = self._collector.last[name]
            if "transfer.completed" in events:
                del self._fetching[name]
                self._director.completed(name)
            elif player.honest and (failed := events.get("transfer.failed")):
                error = ShoalError(ERR_FAILURE, f"the download of {name} failed: {failed.data['error']}")
                self._failure = self._failure or error

    def _check(self) -> None:
        for player in self._cast:
            completed = self._collector.last[player.name].get("transfer.completed")
            if player.honest and completed is not None:
                path = Path(str(completed.data["path"]))
                if not same(self._source, path):
                    raise ShoalError(ERR_INTEGRITY, f"what {player.name} fetched differs from what was shared: {path}")

    def _pass(self, seconds: float) -> None:
        self._wanted = lambda: False
        timer = self._reactor.call_later(seconds, self._reactor.stop)
        self._turn_loop()
        timer.cancel()

    def _until(self, wanted: Callable[[], bool], within: float, what: str) -> None:
        """Turn the loop until something is so."""
        self._wanted = wanted
        timer = self._reactor.call_later(within, self._reactor.stop)
        self._turn_loop()
        timer.cancel()
        if self._wanted is not None:
            raise ShoalError(ERR_TIMEOUT, f"waited {within:g} s for {what}; see the logs")

    def _turn_loop(self) -> None:
        self._reactor.run()
        if self._failure is not None:
            raise self._failure

    def _look(self) -> None:
        self._completions()
        self._try(self._fleet.check)
        if self._failure is not None:
            self._reactor.stop()
        elif self._wanted is not None and self._wanted():
            self._wanted = None
            self._reactor.stop()


def roles_of(cast: Sequence[Player], scenario: Scenario) -> dict[str, Role]:
    """What each peer is told at its start."""
    return {player.name: _role_of(player, number, scenario) for number, player in enumerate(cast, 1)}


def _role_of(player: Player, number: int, scenario: Scenario) -> Role:
    config = player.config
    latency = scenario.network.latency + config.latency
    if scenario.network.shaped_by == "kernel":
        wire = Wire(number, player.up, player.down, latency)
        return Role(player.settings(limits=False), Part(config.behaviour, config.period, player.partner), wire)
    return Role(player.settings(limits=True), Part(config.behaviour, config.period, player.partner, latency))


def same(shared: Path, fetched: Path) -> bool:
    """Whether two files, or two trees of files, are the same."""
    if shared.is_file():
        return filecmp.cmp(shared, fetched, shallow=False)
    files = [path.relative_to(shared) for path in shared.rglob("*") if path.is_file()]
    there = [path.relative_to(fetched) for path in fetched.rglob("*") if path.is_file()]
    return sorted(files) == sorted(there) and all(
        filecmp.cmp(shared / path, fetched / path, shallow=False) for path in files
    )


def shaping_of(scenario: Scenario) -> str:
    """What limits rates and delays messages where sockets are real, in words."""
    if scenario.network.shaped_by == "kernel":
        return "the kernel, in a network namespace for each peer"
    groups = scenario.groups.values()
    slow = scenario.network.latency or any(group.latency for group in groups)
    limits = "Shoal's own limits" if any(group.up or group.down for group in groups) else "nothing but the machine"
    return limits + (", and each sender delays its messages" if slow else "")


def note(line: str) -> None:
    """One line about what goes on."""
    print(f"experiment: {line}", file=sys.stderr, flush=True)
