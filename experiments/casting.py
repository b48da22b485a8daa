"""Who plays what in one run of a scenario, and what is drawn by its seed: arrivals, sessions, who is struck."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from experiments.cast import Member
from experiments.scenario import HONEST, Failure, Group, Scenario, chosen_settings

SLOWNESS: Final = 10
"""A slow peer has this part of its group's rate,"""
SLOW_RATE: Final = 256 * 1024
"""or so many bytes a second, if the group has no limit."""
LARGE_VIEW: Final = {"transfer.links": "1000", "transfer.links_per_content": "1000"}


class Player(Struct, frozen=True):
    """One peer of a run."""

    name: str
    group: str
    config: Group
    arrives: float
    """Seconds after the start."""
    partner: str = ""
    """The other one of a Sybil pair."""

    @property
    def honest(self) -> bool:
        return self.config.behaviour in HONEST

    @property
    def up(self) -> int:
        """Upload limit, bytes a second; 0: unlimited."""
        slow = self.config.behaviour == "slow"
        return (self.config.up // SLOWNESS or SLOW_RATE) if slow else self.config.up

    @property
    def down(self) -> int:
        """Download limit, bytes a second; 0: unlimited."""
        slow = self.config.behaviour == "slow"
        return (self.config.down // SLOWNESS or SLOW_RATE) if slow else self.config.down

    def settings(self, limits: bool) -> dict[str, str]:
        """Dotted key -> value of what its configuration says beside the defaults; with its rates, if `limits`."""
        own = dict(LARGE_VIEW) if self.config.behaviour == "large-view" else {}
        if limits:
            own |= {key: str(rate) for key, rate in (("limits.up", self.up), ("limits.down", self.down)) if rate}
        return own | chosen_settings(self.config)

    def member(self, ids: list[str]) -> Member:
        """As the recording names it."""
        config = self.config
        return Member(
            self.name, ids, self.group, config.behaviour, config.complete, self.up, self.down, round(self.arrives, 6)
        )


def players(scenario: Scenario, seed: int) -> list[Player]:
    """Everybody, in the order of the scenario's groups."""
    found = []
    for name, group in scenario.groups.items():
        names = [f"{name}-{number}" for number in range(1, group.peers + 1)]
        for place, (own, arrives) in enumerate(zip(names, _arrivals(group, f"{seed} {name}"), strict=True)):
            partner = names[place ^ 1] if group.behaviour == "sybil" else ""
            found.append(Player(own, name, group, arrives, partner))
    return found


def _arrivals(group: Group, seed: str) -> list[float]:
    arrival = group.arrival
    if arrival.trace:
        return [arrival.at + time for time in arrival.trace]
    if arrival.poisson:
        rng = random.Random(f"{seed} arrivals")
        return [arrival.at + time for time in accumulate(rng.expovariate(arrival.poisson) for _ in range(group.peers))]
    return [arrival.at] * group.peers


def struck(failure: Failure, cast: Sequence[Player], seed: int, number: int) -> list[Player]:
    """The peers that a failure strikes; `number` is its place among the failures."""
    if failure.peers:
        return [player for player in cast if player.name in failure.peers]
    group = [player for player in cast if player.group == failure.group]
    if not failure.count:
        return group
    rng = random.Random(f"{seed} failure {number}")
    drawn = set(rng.sample(range(len(group)), failure.count))
    return [player for place, player in enumerate(group) if place in drawn]


def sessions(player: Player, seed: int) -> Iterator[tuple[float, float]]:
    """(seconds for which it stays, seconds for which it is away), without end; nothing without churn."""
    leave = player.config.leave
    rng = random.Random(f"{seed} {player.name} sessions")
    while leave.session:
        yield rng.expovariate(1 / leave.session), rng.expovariate(1 / leave.pause)
