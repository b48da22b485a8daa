"""Which of several sources comes first: when members of a swarm are dialled, and when chunks became free.

All sources of a download are asked at the same time, so this decides who is linked while links are scarce, and who
takes what another did not bring.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from bus.boundary import PeerId


class SourceChoice(ABC):
    """An order of sources."""

    def __init__(self, score: Callable[[PeerId], float], rate: Callable[[PeerId], float], rng: random.Random) -> None:
        """`rate` is what a peer sends us now, bytes a second."""
        self._score = score
        self._rate = rate
        self._rng = rng

    @abstractmethod
    def rank(self, peer: PeerId) -> float:
        """Who ranks higher comes first; equal ones as they were."""


class ByScore(SourceChoice):
    """The best reputation first."""

    def rank(self, peer: PeerId) -> float:
        return self._score(peer)


class ByRate(SourceChoice):
    """Who sends us most now first."""

    def rank(self, peer: PeerId) -> float:
        return self._rate(peer)


class AnyOrder(SourceChoice):
    """Anybody first."""

    def rank(self, peer: PeerId) -> float:
        return self._rng.random()


SOURCE_CHOICES: Final[dict[str, type[SourceChoice]]] = {
    "reputation": ByScore,
    "rate": ByRate,
    "random": AnyOrder,
}
