"""What happens when: arrivals, departures, churn and failures of one run, whatever it runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from experiments.behaviours.orders import Order
from experiments.casting import Player, sessions, struck
from experiments.scenario import Failure, Scenario

AGAIN: Final = 0.5
"""Seconds after which a peer that could not be reached is told once more."""


class Stage(Protocol):
    """What carries a run out.  Who returns may need longer than it was told: calls that it must hear answer False if it
    cannot be reached now."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something in so many seconds of the experiment's time."""

    def enter(self, player: Player) -> bool:
        """Let a peer begin: to share if it is complete, else to fetch."""

    def leave(self, player: Player, away: float) -> bool:
        """Let a peer say good-bye and go; it returns after `away` seconds, never if that is 0."""

    def kill(self, player: Player, away: float) -> None:
        """End a peer at once; it returns after `away` seconds, never if that is 0."""

    def pause(self, player: Player, lasts: float) -> None:
        """Let a peer stand still for so long, for good if that is 0."""

    def order(self, player: Player, order: Order) -> None:
        """Give an order."""

    def cap(self, player: Player, rate: int | None) -> bool:
        """Set an upload limit; None: the configured one again."""

    def ids_of(self, players: Sequence[Player]) -> tuple[str, ...]:
        """The ids that peers have now."""


class Director:
    """Tells a stage what to do when, and knows when all is over."""

    def __init__(self, scenario: Scenario, cast: Sequence[Player], seed: int, stage: Stage) -> None:
        self._scenario = scenario
        self._cast = {player.name: player for player in cast}
        self._seed = seed
        self._stage = stage
        self._absent: dict[str, list[Callable[[], bool]]] = {}
        """Peers that cannot be told anything now, for good or not, and what was put off until they are back."""
        self.awaited = {player.name: True for player in cast if player.honest and not player.config.complete}
        """Peers that the end waits for."""

    def open(self) -> None:
        """What is there before the start: the seeds."""
        for player in self._cast.values():
            if self._is_opening(player):
                self.enter(player)

    def begin(self) -> None:
        """The start: set the times of everything."""
        for player in self._cast.values():
            if not self._is_opening(player):
                self._stage.later(player.arrives, lambda player=player: self.enter(player))  # type: ignore[misc]
            if player.config.leave.session:
                self._stage.later(player.arrives, lambda player=player: self._churn(player))  # type: ignore[misc]
        for number, failure in enumerate(self._scenario.failures):
            targets = struck(failure, list(self._cast.values()), self._seed, number)
            self._stage.later(failure.at, lambda f=failure, t=targets: self._strike(f, t))  # type: ignore[misc]

    def enter(self, player: Player) -> None:
        """Let a peer begin, once it is there."""
        self._tell(player, lambda: self._stage.enter(player))

    def completed(self, name: str) -> None:
        """A peer has the whole content."""
        player = self._cast[name]
        self.awaited.pop(name, None)
        linger = player.config.leave.linger
        if linger >= 0 and not player.config.complete:
            self._stage.later(linger, lambda: self._tell(player, lambda: self._leave(player, 0.0)))

    @property
    def over(self) -> bool:
        """Whether nobody is waited for any more."""
        return self._scenario.stop == "complete" and not self.awaited

    def _is_opening(self, player: Player) -> bool:
        return player.config.complete and player.arrives == 0

    def _tell(self, player: Player, call: Callable[[], bool]) -> None:
        """Make a call that a peer must hear: now, or once it is there."""
        put_off = self._absent.get(player.name)
        if put_off is not None:
            put_off.append(call)
        elif not call():
            self._stage.later(AGAIN, lambda: self._tell(player, call))

    def _leave(self, player: Player, away: float) -> bool:
        told = self._stage.leave(player, away)
        if told:
            self._away(player, away)
        return told

    def _churn(self, player: Player) -> None:
        drawn = sessions(player, self._seed)

        def stay() -> None:
            session, pause = next(drawn)
            self._stage.later(session, lambda: go(pause))

        def go(pause: float) -> None:
            if player.name not in self._absent:
                self._leave(player, pause)
            self._stage.later(pause, stay)

        stay()

    def _away(self, player: Player, seconds: float) -> None:
        """It cannot be told anything; if it does not return, nobody waits for it either.

        The stage hears of it first, so that at its time the peer is back before it is told what was put off.
        """
        self._absent[player.name] = []
        if seconds:
            self._stage.later(seconds, lambda: self._back(player))
        else:
            self.awaited.pop(player.name, None)

    def _back(self, player: Player) -> None:
        for call in self._absent.pop(player.name):
            self._tell(player, call)

    def _strike(self, failure: Failure, targets: Sequence[Player]) -> None:
        side = self._stage.ids_of(targets) if failure.do == "partition" else ()
        for player in targets:
            if player.name not in self._absent:
                self._do(failure, player, side)

    def _do(self, failure: Failure, player: Player, side: tuple[str, ...]) -> None:
        stage, lasts = self._stage, failure.lasts
        match failure.do:
            case "kill":
                stage.kill(player, lasts)
                self._away(player, lasts)
            case "pause":
                stage.pause(player, lasts)
                self._away(player, lasts)
            case "cap":
                stage.cap(player, failure.rate)
                if lasts:
                    stage.later(lasts, lambda: self._tell(player, lambda: stage.cap(player, None)))
            case "partition" | "corrupt" | "delay":
                stage.order(player, Order(failure.do, lasts, failure.delay, side))
                if failure.do == "partition" and not lasts:
                    self.awaited.pop(player.name, None)
